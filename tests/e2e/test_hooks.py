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
