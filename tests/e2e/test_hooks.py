# SPDX-License-Identifier: Apache-2.0
"""Start-up hooks: noted by hooks take and venv adopt, low while they are known, high afterwards."""
import json
import os
import pty
import re
import subprocess

import pytest

from harness import events, run, write
from test_venv import Venv
from verified import cached, compile_to, sha256

HOOK = "import sys; sys.marked = %d\n"


@pytest.fixture
def venv(sp_one, work):
    made = Venv(sp_one, work / "srv" / "venv")
    write(made.site / "mark.pth", HOOK % 1)
    write(made.site / "paths.pth", "# no code\n%s\n" % work)
    return made.adopt()


@pytest.fixture
def script(work):
    return write(work / "show.py", "import sys\nprint(getattr(sys, 'marked', 0))\n")


def listed(sp):
    found = sp.spythonctl("hooks", "list", "--json")
    assert found.status == 0, found
    return json.loads(found.out)


def noted(sp):
    return {h["path"] for h in listed(sp)["hooks"]}


def start(venv, *argv):
    """Output, and the record of each hook of this environment."""
    venv.sp.clear_logs()
    found = run([venv.spython, *argv], env=venv.sp.env())
    records = {r["args"]["path"].rsplit("/", 1)[1]: r for r in events(venv.sp.records(), "spython.startup_hook")
               if str(venv.root) in r["args"]["path"]}
    return found, records


def test_nothing_noted_at_first(sp_one):
    assert listed(sp_one) == {"taken": False, "hooks": []}
    found = sp_one.spythonctl("hooks", "take")
    assert found.status == 0, found
    assert listed(sp_one)["taken"]


def test_adopt_takes_the_inventory(venv, script):
    mine = {p for p in noted(venv.sp) if p.startswith(str(venv.root))}
    assert mine == {str(venv.site / "mark.pth")}
    found, records = start(venv, script)
    assert found[:2] == (0, b"1\n")
    assert set(records) == {"mark.pth"}
    assert (records["mark.pth"]["level"], records["mark.pth"]["verdict"]) == ("low", "allow")


@pytest.mark.parametrize("name, text", [("mark.pth", HOOK % 2), ("zz.pth", HOOK % 2)])
def test_new_or_changed(venv, script, name, text):
    """Reported high in standard; then noted, and low; refused in strict until it is noted."""
    write(venv.site / name, text)
    found, records = start(venv, script)
    assert found[:2] == (0, b"2\n")  # audit changes nothing
    assert (records[name]["level"], records[name]["verdict"]) == ("high", "would-deny")

    enforce = "verify:\n  hooks: enforce\n"
    venv.sp.apply(enforce)
    found, records = start(venv, script)
    assert records[name]["verdict"] == "deny" and found.out in (b"1\n", b"0\n", b""), found
    assert run([venv.python, script], env=venv.sp.env())[:2] == (0, b"2\n")  # the control

    said = venv.sp.spythonctl("hooks", "take")
    assert said.status == 0 and (b"changed" if name == "mark.pth" else b"noted") in said.out, said
    assert str(venv.site / name).encode() in said.out
    found, records = start(venv, script)
    assert found[:2] == (0, b"2\n") and records[name]["level"] == "low"


def test_gone(venv):
    (venv.site / "mark.pth").unlink()
    said = venv.sp.spythonctl("hooks", "take")
    assert b"gone" in said.out and str(venv.site / "mark.pth") not in noted(venv.sp)


def test_strict_enforces(venv, script):
    venv.sp.apply("profile: strict\nverify: {mode: audit}\n")
    found, records = start(venv, script)
    assert records["mark.pth"]["level"] == "low", found
    write(venv.site / "zz.pth", HOOK % 2)
    found, records = start(venv, script)
    assert records["zz.pth"]["verdict"] == "deny" and b"2" not in found.out, found


@pytest.mark.parametrize("linked", [False, True], ids=["file", "link"])
def test_sitecustomize(sp, work, script, linked):
    """A link counts by the name that site.py imports, wherever it leads."""
    venv = Venv(sp, work / "srv" / "venv").adopt()
    hook = venv.site / "sitecustomize.py"
    if linked:
        hook.symlink_to(write(work / "elsewhere.py", HOOK % 2))
    else:
        write(hook, HOOK % 2)
    control = run([venv.python, "-B", script], env=sp.env())
    found, records = start(venv, "-B", script)
    assert found[:2] == control[:2]
    if control.out == b"0\n":
        assert not records  # the distribution's own comes first: this one is no hook
        return
    assert control.out == b"2\n"
    record = records["sitecustomize.py"]
    assert (record["level"], record["verdict"]) == ("high", "would-deny")
    assert record["args"]["real_path"].endswith("/elsewhere.py" if linked else "/sitecustomize.py")
    sp.apply("verify:\n  hooks: enforce\n")
    found, records = start(venv, "-B", script)
    assert records["sitecustomize.py"]["verdict"] == "deny" and b"2" not in found.out, found


ADDS = "import sys; sys.path.append(%r)\n"
MISSING = (rb"ModuleNotFoundError: No module named 'lib' \('[^']+/adds\.pth' was refused by rule spython-startup-hook: "
           rb"[^\n]+ \(record ([0-9a-f]{16}-[0-9]+); spythonctl explain \1\)(, and 1 more)?\)")


def on_terminal(argv, env):
    """What the program writes to a terminal that is its stderr; its stdout."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    out, shown = process.communicate(timeout=30)[0], b""
    while True:
        try:
            data = os.read(leader, 4096)
        except OSError:  # EIO: nobody has the other end any more
            data = b""
        if not data:
            break
        shown += data
    os.close(leader)
    return shown.replace(b"\r\n", b"\n"), out


def test_refused_path_file_is_told(sp, work):
    """site.py passes over it without a word: what is missing then says why, and so does a terminal."""
    venv = Venv(sp, work / "srv" / "venv").adopt()
    write(work / "there" / "lib.py", "print('found')\n")
    write(venv.site / "adds.pth", ADDS % str(work / "there"))
    script = write(work / "app.py", "import lib\n")
    quiet = write(work / "quiet.py", "import importlib.util\nprint(importlib.util.find_spec('lib'))\n"
                                     "try:\n    import lib\nexcept ImportError as e:\n"
                                     "    print(type(e).__name__, e.name, e.args == (str(e),))\n"
                                     "try:\n    import json.lib\nexcept ImportError as e:\n    print(e.name)\n")
    sp.apply("verify:\n  hooks: enforce\n")
    assert run([venv.python, "-B", script], env=sp.env())[:3] == (0, b"found\n", b"")
    refused = run([venv.spython, "-B", script], env=sp.env())
    assert (refused.status, refused.out) == (1, b"")
    told = re.fullmatch(MISSING, refused.err.splitlines()[-1])
    assert told, refused.err
    assert refused.err.count(b"refused by") == 1  # nothing of it before the exception
    assert sp.spythonctl("explain", told[1].decode()).status == 0
    found = run([venv.spython, "-B", quiet], env=sp.env())
    assert found[:3] == (0, b"None\nModuleNotFoundError lib True\njson.lib\n", b"")
    shown, out = on_terminal([venv.spython, "-B", quiet], sp.env())
    assert out == b"None\nModuleNotFoundError lib True\njson.lib\n"
    assert re.fullmatch(rb"spython: '[^']+/adds\.pth': refused by rule spython-startup-hook: [^\n]+\n", shown), shown
    assert sp.spythonctl("hooks", "take").status == 0
    assert run([venv.spython, "-B", script], env=sp.env())[:3] == (0, b"found\n", b"")


def distribution_has(sp):
    """Whether the interpreter has a sitecustomize of its own, which comes first."""
    found = sp.run_python("-c", "import sitecustomize; print(sitecustomize.__file__)")
    return found.status == 0


def by_path(sp):
    return {r["args"]["path"]: r for r in events(sp.records(), "spython.startup_hook")}


FORMS = ["cache", "package_cache", "sourceless", "package_sourceless"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize"])
def test_bytecode_of_customize(sp, work, script, name, form):
    """Bytecode that site.py's import finds is a start-up hook: refused unless it is known, and then the source
    is used, which has a record of its own."""
    if distribution_has(sp) and name == "sitecustomize":
        return  # the other name says the same there
    # Without them usercustomize is not imported.
    venv = Venv(sp, work / "srv" / "venv", "--system-site-packages").adopt()
    lib = venv.site / name / "__init__.py" if "package" in form else venv.site / (name + ".py")
    write(lib, HOOK % 1)
    assert sp.spythonctl("hooks", "take").status == 0
    planted = write(work / "planted.py", HOOK % 2)
    os.utime(planted, ns=(lib.stat().st_atime_ns, lib.stat().st_mtime_ns))
    target = lib.with_suffix(".pyc") if "sourceless" in form else cached(sp, lib)
    compile_to(sp, planted, target, "unchecked-hash")
    if "sourceless" in form:
        lib.unlink()
    assert run([venv.python, "-B", script], env=sp.env())[:3] == (0, b"2\n", b"")  # the control

    def start():
        sp.clear_logs()
        found = run([venv.spython, "-B", script], env=sp.env())
        return found, {p: r for p, r in by_path(sp).items() if str(venv.root) in p}

    entry = "entry: {allow: [user_site]}\n"
    sp.apply(entry + "verify: {hooks: audit}\n")
    found, records = start()
    assert found[:3] == (0, b"2\n", b"")
    assert set(records) == {str(target)}
    record = records[str(target)]
    assert (record["level"], record["verdict"], record["args"]["known"]) == ("high", "would-deny", False)

    sp.apply(entry + "verify: {hooks: enforce}\n")
    found, records = start()
    if "sourceless" in form:
        assert found.status == 0 and found.out == b"0\n" and found.err.startswith(b"Error in " + name.encode()), found
        assert set(records) == {str(target)} and records[str(target)]["level"] == "high"
    else:
        assert found[:3] == (0, b"1\n", b"")
        assert set(records) == {str(target), str(lib)}
        assert (records[str(lib)]["level"], records[str(lib)]["verdict"]) == ("low", "allow")
        assert records[str(target)]["level"] == "medium"
    assert (records[str(target)]["verdict"], records[str(target)]["rules"]) == ("deny", ["spython-startup-hook"])

    taken = sp.spythonctl("hooks", "take")
    assert taken.status == 0 and str(target).encode() in taken.out, taken
    found, records = start()
    assert found[:3] == (0, b"2\n", b"")
    assert {(p, r["level"], r["verdict"]) for p, r in records.items()} == {(str(target), "low", "allow")}
    target.unlink()
    assert str(target).encode() in sp.spythonctl("hooks", "take").out  # gone
    assert str(target) not in noted(sp)


def test_hooks_of_the_interpreter(sp, script):
    """Those that came with it: one record for each, low once they were looked at, whatever the mode."""
    assert sp.spythonctl("hooks", "take").status == 0
    control = sp.run_python("-B", script)
    for mode in ("audit", "enforce"):
        sp.apply("verify: {hooks: %s}\n" % mode)
        sp.clear_logs()
        found = sp.run("-B", script)
        assert found[:3] == control[:3]
        records = events(sp.records(), "spython.startup_hook")
        assert {(r["level"], r["verdict"]) for r in records} <= {("low", "allow")}
        assert len(records) == len(by_path(sp))
        customize = [r for r in records if "customize" in r["args"]["path"]]
        assert len(customize) == (1 if distribution_has(sp) else 0)


def test_inventory_has_each_path_once(sp_one, work):
    """A link's target lies anywhere, and may be what another link leads to; changed, its digest is the new one."""
    venv = Venv(sp_one, work / "srv" / "venv").adopt()
    there = write(work / "shared.pth", HOOK % 1)
    for name in ("a.pth", "b.pth"):
        (venv.site / name).symlink_to(there)
    for number in (1, 2, 2):
        write(there, HOOK % number)
        assert sp_one.spythonctl("hooks", "take").status == 0
        found = [h for h in listed(sp_one)["hooks"] if h["path"] == str(there)]
        assert [h["sha256"] for h in found] == [sha256(there.read_bytes())]
