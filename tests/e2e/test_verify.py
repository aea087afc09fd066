# SPDX-License-Identifier: Apache-2.0
"""Each way by which CPython gets code from a file: approved code runs; one changed byte is refused under
enforce; under audit it runs and is reported; plain python3 runs it in any case."""
import re
import subprocess
import zipfile

import pytest

import harness
from harness import REFUSED, events, one, run, write
from verified import (REFUSAL, RULE, Tree, assert_permission_error, assert_record, cached, compile_to, explain,
                      flip, judged, last_line, make_key, mark, record_id)


def zip_of(path, name, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, text)
    return path


REFUSED_BY_NAME = (rb"refused by rule spython-unapproved-code: [^\n]+ "
                   rb"\(record ([0-9a-f]{16}-[0-9]+); spythonctl explain \1\)")

# What each program does besides `import sys`; the changed file is beside it.
PROGRAMS = {
    "import": "sys.path.insert(0, HERE); import lib",
    "sourceless": "sys.path.insert(0, HERE); import lib",
    "package": "sys.path.insert(0, HERE); import pack.lib",
    "zip_import": "sys.path.insert(0, HERE + '/lib.zip'); import lib",
    "run_path": "import runpy; runpy.run_path(HERE + '/lib.py')",
    "run_path_pyc": "import runpy; runpy.run_path(HERE + '/lib.pyc')",
    "run_path_directory": "import runpy; runpy.run_path(HERE + '/dir')",
    "run_module": "import runpy; sys.path.insert(0, HERE); runpy.run_module('lib')",
    "source_loader": "import importlib.machinery as m, types; "
                     "m.SourceFileLoader('lib', HERE + '/lib.py').exec_module(types.ModuleType('lib'))",
    "spec_from_file": "import importlib.util as u; s = u.spec_from_file_location('lib', HERE + '/lib.py'); "
                      "s.loader.exec_module(u.module_from_spec(s))",
    "sourceless_loader": "import importlib.machinery as m, types; "
                         "m.SourcelessFileLoader('lib', HERE + '/lib.pyc').exec_module(types.ModuleType('lib'))",
    "zipimporter": "import zipimport; exec(zipimport.zipimporter(HERE + '/lib.zip').get_code('lib'))",
    "pkgutil": "import pkgutil; exec(pkgutil.get_importer(HERE).find_spec('lib').loader.get_code('lib'))",
    "fork": "sys.path.insert(0, HERE)\n"
            "import multiprocessing\n"
            "def child():\n    import lib\n"
            "p = multiprocessing.get_context('fork').Process(target=child)\n"
            "p.start(); p.join(); sys.exit(p.exitcode)",
}
# The module that 3.12 has no more: with the file already open, as text or as data, or not.
IMP = "import warnings; warnings.simplefilter('ignore'); import imp; "
IMP_PROGRAMS = {
    "imp_source": "imp.load_source('lib', HERE + '/lib.py')",
    "imp_source_text": "imp.load_source('lib', HERE + '/lib.py', open(HERE + '/lib.py'))",
    "imp_source_data": "imp.load_source('lib', HERE + '/lib.py', open(HERE + '/lib.py', 'rb'))",
    "imp_compiled": "imp.load_compiled('lib', HERE + '/lib.pyc')",
    "imp_compiled_data": "imp.load_compiled('lib', HERE + '/lib.pyc', open(HERE + '/lib.pyc', 'rb'))",
    "imp_package": "imp.load_package('lib', HERE + '/lib')",
    "imp_module": "imp.load_module('lib', *imp.find_module('lib', [HERE]))",
    "imp_module_compiled": "imp.load_module('lib', *imp.find_module('lib', [HERE]))",
    "imp_module_package": "imp.load_module('lib', *imp.find_module('lib', [HERE]))",
    "imp_reload": "imp.reload(imp); imp.load_source('lib', HERE + '/lib.py', open(HERE + '/lib.py'))",
    "imp_importer": "import pkgutil; pkgutil.ImpImporter(HERE).find_module('lib').load_module('lib')",
}
PROGRAMS.update({name: IMP + text for name, text in IMP_PROGRAMS.items()})
FILES = {"imp_compiled": "lib.pyc", "imp_compiled_data": "lib.pyc", "imp_module_compiled": "lib.pyc",
         "imp_package": "lib/__init__.py", "imp_module_package": "lib/__init__.py",
         "sourceless": "lib.pyc", "run_path_pyc": "lib.pyc", "sourceless_loader": "lib.pyc", "zip_import": "lib.zip",
         "zipimporter": "lib.zip", "package": "pack/lib.py", "run_path_directory": "dir/__main__.py"}
ENTRIES = ("script", "zipapp", "directory", "module")
# zipimport turns the refusal into an error of its own, and the import system then asks other finders.
SWALLOWED = {"zip_import": rb"ModuleNotFoundError: No module named 'lib' \('[^']+/lib\.zip' was " + REFUSAL + rb"\)",
             "zipimporter": rb"zipimport\.ZipImportError: can't open Zip file: '[^']+/lib\.zip': " + REFUSAL,
             "zipapp": rb"PermissionError: " + REFUSAL}


class Gallery:
    """All load paths of one minor version in one signed tree, an enforcing and an auditing installation."""

    def __init__(self, prefix, minor, work, key):
        self.enforcing = harness.clone(prefix, work / "enforce", minor)
        self.auditing = harness.clone(prefix, work / "audit", minor)
        self.tree = Tree(work / "srv", key)
        for name in (*PROGRAMS, *ENTRIES):
            self.make(name)
        self.tree.sign(self.enforcing, "--no-compile")
        for sp, mode in ((self.enforcing, "enforce"), (self.auditing, "audit")):
            self.tree.install(sp)
            sp.apply(self.tree.policy(mode, more="entry: {allow: [zip, directory], modules: [lib_of_module]}\n"))

    def make(self, name):
        here, sp = self.tree.root / name, self.enforcing
        if name in PROGRAMS:
            write(here / "main.py", "import sys\nHERE = %r\n%s\n" % (str(here), PROGRAMS[name]))
        file = self.victim(name)
        if file.suffix == ".zip":
            zip_of(file, "__main__.py" if name == "zipapp" else "lib.py", mark())
        elif file.suffix == ".pyc":
            source = write(here / "lib.txt", mark())
            compile_to(sp, source, file)
            source.unlink()
        else:
            write(file, mark())

    def victim(self, name):
        entries = {"script": "main.py", "zipapp": "app.zip", "directory": "app/__main__.py",
                   "module": "lib_of_module.py"}
        return self.tree.root / name / entries.get(name, FILES.get(name, "lib.py"))

    def argv(self, name):
        if name == "module":
            return ["-m", "lib_of_module"]
        if name == "directory":
            return [self.victim(name).parent]
        return [self.victim(name) if name in ENTRIES else self.tree.root / name / "main.py"]

    def run(self, how, name):
        return how("-B", *self.argv(name), cwd=self.tree.root / name)


@pytest.fixture(scope="session")
def key(prefix, workspace):
    return make_key(prefix / "bin" / "spythonctl", workspace / "verify-key")


@pytest.fixture(scope="session")
def galleries():
    """By minor version: pytest would make a fixture again whenever it comes back to a version."""
    return {}


@pytest.fixture
def gallery(prefix, minor, workspace, key, galleries):
    if minor not in galleries:
        galleries[minor] = Gallery(prefix, minor, workspace / ("gallery-" + minor), key)
    return galleries[minor]


@pytest.mark.parametrize("name", [*ENTRIES, *PROGRAMS])
def test_load_path(gallery, name):
    enforcing, auditing = gallery.enforcing, gallery.auditing
    if name in IMP_PROGRAMS and enforcing.version >= (3, 12):
        return
    victim = gallery.victim(name)
    before = victim.read_bytes()
    for sp in (enforcing, auditing):
        sp.clear_logs()
        assert gallery.run(sp.run, name)[:3] == (0, b"mark A\n", b"")
        assert {r["verdict"] for r in judged(sp, victim)} == {"allow"}
        sp.clear_logs()
    flip(victim)
    after = victim.read_bytes()
    assert gallery.run(enforcing.run_python, name)[:3] == (0, b"mark B\n", b"")

    observed = gallery.run(auditing.run, name)
    assert observed[:3] == (0, b"mark B\n", b"")
    for record in judged(auditing, victim):
        assert_record(record, "would-deny", before, after)
    assert judged(auditing, victim)

    refused = gallery.run(enforcing.run, name)
    assert refused.out == b""
    for record in judged(enforcing, victim):
        assert_record(record, "deny", before, after)
    assert judged(enforcing, victim)
    assert_told(refused, name, victim)


def assert_told(refused, name, victim):
    if name == "script":
        harness.assert_refused(refused, REFUSED)
        assert re.search(REFUSAL, refused.err)
    elif name in SWALLOWED:
        assert refused.status == 1
        assert re.fullmatch(SWALLOWED[name], last_line(refused)), refused.err
    elif name == "module":
        assert refused.status == 1 and re.search(REFUSAL, refused.err), refused.err
    elif name == "fork":
        assert refused.status == 1 and re.search(rb"PermissionError: .*" + REFUSAL, refused.err), refused.err
    else:
        assert_permission_error(refused, victim)


@pytest.mark.parametrize("argv", [["-i"], ["-x"], []], ids=["interactive", "first_line_skipped", "no_archive"])
def test_script_that_cpython_opens_by_name(sp, work, argv):
    """Nobody can judge what CPython opens once more: with -i and -x, and if what looks like an archive, for
    which the policy lets it look itself, is none."""
    script = write(work / "app.py", "\nprint('mark B')\n%s" % ("" if argv else "#PK\5\6\n"), 0o666)
    sp.apply("verify: {mode: enforce}\nentry: {allow: [zip, options]}\n")
    quiet = {"stdin": subprocess.DEVNULL}
    assert sp.run_python("-B", *argv, script, **quiet)[:2] == (0, b"mark B\n")
    refused = sp.run("-B", *argv, script, **quiet)
    assert b"mark B" not in refused.out and re.search(rb"PermissionError: " + REFUSED_BY_NAME, refused.err), refused
    record = one(events(sp.records(), "cpython.run_file"))
    assert (record["verdict"], record["rules"], record["level"]) == ("deny", [RULE], "high")
    assert b"run it without -i and -x" in explain(sp, record["id"]).out
    script.chmod(0o644)  # approved or not: nobody knows what it would find
    assert b"mark B" not in sp.run("-B", *argv, script, **quiet).out
    if not argv:
        script.write_text("print('mark A')\n")
        assert sp.run("-B", script)[:3] == (0, b"mark A\n", b"")
    sp.apply("verify: {mode: audit}\nentry: {allow: [zip, options]}\n")
    sp.clear_logs()
    assert sp.run("-B", *argv, script, **quiet).status == 0
    if argv:
        assert one(events(sp.records(), "cpython.run_file"))["verdict"] == "would-deny"


OTHER = """import sys
%s
class Forged:
    mode, closed = "rb", False
    def __enter__(self): return self
    def __exit__(self, *args): pass
    def read(self): return b"print('mark B')"
there = %r
imp.load_source("lib", there + "/lib.py", %s)
"""


@pytest.mark.parametrize("given", ["open(there + '/lib.txt', 'rb')", "Forged()", "open(there + '/empty', 'rb')"])
@pytest.mark.parametrize("name", ["lib.py", "gone.py"])
def test_imp_gets_another_file(sp, work, key, given, name):
    """It is told an approved file's name, or none that is there, and gets other bytes to read."""
    if sp.version >= (3, 12):
        return
    tree = Tree(work / "srv", key)
    main = tree.write("main.py", (OTHER % (IMP, str(tree.root), given)).replace("/lib.py", "/" + name))
    lib = tree.write("lib.py", mark())
    tree.approve(sp)
    tree.write("lib.txt", mark("B"))
    tree.write("empty", "")
    ran = b"" if "empty" in given else b"mark B\n"
    assert sp.run_python("-B", main)[:3] == (0, ran, b"")
    refused = sp.run("-B", main)
    assert (refused.status, refused.out) == (1, b""), refused
    if name == "lib.py":
        assert re.match(rb"PermissionError: .*refused by rule %s: its bytes are not those of the file " % RULE.encode(),
                        last_line(refused)), refused.err
        told = explain(sp, record_id(refused.err)).out.decode()
        assert "its bytes are not those of the file" in told and "To allow it: let the program load" in told
        assert [r["verdict"] for r in judged(sp, lib)] == ["allow"]
    else:
        assert last_line(refused).startswith(b"FileNotFoundError: ")
    sp.apply(tree.policy("audit"))
    sp.clear_logs()
    assert sp.run("-B", main)[:3] == (0, ran, b"")
    record = events(sp.records(), "spython.open_code")[-1]
    assert (record["verdict"], record["rules"]) == ("would-deny", [RULE])
    sp.apply("")
    sp.clear_logs()
    assert sp.run("-B", main)[:3] == (0, ran, b"")
    assert {r["verdict"] for r in events(sp.records(), "spython.open_code")} == {"allow"}


MAIN = "import sys\nsys.path.insert(0, %r)\nimport lib\n"


@pytest.fixture
def tree(sp, work, key):
    """A main program that imports lib.py, and the bytecode of that in its place."""
    tree = Tree(work / "srv", key)
    tree.main = tree.write("main.py", MAIN % str(tree.root))
    tree.lib = tree.write("lib.py", mark())
    tree.pyc = compile_to(sp, tree.lib, cached(sp, tree.lib), "unchecked-hash")
    return tree.approve(sp)


def test_bytecode_approved(sp, tree):
    """Source that nobody approved does not matter, as long as approved bytecode stands for it."""
    flip(tree.lib)
    assert sp.run("-B", tree.main)[:3] == (0, b"mark A\n", b"")
    assert [r["verdict"] for r in judged(sp, tree.pyc)] == ["allow"]
    assert judged(sp, tree.lib) == []


def test_bytecode_changed(sp, tree):
    """The source is used, and nobody sees a difference but in the records."""
    before = tree.pyc.read_bytes()
    flip(tree.pyc)
    assert sp.run_python("-B", tree.main)[:3] == (0, b"mark B\n", b"")
    assert sp.run("-B", tree.main)[:3] == (0, b"mark A\n", b"")
    record = one(judged(sp, tree.pyc))
    assert_record(record, "deny", before, tree.pyc.read_bytes())
    assert record["level"] == "medium"
    assert [r["verdict"] for r in judged(sp, tree.lib)] == ["allow"]
    sp.apply(tree.policy("audit"))
    sp.clear_logs()
    assert sp.run("-B", tree.main)[:3] == (0, b"mark B\n", b"")
    assert_record(one(judged(sp, tree.pyc)), "would-deny", before, tree.pyc.read_bytes())


def test_bytecode_and_source_changed(sp, tree):
    flip(tree.pyc)
    flip(tree.lib)
    refused = sp.run("-B", tree.main)
    assert_permission_error(refused, tree.lib)
    assert refused.out == b""
    assert [r["verdict"] for r in judged(sp, tree.pyc) + judged(sp, tree.lib)] == ["deny", "deny"]


@pytest.mark.parametrize("mode", ["timestamp", "checked-hash", "unchecked-hash"])
def test_bytecode_planted(sp, work, key, mode):
    """A cache that CPython believes: it bears the time, size or hash of the approved source."""
    tree = Tree(work / "srv", key)
    main = tree.write("main.py", MAIN % str(tree.root))
    lib = tree.write("lib.py", mark())
    tree.approve(sp)
    pyc = compile_to(sp, lib, cached(sp, lib), mode)
    flip(pyc)
    assert sp.run_python("-B", main)[:3] == (0, b"mark B\n", b"")
    assert sp.run("-B", main)[:3] == (0, b"mark A\n", b"")
    assert one(judged(sp, pyc))["args"]["reason"] == "is not listed"


START = {"pth": ("marked.pth", "import sys; sys.stdout.write('mark A\\n')\n"),
         "sitecustomize": ("sitecustomize.py", mark())}


@pytest.mark.parametrize("name", sorted(START))
def test_start_hooks_of_a_venv(sp, work, key, name):
    made = run([sp.python, "-I", "-m", "venv", "--without-pip", work / "venv"], env=sp.env())
    assert made.status == 0, made
    site = work / "venv" / "lib" / ("python" + sp.minor) / "site-packages"
    file, text = START[name]
    victim = write(site / file, text)
    script = write(work / "app.py", "pass\n")
    adopted = sp.spythonctl("venv", "adopt", work / "venv")
    assert adopted.status == 0, adopted
    spython, python = work / "venv/bin/spython", work / "venv/bin/python"
    tree = Tree(work / "venv", key).approve(sp)

    def start(executable):
        """site.py reads the .pth files of an environment twice."""
        found = run([executable, "-B", script], env=sp.env())
        return found._replace(out=set(found.out.split(b"\n")) - {b""})

    if name == "sitecustomize" and run([python, "-B", script], env=sp.env()).out == b"":
        # The distribution's own comes first: this one is no start-up hook, for either of them.
        assert start(spython)[:3] == (0, set(), b"")
        return
    assert start(spython)[:3] == (0, {b"mark A"}, b"")
    before = victim.read_bytes()
    flip(victim)
    assert start(python)[:3] == (0, {b"mark B"}, b"")
    sp.clear_logs()
    found = start(spython)
    assert (found.status, found.out) == (0, set())
    if name == "sitecustomize":
        assert re.search(rb"PermissionError: .*" + REFUSAL, found.err), found.err
    assert judged(sp, victim)
    for record in judged(sp, victim):
        assert_record(record, "deny", before, victim.read_bytes())
    sp.apply(tree.policy("audit"))
    sp.clear_logs()
    assert start(spython)[:3] == (0, {b"mark B"}, b"")
    assert judged(sp, victim)
    for record in judged(sp, victim):
        assert_record(record, "would-deny", before, victim.read_bytes())
