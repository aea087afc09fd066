# SPDX-License-Identifier: Apache-2.0
"""Virtual environments: adopted ones behave as under python3, others are refused by name."""
import json
import os

import pytest

import harness
from harness import MESSAGE, REFUSED, UNUSABLE, events, one, run, write

SHOW = '''
import json, os, subprocess, sys, site, sysconfig
print(json.dumps({
    "executable": sys.executable, "prefix": sys.prefix, "exec_prefix": sys.exec_prefix,
    "base_prefix": sys.base_prefix, "base_exec_prefix": sys.base_exec_prefix, "path": sys.path,
    "site": site.getsitepackages(), "purelib": sysconfig.get_path("purelib"), "base": os.path.isfile(sys._base_executable),
    "child": subprocess.check_output([sys.executable, os.path.join(os.path.dirname(__file__), "child.py")]).decode()
             if "child" not in __file__ else None,
}))
'''
CHILD = "import sys; print(sys.prefix, sys.executable)\n"


class Venv:
    def __init__(self, sp, root, *options):
        self.sp, self.root = sp, root
        made = run([sp.python, "-I", "-m", "venv", "--without-pip", *options, root], env=sp.env())
        assert made.status == 0, made
        self.site = root / "lib" / ("python" + sp.minor) / "site-packages"
        self.python, self.spython = root / "bin" / "python", root / "bin" / "spython"
        write(self.site / "inside.py", "where = __file__\n")

    def adopt(self):
        found = self.sp.spythonctl("venv", "adopt", self.root)
        assert found.status == 0, found
        return self


@pytest.fixture
def venv(sp, work):
    return Venv(sp, work / "srv" / "venv").adopt()


@pytest.fixture
def show(work):
    write(work / "app" / "child.py", CHILD)
    return write(work / "app" / "show.py", SHOW)


def facts(result):
    assert result.status == 0, result
    return json.loads(result.out)


def expected_facts(venv, script):
    """What python3 says in the same environment, with spython in the place of python."""
    said = facts(run([venv.python, "-s", script], env=venv.sp.env()))
    said["executable"] = str(venv.spython)
    said["child"] = "%s %s\n" % (venv.root, venv.spython)
    return said


def test_adopted_by_invocation_path(venv, show):
    """ROOT/bin/spython SCRIPT, and a child through sys.executable is in the same environment."""
    assert facts(run([venv.spython, show], env=venv.sp.env())) == expected_facts(venv, show)
    sessions = list(venv.sp.sessions().values())
    assert len(sessions) == 2
    assert {s[0]["args"]["venv"] for s in sessions} == {str(venv.root)}


def test_relative_and_linked_invocation(venv, show, work):
    expected = expected_facts(venv, show)
    assert facts(run(["./spython", show], cwd=venv.root / "bin", env=venv.sp.env())) == expected
    env = venv.sp.env(PATH="%s/bin:/usr/bin:/bin" % venv.root)
    assert facts(run(["/bin/sh", "-c", 'spython "$0"', show], env=env)) == expected


def test_versioned_name(venv, show):
    found = facts(run([venv.root / "bin" / venv.sp.spython.name, show], env=venv.sp.env()))
    assert found["prefix"] == str(venv.root)


def test_script_inside(venv, work):
    """PREFIX/bin/spython ROOT/bin/tool: the script's own place selects the environment."""
    script = write(venv.root / "bin" / "tool", "import sys, inside\nprint(sys.prefix, inside.where)\n", 0o755)
    found = venv.sp.run(script)
    assert found[:3] == (0, ("%s %s\n" % (venv.root, venv.site / "inside.py")).encode(), b"")


def test_console_script(venv):
    """#!ROOT/bin/spython"""
    script = write(venv.root / "bin" / "tool", "#!%s\nimport sys, inside\nprint(sys.prefix, sys.executable, sys.argv)\n"
                   % venv.spython, 0o755)
    found = run([script, "a"], env=venv.sp.env())
    assert found.status == 0, found
    assert found.out.decode() == "%s %s %s\n" % (venv.root, venv.spython, [str(script), "a"])


def test_outside_script_without_venv(venv, show):
    """PREFIX/bin/spython on a script elsewhere is in no environment."""
    found = facts(venv.sp.run(show))
    assert found["prefix"] == found["base_prefix"] and str(venv.root) not in str(found["path"])
    assert venv.sp.records()[0]["args"]["venv"] is None


def test_pth_and_packages(venv, work):
    write(venv.site / "more.pth", "%s\nimport sys; sys.marked = 1\n" % (work / "more"))
    write(work / "more" / "elsewhere.py", "x = 2\n")
    script = write(work / "a.py", "import sys, inside, elsewhere\nprint(elsewhere.x, sys.marked)\n")
    assert run([venv.spython, script], env=venv.sp.env())[:3] == (0, b"2 1\n", b"")


def test_system_site_packages(sp, work, show):
    venv = Venv(sp, work / "venv", "--system-site-packages").adopt()
    assert facts(run([venv.spython, show], env=sp.env()))["path"] == expected_facts(venv, show)["path"]


def test_app_setting_wins(venv, work, show):
    """The app's environment, whatever the invocation path says."""
    other = Venv(venv.sp, work / "srv" / "other").adopt()
    venv.sp.apply("profile: standard\n", shop="match:\n  script: %s\nvenv: %s\n" % (show, other.root))
    for executable in (venv.sp.spython, venv.spython, other.spython):
        found = facts(run([executable, show], env=venv.sp.env()))
        assert found["prefix"] == str(other.root) and found["executable"] == str(other.spython)


def assert_refused(found, *words):
    assert found.status in (REFUSED, UNUSABLE), found
    assert found.out == b"" and MESSAGE.match(found.err), found.err
    for word in words:
        assert word in found.err, found.err


def link(venv):
    """What `adopt` would place, without adopting."""
    venv.spython.symlink_to(venv.sp.spython)


def test_unlisted(sp, work, show):
    venv = Venv(sp, work / "venv")
    link(venv)
    assert_refused(run([venv.spython, show], env=sp.env()), b"venv adopt", os.fsencode(venv.root))


def test_unlisted_under_observe(sp, work, show):
    """A record, not a refusal."""
    venv = Venv(sp, work / "venv")
    link(venv)
    sp.apply("profile: observe\n")
    found = facts(run([venv.spython, show], env=sp.env()))
    assert found["prefix"] == str(venv.root)
    warning = events(sp.records(), "spython.warning")[0]
    assert str(venv.root) in json.dumps(warning["args"])


def test_removed(venv, show):
    assert venv.sp.spythonctl("venv", "remove", venv.root).status == 0
    assert not venv.spython.exists()
    link(venv)
    assert_refused(run([venv.spython, show], env=venv.sp.env()), b"venv adopt")


@pytest.mark.parametrize("where", [".", "bin", "lib/python{minor}/site-packages", "pyvenv.cfg"])
def test_badly_owned_is_not_adopted(sp, work, where):
    venv = Venv(sp, work / "venv")
    path = venv.root / where.format(minor=sp.minor)
    path.chmod(0o777)
    found = sp.spythonctl("venv", "adopt", venv.root)
    assert found.status == REFUSED and os.fsencode(path.resolve()) in found.err, found
    assert not venv.spython.exists()
    path.chmod(0o755)
    assert sp.spythonctl("venv", "adopt", venv.root).status == 0


def test_badly_owned_later(venv, show):
    """Others can write it since: refused at start."""
    assert run([venv.spython, show], env=venv.sp.env()).status == 0
    venv.root.chmod(0o777)
    assert_refused(run([venv.spython, show], env=venv.sp.env()))
    venv.root.chmod(0o755)
    (venv.root / "pyvenv.cfg").chmod(0o666)
    assert_refused(run([venv.spython, show], env=venv.sp.env()))


def test_wrong_minor(venv, show):
    """An environment that was made by another minor version since."""
    (venv.root / "lib" / ("python" + venv.sp.minor)).rename(venv.root / "lib" / "python3.7")
    assert_refused(run([venv.spython, show], env=venv.sp.env()), os.fsencode(venv.root), venv.sp.minor.encode())


def test_spython_of_another_minor(prefix, venv, show):
    """The environment of one minor version run by another's spython."""
    sp = venv.sp
    for minor in [m for m in harness.registered_minors(every=True) if m != sp.minor][-1:]:
        other = harness.clone(prefix, sp.root, minor)
        script = write(venv.root / "bin" / "tool", "print('ran')\n")
        assert sp.run(script)[:2] == (0, b"ran\n")
        assert_refused(other.run(script), os.fsencode(venv.root))
        (venv.root / "bin" / other.spython.name).symlink_to(other.spython)
        assert_refused(run([venv.root / "bin" / other.spython.name, show], env=sp.env()), os.fsencode(venv.root))


def test_pyvenv_gone(venv, show):
    (venv.root / "pyvenv.cfg").unlink()
    assert_refused(run([venv.spython, show], env=venv.sp.env()))


def test_variables_do_not_select(venv, show, work):
    """VIRTUAL_ENV, __PYVENV_LAUNCHER__ and a false argv[0] select nothing."""
    env = venv.sp.env(VIRTUAL_ENV=str(venv.root), __PYVENV_LAUNCHER__=str(venv.python))
    found = facts(run([str(venv.spython), show], executable=venv.sp.spython, env=env))
    assert found["prefix"] == found["base_prefix"]


def test_uninstall_leaves_python_alone(venv):
    before = run([venv.python, "-c", "import inside; print(inside.where)"], env=venv.sp.env())
    assert before.status == 0
    assert venv.sp.spythonctl("venv", "remove", venv.root).status == 0
    assert run([venv.python, "-c", "import inside; print(inside.where)"], env=venv.sp.env())[:3] == before[:3]


@pytest.mark.parametrize("name, said", [("interpreter", b"needs Python %s, for which no interpreter is registered"),
                                        ("core.so", b"the interpreter of Python %s is incomplete")])
def test_interpreter_that_cannot_be_used(sp_one, work, name, said):
    """Whoever needs the interpreter of a version says the same of it: here adopt and sign."""
    venv = Venv(sp_one, work / "srv" / "venv")
    sign = ["sign", venv.root, "--name", "shop", "--key", work / "key", "--out", work / "shop.manifest"]
    assert sp_one.spythonctl("keygen", "--no-passphrase", "--out", work / "key").status == 0
    write(venv.site / "lib.py", "x = 1\n")
    assert sp_one.spythonctl(*sign).status == 0  # the control
    (sp_one.libexec / name).unlink()
    adopted, signed = sp_one.spythonctl("venv", "adopt", venv.root), sp_one.spythonctl(*sign)
    for found in (adopted, signed):
        assert found.status == 1 and said % sp_one.minor.encode() in found.err, found
    assert b", or sign with --no-compile)" in signed.err
