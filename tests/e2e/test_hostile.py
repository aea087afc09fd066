# SPDX-License-Identifier: Apache-2.0
"""Under `standard` nothing from outside decides what runs: not argv[0], PATH, variables, files planted
beside things or in HOME. Every test has its control: the same trick takes plain python3 in, so it is
the trick that fails and not the test."""
import json
import os
import shutil
import subprocess

import pytest

import harness
from harness import events, one, run, write

# What a program can tell about how it was started. Printed by the same script in every run.
FINGERPRINT = r'''
import os, sys, warnings
print({
    "prefix": (sys.prefix, sys.exec_prefix, sys.base_prefix),
    "path": [p for p in sys.path if p != HERE],
    "path0": sys.path[0] == HERE,
    "os": getattr(os, "__file__", None),
    "platlibdir": getattr(sys, "platlibdir", None),
    "pycache_prefix": sys.pycache_prefix,
    "write_bytecode": sys.dont_write_bytecode,
    "flags": [getattr(sys.flags, n, None) for n in ("debug", "inspect", "interactive", "optimize",
              "verbose", "bytes_warning", "dev_mode", "safe_path", "int_max_str_digits",
              "no_site", "quiet", "isolated", "warn_default_encoding")],
    "xoptions": sys._xoptions,
    "warnoptions": sys.warnoptions,
    "filters": len(warnings.filters),
    "assert": __debug__,
    "allocator": sys.getallocatedblocks() > 0,
    "tracemalloc": __import__("tracemalloc").is_tracing(),
    "utf8": sys.flags.utf8_mode,
    "planted": sorted(m for m in ("usercustomize", "planted") if m in sys.modules),
    "sitecustomize": getattr(sys.modules.get("sitecustomize"), "__file__", None),
    "positions": next(iter(getattr((lambda: 0).__code__, "co_positions", lambda: [(1, 1, 1)])()))[2],
    "frozen": getattr(getattr(os, "__spec__", None), "origin", None),
})
'''

SUPPORTED = {"PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONHASHSEED", "PYTHONFAULTHANDLER"}

PLANTED = "import posix\nfd = posix.open(%r, posix.O_WRONLY | posix.O_CREAT, 0o644)\nposix.close(fd)\n"


class Trap:
    """A directory with traps; `sprung` tells whether any planted code ran."""

    def __init__(self, work, sp):
        self.work, self.sp = work, sp
        self.marker = work / "sprung"
        self.here = work / "app"
        self.code = PLANTED % str(self.marker)
        self.script = write(self.here / "app.py", "HERE = %r\n" % str(self.here) + FINGERPRINT)

    def sprung(self):
        result = self.marker.exists()
        if result:
            self.marker.unlink()
        return result

    def clean(self, executable, stdin=b""):
        return run([executable, self.script], env=self.sp.env(), stdin=stdin)

    def fake_installation(self, where):
        """A tree that looks like a Python installation: the landmarks, and a planted encodings."""
        lib = where / "lib" / ("python" + self.sp.minor)
        write(lib / "os.py", "")
        (lib / "lib-dynload").mkdir(parents=True)
        write(lib / "encodings" / "__init__.py", self.code)
        write(where / "bin" / "python3", "#!/bin/false\n", 0o755)
        write(where / "bin" / self.sp.spython.name, "#!/bin/false\n", 0o755)
        return where

    def shared_object(self, name, source=""):
        source = write(self.work / (name + ".c"), r'''
#include <fcntl.h>
__attribute__((constructor)) static void spring(void)
{
    (void)!open("%s", O_WRONLY | O_CREAT, 0644);
}
%s''' % (self.marker, source))
        target = self.work / (name + ".so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", target, source], check=True)
        return target


@pytest.fixture
def trap(sp, work):
    return Trap(work, sp)


def check_same(trap, env, argv0=None, stdin=b"", known=True):
    """The trick changes python3 (control) and leaves spython as it is without the trick. `known`: this
    version of python3 knows the trick."""
    sp = trap.sp
    plain_clean, clean = trap.clean(sp.python, stdin), trap.clean(sp.spython, stdin)
    assert plain_clean.status == clean.status == 0, (plain_clean, clean)
    assert not trap.sprung()
    env = sp.env(**env)
    plain = run([argv0 or sp.python, trap.script], executable=sp.python, env=env, stdin=stdin)
    taken_in = trap.sprung() or plain[:3] != plain_clean[:3]
    assert taken_in or not known, "the control does not work: python3 is not taken in"
    sp.clear_logs()
    argv0 = argv0 and argv0.replace("python3", sp.spython.name)
    found = run([argv0 or sp.spython, trap.script], executable=sp.spython, env=env, stdin=stdin)
    assert not trap.sprung()
    assert found[:3] == clean[:3]
    return sp.records()[0]


def test_argv0(trap):
    evil = trap.fake_installation(trap.work / "evil")
    check_same(trap, {}, argv0=str(evil / "bin" / "python3"))


def test_path(trap):
    evil = trap.fake_installation(trap.work / "evil")
    check_same(trap, {"PATH": "%s/bin:/usr/bin:/bin" % evil}, argv0="python3")


def test_argv0_missing_or_odd(sp, work):
    """argv[0] may be empty, a lie, or absent: what runs stays the same."""
    script = write(work / "a.py", "import sys\nprint(sys.prefix, sys.argv)\n")
    expected = sp.run(script)
    assert expected.status == 0
    for argv0 in ("", "-c", "--version", "/etc/passwd", "x" * 5000, b"\xff"):
        found = run([argv0, script], executable=sp.spython, env=sp.env())
        assert found[:3] == expected[:3], argv0


def test_symlink_beside_fake_installation(trap):
    """Started through a link in a directory that looks like an installation."""
    evil = trap.fake_installation(trap.work / "evil")
    sp = trap.sp
    for name, target in (("python3", sp.python), (sp.spython.name, sp.spython)):
        (evil / "bin" / name).unlink()
        (evil / "bin" / name).symlink_to(target)
    expected = trap.clean(sp.spython)
    run([evil / "bin" / "python3", trap.script], env=sp.env())
    control = trap.sprung()
    found = run([evil / "bin" / sp.spython.name, trap.script], env=sp.env())
    assert found.status == 0 and not trap.sprung()
    # sys.executable is not in the fingerprint: it may name the link
    assert found[:3] == expected[:3]
    if not control:
        # CPython resolves this link before it looks for landmarks; then there is nothing to show.
        assert run([evil / "bin" / "python3", trap.script], env=sp.env()).status == 0


def plant_pyvenv(trap, folder):
    sp = trap.sp
    (folder / "bin").mkdir(parents=True)
    write(folder / "pyvenv.cfg", "home = %s\nversion = %s\n" % (sp.python.parent, sp.minor))
    write(folder / "lib" / ("python" + sp.minor) / "site-packages" / "planted.pth",
          "import sys; sys.modules['planted'] = sys; exec(%r)\n" % trap.code)
    (folder / "bin" / "python3").symlink_to(sp.python)
    (folder / "bin" / sp.spython.name).symlink_to(sp.spython)


def test_planted_pyvenv(trap):
    """A pyvenv.cfg beside a link to spython makes no virtual environment that policy does not list:
    refused, and nothing planted runs."""
    venv = trap.work / "venv"
    plant_pyvenv(trap, venv)
    sp = trap.sp
    run([venv / "bin" / "python3", trap.script], env=sp.env())
    assert trap.sprung(), "the control does not work: python3 is not taken in"
    found = run([venv / "bin" / sp.spython.name, trap.script], env=sp.env())
    assert not trap.sprung()
    assert found.status in (harness.REFUSED, harness.UNUSABLE), found
    assert found.out == b"" and harness.MESSAGE.match(found.err), found.err
    assert b"adopt" in found.err


def test_pyvenv_launcher(trap):
    """__PYVENV_LAUNCHER__, meant for macOS, is obeyed by some versions everywhere: it chooses
    sys.executable, and with it an environment."""
    venv = trap.work / "venv"
    plant_pyvenv(trap, venv)
    sp = trap.sp
    env = sp.env(__PYVENV_LAUNCHER__=str(venv / "bin" / "python3"))
    run([sp.python, trap.script], env=env)
    control = trap.sprung()
    if sp.version == (3, 11):
        assert control, "the control does not work: python3 is not taken in"
    found = run([sp.spython, trap.script], env=env)
    assert not trap.sprung()
    assert found[:3] == trap.clean(sp.spython)[:3]
    expected = sp.run(write(trap.work / "e.py", "import sys\nprint(sys.executable)\n"))
    assert sp.run(trap.work / "e.py", env=env)[:3] == expected[:3]


@pytest.mark.parametrize("options", [[], ["-I"], ["-E"]], ids=lambda o: "".join(o) or "none")
@pytest.mark.parametrize("profile", ["standard", "strict"])
def test_python_executable(trap, profile, options):
    """PYTHONEXECUTABLE is obeyed by 3.11 and later whatever -E says: sys.executable, and with it an
    environment whose start-up hooks run."""
    venv = trap.work / "venv"
    plant_pyvenv(trap, venv)
    sp = trap.sp
    sp.apply("profile: %s\n" % profile)
    assert sp.spythonctl("hooks", "take").status == 0  # strict refuses Debian's own sitecustomize before
    env = sp.env(PYTHONEXECUTABLE=str(venv / "bin" / "python3"))
    run([sp.python, *options, trap.script], env=env)
    control = trap.sprung()
    if sp.version >= (3, 11):
        assert control, "the control does not work: python3 is not taken in"
    sp.clear_logs()
    found = run([sp.spython, *options, trap.script], env=env)
    assert not trap.sprung()
    assert found[:3] == run([sp.spython, *options, trap.script], env=sp.env())[:3]
    start = harness.events(sp.records(), "spython.start")[0]
    assert "PYTHONEXECUTABLE" in start["args"]["removed"]
    expected = sp.run(write(trap.work / "e.py", "import sys\nprint(sys.executable)\n"))
    assert sp.run(trap.work / "e.py", env=env)[:3] == expected[:3]


def test_sysconfig_module(sp, work):
    """_PYTHON_SYSCONFIGDATA_NAME names a module that sysconfig imports."""
    write(work / "planted_data.py", "print('planted')\nbuild_time_vars = {}\n")
    script = write(work / "a.py", "import sysconfig\nsysconfig.get_config_vars()\nprint('end')\n")
    env = sp.env(_PYTHON_SYSCONFIGDATA_NAME="planted_data")
    assert sp.run_python(script, env=env).out == b"planted\nend\n"
    assert sp.run(script, env=env)[:2] == (0, b"end\n")
    assert "_PYTHON_SYSCONFIGDATA_NAME" in harness.events(sp.records(), "spython.start")[-1]["args"]["removed"]
    sp.apply("environment: {permit: [_PYTHON_SYSCONFIGDATA_NAME]}\n")
    assert sp.run(script, env=env).out == b"planted\nend\n"


def test_pyvenv_by_argv0_only(trap):
    """A false argv[0] alone cannot select an environment: the invocation path is the kernel's."""
    venv = trap.work / "venv"
    plant_pyvenv(trap, venv)
    sp = trap.sp
    run([venv / "bin" / "python3", trap.script], executable=sp.python, env=sp.env())
    assert trap.sprung(), "the control does not work: python3 is not taken in"
    found = run([venv / "bin" / sp.spython.name, trap.script], executable=sp.spython, env=sp.env())
    assert not trap.sprung()
    assert found[:3] == trap.clean(sp.spython)[:3]


def test_pth_beside_executable(trap):
    sp = trap.sp
    folder = trap.work / "evil"
    folder.mkdir()
    for name, target in (("python3", sp.python), (sp.spython.name, sp.spython)):
        (folder / name).symlink_to(target)
        write(folder / (name + "._pth"), "nowhere\n")
    plain = run([folder / "python3", trap.script], env=sp.env())
    if sp.version >= (3, 11):  # before, python3 reads NAME._pth only on Windows
        assert plain[:3] != trap.clean(sp.python)[:3], "the control does not work"
    found = run([folder / sp.spython.name, trap.script], env=sp.env())
    assert found[:3] == trap.clean(sp.spython)[:3]


# Variable, value, since, what else it needs. Each changes the fingerprint of python3.
VARIABLES = [
    ("PYTHONPLATLIBDIR", "evil", "3.9"),
    ("PYTHONPYCACHEPREFIX", "/tmp/nowhere", "3.8"),
    ("PYTHONDONTWRITEBYTECODE", "1", "3.8"),
    ("PYTHONOPTIMIZE", "2", "3.8"),
    ("PYTHONDEBUG", "1", "3.8"),
    ("PYTHONVERBOSE", "1", "3.8"),
    ("PYTHONDEVMODE", "1", "3.8"),
    ("PYTHONMALLOC", "malloc", "3.8"),
    ("PYTHONTRACEMALLOC", "2", "3.8"),
    ("PYTHONPROFILEIMPORTTIME", "1", "3.8"),
    ("PYTHONWARNINGS", "error", "3.8"),
    ("PYTHONINSPECT", "1", "3.8"),
    ("PYTHONSAFEPATH", "1", "3.11"),
    ("PYTHONINTMAXSTRDIGITS", "1000", "3.11"),
    ("PYTHONNODEBUGRANGES", "1", "3.11"),
    ("PYTHONWARNDEFAULTENCODING", "1", "3.10"),
    ("PYTHON_FROZEN_MODULES", "off", "3.13"),
    ("PYTHONHOME", "/nonexistent", "3.8"),
]


@pytest.mark.parametrize("name,value,since", VARIABLES, ids=[v[0] for v in VARIABLES])
def test_variable_has_no_effect(trap, name, value, since):
    known = trap.sp.version >= harness.version_key(since)
    start = check_same(trap, {name: value}, stdin=b"print('inspected')\n", known=known)
    assert start["args"]["ignored"] == [name]


def test_pythonhome_with_tree(trap):
    evil = trap.fake_installation(trap.work / "evil")
    start = check_same(trap, {"PYTHONHOME": str(evil)})
    assert start["args"]["ignored"] == ["PYTHONHOME"]


def test_pythonpath(trap):
    write(trap.work / "evil" / "sitecustomize.py", trap.code)
    write(trap.work / "evil" / "usercustomize.py", trap.code)
    start = check_same(trap, {"PYTHONPATH": str(trap.work / "evil")})
    assert start["args"]["ignored"] == ["PYTHONPATH"]


def test_pythonwarnings_imports(trap):
    """A warning's category names a module, and python3 imports it before the script: with the module
    antigravity that starts a program of the attacker's choice."""
    browser = write(trap.work / "browser", "#!/bin/sh\n: >%s\n" % trap.marker, 0o755)
    start = check_same(trap, {"PYTHONWARNINGS": "all:0:antigravity.x:0:0", "BROWSER": str(browser)})
    assert start["args"]["ignored"] == ["PYTHONWARNINGS"]


def test_pythonbreakpoint(trap):
    write(trap.here / "debugger.py", trap.code + "def go(): pass\n")
    trap.script.write_text(trap.script.read_text() + "breakpoint()\n")
    start = check_same(trap, {"PYTHONBREAKPOINT": "debugger.go"}, stdin=b"c\n")
    assert start["args"]["ignored"] == ["PYTHONBREAKPOINT"]


def test_pythonasynciodebug(trap):
    trap.script.write_text("import asyncio\nasync def f(): return asyncio.get_running_loop().get_debug()\n"
                           "print(asyncio.run(f()))\n")
    check_same(trap, {"PYTHONASYNCIODEBUG": "1"})


def test_user_site_in_home(trap):
    site = trap.sp.home / ".local" / "lib" / ("python" + trap.sp.minor) / "site-packages"
    write(site / "usercustomize.py", trap.code)
    write(site / "planted.pth", "import sys; exec(%r)\n" % trap.code)
    plain = run([trap.sp.python, trap.script], env=trap.sp.env())
    assert plain.status == 0 and trap.sprung(), "the control does not work"
    found = trap.sp.run(trap.script)
    assert found.status == 0 and not trap.sprung()
    assert str(site).encode() not in found.out


def test_user_site_by_userbase(trap):
    base = trap.work / "base"
    write(base / "lib" / ("python" + trap.sp.minor) / "site-packages" / "usercustomize.py", trap.code)
    start = check_same(trap, {"PYTHONUSERBASE": str(base)})
    # The standard library obeys it without asking whether it may: it is taken away.
    assert start["args"]["removed"] == ["PYTHONUSERBASE"] and start["args"]["ignored"] == []


def test_all_variables_are_listed(sp, work):
    """Every PYTHON* name that has no effect is in spython.start, known to CPython or not; those that
    are honoured are not."""
    script = write(work / "a.py", "print('ran')\n")
    names = [v[0] for v in VARIABLES] + ["PYTHONSTARTUP", "PYTHONEXECUTABLE", "PYTHONCOERCECLOCALE",
                                         "PYTHONPATH", "PYTHONANYTHING", "PYTHON", "PYTHON_HISTORY"]
    honoured = {name: "0" for name in SUPPORTED}
    honoured["PYTHONIOENCODING"] = "utf-8"
    env = sp.env(**{name: "1" for name in names}, **honoured, PYTHO="x", NOTPYTHON="x")
    assert sp.run(script, env=env)[:3] == (0, b"ran\n", b"")
    args = sp.records()[0]["args"]
    assert args["removed"] == ["PYTHONEXECUTABLE"]
    assert sorted(args["ignored"] + args["removed"]) == sorted(names)


# Variables that the dynamic linker, libc or a library reads before anybody can ask who set them.

def library_path(trap):
    write(trap.work / "libs" / "libc.so.6", "no library\n")
    return {"LD_LIBRARY_PATH": str(trap.work / "libs")}


def gconv(trap):
    write(trap.work / "gconv" / "gconv-modules",
          "module EVIL// INTERNAL EVIL 1\nmodule INTERNAL EVIL// EVIL 1\n")
    shutil.move(trap.shared_object("EVIL", "int gconv(void) { return 1; }"), trap.work / "gconv")
    trap.script.write_text("import ctypes\nctypes.CDLL(None).iconv_open(b'EVIL//', b'UTF-8')\n")
    return {"GCONV_PATH": str(trap.work / "gconv")}


def openssl_conf(trap):
    provider = trap.shared_object("provider", "int OSSL_provider_init(void) { return 0; }")
    conf = write(trap.work / "openssl.cnf", "openssl_conf = init\n[init]\nproviders = list\n[list]\n"
                 "evil = evil_section\n[evil_section]\nmodule = %s\nactivate = 1\n" % provider)
    trap.script.write_text("import ssl\nssl.create_default_context()\n")
    return {"OPENSSL_CONF": str(conf)}


def tunables(trap):
    trap.script.write_text("import ctypes\nlibc = ctypes.CDLL(None)\nlibc.malloc.restype = ctypes.c_void_p\n"
                           "print(set(ctypes.string_at(libc.malloc(5000), 5000)) == {0x5a})\n")
    return {"GLIBC_TUNABLES": "glibc.malloc.perturb=165"}


LINKER = {
    "LD_PRELOAD": lambda t: {"LD_PRELOAD": str(t.shared_object("preload"))},
    "LD_PRELOAD_hook": lambda t: {"LD_PRELOAD": str(t.shared_object(
        "nohook", "int PySys_AddAuditHook(void *h, void *u) { return 0; }"))},
    "LD_AUDIT": lambda t: {"LD_AUDIT": str(t.shared_object(
        "audit", "unsigned la_version(unsigned v) { return v; }"))},
    "LD_LIBRARY_PATH": library_path,
    "LD_DEBUG": lambda t: {"LD_DEBUG": "libs"},
    "LD_TRACE_LOADED_OBJECTS": lambda t: {"LD_TRACE_LOADED_OBJECTS": "1"},
    "GLIBC_TUNABLES": tunables,
    "GCONV_PATH": gconv,
    "OPENSSL_CONF": openssl_conf,
}


@pytest.mark.parametrize("trick", LINKER)
def test_linker_variable(trap, trick):
    env = LINKER[trick](trap)
    start = check_same(trap, env)
    assert start["args"]["removed"] == list(env)
    assert start["args"]["ignored"] == []


def test_removed_are_gone_for_children(sp, work):
    """What the first stage removes is in no child's environment either, and all of it is named."""
    script = write(work / "a.py", "import os, json, subprocess\n"
                   "print(json.dumps([sorted(os.environ), subprocess.check_output(['/usr/bin/env']).decode()]))\n")
    names = ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_BIND_NOW", "LD_ANYTHING", "GLIBC_TUNABLES",
             "GCONV_PATH", "OPENSSL_CONF", "OPENSSL_MODULES"]
    found = sp.run(script, env=sp.env(KEPT="1", **{name: "" for name in names}))
    assert found.status == 0, found
    seen, child = json.loads(found.out)
    assert "KEPT" in seen and "KEPT=1" in child
    assert not set(names) & set(seen)
    assert not [name for name in names if name + "=" in child]
    assert sorted(sp.records()[0]["args"]["removed"]) == sorted(names)


PROBE = r'''
import ctypes, json, os, subprocess, sys
environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
libc, i = [], 0
while environ[i]:
    libc.append(environ[i].decode("latin-1"))
    i += 1
def cat(name): return open("/proc/self/" + name, "rb").read().decode("latin-1")
print(json.dumps({
    "os": {k.decode("latin-1"): v.decode("latin-1") for k, v in os.environb.items()},
    "libc": libc, "block": cat("environ"), "cmdline": cat("cmdline"), "argv": sys.argv,
    "orig_argv": getattr(sys, "orig_argv", []),
    "child": subprocess.check_output(["/usr/bin/env", "-0"]).decode("latin-1"),
    "child_fork": subprocess.check_output("cat /proc/self/environ", shell=True).decode("latin-1"),
}))
'''


def test_nothing_of_ours_is_left(sp, work):
    """os.environ is what the parent set; our hand-over is nowhere, not even in /proc/self/environ."""
    script = write(work / "probe.py", PROBE)
    env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "A": "1", "EMPTY": "", "PYTHONPATH": "/x", "B": "a=b\n"}
    found = json.loads(run([sp.spython, script, "-x"], env=env).out)
    assert found["os"] == env
    assert sorted(found["libc"]) == sorted("%s=%s" % pair for pair in env.items())
    assert found["argv"] == [str(script), "-x"]
    assert found["cmdline"] == "\0".join([str(sp.spython), str(script), "-x", ""])
    if sp.version >= (3, 10):
        assert found["orig_argv"] == [str(sp.spython), str(script), "-x"]
    assert sorted(found["child"].split("\0")[:-1]) == sorted("%s=%s" % pair for pair in env.items())
    for where in ("libc", "block", "child", "child_fork"):
        text = str(found[where]).upper()
        assert "SPYTHON" not in text and "LD_PRELOAD" not in text, where


def test_our_variable_from_outside(sp, work):
    """A hand-over or a preload that somebody else wrote is not believed."""
    script = write(work / "a.py", "import os\nprint(sorted(os.environ))\n")
    clean = sp.run(script)
    for value in ("", "1:1,4:3.11,", "x" * 4000):
        found = sp.run(script, env=sp.env(SPYTHON_HANDOVER=value))
        assert found.status == 0 and b"HANDOVER" not in found.out, found
        assert found.out == clean.out
    found = run([sp.libexec / "core.so", script], env=sp.env())if os.access(sp.libexec / "core.so", os.X_OK) \
        else None
    assert found is None or found.status != 0


def test_core_preloaded_by_hand(sp, work):
    """The core without the first stage refuses; so does the interpreter given the guard's option."""
    script = write(work / "a.py", "print('ran')\n")
    found = run([sp.python, script], env=sp.env(LD_PRELOAD=str(sp.libexec / "core.so")))
    assert found.status == harness.UNUSABLE and b"ran" not in found.out, found
    found = run([sp.python, "--spython", script], env=sp.env())
    assert found.status == 2 and b"ran" not in found.out, found


def test_hostile_cwd(trap):
    """Modules in the working directory are not found."""
    folder = trap.work / "cwd"
    for name in ("os", "site", "sitecustomize", "usercustomize", "encodings", "warnings", "tracemalloc"):
        write(folder / (name + ".py"), trap.code)
    write(folder / "pyvenv.cfg", "home = /nonexistent\n")
    found = trap.sp.run(trap.script, cwd=folder)
    assert not trap.sprung()
    assert found[:3] == trap.clean(trap.sp.spython)[:3]
    # The control: python3 -c has the working directory in front of everything.
    run([trap.sp.python, "-c", "import tracemalloc"], env=trap.sp.env(), cwd=folder)
    assert trap.sprung(), "the control does not work"
