# SPDX-License-Identifier: Apache-2.0
"""What may stand before the script: `standard` admits little, policy can admit more, `observe` has
python3's whole command line."""
import os
import pty
import re
import shutil
import zipfile

import pytest

import harness
from harness import NOINPUT, REFUSED, USAGE, assert_refused, events, run, write

FLAGS = '''
import sys
print([getattr(sys.flags, n, None) for n in ("ignore_environment", "isolated", "no_user_site",
      "dont_write_bytecode", "safe_path", "optimize", "no_site")], sys.stdout.write_through,
      sys.path[0] == sys.argv[1], sys.argv[2:])
'''


@pytest.fixture
def script(work):
    return write(work / "app" / "flags.py", FLAGS)


def options_of(sp):
    return ["-B", "-E", "-I", "-s", "-u"] + (["-P"] if sp.version >= (3, 11) else [])


@pytest.mark.parametrize("options", [["-B"], ["-E"], ["-I"], ["-s"], ["-P"], ["-u"], ["-B", "-u"], ["-BEs"],
                                     ["-Bu", "-I"], ["-I", "-I"], ["-BEIPsu"]], ids=" ".join)
def test_harmless_options(sp, script, options):
    """Each means what it means to python3, alone and combined."""
    if "P" in "".join(options) and sp.version < (3, 11):
        assert_refused(sp.run(*options, script, script.parent, "x"), USAGE)
        return
    # standard: no site-packages below HOME and no environment in any case, so -s and -E for both
    expected = sp.run_python("-s", "-E", *options, script, script.parent, "x", "-c")
    found = sp.run(*options, script, script.parent, "x", "-c")
    assert found[:3] == expected[:3]
    assert found.status == 0


def test_option_E_ignores_permitted_variables(sp, work):
    script = write(work / "a.py", "import sys\nprint(sys.stdout.encoding)\n")
    env = sp.env(PYTHONIOENCODING="latin-1")
    assert b"8859-1" in sp.run(script, env=env).out or b"latin-1" in sp.run(script, env=env).out
    assert sp.run("-E", script, env=env).out == b"utf-8\n"


@pytest.mark.parametrize("options", ["", " -B", " -IB", " -u", " -BEs"])
def test_shebang(sp, work, options):
    """As the interpreter of a #! line, with the one argument that the kernel passes."""
    script = write(work / "tool", "#!%s%s\n%s" % (sp.spython, options, FLAGS), 0o755)
    found = run([script, script.parent, "a", "b c"], env=sp.env())
    expected = sp.run_python("-s", "-E", *options.split(), script, script.parent, "a", "b c")
    assert found[:3] == expected[:3]
    assert sp.records()[0]["args"]["script"] == str(script)


def test_shebang_unadmitted_option(sp, work):
    script = write(work / "tool", "#!%s -O\nprint('ran')\n" % sp.spython, 0o755)
    assert_refused(run([script], env=sp.env()), USAGE)


UNADMITTED = [["-O"], ["-OO"], ["-i"], ["-S"], ["-v"], ["-x"], ["-q"], ["-b"], ["-d"], ["-W", "error"], ["-Werror"],
              ["-X", "dev"], ["-Xutf8"], ["--check-hash-based-pycs", "always"], ["-Z"], ["--nothing"], ["-Bi"],
              ["-BO"], ["-uS"], ["-\xff"], ["--spython"], ["-J"], ["--help-all"], ["-B-"], ["-?"]]


@pytest.mark.parametrize("options", UNADMITTED, ids=lambda o: " ".join(o).encode("ascii", "replace").decode())
def test_other_options_are_refused(sp_one, work, options):
    sp = sp_one
    marker = work / "ran"
    script = write(work / "a.py", "open(%r, 'w')\n" % str(marker))
    assert_refused(sp.run(*options, script), USAGE)
    assert not marker.exists()


def test_command_is_refused(sp, work):
    marker = work / "ran"
    code = "open(%r, 'w')" % str(marker)
    for argv in (["-c", code], ["-Bc", code], ["-I", "-c", code]):
        assert_refused(sp.run(*argv), REFUSED)
        assert not marker.exists()
    assert sp.run("-c" + code).status in (USAGE, REFUSED)
    assert not marker.exists()
    assert sp.run("-c").status == USAGE
    assert run([sp.python, "-c", code], env=sp.env()).status == 0 and marker.exists()


def test_module_is_refused(sp, work):
    marker = work / "ran"
    write(work / "mod.py", "open(%r, 'w')\n" % str(marker))
    for argv in (["-m", "mod"], ["-Bm", "mod"], ["-m", "timeit"], ["-m", ""]):
        assert_refused(sp.run(*argv, cwd=work), REFUSED)
    assert sp.run("-mmod", cwd=work).status in (USAGE, REFUSED)
    assert sp.run("-m", cwd=work).status == USAGE
    assert not marker.exists()
    assert sp.run_python("-m", "mod", cwd=work).status == 0 and marker.exists()


def test_standard_input_is_refused(sp, work):
    marker = work / "ran"
    code = ("open(%r, 'w')\n" % str(marker)).encode()
    assert_refused(sp.run("-", stdin=code), REFUSED)
    assert_refused(sp.run(stdin=code), USAGE)
    assert_refused(sp.run("-B", stdin=code), USAGE)
    for name in ("/dev/stdin", "/proc/self/fd/0", "/dev/fd/0"):
        assert_refused(sp.run(name, stdin=code), REFUSED)
    assert not marker.exists()
    assert sp.run_python("-", stdin=code).status == 0 and marker.exists()


def test_standard_input_from_file_is_refused(sp_one, work):
    """The same with a file behind it: what stands on the command line is still standard input."""
    marker = work / "ran"
    script = write(work / "a.py", "open(%r, 'w')\n" % str(marker))
    for name in ("-", "/dev/stdin", "/proc/self/fd/0", "/dev/fd/0"):
        with open(script) as f:
            assert_refused(sp_one.run(name, stdin=f.fileno()), REFUSED)
        assert not marker.exists()


def test_no_script_on_terminal(sp_one):
    """No interactive mode."""
    parent, child = pty.openpty()
    try:
        found = run([sp_one.spython], env=sp_one.env(), stdin=child)
    finally:
        os.close(parent)
        os.close(child)
    assert_refused(found, USAGE)


def test_fifo_is_refused(sp, work):
    """Also when nobody writes: it must not wait."""
    fifo = work / "pipe.py"
    os.mkfifo(fifo)
    assert_refused(sp.run(fifo, timeout=10), REFUSED)
    marker = work / "ran"
    code = "open(%r, 'w')\n" % str(marker)
    substitution = 'exec "$0" <(printf "%s" "$1")'
    assert_refused(run(["/bin/bash", "-c", substitution, sp.spython, code], env=sp.env()), REFUSED)
    assert not marker.exists()
    assert run(["/bin/bash", "-c", substitution, sp.python, code], env=sp.env()).status == 0
    assert marker.exists()


def test_devices_and_sockets_are_refused(sp_one, work):
    for name in ("/dev/null", "/dev/zero", "/dev/tty", "/dev/full"):
        found = sp_one.run(name, timeout=10)
        assert found.status in (REFUSED, NOINPUT) and harness.MESSAGE.match(found.err), found
    import socket
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(work / "s.py"))
    found = sp_one.run(work / "s.py")
    assert found.status in (REFUSED, NOINPUT) and harness.MESSAGE.match(found.err), found


def make_directory(work, code):
    write(work / "app" / "__main__.py", code)
    return work / "app"


def make_zip(work, code):
    with zipfile.ZipFile(work / "app.zip", "w") as z:
        z.writestr("__main__.py", code)
    return work / "app.zip"


def make_zip_with_head(work, code):
    """As zipapp makes it: a #! line in front, the archive behind."""
    path = make_zip(work, code)
    return write(work / "app.pyz", b"#!/usr/bin/env python3\n" + path.read_bytes(), 0o755)


def make_pyc(work, code, python):
    source = write(work / "m.py", code)
    run([python, "-c", "import py_compile; py_compile.compile(%r, cfile=%r)" % (str(source), str(work / "m.pyc"))])
    return work / "m.pyc"


@pytest.mark.parametrize("make", [make_directory, make_zip, make_zip_with_head])
def test_directory_and_zip_are_refused(sp, work, make):
    marker = work / "ran"
    path = make(work, "open(%r, 'w')\n" % str(marker))
    assert_refused(sp.run(path), REFUSED)
    assert not marker.exists()
    assert sp.run_python(path).status == 0 and marker.exists()


def test_bytecode_is_refused(sp, work):
    """By suffix and by magic number, whatever it is called."""
    marker = work / "ran"
    pyc = make_pyc(work, "open(%r, 'w')\n" % str(marker), sp.python)
    copies = [pyc, shutil.copy(pyc, work / "copy.py"), shutil.copy(pyc, work / "copy")]
    for path in copies:
        found = sp.run(path)
        assert found.status in (NOINPUT, REFUSED) and harness.MESSAGE.match(found.err), found
        assert b"bytecode" in found.err
        assert not marker.exists()
    write(work / "source.pyc", "open(%r, 'w')\n" % str(marker))
    assert sp.run(work / "source.pyc").status in (NOINPUT, REFUSED)
    assert sp.run_python(pyc).status == 0 and marker.exists()


def test_refusals_leave_nothing_behind(sp_one, work):
    """A refused start writes nothing but its line: no file in the working directory."""
    before = sorted(p.name for p in work.iterdir())
    for argv in (["-c", "1"], ["-"], [], ["-O", "x.py"], ["nothing.py"]):
        sp_one.run(*argv, cwd=work)
    assert sorted(p.name for p in work.iterdir()) == before


def test_help_and_version(sp):
    found = sp.run("--help")
    assert found.status == 0 and found.err == b"" and b"SCRIPT" in found.out
    for option in (b"-B", b"-E", b"-I", b"-s", b"-P", b"-u"):
        assert option in found.out
    found = sp.run("--version")
    assert found.status == 0 and found.err == b""
    version = run([sp.python, "-c", "import platform; print(platform.python_version())"]).out.strip()
    assert version in found.out and b"spython" in found.out
    assert found.out.count(b"\n") == 1


def test_double_dash(sp_one, work):
    """`--` ends the options, as it does for python3, or is refused; it never lets one through."""
    script = write(work / "a.py", "print('ran')\n")
    found = sp_one.run("--", script)
    assert (found.status, found.out) == (0, b"ran\n") or harness.MESSAGE.match(found.err)
    found = sp_one.run("--", "-c", "print('ran')")
    assert b"ran" not in found.out and found.status != 0


# What policy admits.

def test_policy_admits_command(sp_one, work):
    sp = sp_one
    sp.apply("profile: standard\nentry:\n  allow: [command]\n")
    assert sp.run("-c", "import sys; print(sys.argv)", "x")[:3] == (0, b"['-c', 'x']\n", b"")
    assert_refused(sp.run("-m", "timeit"), REFUSED)
    assert_refused(sp.run("-", stdin=b"print(1)"), REFUSED)
    assert_refused(sp.run("-O", "-c", "1"), USAGE)


def test_policy_admits_module_by_name(sp_one, work):
    sp = sp_one
    sp.apply("profile: standard\nentry:\n  modules: [json.tool, calendar]\n")
    assert sp.run("-m", "json.tool", stdin=b"[1]")[:3] == (0, b"[\n    1\n]\n", b"")
    assert sp.run("-m", "calendar", "2026", "1").status == 0
    assert_refused(sp.run("-m", "timeit"), REFUSED)
    assert_refused(sp.run("-m", "json"), REFUSED)
    assert_refused(sp.run("-c", "1"), REFUSED)


def test_policy_admits_stdin(sp_one):
    sp = sp_one
    sp.apply("profile: standard\nentry:\n  allow: [stdin]\n")
    assert sp.run("-", stdin=b"print('in')")[:3] == (0, b"in\n", b"")
    assert sp.run(stdin=b"print('in')")[:3] == (0, b"in\n", b"")
    assert_refused(sp.run("-c", "1"), REFUSED)


@pytest.mark.parametrize("make,word", [(make_directory, "directory"), (make_zip, "zip"), (make_zip_with_head, "zip")])
def test_policy_admits_directory_and_zip(sp_one, work, make, word):
    sp = sp_one
    path = make(work, "import sys\nprint('ran', sys.argv, __file__, __spec__.name)\n")
    sp.apply("profile: standard\nentry:\n  allow: [%s]\n" % word)
    assert sp.run(path, "x")[:3] == sp.run_python(path, "x")[:3]
    other = make_zip if word == "directory" else make_directory
    (work / "other").mkdir()
    assert_refused(sp.run(other(work / "other", "print(1)\n")), REFUSED)


def test_policy_admits_options(sp_one, work):
    sp = sp_one
    script = write(work / "a.py", "import sys\nprint(sys.flags.optimize, sys._xoptions, sys.warnoptions)\n")
    sp.apply("profile: standard\nentry:\n  allow: [options]\n")
    argv = ["-OO", "-X", "faulthandler", "-W", "error", script]
    assert sp.run(*argv)[:3] == sp.run_python(*argv)[:3]
    found = sp.run("-O", "-c", "print(1)")
    assert found.status == REFUSED and found.out == b"", found


def test_policy_permits_variable(sp_one, work):
    sp = sp_one
    write(work / "lib" / "extra.py", "x = 1\n")
    script = write(work / "a.py", "import extra\nprint(extra.x)\n")
    env = sp.env(PYTHONPATH=str(work / "lib"))
    assert sp.run(script, env=env).status == 1
    sp.apply("profile: standard\nenvironment:\n  permit: [PYTHONPATH]\n")
    sp.clear_logs()
    assert sp.run(script, env=env)[:3] == (0, b"1\n", b"")
    assert sp.records()[0]["args"]["ignored"] == []


# observe: the whole of python3.

OBSERVED = [
    (["-c", "import sys; print(sys.argv, __name__, sys.path[0])", "a"], {}),
    (["-c", "1/0"], {}),
    (["-cprint(1)"], {}),
    (["-c", "print(ascii('ä'))"], {}),
    (["-m", "calendar", "2026", "1"], {}),
    (["-m", "no_such_module"], {}),
    (["-m", "mod", "x"], {}),
    (["-mmod"], {}),
    (["-Im", "mod"], {}),
    (["-"], {"stdin": b"import sys; print(sys.argv, __name__)\nprint(2)"}),
    ([], {"stdin": b"print(__file__ if '__file__' in globals() else None)\n1/0\n"}),
    ([], {"stdin": b""}),
    (["-i", "-q", "hello.py"], {"stdin": b"print(x)\n"}),
    (["-i", "-c", "x = 3"], {"stdin": b"print(x)\nraise SystemExit(4)\n"}),
    (["-X", "utf8", "-c", "import sys; print(sys._xoptions, sys.flags.utf8_mode)"], {}),
    (["-X", "dev", "hello.py"], {}),
    (["-X", "faulthandler", "-X", "tracemalloc=3", "hello.py"], {}),
    (["-W", "error", "-c", "import warnings; warnings.warn('x')"], {}),
    (["-Wignore", "-c", "import warnings; warnings.warn('x')"], {}),
    (["-x", "skip.py"], {}),
    (["-O", "flags.py"], {}), (["-OO", "flags.py"], {}), (["-BEsS", "flags.py"], {}), (["-I", "flags.py"], {}),
    (["-u", "-b", "-d", "flags.py"], {}),
    (["-bb", "-c", "b'a' == 'a'"], {}),
    (["hello.py", "-c", "-O"], {}),
    (["appdir", "x"], {}),
    (["app.zip", "x"], {}),
    (["mod.pyc", "x"], {}),
    (["missing.py"], {}),
    (["syntax.py"], {}),
    (["-c"], {}),
    (["-Z"], {}),
    (["--no-such"], {}),
    (["-V"], {}), (["--version"], {}), (["-VV"], {}),
    (["--check-hash-based-pycs", "always", "hello.py"], {}),
    (["-h"], {}),
    (["hello.py"], {"env": {"PYTHONPATH": "lib", "PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "x"}}),
    (["flags.py"], {"env": {"PYTHONPATH": "lib:/nonexistent", "PYTHONOPTIMIZE": "1"}}),
    (["hello.py"], {"env": {"PYTHONWARNINGS": "error"}}),
    (["-c", "import extra"], {"env": {"PYTHONPATH": "lib"}}),
    (["hello.py"], {"env": {"PYTHONINSPECT": "1"}, "stdin": b"print('inspected', x)\n"}),
    (["-i"], {"env": {"PYTHONSTARTUP": "startup.py"}, "stdin": b"print(started)\n"}),
    (["flags.py"], {"env": {"PYTHONDEVMODE": "1", "PYTHONMALLOC": "debug"}}),
    (["flags.py"], {"env": {"PYTHONUTF8": "1", "PYTHONIOENCODING": "latin-1", "PYTHONUNBUFFERED": "1"}}),
    (["-E", "flags.py"], {"env": {"PYTHONOPTIMIZE": "1"}}),
    (["hello.py"], {"env": {"PYTHONHASHSEED": "bad"}}),
    (["hello.py"], {"env": {"PYTHONHOME": "/nonexistent"}}),
    (["hello.py"], {"env": {"PYTHONMALLOC": "bad"}}),
]


def observed_files(sp, work):
    write(work / "hello.py", "import sys\nx = 5\nprint('hello', sys.argv, __file__, sys.path[0])\n")
    write(work / "skip.py", "this is no Python !!\nprint('skipped')\n1/0\n")
    write(work / "flags.py", "import sys\nprint(sys.flags, sys.argv, sys.path, sys.warnoptions, sys._xoptions)\n")
    write(work / "syntax.py", "x = = 1\n")
    write(work / "mod.py", "import sys\nprint('mod', sys.argv[1:], __name__, __spec__.name)\n")
    write(work / "startup.py", "started = 'yes'\n")
    write(work / "lib" / "extra.py", "print('extra')\n")
    write(work / "appdir" / "__main__.py", "import sys\nprint(__name__, sys.argv, sys.path[0], __file__)\n")
    with zipfile.ZipFile(work / "app.zip", "w") as z:
        z.writestr("__main__.py", "import sys\nprint(__name__, sys.argv, sys.path[0], __file__)\n1/0\n")
    run([sp.python, "-c", "import py_compile; py_compile.compile('mod.py', cfile='mod.pyc')"], cwd=work)


@pytest.fixture
def observed(sp, work):
    sp.apply("profile: observe\n")
    folder = work / "files"
    folder.mkdir()
    observed_files(sp, folder)
    return sp, folder


def test_observe_is_python3(observed):
    """Same stdout, stderr and status for everything that python3's command line can say."""
    sp, folder = observed
    different = []
    for argv, more in OBSERVED:
        results = []
        for executable in (sp.python, sp.spython):
            shutil.rmtree(folder / "__pycache__", ignore_errors=True)
            found = run([executable, *argv], cwd=folder, stdin=more.get("stdin", b""),
                        env=sp.env(**more.get("env", {})))
            name = os.fsencode(executable)
            err = re.sub(rb"thread 0x[0-9a-f]+", b"thread", found.err)
            results.append((found.status, found.out.replace(name, b"PYTHON"), err.replace(name, b"PYTHON")))
        if results[0] != results[1]:
            different.append((argv, more, "python3", results[0], "spython", results[1]))
    assert not different, "\n".join("%r" % (d,) for d in different)


def test_observe_records(observed):
    """What is not run from a file is recorded all the same."""
    sp, folder = observed
    for argv, stdin, name in ((["-c", "pass"], b"", "cpython.run_command"),
                              (["-m", "mod"], b"", "cpython.run_module"),
                              (["-"], b"1\n", "cpython.run_stdin"),
                              (["hello.py"], b"", "cpython.run_file")):
        sp.clear_logs()
        assert sp.run(*argv, cwd=folder, stdin=stdin).status == 0
        records = sp.records()
        assert events(records, name), name
        assert records[0]["event"] == "spython.start" and records[-1]["event"] == "spython.stop"


def test_observe_blocks_nothing(sp, work):
    """Audit never changes behaviour: what `standard` would veto works, and the record says so."""
    sp.apply("profile: observe\n")
    script = write(work / "a.py", "import os, sys\nseen = []\nsys.addaudithook(lambda *a: seen.append(a[0]))\n"
                   "sys.audit('x.y')\nprint('x.y' in seen, os.system('exit 3') >> 8)\n")
    found = sp.run(script)
    assert found[:3] == (0, b"True 3\n", b"")
    assert all(r.get("verdict", "allow") in ("allow", "would-deny") for r in sp.records())
