# SPDX-License-Identifier: Apache-2.0
"""Native code: extension modules, ctypes libraries and what they pull in are judged before the
dynamic linker maps them. Real objects, compiled here. The control of each refusal is that plain
python3, or the same object where nobody else can change it, loads."""
import hashlib
import json
import os
import pwd
import subprocess
from pathlib import Path

import pytest

import harness
from harness import events, one, write
from test_records import check_ended, check_session, validator  # noqa: F401: a fixture

RULE = "spython-unapproved-native"
CHANGEABLE = "owner: a directory above it can be written by everybody"
REFUSED = "refused by rule " + RULE
NOBODY = pwd.getpwnam("nobody")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners: needs root")

EXTENSION = '''
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyLong_FromLong(42);
}
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "ext", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_ext(void) { return PyModule_Create(&module); }
'''


def compile_c(path, source, *options):
    c = write(Path(path).with_suffix(".c"), source)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", path, c, *map(str, options)], check=True)
    Path(path).chmod(0o755)
    return Path(path)


def include_of(sp):
    done = sp.run_python("-I", "-S", "-c", "import sysconfig; print(sysconfig.get_paths()['include'])")
    assert done.status == 0, done.err
    return done.out.decode().strip()


def compile_extension(sp, path):
    return compile_c(path, EXTENSION, "-I" + include_of(sp))


def compile_library(path, value=42, *options):
    return compile_c(path, "int answer(void) { return %d; }" % value, *options)


def policy(mode, copy=0, profile="standard"):
    return ("profile: %s\nverify:\n  mode: off\n  hooks: off\n  native: {mode: %s, copy: %s}\n"
            % (profile, mode, copy))


def importer(folder):
    return "import sys; sys.path.insert(0, %r); import ext; print(ext.answer())" % str(folder)


def caller(path):
    return "import ctypes; print(ctypes.CDLL(%r).answer())" % str(path)


class Program:
    """A script in a directory of its own, run by spython and, as control, by python3."""

    def __init__(self, sp, folder, text, env=None):
        self.sp, self.env = sp, env
        self.path = write(folder / "program.py", text + "\n")

    def control(self, out):
        done = self.sp.run_python("-I", self.path)
        assert (done.status, done.out.decode().strip()) == (0, out), done.err

    def runs(self, out, **more):
        self.sp.clear_logs()
        done = self.sp.run(self.path, **more)
        assert (done.status, done.out.decode().strip(), done.err) == (0, out, b""), done.err
        return self

    def fails(self, error, path, because):
        """A traceback whose last line names rule, record and reason."""
        self.sp.clear_logs()
        done = self.sp.run(self.path)
        last = done.err.decode().splitlines()[-1]
        record = self.record(path)
        assert (done.status, done.out) == (1, b""), done
        assert last.startswith(error + ": '%s': " % path), last
        assert REFUSED in last and because in last and "record " + record["id"] in last, last
        assert (record["verdict"], record["level"], record["rules"]) == ("deny", "high", [RULE])
        return record

    def native(self):
        return events(self.sp.records(), "spython.native")

    def record(self, path):
        return one(r for r in self.native() if r["args"]["path"] == str(path))


@pytest.fixture
def open_dir(work):
    """Where anybody can put files, and there are no sticky bits in the way."""
    path = work / "open"
    path.mkdir()
    path.chmod(0o777)
    return path


@pytest.fixture
def safe_dir(work):
    path = work / "safe"
    path.mkdir(mode=0o755)
    return path


# --- the two ways, on every minor -----------------------------------------------------------------


def test_extension_and_library(sp, work, safe_dir, open_dir):
    """Where only root can write, and where others can: off, audit and enforce."""
    for folder in (safe_dir, open_dir):
        compile_extension(sp, folder / "ext.so")
        compile_library(folder / "lib.so", 7)
    text = importer("%s") + "\n" + caller("%s/lib.so")
    good = Program(sp, work / "a", text % (safe_dir, safe_dir))
    bad = Program(sp, work / "b", text % (open_dir, open_dir))
    bad.control("42\n7")
    sp.apply(policy("enforce"))
    good.runs("42\n7")
    for name in ("ext.so", "lib.so"):
        record = good.record(safe_dir / name)
        assert record["verdict"] == "allow" and "rules" not in record
        assert record["args"]["answers"] == ["owner: trusted"]
    bad.fails("ImportError", open_dir / "ext.so", CHANGEABLE)
    only_library = Program(sp, work / "c", caller(open_dir / "lib.so"))
    only_library.fails("OSError", open_dir / "lib.so", CHANGEABLE)
    sp.apply(policy("audit"))
    bad.runs("42\n7")
    for name in ("ext.so", "lib.so"):
        record = bad.record(open_dir / name)
        assert (record["verdict"], record["rules"]) == ("would-deny", [RULE])
    sp.apply(policy("off"))
    bad.runs("42\n7")
    assert bad.native() == []


# --- what is not trusted --------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("how", ["file others", "file group", "file owner", "directory", "above",
                                 "link in between", "target"])
def test_each_way_to_change_it(sp_one, work, how):
    folder = work / "a" / "b"
    library = compile_library(folder / "lib.so")
    program = Program(sp_one, work / "p", caller(library))
    sp_one.apply(policy("enforce"))
    program.runs("42")
    wanted = library
    if how == "file others":
        library.chmod(0o757)
    elif how == "file group":
        library.chmod(0o775)
    elif how == "file owner":
        os.chown(library, NOBODY.pw_uid, -1)
    elif how == "directory":
        folder.chmod(0o757)
    elif how == "above":
        folder.parent.chmod(0o757)
    elif how == "target":
        library.chmod(0o757)
        wanted = work / "link.so"
        wanted.symlink_to(library)
    else:
        # The file itself is sound: it is opened by that name, and the link counts for nothing.
        (work / "open").mkdir()
        (work / "open").chmod(0o777)
        link = work / "open" / "link.so"
        link.symlink_to(library)
        program = Program(sp_one, work / "q", caller(link))
        program.runs("42")
        return
    program = Program(sp_one, work / "q", caller(wanted))
    program.control("42")
    program.fails("OSError", wanted, "owner" if how.startswith(("file", "target")) else "")


def test_digest_of_what_is_refused(sp_one, work, open_dir):
    """For those who look into it later."""
    library = compile_library(open_dir / "lib.so")
    program = Program(sp_one, work / "p", caller(library))
    sp_one.apply(policy("enforce"))
    digest = hashlib.sha256(library.read_bytes()).hexdigest()
    assert program.fails("OSError", library, "")["args"]["sha256"] == digest


def test_not_there_and_not_an_object(sp_one, work, safe_dir):
    """What the linker finds fault with itself keeps the linker's words, and leaves no record."""
    sp_one.apply(policy("enforce"))
    junk = write(safe_dir / "junk.so", "x" * 100)
    for path in (junk, safe_dir / "missing.so"):
        program = Program(sp_one, work / "p", "import ctypes\ntry:\n    ctypes.CDLL(%r)\n"
                          "except OSError as e:\n    print(e)" % str(path))
        control = sp_one.run_python("-I", program.path)
        program.runs(control.out.decode().strip())
        assert [r for r in program.native() if r["args"]["path"] == str(path)] == []


# --- what is pulled in ----------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["RUNPATH", "RPATH", "$ORIGIN"])
def test_pulled_in_library(sp_one, work, which):
    """As wheels have it: package, and a package.libs beside it."""
    package, libs = work / "pkg", work / "pkg.libs"
    needed = compile_library(libs / "libneeded.so", 5, "-Wl,-soname,libneeded.so")
    run_path = "$ORIGIN/../pkg.libs" if which == "$ORIGIN" else libs
    tags = "--disable-new-dtags" if which == "RPATH" else "--enable-new-dtags"
    compile_c(package / "lib.so", "int answer(void); int twice(void) { return 2 * answer(); }",
              "-L%s" % libs, "-lneeded", "-Wl,%s,-rpath,%s" % (tags, run_path))
    text = "import ctypes; print(ctypes.CDLL(%r).twice())" % str(package / "lib.so")
    program = Program(sp_one, work / "p", text)
    sp_one.apply(policy("enforce"))
    program.runs("10")
    record = one(r for r in program.native() if r["args"]["real_path"] == str(needed))
    assert record["args"]["requester"] == str(package / "lib.so")
    libs.chmod(0o777)
    program.control("10")
    done = sp_one.run(program.path)
    last = done.err.decode().splitlines()[-1]
    assert done.status == 1 and REFUSED in last and "libneeded.so" in last, last
    sp_one.apply(policy("audit"))
    program.runs("10")
    record = one(r for r in program.native() if r["args"]["real_path"] == str(needed))
    assert record["verdict"] == "would-deny"


# --- ways around ----------------------------------------------------------------------------------


MEMFD = '''
import ctypes, importlib.machinery, importlib.util, os, sys
data = open(%r, "rb").read()
fd = os.memfd_create("x")
os.write(fd, data)
path = "/proc/%%s/fd/%%d" %% (%r, fd)
if %r:
    loader = importlib.machinery.ExtensionFileLoader("ext", path)
    spec = importlib.util.spec_from_loader("ext", loader)
    print(importlib.util.module_from_spec(spec).answer())
else:
    print(ctypes.CDLL(path).answer())
'''


@pytest.mark.parametrize("who", ["self", "thread-self"])
@pytest.mark.parametrize("as_extension", [False, True])
def test_memory_as_a_file(sp_one, work, safe_dir, who, as_extension):
    """An extension that was never on a disk, whose bytes are those of an approved one."""
    build = compile_extension if as_extension else compile_library
    source = build(sp_one, safe_dir / "ext.so") if as_extension else build(safe_dir / "ext.so")
    program = Program(sp_one, work / "p", MEMFD % (str(source), who, as_extension))
    program.control("42")
    sp_one.apply(policy("audit"))
    program.runs("42")
    assert [r["verdict"] for r in program.native() if "fd" in r["args"]["path"]] == ["would-deny"]
    for copy in (0, "1M"):
        sp_one.apply(policy("enforce", copy))
        sp_one.clear_logs()
        done = sp_one.run(program.path)
        last = done.err.decode().splitlines()[-1]
        assert done.status == 1 and REFUSED in last and "/proc" in last, done


@pytest.mark.parametrize("place", ["/dev/shm", "/proc/self/cwd", "link"])
def test_forbidden_places(sp_one, work, safe_dir, place):
    library = compile_library(safe_dir / "lib.so")
    if place == "/dev/shm":
        if not os.access(place, os.W_OK):
            harness.unavailable("no /dev/shm")
        target = Path(place) / ("spython-test-%d.so" % os.getpid())
        target.write_bytes(library.read_bytes())
    elif place == "link":
        target = safe_dir / "link.so"
        target.symlink_to("/proc/self/cwd/lib.so")
    else:
        target = Path(place) / "lib.so"
    try:
        program = Program(sp_one, work / "p", "import os; os.chdir(%r)\n" % str(safe_dir) + caller(target))
        program.control("42")
        sp_one.apply(policy("enforce"))
        program.fails("OSError", target, "/proc, /dev or /sys")
    finally:
        if place == "/dev/shm":
            target.unlink()


def test_token_in_the_name(sp_one, work, safe_dir):
    """What $ORIGIN means only the linker could tell; nothing that Python does needs it."""
    sp_one.apply(policy("enforce"))
    program = Program(sp_one, work / "p", caller("$ORIGIN/lib.so"))
    done = sp_one.run(program.path)
    assert done.status == 1 and REFUSED.encode() in done.err.splitlines()[-1], done.err
    record = one([r for r in program.native() if "$ORIGIN" in r["args"]["path"]])
    assert (record["verdict"], record["level"]) == ("deny", "high")
    assert "only the dynamic linker" in record["args"]["reason"]


def test_greeting_of_a_program(sp_one, work, open_dir):
    """The audit object has taken one greeting; another is a name of a file that does not exist."""
    library = compile_library(open_dir / "lib.so")
    text = '''
import ctypes
buffer = ctypes.create_string_buffer(b"1GNHDTPS".ljust(64, b"\\0"))
try:
    ctypes.CDLL("/proc/self/spython/native-gate/%%016x" %% ctypes.addressof(buffer))
except OSError:
    pass
%s''' % caller(library)
    program = Program(sp_one, work / "p", text)
    sp_one.apply(policy("enforce"))
    program.fails("OSError", library, CHANGEABLE)


def test_program_itself_and_what_is_loaded(sp_one, work, safe_dir):
    """CDLL(None) opens no file; a second dlopen of the same file gives the same library."""
    counter = compile_c(safe_dir / "lib.so", "static int n; int answer(void) { return ++n; }")
    text = '''
import ctypes
print(ctypes.CDLL(None).getpid() > 0, ctypes.pythonapi.Py_IsInitialized())
print(*[ctypes.CDLL(%r).answer() for _ in range(3)])
''' % str(counter)
    program = Program(sp_one, work / "p", text)
    program.control("True 1\n1 2 3")
    sp_one.apply(policy("enforce"))
    program.runs("True 1\n1 2 3")


# --- copies ---------------------------------------------------------------------------------------


def test_copy_in_sealed_memory(sp_one, work, open_dir):
    """What others can change runs from a copy if a verifier trusts the bytes; the limit holds."""
    libs = open_dir / "libs"
    compile_library(libs / "libneeded.so", 5, "-Wl,-soname,libneeded.so")
    library = compile_c(
        open_dir / "lib.so", "int answer(void); static int n; int twice(void) { return ++n + answer(); }"
        "void *here(void) { return &n; }",
        "-L%s" % libs, "-lneeded", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/libs")
    text = '''
import ctypes
print(*[ctypes.CDLL(%r).twice() for _ in range(3)])
print(any("memfd:spython:lib.so" in line for line in open("/proc/self/maps")))
''' % str(library)
    program = Program(sp_one, work / "p", text)
    program.control("6 7 8\nFalse")
    root = "  roots:\n  - path: %s\n    any: [%s]\n"
    sp_one.apply(policy("enforce", "1M") + root % (open_dir, "null"))
    program.runs("6 7 8\nTrue")
    copied = [r for r in program.native() if r["args"].get("copied")]
    assert {r["args"]["real_path"] for r in copied} == {str(library), str(libs / "libneeded.so")}
    # Controls: without the copy, and with too small a limit.
    sp_one.apply(policy("enforce") + root % (open_dir, "null"))
    program.fails("OSError", library, "others can change")
    sp_one.apply(policy("enforce", 1000) + root % (open_dir, "null"))
    program.fails("OSError", library, "larger than verify.native.copy")
    # A copy is not an approval.
    sp_one.apply(policy("enforce", "1M") + root % (open_dir, "owner"))
    program.fails("OSError", library, "owner")


# --- the rest of a process ------------------------------------------------------------------------


def test_threads_and_forks(sp_one, work, safe_dir, open_dir):
    for i in range(8):
        compile_library(safe_dir / ("lib%d.so" % i), i)
    bad = compile_library(open_dir / "bad.so", 1)
    text = '''
import ctypes, os, threading
def load(i):
    for _ in range(20):
        assert ctypes.CDLL("%s/lib%%d.so" %% i).answer() == i
        try:
            ctypes.CDLL(%r)
            bad.append(i)
        except OSError as e:
            assert "bad.so': refused" in str(e), e
bad = []
pid = os.fork()
threads = [threading.Thread(target=load, args=(i,)) for i in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
if pid == 0:
    os._exit(len(bad))
print(os.waitpid(pid, 0)[1], bad)
''' % (safe_dir, str(bad))
    program = Program(sp_one, work / "p", text)
    sp_one.apply(policy("enforce"))
    program.runs("0 []")


def test_start_up_libraries(sp_one, work, open_dir):
    """Mapped before the core: judged at start. A pinned object that others can change: status 77."""
    preload = compile_library(open_dir / "preload.so", 9)
    pin = "environment:\n  pin: {LD_PRELOAD: %s}\n" % preload
    program = Program(sp_one, work / "p", "print('ran')")
    sp_one.apply(policy("enforce"))
    program.runs("ran")
    started = [r for r in program.native() if r["args"].get("startup")]
    assert any("libc.so.6" in r["args"]["real_path"] for r in started), started
    assert {r["verdict"] for r in started} == {"allow"}
    sp_one.apply(policy("audit") + pin)
    program.runs("ran")
    assert program.record(preload)["verdict"] == "would-deny"
    sp_one.apply(policy("enforce") + pin)
    sp_one.clear_logs()
    harness.assert_refused(sp_one.run(program.path), harness.REFUSED)
    assert program.record(preload)["verdict"] == "kill"


def test_records_are_valid(sp_one, work, open_dir, safe_dir, validator):  # noqa: F811
    good, bad = compile_library(safe_dir / "good.so"), compile_library(open_dir / "bad.so")
    program = Program(sp_one, work / "p", caller(good) + "\n" + caller(bad))
    sp_one.apply(policy("audit"))
    program.runs("42\n42")
    for records in sp_one.sessions().values():
        check_session(records, validator)
        check_ended(records, status=0)
    record = program.record(bad)
    for spoilt in ({"path": None}, {"real_path": 1}, {"kind": "source"}, {"sha256": "x"}, {"answers": "owner"}, {"startup": 1}):
        wrong = json.loads(json.dumps(record))
        wrong["args"].update(spoilt)
        assert list(validator.iter_errors(wrong)), spoilt


def test_core_without_the_audit_object(sp_one, work):
    """Should the linker pass it over, the core notices: nothing runs."""
    program = Program(sp_one, work / "p", "print('ran')")
    program.runs("ran")
    audit = sp_one.libexec / "audit.so"
    data = audit.read_bytes()
    # What the linker looks up is not there; the note, by which the first stage goes, is.
    assert data.count(b"\0la_version\0") >= 1
    audit.write_bytes(data.replace(b"\0la_version\0", b"\0xx_version\0"))
    done = sp_one.run(program.path)
    assert (done.status, done.out) == (harness.UNUSABLE, b""), done
    assert b"audit.so': is not active (reinstall spython)\n" in done.err
    audit.write_bytes(data)
    program.runs("ran")


RACER = '''
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
static int other, copy, saved;
static void *race(void *unused)
{
    for (;;) {
        dup2(other, copy);
        for (int fd = copy + 1; fd < copy + 256 && fcntl(fd, F_GETFD) >= 0; fd++)
            dup2(other, fd);
        dup2(saved, copy);
    }
    return unused;
}
void start(int o, int c) { pthread_t t; other = o; copy = c; saved = dup(c); pthread_create(&t, NULL, race, NULL); }
'''


def test_another_file_under_the_number_of_a_copy(sp_one, work, safe_dir, open_dir):
    """An approved library puts another file where the linker is about to open the copy. What is
    mapped is compared with what was judged: the process ends before anything of it runs."""
    racer = compile_c(safe_dir / "racer.so", RACER, "-pthread")
    library = compile_library(open_dir / "lib.so")
    evil = compile_c(safe_dir / "evil.so", "#include <unistd.h>\nint answer(void) { return 1; }\n"
                     "__attribute__((constructor)) static void f(void) { (void)!write(1, \"EVIL\", 4); }")
    control = Program(sp_one, work / "c", caller(evil))
    control.control("EVIL1")
    program = Program(sp_one, work / "p", '''
import ctypes, _ctypes, os
first = ctypes.CDLL(%r)
copy = int([n for n in os.listdir("/proc/self/fd") if int(n) > 9 and os.path.lexists("/proc/self/fd/" + n)
            and "memfd:spython:lib.so" in os.readlink("/proc/self/fd/" + n)][0])
_ctypes.dlclose(first._handle)
ctypes.CDLL(%r).start(os.open(%r, os.O_RDONLY), copy)
for _ in range(200):
    os.sched_yield()
    try:
        _ctypes.dlclose(_ctypes.dlopen(%r, 0))
    except OSError:
        pass
os._exit(0)
''' % (str(library), str(racer), str(evil), str(library)))
    # By its contents: the racer puts the other file under each descriptor, also of what is judged.
    os.setxattr(library, "user.org.python.x-spython-hash", hashlib.sha256(library.read_bytes()).hexdigest().encode())
    sp_one.apply(policy("enforce", "1M") + "  roots:\n  - path: %s\n    any: [xattr]\n" % open_dir)
    caught = 0
    for _ in range(20):
        sp_one.clear_logs()
        done = sp_one.run(program.path)
        assert b"EVIL" not in done.out, done
        if done.status == harness.REFUSED:
            record = [r for r in program.native() if r["verdict"] == "kill"][-1]
            assert record["level"] == "critical" and record["rules"] == [RULE]
            assert "another file was mapped" in record["args"]["reason"]
            caught += 1
        if caught == 2:
            break
    assert caught
