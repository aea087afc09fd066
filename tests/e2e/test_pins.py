# SPDX-License-Identifier: Apache-2.0
"""`environment: pin:` sets what a program needs from its environment, also what only the dynamic
linker reads; nobody outside can change it."""
import json
import os
import subprocess

from harness import events, one, run, write

SHOW = '''
import json, os, subprocess, sys
print(json.dumps([dict(os.environ), sys.argv, open("/proc/self/cmdline").read(),
                  subprocess.check_output(["/usr/bin/env"]).decode(), getattr(sys, "orig_argv", sys.argv)[1:]]))
'''


def library(work, name):
    """A library that says in a file that it was loaded."""
    marker = work / (name + ".loaded")
    source = write(work / (name + ".c"), '''
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void spring(void)
{
    close(open("%s", O_WRONLY | O_CREAT | O_APPEND, 0644));
}
int pinned_answer(void) { return 42; }
''' % marker)
    target = work / ("lib%s.so" % name)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", target, source], check=True)
    return target, marker


def test_pin(sp, work):
    """The program and its children see policy's value, not the parent's."""
    script = write(work / "a.py", SHOW)
    sp.apply("profile: standard\nenvironment:\n  pin:\n    TZ: UTC\n    EMPTY: ''\n")
    found = sp.run(script, env=sp.env(TZ="Asia/Tokyo"))
    assert found.status == 0, found
    environ, argv, _cmdline, child, _orig = json.loads(found.out)
    assert environ["TZ"] == "UTC" and environ["EMPTY"] == "" and "TZ=UTC\n" in child
    assert argv == [str(script)]


def test_pin_python_variable(sp, work):
    """A pinned PYTHON* variable has effect if it is also permitted."""
    write(work / "lib" / "extra.py", "x = 1\n")
    script = write(work / "a.py", "import extra\nprint(extra.x)\n")
    sp.apply("profile: standard\nenvironment:\n  permit: [PYTHONPATH]\n  pin:\n    PYTHONPATH: %s\n" % (work / "lib"))
    assert sp.run(script)[:3] == (0, b"1\n", b"")
    assert sp.run(script, env=sp.env(PYTHONPATH="/nonexistent"))[:3] == (0, b"1\n", b"")


def test_pin_preload(sp, work):
    """A preloaded allocator, say: loaded, although LD_PRELOAD from outside is not."""
    pinned, loaded = library(work, "pinned")
    other, foreign = library(work, "foreign")
    script = write(work / "a.py", "import ctypes\nprint(ctypes.CDLL(None).pinned_answer())\n" + SHOW)
    sp.apply("profile: standard\nenvironment:\n  pin:\n    LD_PRELOAD: %s\n" % pinned)
    for args in ((), ("x",), ("-v", "--spython", "long argument")):
        loaded.unlink(missing_ok=True)
        found = sp.run("-B", script, *args, env=sp.env(LD_PRELOAD=str(other)))
        assert found.status == 0, found
        answer, _, rest = found.out.partition(b"\n")
        assert answer == b"42" and loaded.exists() and not foreign.exists()
        environ, argv, cmdline, child, orig = json.loads(rest)
        assert argv == [str(script), *args]
        assert cmdline.split("\0")[:-1] == [str(sp.spython), "-B", str(script), *args]
        assert orig in (["-B", str(script), *args], argv[1:])
        assert "SPYTHON_" not in str(environ) + child and "core.so" not in str(environ) + child
    start = sp.records()[0]
    assert start["args"]["removed"] == ["LD_PRELOAD"]


def test_pin_library_path(sp, work):
    pinned, loaded = library(work, "pinned")
    script = write(work / "a.py", "import ctypes\nprint(ctypes.CDLL('libpinned.so').pinned_answer())\n")
    assert sp.run(script).status == 1
    assert sp.run(script, env=sp.env(LD_LIBRARY_PATH=str(work))).status == 1
    sp.apply("profile: standard\nenvironment:\n  pin:\n    LD_LIBRARY_PATH: %s\n" % work)
    assert sp.run(script)[:3] == (0, b"42\n", b"")
    assert sp.run(script, env=sp.env(LD_LIBRARY_PATH="/nonexistent"))[:3] == (0, b"42\n", b"")


def test_one_session_in_spite_of_two_passes(sp, work):
    script = write(work / "a.py", "print(1)\n")
    sp.apply("profile: standard\nenvironment:\n  pin:\n    MALLOC_ARENA_MAX: '2'\n")
    assert sp.run(script)[:3] == (0, b"1\n", b"")
    assert len(sp.sessions()) == 1 and len(sp.logs()) == 1


def test_pins_of_an_app_only(sp, work):
    one_script = write(work / "a.py", "import os\nprint(os.environ.get('PINNED'))\n")
    other = write(work / "b.py", "import os\nprint(os.environ.get('PINNED'))\n")
    sp.apply("profile: standard\n", shop="match:\n  script: %s\nenvironment:\n  pin:\n    PINNED: 'yes'\n" % one_script)
    assert sp.run(one_script).out == b"yes\n" and sp.run(other).out == b"None\n"
