# SPDX-License-Identifier: Apache-2.0
"""Every kind of bad input: one clear line on stderr, the right exit status, nothing run."""
import os
import random
import shutil
import threading

import pytest

import harness
from harness import NOINPUT, REFUSED, UNUSABLE, USAGE, assert_refused, run, write

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
NOBODY = 65534


@pytest.fixture
def victim(work):
    """A script that leaves a trace if it is run."""
    (work / "out").mkdir()
    (work / "out").chmod(0o777)
    marker = work / "out" / "ran"
    script = write(work / "victim.py", "open(%r, 'w')\nprint('ran')\n" % str(marker))

    class Victim:
        pass
    v = Victim()
    v.script, v.marker, v.work = script, marker, work
    return v


def as_nobody(command, **more):
    return run(command, user=NOBODY, group=NOBODY, extra_groups=[], **more)


# Scripts.

def test_no_script(sp):
    assert_refused(sp.run(), USAGE)


@pytest.mark.parametrize("name", ["missing.py", "missing/x.py", "", " ", "a\nb.py", "\x1b[31m.py", "x" * 255,
                                  b"\xff.py"],
                         ids=["plain", "directory", "empty", "space", "newline", "escape", "long", "bytes"])
def test_missing(sp_one, work, name):
    found = sp_one.run(name, cwd=work)
    assert_refused(found, NOINPUT)
    assert b"\x1b" not in found.err


@pytest.mark.parametrize("name", ["x" * 5000, "/" + "d/" * 3000 + "x.py", "x" * 100000])
def test_missing_with_endless_name(sp_one, name):
    """Still one line, which may be cut."""
    found = sp_one.run(name)
    assert found.status == NOINPUT and found.out == b""
    assert found.err.startswith(b"spython: ") and found.err.count(b"\n") == 1 and len(found.err) < 2000


def test_missing_on_all_versions(sp, work):
    assert_refused(sp.run(work / "missing.py"), NOINPUT)


def test_dangling_and_looping_links(sp_one, work):
    (work / "dangling.py").symlink_to("nothing")
    (work / "loop.py").symlink_to("loop.py")
    assert_refused(sp_one.run(work / "dangling.py"), NOINPUT)
    assert_refused(sp_one.run(work / "loop.py"), NOINPUT)


def test_script_below_a_file(sp_one, victim):
    assert_refused(sp_one.run(victim.script / "x.py"), NOINPUT)
    assert_refused(sp_one.run(str(victim.script) + "/"), NOINPUT)
    assert not victim.marker.exists()


@needs_root
def test_unreadable(sp_one, victim):
    if not str(sp_one.python).startswith("/usr/"):
        pytest.skip("nobody cannot reach this interpreter")
    victim.script.chmod(0o600)
    found = as_nobody([sp_one.spython, victim.script], env=sp_one.env())
    assert_refused(found, NOINPUT)
    assert b"ermission" in found.err
    victim.script.chmod(0o644)
    sp_one.log.chmod(0o1777)
    assert as_nobody([sp_one.spython, victim.script], env=sp_one.env())[:2] == (0, b"ran\n")


def test_directory(sp, victim):
    assert_refused(sp.run(victim.work), REFUSED)
    assert_refused(sp.run("/"), REFUSED)
    assert_refused(sp.run(".", cwd=victim.work), REFUSED)


GARBAGE = {
    "elf": lambda: open("/bin/true", "rb").read(),
    "random": lambda: random.Random(1).randbytes(100000),
    "zeros": lambda: bytes(4096),
    "png": lambda: b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(100),
    "gzip": lambda: b"\x1f\x8b\x08\x00" + random.Random(2).randbytes(500),
    "utf16": lambda: "print('ran')\n".encode("utf-16"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_binary_garbage(sp, work, kind):
    assert_refused(sp.run(write(work / "x.py", GARBAGE[kind]())), NOINPUT)


def test_garbage_without_nul_is_a_syntax_error(sp, work):
    """Bytes that could be text are python3's business: its message, its status."""
    script = write(work / "x.py", b"print('ran')\n\xff\xfe\xfd\n")
    found, expected = sp.run(script), sp.run_python(script)
    assert found[:3] == expected[:3]
    assert found.status == 1 and found.out == b""


def test_huge_script(sp, work):
    """A gigabyte is refused before it is read."""
    script = work / "huge.py"
    with open(script, "wb") as f:
        f.truncate(1 << 30)
        f.write(b"print('ran')\n")
    assert_refused(sp.run(script, timeout=10), NOINPUT)


def test_largest_script(sp_one, work):
    """Eight megabytes run."""
    script = write(work / "large.py", b"# comment\n" * 800000 + b"print('ran')\n")
    assert sp_one.run(script)[:3] == (0, b"ran\n", b"")


CHANGES = {
    "overwrite": lambda fd, i: os.pwrite(fd, b"#%d" % (i % 10), 4096 * (i % 4000)),
    "append": lambda fd, i: os.pwrite(fd, b"# more\n", os.fstat(fd).st_size),
    "truncate": lambda fd, i: os.ftruncate(fd, (16 << 20) - 4096 * (i % 100)),
}


@pytest.mark.parametrize("how", CHANGES)
def test_script_that_changes_while_it_is_read(sp_one, work, how):
    """A writer is at work all the time: the file is seen to change, and nothing runs. (On a busy machine
    the writer can miss a whole read; then what runs is what was there.)"""
    marker = work / "ran"
    line = b"#" * 63 + b"\n"
    tail = ("open(%r, 'w')\n" % str(marker)).encode()
    script = write(work / "changing.py", line * ((32 << 20) // 64) + tail)
    fd = os.open(script, os.O_WRONLY)
    stop = threading.Event()

    def change():
        i = 0
        while not stop.is_set():
            CHANGES[how](fd, i)
            i += 1
    writer = threading.Thread(target=change)
    writer.start()
    try:
        found = [sp_one.run(script) for _ in range(8)]
    finally:
        stop.set()
        writer.join()
        os.close(fd)
    refused = [f for f in found if f.status == NOINPUT]
    for f in refused:
        assert_refused(f, NOINPUT)
    assert len(refused) >= 4 and {f.status for f in found} <= {0, NOINPUT}, [f.status for f in found]
    assert marker.exists() <= (len(refused) < len(found))


def test_script_replaced_while_it_runs(sp, work):
    """The bytes that were read are the bytes that run, whatever the name means later."""
    script = write(work / "a.py", "import os, time\nos.rename('b.py', 'a.py')\nprint('first')\n")
    write(work / "b.py", "print('second')\n")
    found = sp.run(script, cwd=work)
    assert found[:2] == (0, b"first\n")


# Policies.

@pytest.fixture
def governed(sp_one, victim):
    """An installation with an applied policy, which works."""
    sp_one.apply("profile: standard\n")
    assert sp_one.run(victim.script)[:2] == (0, b"ran\n")
    victim.marker.unlink()
    sp_one.clear_logs()
    return sp_one


def assert_unusable(sp, victim, what=""):
    found = sp.run(victim.script)
    assert_refused(found, UNUSABLE)
    assert not victim.marker.exists(), what
    assert b"policy" in found.err, found.err
    assert not sp.logs(), "nothing ran, so there is nothing to record"
    return found


def test_policy_on_all_versions(sp, victim):
    """One sample of each kind with every core: they share the loader, but each must call it."""
    sp.apply("profile: standard\n")
    assert sp.run(victim.script).status == 0
    victim.marker.unlink()
    sp.clear_logs()
    data = sp.policy_bin.read_bytes()
    for broken in (b"", data[:-1], bytes([data[0] ^ 1]) + data[1:], data + b"x"):
        sp.policy_bin.write_bytes(broken)
        assert_unusable(sp, victim)


def test_policy_empty_and_short(governed, victim):
    data = governed.policy_bin.read_bytes()
    lengths = {0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 65, 127, 128, len(data) - 1, len(data) // 2}
    lengths |= set(random.Random(3).sample(range(len(data)), 20))
    for length in sorted(length for length in lengths if length < len(data)):
        governed.policy_bin.write_bytes(data[:length])
        assert_unusable(governed, victim, length)


def test_policy_flipped_bits(governed, victim):
    """The first 64 bytes and a sample of the rest; every byte is the unit tests' business."""
    data = governed.policy_bin.read_bytes()
    rng = random.Random(4)
    places = list(range(0, min(64, len(data)))) + rng.sample(range(len(data)), min(60, len(data)))
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        governed.policy_bin.write_bytes(flipped)
        assert_unusable(governed, victim, place)


def test_policy_longer(governed, victim):
    data = governed.policy_bin.read_bytes()
    for more in (b"\0", b"x" * 4096, data):
        governed.policy_bin.write_bytes(data + more)
        assert_unusable(governed, victim)


def test_policy_garbage(governed, victim):
    for data in (bytes(4096), b"profile: observe\n", open("/bin/true", "rb").read()):
        governed.policy_bin.write_bytes(data)
        assert_unusable(governed, victim)


def test_policy_huge(governed, victim):
    """A sparse file of many gigabytes is not read."""
    os.truncate(governed.policy_bin, 20 << 30)
    assert_unusable(governed, victim)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o662, 0o777])
def test_policy_writable_for_others(governed, victim, mode):
    governed.policy_bin.chmod(mode)
    found = assert_unusable(governed, victim)
    assert b"writ" in found.err
    governed.policy_bin.chmod(0o644)
    assert governed.run(victim.script).status == 0


def test_policy_symlink(governed, victim):
    real = governed.etc / "real.bin"
    governed.policy_bin.rename(real)
    governed.policy_bin.symlink_to(real)
    assert_unusable(governed, victim)


def test_policy_of_other_kinds(governed, victim):
    governed.policy_bin.unlink()
    governed.policy_bin.mkdir()
    assert_unusable(governed, victim)
    governed.policy_bin.rmdir()
    os.mkfifo(governed.policy_bin, 0o644)
    assert_unusable(governed, victim)
    governed.policy_bin.unlink()
    governed.policy_bin.symlink_to("/dev/null")
    assert_unusable(governed, victim)


def test_policy_dangling_symlink_is_not_absent(governed, victim):
    """A link to nothing is no "there is no policy"."""
    governed.policy_bin.unlink()
    governed.policy_bin.symlink_to("nothing")
    assert_unusable(governed, victim)


@needs_root
def test_policy_foreign_owner(governed, victim):
    os.chown(governed.policy_bin, NOBODY, 0)
    assert_unusable(governed, victim)
    os.chown(governed.policy_bin, 0, 0)
    assert governed.run(victim.script).status == 0


@pytest.mark.parametrize("where", ["etc/spython", "etc", "."])
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_policy_in_writable_directory(governed, victim, where, mode):
    folder = governed.root / where
    folder.chmod(mode)
    assert_unusable(governed, victim)
    folder.chmod(0o755)
    assert governed.run(victim.script).status == 0


@needs_root
def test_policy_in_foreign_directory(governed, victim):
    os.chown(governed.etc, NOBODY, 0)
    assert_unusable(governed, victim)


@needs_root
def test_policy_unreadable(governed, victim):
    if not str(governed.python).startswith("/usr/"):
        pytest.skip("nobody cannot reach this interpreter")
    governed.log.chmod(0o1777)
    assert as_nobody([governed.spython, victim.script], env=governed.env())[:2] == (0, b"ran\n")
    victim.marker.unlink()
    governed.clear_logs()
    governed.policy_bin.chmod(0o600)
    found = as_nobody([governed.spython, victim.script], env=governed.env())
    assert_refused(found, UNUSABLE)
    assert not victim.marker.exists()


@needs_root
def test_directory_that_cannot_be_searched_is_not_absent(governed, victim):
    """A policy that cannot be looked for is not a policy that is absent."""
    if not str(governed.python).startswith("/usr/"):
        pytest.skip("nobody cannot reach this interpreter")
    governed.log.chmod(0o1777)
    governed.etc.chmod(0o700)
    found = as_nobody([governed.spython, victim.script], env=governed.env())
    assert found.status == UNUSABLE and not victim.marker.exists(), found
    assert harness.MESSAGE.match(found.err)


def test_policy_absent(sp, victim):
    """No policy at all is the built-in `standard`, and the record says so."""
    assert not sp.policy_bin.exists()
    assert sp.run(victim.script)[:2] == (0, b"ran\n")
    start = sp.records()[0]
    assert start["args"]["profile"] == "standard" and start["args"]["policy_serial"] == 0


# The log.

def test_log_directory_missing(sp_one, victim):
    """`standard` counts what the log does not take and lets the program run; `strict` does not."""
    shutil.rmtree(sp_one.log)
    assert sp_one.run(victim.script)[:3] == (0, b"ran\n", b"")
    victim.marker.unlink()
    sp_one.apply("profile: strict\n")
    assert_refused(sp_one.run(victim.script), harness.IO)
    assert not victim.marker.exists()


def test_log_sink_required(sp_one, victim):
    sp_one.apply("profile: standard\nlog:\n  sinks:\n    - type: file\n      path: %s/\n      on_failure: stop\n"
                 % (victim.work / "nowhere"))
    assert_refused(sp_one.run(victim.script), harness.IO)
    assert not victim.marker.exists()


def test_log_sink_counted(sp_one, victim):
    sp_one.apply("profile: standard\nlog:\n  sinks:\n    - type: file\n      path: %s/\n      on_failure: count\n"
                 % (victim.work / "nowhere"))
    assert sp_one.run(victim.script)[:3] == (0, b"ran\n", b"")
    assert victim.marker.exists()
