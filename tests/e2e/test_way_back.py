# SPDX-License-Identifier: Apache-2.0
"""Ways back: apply refuses what would stop the host, unconfirmed policies go away by themselves, and
enforcement can be off for a while. Each with the control that shows what happens without."""
import json
import os
import signal
import subprocess
import time

import pytest

import harness
from harness import USAGE, one, wait_for, write

NEGATIVE, NOINPUT, CANTCREAT, NOPERM = 1, 66, 73, 77
AUDIT, ENFORCE = "profile: observe\n", "profile: standard\n"

is_root = pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user: needs root")


def ctl(sp, *args, status=0, **more):
    result = sp.spythonctl(*args, **more)
    assert result.status == status, (args, result.status, result.out, result.err)
    return result


def apply(sp, yaml, *options, status=0):
    write(sp.etc / "spython.yaml", yaml)
    return ctl(sp, "apply", *options, status=status)


def verify(mode):
    return "verify:\n  mode: %s\n  native: {mode: off}\n  elsewhere: {all: [owner]}\n" % mode


def profile(sp):
    shown = json.loads(ctl(sp, "show", "--json").out)["settings"]
    return one(s["value"] for s in shown if s["name"] == "profile")


def pending(sp):
    return json.loads(sp.spythonctl("status", "--json").out)["pending"]


def watcher(sp, name):
    lines = (sp.etc / name).read_text().splitlines()
    return int(one(line for line in lines if line.startswith("pid="))[4:])


def is_alive(pid):
    try:
        return open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def raw_profile(sp):
    """Without a spythonctl, which would do what is due."""
    return sp.policy_bin.read_bytes()


# ---- what would not load


@is_root
def test_apply_refuses_to_lock_out_an_app(sp_one, work):
    script = write(work / "shop.py", "print('sold')\n")
    write(sp_one.etc / "apps.d/shop.yml", "match:\n  script: %s\n" % script)
    apply(sp_one, verify("enforce"))  # the control: approved, so it is put in force
    assert sp_one.run(script).out == b"sold\n"
    before = sp_one.policy_bin.read_bytes()

    script.chmod(0o666)
    changed = verify("enforce").replace("mode: off", "mode: audit")
    result = apply(sp_one, changed, status=NEGATIVE)
    assert str(script).encode() in result.err and b"owner: can be written by everybody" in result.err
    assert b"mode: audit" in result.err and b"app shop" in result.err
    assert sp_one.policy_bin.read_bytes() == before
    ctl(sp_one, "apply", "--dry-run", status=NEGATIVE)
    checked = ctl(sp_one, "check").out
    assert b"warning: apply will refuse this policy" in checked and str(script).encode() in checked

    apply(sp_one, verify("audit"))  # the way round
    assert b"apply will refuse" not in ctl(sp_one, "check").out
    assert sp_one.run(script).out == b"sold\n"


def test_apply_refuses_a_policy_without_the_standard_library(sp_one):
    none = "verify:\n  mode: %s\n  native: {mode: off}\n  elsewhere: {all: [xattr]}\n"
    result = apply(sp_one, none % "enforce", status=NEGATIVE)
    for name in (b"os.py", b"site.py", b"encodings/__init__.py"):
        assert name in result.err
    assert b"3 files" in result.err and not sp_one.policy_bin.exists()
    apply(sp_one, none % "audit")  # the control


def test_apply_refuses_a_policy_without_native_modules(sp_one):
    none = "verify:\n  mode: off\n  native: {mode: %s}\n  elsewhere: {all: [xattr]}\n"
    result = apply(sp_one, none % "enforce", status=NEGATIVE)
    assert b"lib-dynload/" in result.err and b"xattr: has no hash attribute" in result.err
    assert not sp_one.policy_bin.exists()
    apply(sp_one, none % "audit")  # the control


@is_root
def test_rollback_refuses_what_would_lock_out(sp_one, work):
    script = write(work / "shop.py", "print('sold')\n")
    write(sp_one.etc / "apps.d/shop.yml", "match:\n  script: %s\n" % script)
    apply(sp_one, verify("enforce"))
    apply(sp_one, verify("audit"))
    before = sp_one.policy_bin.read_bytes()
    script.chmod(0o666)
    result = ctl(sp_one, "rollback", status=NEGATIVE)
    assert b"owner: can be written by everybody" in result.err and b"spythonctl off" in result.err
    assert sp_one.policy_bin.read_bytes() == before and sp_one.run(script).out == b"sold\n"
    script.chmod(0o644)
    ctl(sp_one, "rollback")  # the control
    assert sp_one.policy_bin.read_bytes() != before and sp_one.run(script).out == b"sold\n"


@is_root
def test_apply_shows_ten_files_and_counts_the_rest(sp_one, work):
    for i in range(12):
        script = write(work / ("s%d.py" % i), "", mode=0o666)
        write(sp_one.etc / ("apps.d/a%02d.yml" % i), "match:\n  script: %s\n" % script)
    result = apply(sp_one, verify("enforce"), status=NEGATIVE)
    assert result.err.count(b"would be refused: ") == 10 and b"and 2 more" in result.err
    assert b"12 files" in result.err


@is_root
def test_apply_refuses_an_environment_of_which_nothing_loads(sp_one, work):
    root = work / "venv"
    subprocess.run([sp_one.python, "-I", "-m", "venv", "--without-pip", root], check=True)
    site = root / "lib" / ("python" + sp_one.minor) / "site-packages"
    good = write(site / "good.py", "")
    write(site / "bad.py", "")
    ctl(sp_one, "venv", "adopt", root)
    write(sp_one.etc / "apps.d/shop.yml", "match:\n  venv: %s\n" % root)
    apply(sp_one, verify("audit"))
    good.chmod(0o666)
    (site / "bad.py").chmod(0o666)
    # The owner of what can be changed is the policy's matter here, not adopt's.
    assert b"site-packages" in apply(sp_one, verify("enforce"), status=NEGATIVE).err
    good.chmod(0o644)
    apply(sp_one, verify("enforce"))  # the control: one of them loads


# ---- confirm


def test_rollback_ends_what_waits_for_confirm(sp_one):
    apply(sp_one, AUDIT)
    apply(sp_one, ENFORCE, "--confirm-within", "1h")
    assert b"comes back at" in ctl(sp_one, "apply").out  # it is in force, but not for good
    assert "confirm" in pending(sp_one)
    ctl(sp_one, "rollback")
    assert "confirm" not in pending(sp_one)


def test_unconfirmed_policy_goes_away(sp_one):
    apply(sp_one, AUDIT)
    old = raw_profile(sp_one)
    out = apply(sp_one, ENFORCE, "--confirm-within", "2s").out
    assert b"spythonctl confirm" in out and raw_profile(sp_one) != old
    assert pending(sp_one)["confirm"]["serial"] == 2
    assert (sp_one.etc / ".confirm").stat().st_mode & 0o777 == 0o600
    wait_for(lambda: raw_profile(sp_one) == old, 8)
    wait_for(lambda: not (sp_one.etc / ".confirm").exists(), 8)
    assert profile(sp_one) == "observe" and pending(sp_one) == {}


def test_confirmed_policy_stays(sp_one):
    apply(sp_one, AUDIT)
    apply(sp_one, ENFORCE, "--confirm-within", "1s")
    assert b"stays in force" in ctl(sp_one, "confirm").out
    time.sleep(1.5)
    assert profile(sp_one) == "standard"
    assert b"nothing waits to be confirmed" in ctl(sp_one, "confirm", status=NOINPUT).err


def test_first_policy_goes_back_to_the_built_in_one(sp_one):
    apply(sp_one, AUDIT, "--confirm-within", "1s")
    wait_for(lambda: not sp_one.policy_bin.exists(), 8)
    assert profile(sp_one) == "standard"


def test_what_was_applied_later_stays(sp_one):
    apply(sp_one, AUDIT)
    apply(sp_one, ENFORCE, "--confirm-within", "1s")
    apply(sp_one, "profile: strict\n")
    time.sleep(1.5)
    assert profile(sp_one) == "strict" and pending(sp_one) == {}


def test_the_shell_may_go(sp_one):
    """The process that waits has a session of its own, holds no lock, and no terminal."""
    apply(sp_one, AUDIT)
    old = raw_profile(sp_one)
    write(sp_one.etc / "spython.yaml", ENFORCE)
    shell = subprocess.Popen(["sh", "-c", '"$0" apply --confirm-within 2s; sleep 60', sp_one.ctl],
                             stdout=subprocess.DEVNULL, start_new_session=True, env=sp_one.env())
    wait_for((sp_one.etc / ".confirm").exists)
    pid = wait_for(lambda: watcher(sp_one, ".confirm"))
    assert os.getsid(pid) != shell.pid and os.readlink("/proc/%d/cwd" % pid) == "/"
    assert {os.readlink("/proc/%d/fd/%d" % (pid, fd)) for fd in range(3)} == {"/dev/null"}
    assert [f for f in os.listdir("/proc/%d/fd" % pid) if int(f) > 2] == []
    os.killpg(shell.pid, signal.SIGHUP)
    shell.wait()
    assert is_alive(pid)
    wait_for(lambda: raw_profile(sp_one) == old, 8)


def test_without_its_process_the_next_command_does_it(sp_one):
    apply(sp_one, AUDIT)
    apply(sp_one, ENFORCE, "--confirm-within", "1s")
    new = raw_profile(sp_one)
    os.kill(watcher(sp_one, ".confirm"), signal.SIGKILL)
    time.sleep(1.3)
    assert raw_profile(sp_one) == new  # the control: nobody has done it
    result = ctl(sp_one, "show")
    assert b"was not confirmed in time" in result.err and b"observe" in result.out
    assert ctl(sp_one, "show").err == b""


@pytest.mark.parametrize("text", ["", "10", "0s", "-1s", "1d", "1ss", "s", "169h", "9" * 30 + "s"])
def test_bad_durations(sp_one, text):
    write(sp_one.etc / "spython.yaml", AUDIT)
    ctl(sp_one, "apply", "--confirm-within", text, status=USAGE)
    ctl(sp_one, "off", "--for", text, "--reason", "x", status=USAGE)
    assert not sp_one.policy_bin.exists()


# ---- off


@pytest.fixture
def denied(sp_one, work):
    """A script that the policy in force refuses at its os.system."""
    script = write(work / "run.py", "import os\nos.system('true')\nprint('ran')\n")
    apply(sp_one, "profile: standard\ndenials:\n  os.system: {mode: enforce}\n")
    assert b"PermissionError" in sp_one.run(script).err  # the control
    return script


def off_records(sp):
    path = sp.log / "spythonctl.jsonl"
    records, bad = harness.parse_lines(path.read_bytes())
    assert not bad
    assert all(r["level"] == "critical" for r in records)
    return [(r["event"], r["args"].get("how")) for r in records]


def test_off_and_on(sp_one, denied):
    before = raw_profile(sp_one)
    for args in (("off",), ("off", "--for", "2h"), ("off", "--reason", "x"),
                 ("off", "--for", "2h", "--reason", ""), ("off", "--for", "2h", "--reason", "a\nb")):
        ctl(sp_one, *args, status=USAGE)
    assert b"not off" in ctl(sp_one, "on", status=NOINPUT).err
    ctl(sp_one, "off", "--for", "2h", "--reason", "the shop is down")
    assert sp_one.run(denied).out == b"ran\n"
    assert pending(sp_one)["off"]["reason"] == "the shop is down"
    assert b"the shop is down" in ctl(sp_one, "status", status=NEGATIVE).out
    ctl(sp_one, "off", "--for", "2h", "--reason", "again", status=CANTCREAT)
    ctl(sp_one, "apply", status=CANTCREAT)
    ctl(sp_one, "rollback", status=CANTCREAT)
    assert b"on again" in ctl(sp_one, "on").err
    assert raw_profile(sp_one) == before and b"PermissionError" in sp_one.run(denied).err
    assert off_records(sp_one) == [("spython.off", None), ("spython.on", "on")]
    record = harness.parse_lines((sp_one.log / "spythonctl.jsonl").read_bytes())[0][0]
    assert record["args"]["reason"] == "the shop is down" and record["args"]["serial"] == 1
    assert pending(sp_one) == {}


def test_off_ends_by_itself(sp_one, denied):
    before = raw_profile(sp_one)
    ctl(sp_one, "off", "--for", "1s", "--reason", "x")
    assert raw_profile(sp_one) != before
    wait_for(lambda: raw_profile(sp_one) == before, 8)
    wait_for(lambda: off_records(sp_one)[-1] == ("spython.on", "expired"), 8)


def test_off_ends_with_the_next_command(sp_one, denied):
    ctl(sp_one, "off", "--for", "1s", "--reason", "x")
    os.kill(watcher(sp_one, ".off"), signal.SIGKILL)
    time.sleep(1.3)
    assert sp_one.run(denied).out == b"ran\n"  # spython itself keeps to the policy in force
    assert b"on again" in ctl(sp_one, "show").err
    assert b"PermissionError" in sp_one.run(denied).err


def test_off_for_one_app(sp_one, denied, work):
    other = write(work / "other.py", denied.read_text())
    write(sp_one.etc / "apps.d/shop.yml", "match:\n  script: %s\n" % other)
    ctl(sp_one, "apply")
    ctl(sp_one, "off", "nobody", "--for", "2h", "--reason", "x", status=NOINPUT)
    ctl(sp_one, "off", "shop", "--for", "2h", "--reason", "x")
    assert sp_one.run(other).out == b"ran\n"
    assert b"PermissionError" in sp_one.run(denied).err  # the control
    ctl(sp_one, "on")
    assert b"PermissionError" in sp_one.run(other).err
    assert not (sp_one.etc / "policy.bin.off.app").exists()


def test_off_needs_something_that_is_enforced(sp_one):
    ctl(sp_one, "off", "--for", "2h", "--reason", "x", status=NOINPUT)
    apply(sp_one, AUDIT)
    assert b"enforces nothing" in ctl(sp_one, "off", "--for", "2h", "--reason", "x",
                                      status=NEGATIVE).err


@is_root
def test_off_is_not_for_everybody(sp_one, denied):
    before = raw_profile(sp_one)
    ctl(sp_one, "off", "--for", "2h", "--reason", "x", status=NOPERM, user=65534, group=65534)
    ctl(sp_one, "on", status=NOPERM, user=65534, group=65534)
    assert raw_profile(sp_one) == before
    ctl(sp_one, "off", "--for", "2h", "--reason", "x")  # the control
    ctl(sp_one, "on")


@is_root
def test_off_is_recorded_or_does_not_happen(sp_one, denied):
    before = raw_profile(sp_one)
    sp_one.log.rename(sp_one.root / "away")
    assert b"recorded first" in sp_one.spythonctl("off", "--for", "2h", "--reason", "x").err
    assert raw_profile(sp_one) == before
    (sp_one.root / "away").rename(sp_one.log)
    log = sp_one.log / "spythonctl.jsonl"
    log.unlink()
    write(log, "forged\n")
    os.chown(log, 65534, 65534)
    ctl(sp_one, "off", "--for", "2h", "--reason", "x")
    assert log.stat().st_uid == 0 and off_records(sp_one) == [("spython.off", None)]
    ctl(sp_one, "on")


@is_root
def test_off_works_with_a_full_disk(sp_one, work):
    """Everything that off needs is on disk since apply."""
    disk = work / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "none", disk]).returncode:
        harness.unavailable("cannot mount a tmpfs")
    try:
        sp = harness.clone(sp_one.root, disk / "p", sp_one.minor)
        script = write(disk / "run.py", "import os\nos.system('true')\nprint('ran')\n")
        apply(sp, "profile: standard\nlog: {sinks: [{type: 'null'}]}\n"
                  "denials:\n  os.system: {mode: enforce}\n")
        with open(disk / "fill", "wb", buffering=0) as fill:
            with pytest.raises(OSError):
                while True:
                    fill.write(bytes(1 << 16))
            with pytest.raises(OSError):
                while True:
                    fill.write(bytes(512))
        with pytest.raises(OSError):  # the control: nothing else can be written
            write(disk / "more", bytes(1 << 16))
        assert b"PermissionError" in sp.run(script).err
        ctl(sp, "off", "--for", "2h", "--reason", "the disk is full")
        assert sp.run(script).out == b"ran\n"
        ctl(sp, "on")
        assert b"PermissionError" in sp.run(script).err
        assert off_records(sp) == [("spython.off", None), ("spython.on", "on")]
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# ---- contrib


def test_the_drop_in_names_the_statuses(prefix):
    text = (harness.SOURCE / "contrib/systemd/spython-no-restart-loop.conf").read_text()
    assert "\nRestartPreventExitStatus=64 66 74 77 78\n" in text
    installed = prefix / "share/spython/systemd/spython-no-restart-loop.conf"
    assert installed.read_text() == text
