# SPDX-License-Identifier: Apache-2.0
"""More of the gate for native code (test_native.py): compiled extension modules on every version, races,
packages, and an audit object that does not do its work. Every refusal has its control: the plain
interpreter of the same build loads the same file."""
import json
import os
import pwd
import shutil
import subprocess
import sys

import pytest

import harness
from harness import SOURCE, decode, events, one, write

NOBODY = pwd.getpwnam("nobody")
RULE = "spython-unapproved-native"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners: needs root")

EXTENSION = '''
#include <Python.h>
#include <fcntl.h>
#include <unistd.h>
%(declare)s
__attribute__((constructor)) static void spring(void)
{
    if (*MARKER)
        close(open(MARKER, O_WRONLY | O_CREAT | O_APPEND, 0644));
}
static PyObject *answer(PyObject *self, PyObject *unused) { return PyLong_FromLong(%(value)s); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "%(name)s", NULL, 0, methods, slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_%(name)s(void) { return PyModuleDef_Init(&def); }
'''

LIBRARY = '''
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void spring(void)
{
    if (*MARKER)
        close(open(MARKER, O_WRONLY | O_CREAT | O_APPEND, 0644));
}
int library_answer(void) { return %d; }
'''

TRY = '''
import ctypes, json, sys
def attempt(what):
    try:
        return what()
    except (ImportError, OSError) as e:
        return "%s: %s" % (type(e).__name__, e)
'''


def include_directory(minor):
    lines = subprocess.run([SOURCE / "scripts/find-pythons"], stdout=subprocess.PIPE, text=True).stdout
    return {line.split()[0]: line.split()[2] for line in lines.splitlines()}[minor]


def compile_object(source, target, *more, marker=""):
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", '-DMARKER="%s"' % marker, "-o", target, source,
                    *more], check=True)
    target.chmod(0o755)
    return target


def build_extension(sp, target, name="ext", value="42", declare="", more=(), marker=""):
    target.parent.mkdir(parents=True, exist_ok=True)
    source = write(target.with_suffix(".c"), EXTENSION % {"name": name, "value": value, "declare": declare})
    return compile_object(source, target, "-I", include_directory(sp.minor), *more, marker=marker)


def build_library(target, value=7, more=(), marker=""):
    target.parent.mkdir(parents=True, exist_ok=True)
    source = write(target.with_suffix(".c"), LIBRARY % value)
    return compile_object(source, target, *more, marker=marker)


def policy(sp, mode, more="", copy=None):
    native = "mode: %s" % mode + (", copy: %s" % copy if copy else "")
    sp.apply("profile: standard\nverify:\n  native: {%s}\n%s" % (native, more))


def natives(sp, name):
    """Records about files of that name."""
    return [r for r in events(sp.records(), "spython.native")
            if os.path.basename(str(decode(r["args"]["path"]))) == name]


def make_group_writable(path):
    path.chmod(0o775)


def make_writable(path):
    path.chmod(0o757)


def give_away(path):
    os.chown(path, NOBODY.pw_uid, -1)


def open_directory(path):
    path.parent.chmod(0o777)


def give_directory_away(path):
    os.chown(path.parent, NOBODY.pw_uid, -1)


def open_directory_above(path):
    path.parent.parent.chmod(0o777)


SPOILS = [make_group_writable, make_writable, give_away, open_directory, give_directory_away,
          open_directory_above]

IMPORT = TRY + '''
sys.path.insert(0, sys.argv[1])
print(json.dumps(attempt(lambda: __import__("ext").answer())))
'''


# --- extension modules ----------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("spoil", SPOILS, ids=lambda f: f.__name__)
def test_extension(sp, work, spoil):
    marker = work / "marker"
    ext = build_extension(sp, work / "site" / "lib" / "ext.so", marker=marker)
    script = write(work / "a.py", IMPORT)
    start = lambda r=sp.run: r(script, ext.parent)  # noqa: E731

    policy(sp, "enforce")
    assert start()[:3] == (0, b"42\n", b"")
    record = one(natives(sp, "ext.so"))
    assert record["verdict"] == "allow" and record["args"]["answers"] == ["owner: trusted"]
    assert record["args"]["path"] == record["args"]["real_path"] == str(ext)
    assert marker.exists()

    spoil(ext)
    sp.clear_logs()
    marker.unlink()
    found = start()
    assert found.status == 0 and not marker.exists()
    said = json.loads(found.out)
    record = one(natives(sp, "ext.so"))
    assert record["verdict"] == "deny" and record["rules"] == [RULE] and record["level"] == "high"
    assert said.startswith("ImportError: '%s': refused by rule %s: owner: " % (ext, RULE))
    assert "(record %s; spythonctl explain %s)" % (record["id"], record["id"]) in said
    assert len(record["args"]["sha256"]) == 64 and record["args"]["reason"] in said
    assert sp.records()[-1]["args"]["denied"] == 1

    policy(sp, "audit")
    sp.clear_logs()
    assert start()[:3] == (0, b"42\n", b"") and marker.exists()
    record = one(natives(sp, "ext.so"))
    assert record["verdict"] == "would-deny" and record["rules"] == [RULE]

    policy(sp, "off")
    sp.clear_logs()
    assert start()[:3] == (0, b"42\n", b"")
    assert not events(sp.records(), "spython.native")
    assert start(sp.run_python)[:3] == (0, b"42\n", b"")


def test_attributes_of_the_error(sp, work):
    """Programs look at name and path; those stay what they are."""
    ext = build_extension(sp, work / "lib" / "ext.so")
    ext.chmod(0o777)
    script = write(work / "a.py", '''
import sys
sys.path.insert(0, sys.argv[1])
try:
    import ext
except ImportError as e:
    print(type(e).__name__, e.name, e.path, str(e) == e.msg == e.args[0])
''')
    policy(sp, "enforce")
    assert sp.run(script, ext.parent).out.decode() == "ImportError ext %s True\n" % ext


def test_changed_byte(sp, work):
    """A verifier that knows the contents: the same file with one byte changed is refused."""
    ext = build_extension(sp, work / "lib" / "ext.so", value="41")
    script = write(work / "a.py", IMPORT)
    digest = subprocess.run(["sha256sum", ext], stdout=subprocess.PIPE, check=True).stdout.split()[0]
    try:
        os.setxattr(ext, "user.org.python.x-spython-hash", digest)
    except OSError:
        harness.unavailable("no user attributes on the file system of " + str(work))
    policy(sp, "enforce", "  roots: [{path: %s, all: [owner, xattr]}]\n" % ext.parent)
    assert sp.run(script, ext.parent).out == b"41\n"
    record = one(natives(sp, "ext.so"))
    assert record["args"]["sha256"].encode() == digest and record["args"]["root"] == str(ext.parent)
    data = ext.read_bytes()
    assert data.count(b"GCC: (") == 1
    with open(ext, "r+b") as f:
        f.seek(data.index(b"GCC: ("))
        f.write(b"g")
    assert sp.run_python(script, ext.parent).out == b"41\n"  # the control
    assert b"refused by rule" in sp.run(script, ext.parent).out
    policy(sp, "audit", "  roots: [{path: %s, all: [owner, xattr]}]\n" % ext.parent)
    assert sp.run(script, ext.parent).out == b"41\n"


def test_standard_library(sp, work):
    """All of it that is native loads, with everything that it pulls in, and so does a second libc's
    worth of name service."""
    script = write(work / "a.py", '''
import importlib, json, os, sys, sysconfig
folder = sysconfig.get_path("platstdlib") + "/lib-dynload"
failed, count = {}, 0
for name in sorted({n.partition(".")[0] for n in os.listdir(folder)}):
    if name.startswith(("_test", "xx", "_xx", "_ctypes_test", "_crypt", "_tkinter")):
        continue
    try:
        importlib.import_module(name)
        count += 1
    except ImportError as e:
        failed[name] = str(e)
import pwd, socket
pwd.getpwnam("root")
try:
    socket.getaddrinfo("localhost", 80)
except OSError:
    pass
print(json.dumps([count, failed]))
''')
    sp.apply("profile: standard\nverify:\n  native: {mode: enforce}\n  elsewhere: {any: [owner]}\n")
    found = sp.run(script)
    plain = sp.run_python(script)
    assert found.status == 0 and found.err == plain.err, found
    assert json.loads(found.out) == json.loads(plain.out)
    assert json.loads(found.out)[0] > 5
    assert not [r for r in events(sp.records(), "spython.native") if r["verdict"] != "allow"]


def test_next_candidate(sp, work):
    """A refused candidate is passed over, as one that is not there; a later one is taken."""
    bad = build_library(work / "bad" / "libdep.so", 1, ("-Wl,-soname,libdep.so",), marker=work / "marker")
    good = build_library(work / "good" / "libdep.so", 2, ("-Wl,-soname,libdep.so",))
    ext = build_extension(sp, work / "pkg" / "ext.so", value="library_answer()",
                          declare="int library_answer(void);",
                          more=(bad, "-Wl,-rpath,%s:%s" % (bad.parent, good.parent)))
    script = write(work / "a.py", IMPORT)
    bad.chmod(0o777)
    policy(sp, "enforce")
    assert sp.run(script, ext.parent).out == b"2\n" and not (work / "marker").exists()
    assert sp.run_python(script, ext.parent).out == b"1\n" and (work / "marker").exists()


# --- files that others can change -----------------------------------------------------------------


def test_link_that_others_can_change(sp, work):
    """The file is sound, the link to it is not: the file itself is opened."""
    library = build_library(work / "lib" / "libwork.so")
    public = work / "public"
    public.mkdir()
    public.chmod(0o777)
    (public / "link.so").symlink_to(library)
    script = write(work / "a.py", TRY + '''
print(json.dumps(attempt(lambda: ctypes.CDLL(sys.argv[1]).library_answer())))
print([l.split()[-1] for l in open("/proc/self/maps") if "libwork" in l][0])
''')
    policy(sp, "enforce")
    assert sp.run(script, public / "link.so").out.decode() == "7\n%s\n" % library


SWAP = '''
import os, sys
target, good, evil = sys.argv[1:]
while True:
    for source in (good, evil, good, evil, None):
        if source:
            os.symlink(source, target + ".new")
            os.rename(target + ".new", target)
        else:
            os.unlink(target)
'''


@needs_root
def test_swapped_while_it_is_loaded(sp_one, work):
    """A link flips between an approved library, another one and none: the other one never runs."""
    good = build_library(work / "good" / "libgood.so", 1)
    evil = build_library(work / "evil" / "libevil.so", 2, marker=work / "marker")
    give_away(evil)
    public = work / "public"
    public.mkdir()
    public.chmod(0o777)
    target = public / "lib.so"
    script = write(work / "a.py", '''
import ctypes, os, _ctypes, sys
seen = {}
for i in range(int(sys.argv[2])):
    try:
        library = ctypes.CDLL(sys.argv[1])
        seen[library.library_answer()] = seen.get(library.library_answer(), 0) + 1
        _ctypes.dlclose(library._handle)
    except OSError as e:
        seen["error"] = seen.get("error", 0) + 1
print(seen)
''')
    policy(sp_one, "enforce")
    swapper = subprocess.Popen([sys.executable, write(work / "swap.py", SWAP), target, good, evil])
    try:
        loaded = stopped = 0
        for _ in range(4):
            found = sp_one.run(script, target, "1500")
            assert found.status in (0, harness.REFUSED), found
            assert b"2:" not in found.out and not (work / "marker").exists()
            loaded += b"1:" in found.out
            stopped += found.status == harness.REFUSED
        assert loaded or stopped
        for _ in range(20):  # the control; who runs when is chance
            control = sp_one.run_python(script, target, "1500")
            if b"2:" in control.out:
                break
        assert b"2:" in control.out and (work / "marker").exists()
    finally:
        swapper.kill()
        swapper.wait()


def test_copy_of_a_package(sp, work):
    """$ORIGIN of a copy is that of its file, for each of two packages."""
    script = write(work / "a.py", TRY + '''
for name in ("one", "two"):
    sys.path.insert(0, sys.argv[1] + "/" + name + "/pkg")
    print(json.dumps(attempt(lambda: __import__("ext_" + name).answer())))
print(__import__("ext_two").__file__)
print(sum("/memfd:spython:" in l and " r-xp " in l for l in open("/proc/self/maps")))
''')
    for value, name in ((11, "one"), (22, "two")):
        folder = work / "site" / name
        dep = build_library(folder / "pkg.libs" / ("libdep_%s.so" % name), value,
                            ("-Wl,-soname,libdep_%s.so" % name,))
        dep_source = dep.with_suffix(".c")
        dep_source.write_text(dep_source.read_text().replace("library_answer", "answer_" + name))
        compile_object(dep_source, dep, "-Wl,-soname,libdep_%s.so" % name)
        build_extension(sp, folder / "pkg" / ("ext_%s.so" % name), name="ext_" + name,
                        value="answer_%s()" % name, declare="int answer_%s(void);" % name,
                        more=(dep, "-Wl,-rpath,$ORIGIN/../pkg.libs"))
    (work / "site").chmod(0o777)
    policy(sp, "enforce", "  roots: [{path: %s, all: ['null']}]\n" % (work / "site"), copy="1M")
    found = sp.run(script, work / "site")
    two = str(work / "site" / "two" / "pkg" / "ext_two.so")
    assert found.out.decode() == "11\n22\n%s\n4\n" % two, found
    assert sp.run_python(script, work / "site").out.decode() == "11\n22\n%s\n0\n" % two


def test_subinterpreter(sp, work):
    ext = build_extension(sp, work / "lib" / "ext.so")
    script = write(work / "a.py", '''
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = """
import sys
sys.path.insert(0, %r)
try:
    import ext
    print(ext.answer(), flush=True)
except ImportError as e:
    print("refused by rule" in str(e), flush=True)
""" % sys.argv[1]
i = interpreters.create()
interpreters.run_string(i, code)
''')
    policy(sp, "enforce")
    found = sp.run(script, ext.parent)
    if sp.version >= (3, 12) and found.out != b"42\n":
        assert b"does not support loading in subinterpreters" in found.out + found.err or found.out == b"False\n"
    else:
        assert found.out == b"42\n", found
    ext.chmod(0o777)
    assert sp.run(script, ext.parent).out == b"True\n"


# --- the start ------------------------------------------------------------------------------------


def audit_object(target, body):
    """An audit object with our note, so that the first stage takes it for ours."""
    text = (SOURCE / "src/rtld/audit.c").read_text()
    note = text[text.index("__asm__"):text.index(";", text.index("__asm__")) + 1]
    source = write(target.with_suffix(".c"), note + body)
    version = (SOURCE / "meson.build").read_text().split("version : '")[1].split("'")[0]
    subprocess.run(["cc", "-shared", "-fPIC", "-nostdlib", "-fno-stack-protector",
                    '-DSPYTHON_VERSION="%s"' % version, "-o", target, source], check=True)
    return target


@pytest.mark.parametrize("body", [
    "int unused;", "unsigned la_version(unsigned v) { return 0; }", "unsigned la_version(unsigned v) { return 99; }",
    "unsigned la_version(unsigned v) { return v; }",
    "unsigned la_version(unsigned v) { return v; } char *la_objsearch(char *n, void *c, unsigned f) { return n; }",
], ids=["none", "declines", "too new", "deaf", "mute"])
def test_audit_object_that_does_not_answer(sp_one, work, body):
    """The dynamic linker would only print a line and go on."""
    script = write(work / "a.py", "print('ran')\n")
    assert sp_one.run(script).out == b"ran\n"
    shutil.copy(audit_object(work / "audit.so", body), sp_one.libexec / "audit.so")
    found = sp_one.run(script)
    assert found.status == harness.UNUSABLE and found.out == b"", found
    assert b"audit.so': is not active" in found.err


