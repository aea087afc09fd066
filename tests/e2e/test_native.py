# SPDX-License-Identifier: Apache-2.0
"""The gate for native code: what the dynamic linker may map. Every refusal has its control: the plain
interpreter of the same build loads the same file."""
import json
import os
import pwd
import shutil
import subprocess
import sys
import time

import pytest

import harness
from harness import SOURCE, assert_refused, decode, events, one, run, write

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


def test_profiles(sp, work):
    """strict enforces; the others do not look unless told."""
    ext = build_extension(sp, work / "lib" / "ext.so")
    ext.chmod(0o777)
    script = write(work / "a.py", IMPORT)
    for profile, expected in (("strict", b"refused"), ("standard", b"42"), ("observe", b"42")):
        sp.apply("profile: %s\n" % profile)
        assert expected in sp.run(script, ext.parent).out, profile


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


# --- libraries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["path", "relative", "searched"])
def test_ctypes(sp, work, how):
    library = build_library(work / "lib" / "libwork.so", marker=work / "marker")
    name = {"path": str(library), "relative": "./libwork.so", "searched": "libwork.so"}[how]
    pin = "environment:\n  pin: {LD_LIBRARY_PATH: %s}\n" % library.parent if how == "searched" else ""
    script = write(work / "a.py", TRY + '''
print(json.dumps([attempt(lambda: ctypes.CDLL(n).library_answer()) for n in sys.argv[1:]]))
''')
    start = lambda: sp.run(script, name, name, cwd=library.parent)  # noqa: E731
    policy(sp, "enforce", pin)
    assert start()[:3] == (0, b"[7, 7]\n", b"")
    assert len(natives(sp, "libwork.so")) == 1
    library.chmod(0o777)
    (work / "marker").unlink()
    sp.clear_logs()
    found = start()
    said = json.loads(found.out)
    assert not (work / "marker").exists()
    assert [s.partition(":")[0] for s in said] == ["OSError"] * 2
    assert RULE in said[0] and all(r["verdict"] == "deny" for r in natives(sp, "libwork.so"))
    policy(sp, "audit", pin)
    assert start().out == b"[7, 7]\n"
    plain = sp.run_python(script, name, name, cwd=library.parent,
                          env=sp.env(LD_LIBRARY_PATH=str(library.parent)))
    assert plain.out == b"[7, 7]\n"


def test_what_is_there_already(sp, work):
    """The program itself, libraries that are loaded, and one library under two names."""
    library = build_library(work / "lib" / "libwork.so")
    alias = library.parent / "alias.so"
    alias.symlink_to(library)
    script = write(work / "a.py", '''
import ctypes, sys
print(ctypes.CDLL(None).getpid() > 0, ctypes.CDLL("libc.so.6").getpid() > 0)
handles = {ctypes.CDLL(n)._handle for n in sys.argv[1:] * 2}
print(len(handles))
''')
    policy(sp, "enforce")
    assert sp.run(script, library, alias)[:3] == (0, b"True True\n1\n", b"")


@pytest.mark.parametrize("how", ["runpath", "origin", "rpath"])
def test_needed_library(sp, work, how):
    """An extension pulls in a library, in the layout that wheels have."""
    folder = work / "site" / "pkg.libs"
    marker = work / "marker"
    dep = build_library(folder / "libdep.so", 9, ("-Wl,-soname,libdep.so",), marker=marker)
    where = {"runpath": str(folder), "origin": "$ORIGIN/../pkg.libs", "rpath": "$ORIGIN/../pkg.libs"}[how]
    tags = "--disable-new-dtags" if how == "rpath" else "--enable-new-dtags"
    ext = build_extension(sp, work / "site" / "pkg" / "ext.so", value="library_answer()",
                          declare="int library_answer(void);",
                          more=(dep, "-Wl,%s,-rpath,%s" % (tags, where)))
    script = write(work / "a.py", IMPORT)
    policy(sp, "enforce")
    found = sp.run(script, ext.parent)
    assert found[:3] == (0, b"9\n", b""), found
    assert one(natives(sp, "libdep.so"))["args"]["requester"] == str(ext)
    dep.chmod(0o777)
    marker.unlink()
    found = sp.run(script, ext.parent)
    said = json.loads(found.out)
    assert said.startswith("ImportError: ") and "libdep.so': refused by rule" in said, said
    assert not marker.exists()
    policy(sp, "audit")
    assert sp.run(script, ext.parent).out == b"9\n"
    assert sp.run_python(script, ext.parent).out == b"9\n"


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


# --- paths that are no paths ----------------------------------------------------------------------

ODD = TRY + '''
import os
data = open(sys.argv[1], "rb").read()
how = sys.argv[2]
if how in ("memfd", "link"):
    fd = os.memfd_create("x") if hasattr(os, "memfd_create") else None
    os.write(fd, data)
    path = "/proc/self/fd/%d" % fd
elif how == "descriptor":
    path = "/proc/self/fd/%d" % os.open(sys.argv[1], os.O_RDONLY)
elif how == "cwd":
    os.chdir(os.path.dirname(sys.argv[1]))
    path = "/proc/self/cwd/" + os.path.basename(sys.argv[1])
elif how == "shm":
    path = "/dev/shm/spython-test-%d.so" % os.getpid()
    open(path, "wb").write(data)
    os.chmod(path, 0o755)
if how == "link":
    os.symlink(path, sys.argv[3])
    path = sys.argv[3]
try:
    print(json.dumps(attempt(lambda: ctypes.CDLL(path).library_answer())))
finally:
    if how == "shm":
        os.unlink(path)
'''


@pytest.mark.parametrize("how", ["memfd", "link", "descriptor", "cwd", "shm"])
def test_descriptors_and_shared_memory(sp, work, how):
    library = build_library(work / "lib" / "libwork.so")
    script = write(work / "a.py", ODD)
    link = work / "lib" / "link.so"
    start = lambda r=sp.run: r(script, library, how, link)  # noqa: E731
    policy(sp, "enforce", "  elsewhere: {any: ['null']}\n")
    found = start()
    assert b"through /proc, /dev or /sys" in found.out, found
    record = [r for r in events(sp.records(), "spython.native") if r["verdict"] == "deny"]
    assert len(record) == 1 and "sha256" in record[0]["args"]
    policy(sp, "audit")
    link.unlink() if link.is_symlink() else None
    assert start().out == b"7\n"
    link.unlink() if link.is_symlink() else None
    assert start(sp.run_python).out == b"7\n"


def test_extension_from_memory(sp, work):
    """The public technique: an extension module's loader that is given a descriptor."""
    ext = build_extension(sp, work / "lib" / "ext.so")
    script = write(work / "a.py", TRY + '''
import importlib.machinery, importlib.util, os
fd = os.memfd_create("x")
os.write(fd, open(sys.argv[1], "rb").read())
path = "/proc/self/fd/%d" % fd
def load():
    loader = importlib.machinery.ExtensionFileLoader("ext", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("ext", path, loader=loader))
    return module.answer()
print(json.dumps(attempt(load)))
''')
    policy(sp, "enforce")
    assert RULE in json.loads(sp.run(script, ext).out)
    assert sp.run_python(script, ext).out == b"42\n"


def test_odd_names(sp, work):
    """What is no library fails as it does without us, and does not hold anybody up."""
    library = build_library(work / "lib" / "libwork.so")
    os.mkfifo(library.parent / "fifo.so")
    write(library.parent / "text.so", "INPUT(libc.so.6)\n" * 10)
    write(library.parent / "empty.so", "")
    (library.parent / "folder.so").mkdir()
    script = write(work / "a.py", TRY + '''
print(json.dumps([attempt(lambda: ctypes.CDLL(n).library_answer()) for n in sys.argv[1:]]))
''')
    names = ["libnowhere.so", "/nowhere.so", "text.so", "empty.so", "folder.so", "x" * 300, "/" + "y/" * 2500]
    names = [n if "/" in n or n.startswith(("lib", "x")) else str(library.parent / n) for n in names]
    policy(sp, "enforce")
    found, plain = sp.run(script, *names), sp.run_python(script, *names)
    assert json.loads(found.out) == json.loads(plain.out)
    found = sp.run(script, library.parent / "fifo.so", timeout=20)
    assert "regular file" in json.loads(found.out)[0]
    found = sp.run(script, "$ORIGIN/libwork.so", str(library), str(library.parent) + "/../lib//./libwork.so")
    said = json.loads(found.out)
    assert "only the dynamic linker" in said[0] and said[1:] == [7, 7]


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


COPY = TRY + '''
import os
first = attempt(lambda: ctypes.CDLL(sys.argv[1]))
if isinstance(first, str):
    sys.exit(first)
alias = sys.argv[1] + ".alias"
os.link(sys.argv[1], alias)
again = ctypes.CDLL(alias) if len(sys.argv) < 3 else first
print(first.library_answer(), first._handle == again._handle, first._handle == ctypes.CDLL(sys.argv[1])._handle)
print(any("/memfd:spython:libwork.so" in l for l in open("/proc/self/maps")),
      any(l.endswith("/libwork.so\\n") and "memfd" not in l for l in open("/proc/self/maps")))
'''


def set_hash(path):
    digest = subprocess.run(["sha256sum", path], stdout=subprocess.PIPE, check=True).stdout.split()[0]
    try:
        os.setxattr(path, "user.org.python.x-spython-hash", digest)
    except OSError:
        harness.unavailable("no user attributes on the file system of " + str(path))


def test_copy(sp, work):
    """With a cap: what others can change is copied, and the copy's bytes are judged and mapped."""
    library = build_library(work / "lib" / "libwork.so")
    set_hash(library)
    library.parent.chmod(0o777)
    script = write(work / "a.py", COPY)
    root = "  roots: [{path: %s, all: [xattr]}]\n" % library.parent
    policy(sp, "enforce", root)
    found = sp.run(script, library)
    assert found.status == 1 and b"others can change" in found.err  # approved, but it does not last
    policy(sp, "enforce", root, copy="1K")
    assert b"larger than verify.native.copy" in sp.run(script, library).err
    policy(sp, "enforce", root, copy="1M")
    sp.clear_logs()
    found = sp.run(script, library)
    # The hard link changed the file's change time: a copy of its own, with a handle of its own.
    assert found.out == b"7 False True\nTrue False\n", found
    assert natives(sp, "libwork.so")[0]["args"]["copied"] is True
    (library.parent / "libwork.so.alias").unlink()
    with open(library, "r+b") as f:
        f.seek(library.read_bytes().index(b"GCC: ("))
        f.write(b"g")
    assert b"refused by rule" in sp.run(script, library).err


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


def test_another_file_under_the_number_of_a_copy(sp, work):
    """The program closes the copy and puts another file there: a new copy is made."""
    library = build_library(work / "lib" / "libwork.so")
    evil = build_library(work / "evil" / "libevil.so", 13, marker=work / "marker")
    library.parent.chmod(0o777)
    script = write(work / "a.py", '''
import ctypes, os, sys, _ctypes
first = ctypes.CDLL(sys.argv[1])
def target(n):
    try:
        return os.readlink("/proc/self/fd/" + n)
    except OSError:
        return ""
copies = [int(n) for n in os.listdir("/proc/self/fd") if "memfd:spython:libwork" in target(n)]
_ctypes.dlclose(first._handle)
evil = os.open(sys.argv[2], os.O_RDONLY)
for n in copies:
    os.dup2(evil, n)
print(len(copies), ctypes.CDLL(sys.argv[1]).library_answer())
''')
    policy(sp, "enforce", "  roots: [{path: %s, all: ['null']}]\n" % library.parent, copy="1M")
    found = sp.run(script, library, evil)
    assert found.out == b"1 7\n", found
    assert not (work / "marker").exists()


# --- threads, forks, interpreters -----------------------------------------------------------------


def test_threads(sp, work):
    count = 12
    for i in range(count):
        build_library(work / "lib" / ("lib%d.so" % i), i)
        if i % 3 == 0:
            (work / "lib" / ("lib%d.so" % i)).chmod(0o777)
    script = write(work / "a.py", '''
import ctypes, os, sys, threading
count, results = int(sys.argv[2]), []
barrier = threading.Barrier(count)
def load(i):
    barrier.wait()
    for _ in range(20):
        try:
            results.append((i, ctypes.CDLL("%s/lib%d.so" % (sys.argv[1], i)).library_answer()))
        except OSError as e:
            results.append((i, "lib%d.so': refused" % i in str(e)))
threads = [threading.Thread(target=load, args=(i,)) for i in range(count)]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(results) == 20 * count
assert all(v is True if i % 3 == 0 else v == i for i, v in results), set(results)
print("ok")
''')
    policy(sp, "enforce")
    assert sp.run(script, work / "lib", str(count))[:3] == (0, b"ok\n", b"")


def test_fork(sp, work):
    library = build_library(work / "lib" / "libwork.so")
    bad = build_library(work / "lib" / "libbad.so", marker=work / "marker")
    bad.chmod(0o777)
    script = write(work / "a.py", TRY + '''
import os
pid = os.fork()
if pid == 0:
    print(json.dumps([attempt(lambda: ctypes.CDLL(n).library_answer()) for n in sys.argv[1:]]), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
''')
    policy(sp, "enforce")
    found = sp.run(script, library, bad)
    said = json.loads(found.out)
    assert said[0] == 7 and RULE in said[1] and not (work / "marker").exists()
    child = [rs for rs in sp.sessions().values() if any(r["event"] == "spython.native" and "startup" not in r["args"]
                                                        and "lib/lib" in str(r["args"]["path"])
                                                        and str(work) in str(r["args"]["path"]) for r in rs)]
    assert len(child) == 1 and child[0][0]["event"] == "spython.start"
    assert child[0][0]["args"]["parent_session"]


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


def test_libraries_of_the_start(sp, work):
    """What was mapped before the core was there is judged when it is."""
    library = build_library(work / "lib" / "libpinned.so")
    script = write(work / "a.py", "print('ran')\n")
    pin = "environment:\n  pin: {LD_PRELOAD: %s}\n" % library
    policy(sp, "enforce", pin)
    assert sp.run(script)[:3] == (0, b"ran\n", b"")
    started = {os.path.basename(str(r["args"]["path"])) for r in events(sp.records(), "spython.native")
               if r["args"].get("startup") is True}
    assert {"libpinned.so", "libc.so.6"} <= started and not {"core.so", "audit.so"} & started
    library.chmod(0o777)
    sp.clear_logs()
    found = sp.run(script)
    assert_refused(found, harness.REFUSED)
    assert os.fsencode(library) in found.err
    record = one(natives(sp, "libpinned.so"))
    assert record["verdict"] == "kill" and record["level"] == "critical"
    policy(sp, "audit", pin)
    sp.clear_logs()
    assert sp.run(script)[:3] == (0, b"ran\n", b"")
    assert one(natives(sp, "libpinned.so"))["verdict"] == "would-deny"


def test_nothing_is_left_in_the_environment(sp, work):
    script = write(work / "a.py", '''
import ctypes, os, subprocess
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
print("LD_AUDIT" in os.environ, b"LD_AUDIT" in open("/proc/self/environ", "rb").read(),
      b"LD_AUDIT" in subprocess.check_output(["/usr/bin/env"]), libc.getenv(b"LD_AUDIT"))
''')
    assert sp.run(script).out == b"False False False None\n"
    assert sp.run(script, env=sp.env(LD_AUDIT="/nonexistent.so"))[:3] == (0, b"False False False None\n", b"")


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


def test_core_without_audit_object(sp_one, work):
    """Preloaded by hand, with a handover that fits: it still wants the audit object."""
    script = write(work / "a.py", "print('ran')\n")
    minor = sp_one.minor
    fields = ["1", minor, os.fspath(sp_one.root), os.fspath(sp_one.spython), "spython", "r",
              os.fspath(script), "", "0"]
    env = sp_one.env(LD_PRELOAD=str(sp_one.libexec / "core.so"),
                     SPYTHON_HANDOVER="".join("%d:%s," % (len(f), f) for f in fields))
    argv = [sp_one.python, "-" + "\1" * (len(os.fspath(script)) - 1)]
    found = run(argv, env=env)
    assert found.status == harness.UNUSABLE and b"not active" in found.err, found
    found = run(argv, env=dict(env, LD_AUDIT=str(sp_one.libexec / "audit.so")))
    assert found[:3] == (0, b"ran\n", b""), found


def test_greeting_is_taken_once(sp_one, work):
    """Nobody else can have the audit object call a function of his."""
    script = write(work / "a.py", TRY + '''
table = (ctypes.c_uint64 * 4)(0x53505954484e4731, 1, 1, 1)
name = "/proc/self/spython/native-gate/%016x" % ctypes.addressof(table)
print(json.dumps(attempt(lambda: ctypes.CDLL(name) and None)))
page = [l for l in open("/proc/self/maps") if l.rstrip().endswith("/audit.so")]
print(sum(" rw" in l for l in page))
print(json.dumps(attempt(lambda: ctypes.CDLL("libm.so.6") and "loads")))
''')
    policy(sp_one, "enforce")
    found = sp_one.run(script)
    lines = found.out.splitlines()
    assert found.status == 0 and b"OSError" in lines[0] and lines[2] == b'"loads"', found
    # No page of it that could be written is left, but for what shares none with the address.
    assert lines[1] == b"0", found
