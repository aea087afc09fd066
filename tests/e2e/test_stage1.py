# SPDX-License-Identifier: Apache-2.0
"""The first stage alone: what it refuses, what it takes out, what it hands over.

Needs the build tree only, no installed prefix: each test makes one, with a real python3 and
probe_core.c in place of the core; the audit object is compiled from its own source. Every refusal has its control, either test_intact_prefix_starts or
one in the same test that shows the same thing possible when only the cause is missing.

SPYTHON_STAGE1_BIN  the first stage; default: build/src/stage1/spython-stage1
"""
import ctypes
import hashlib
import json
import os
import pwd
import re
import resource
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

import harness

NOBODY = pwd.getpwnam("nobody")
ET_EXEC, EM_OTHER = 2, 40  # the latter is 32 bit ARM: nobody's first stage
PT_INTERP, PT_LOAD_ALIKE = 3, 0x6474E553  # the latter: a type that every loader ignores

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners and users: needs root")


def stage1_binary():
    named = os.environ.get("SPYTHON_STAGE1_BIN")
    build = Path(os.environ.get("SPYTHON_BUILD", harness.SOURCE / "build"))
    path = Path(named) if named else build / "src/stage1/spython-stage1"
    if not path.is_file():
        harness.unavailable("%s is not built (SPYTHON_STAGE1_BIN names another)" % path)
    return path


def find_python():
    """(minor, path) of an interpreter that every user can reach, if there is one."""
    lines = subprocess.run([harness.SOURCE / "scripts/find-pythons"], stdout=subprocess.PIPE,
                           check=True).stdout.decode().splitlines()
    found = [line.split()[:2] for line in lines]
    if not found:
        harness.unavailable("no python3 with headers")
    return min(found, key=lambda f: (not f[1].startswith("/usr/bin/"), f))


def other_minor(minor):
    return "3.8" if minor == "3.13" else "3.13"


def release():
    return re.search(r"version : '([^']+)'", (harness.SOURCE / "meson.build").read_text())[1]


def build_audit(path, version, *options):
    """The audit object (src/rtld/meson.build), as of that release."""
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-ffreestanding", "-fno-stack-protector",
                    "-fvisibility=hidden", "-nostdlib", "-U_FORTIFY_SOURCE",
                    "-D_GNU_SOURCE", "-I", harness.SOURCE / "src", '-DSPYTHON_VERSION="%s"' % version, *options,
                    "-o", path, harness.SOURCE / "src/rtld/audit.c"], check=True)
    return path


@pytest.fixture(scope="module")
def parts(workspace):
    """The pieces that each prefix is put together from."""
    folder = workspace / "stage1-parts"
    folder.mkdir()
    minor, python = find_python()
    cores = {}
    for m in (minor, other_minor(minor), None):
        cores[m] = folder / ("core-%s.so" % m)
        note = [harness.SOURCE / "src/launcher/core_note.c",
                '-DSPYTHON_MINOR_TEXT="%s"' % m] if m else []
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
                        cores[m], harness.SOURCE / "tests/e2e/probe_core.c"] + note, check=True)
    audit = build_audit(folder / "audit.so", release())
    return {"minor": minor, "python": Path(os.path.realpath(python)), "cores": cores,
            "audit": audit, "stage1": stage1_binary()}


def record_bytes(path, minor, magic=b"SPYINT\0\1", **changes):
    """A record of src/stage1/interpreter_record.h about `path`."""
    st = os.stat(path)
    major, low = harness.version_key(minor)
    fields = dict(dev=st.st_dev, ino=st.st_ino, size=st.st_size, mtime=st.st_mtime_ns,
                  ctime=st.st_ctime_ns, hexversion=major << 24 | low << 16 | 0x02F0)
    fields.update(changes)
    head = struct.Struct("=8sII3Q4q32s")
    paths = struct.Struct("=1024s1024s1024s1024s64sII")
    total = head.size + paths.size + 8 * 1024
    return (head.pack(magic, total, fields["hexversion"], fields["dev"], fields["ino"],
                      fields["size"], fields["mtime"] // 10**9, fields["mtime"] % 10**9,
                      fields["ctime"] // 10**9, fields["ctime"] % 10**9,
                      hashlib.sha256(Path(path).read_bytes()).digest())
            + paths.pack(os.fsencode(path), b"/usr", b"/usr", b"/usr/lib/python" + minor.encode(),
                         b"lib", 0, 0)
            + b"\0" * (8 * 1024))


def demote():
    os.setgroups([])
    os.setgid(NOBODY.pw_gid)
    os.setuid(NOBODY.pw_uid)


def netstrings(value):
    fields = []
    while value:
        length, _, rest = value.partition(b":")
        assert length == b"%d" % int(length)
        fields.append(rest[:int(length)])
        assert rest[int(length):int(length) + 1] == b","
        value = rest[int(length) + 1:]
    return fields


class Seen:
    """What the probe wrote."""

    def __init__(self, out):
        seen = json.loads(out)
        self.argv = [a.encode("latin-1") for a in seen["argv"]]
        self.env = [e.encode("latin-1") for e in seen["env"]]
        self.fds, self.comm, self.secure = seen["fds"], seen["comm"], seen["secure"]
        assert len(self.argv) == seen["argc"]

    @property
    def handover(self):
        name, _, value = self.env[-1].partition(b"=")
        assert name == b"SPYTHON_HANDOVER"
        keys = "format minor prefix executable execfn guard first removed second_pass".split()
        fields = netstrings(value)
        assert len(fields) == len(keys)
        return dict(zip(keys, fields))


class Prefix:
    def __init__(self, root, parts):
        self.root, self.parts, self.minor = Path(root), parts, parts["minor"]
        self.exe = self.root / "bin" / ("spython" + self.minor)
        self.libexec = self.root / "libexec" / "spython" / self.minor
        self.core = self.libexec / "core.so"
        self.audit = self.libexec / "audit.so"
        self.record = self.libexec / "interpreter"
        self.python = self.libexec / "python"
        old = os.umask(0o022)
        self.exe.parent.mkdir(parents=True)
        self.libexec.mkdir(parents=True)
        os.umask(old)
        shutil.copy(parts["stage1"], self.exe)
        self.exe.chmod(0o755)
        self.use_core(parts["cores"][self.minor])
        self.use_audit(parts["audit"])
        self.register(parts["python"])

    def use_core(self, source, mode=0o644):
        shutil.copy(source, self.core)
        self.core.chmod(mode)

    def use_audit(self, source, mode=0o644):
        shutil.copy(source, self.audit)
        self.audit.chmod(mode)

    def register(self, path, **changes):
        self.link(path)
        harness.write(self.record, record_bytes(path, self.minor, **changes))

    def link(self, path):
        if self.python.is_symlink():
            self.python.unlink()
        self.python.symlink_to(path)

    def copy_python(self, name="python-copy", mode=0o755, register=True):
        """A copy of the interpreter for a test to change, beside the prefix."""
        path = self.root / name
        shutil.copy(self.parts["python"], path)
        path.chmod(mode)
        if register:
            self.register(path)
        return path

    def run(self, *args, env=None, argv0=None, nobody=False, executable=None, **more):
        argv = [self.exe if argv0 is None else argv0, *args]
        if nobody:
            more["preexec_fn"] = demote
        return harness.run(argv, env=env, executable=executable or self.exe, **more)

    def see(self, *args, **more):
        result = self.run(*args, **more)
        assert result.status == 0, (result.status, result.err)
        assert result.err == b""
        return Seen(result.out)

    def refuses(self, *words, status=harness.UNUSABLE, **more):
        """One line of the agreed form that has these words in it; the core did not run."""
        result = self.run("x", **more)
        harness.assert_refused(result, status)
        for word in words:
            assert os.fsencode(word) in result.err, result.err
        return result


@pytest.fixture
def p(work, parts):
    return Prefix(work / "prefix", parts)


def patch_segment(path, old_type, new_type):
    """Makes another type of the segments of one type in an ELF file."""
    data = bytearray(path.read_bytes())
    table, = struct.unpack_from("<Q", data, 32)
    count, = struct.unpack_from("<H", data, 56)
    for i in range(count):
        if struct.unpack_from("<I", data, table + 56 * i)[0] == old_type:
            struct.pack_into("<I", data, table + 56 * i, new_type)
    path.write_bytes(data)


def patch_bytes(path, offset, new):
    data = bytearray(path.read_bytes())
    data[offset:offset + len(new)] = new
    path.write_bytes(data)


# --- what works -----------------------------------------------------------------------------------


def test_intact_prefix_starts(p):
    seen = p.see("app.py", "-v", "")
    assert seen.argv == [os.fsencode(p.exe), b"-\1" + b"\1" * 4, b"-v", b""]
    assert seen.handover == {
        "format": b"1", "minor": p.minor.encode(), "prefix": os.fsencode(p.root),
        "executable": os.fsencode(p.exe), "execfn": os.fsencode(p.exe), "guard": b"r",
        "first": b"app.py", "removed": b"", "second_pass": b"0"}
    assert seen.env[-3:-1] == [b"LD_AUDIT=" + os.fsencode(p.audit),
                               b"LD_PRELOAD=" + os.fsencode(p.core)]
    assert seen.secure == 0


@needs_root
def test_starts_as_another_user(p):
    assert p.see("xy", nobody=True).handover["first"] == b"xy"


@needs_root
def test_owner_other_than_root(p):
    for path in [p.root, *p.root.rglob("*")]:
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
    p.see("x", nobody=True)
    p.see("x")


@pytest.mark.parametrize("args, guard, expected", [
    ([], b"i", [b"--spython"]),
    ([""], b"i", [b"--spython", b""]),
    (["x"], b"i", [b"--spython", b"x"]),
    (["-c", "1"], b"r", [b"-\1", b"1"]),
    (["--help"], b"r", [b"-\1\1\1\1\1"]),
    ([b"\xff\xfe\n"], b"r", [b"-\1\1"]),
    (["a" * 65536], b"r", [b"-" + b"\1" * 65535]),
    (["a" * 65537, "b"], b"i", [b"--spython", b"a" * 65537, b"b"]),
    (["a" * 131000], b"i", [b"--spython", b"a" * 131000]),
])
def test_guard(p, args, guard, expected):
    seen = p.see(*args)
    assert seen.argv[1:] == expected
    assert seen.handover["guard"] == guard
    assert seen.handover["first"] == (os.fsencode(args[0]) if guard == b"r" else b"")


@pytest.mark.parametrize("guard", ["-\1\1\1\1", "-\1", "--spython"])
def test_guard_stops_a_plain_python(parts, work, guard):
    script = harness.write(work / "s.py", "print('ran')")
    control = harness.run([parts["python"], script])
    assert (control.status, control.out) == (0, b"ran\n")
    result = harness.run([parts["python"], guard, script])
    assert (result.status, result.out) == (2, b"")


def test_environment_order_and_bytes(p):
    env = {b"B": b"1", b"A": b"x\xff\n=y", b"LD_DEBUG": b"help", b"EMPTY": b"", b"C": b"3"}
    seen = p.see("xx", env=env)
    assert seen.env[:-3] == [b"B=1", b"A=x\xff\n=y", b"EMPTY=", b"C=3"]
    assert seen.handover["removed"] == b"LD_DEBUG"


def exec_raw(path, argv, envp, **more):
    """execve(2) with exactly these arrays, which no ordinary caller would make."""
    libc = ctypes.CDLL(None, use_errno=True)
    array = lambda items: (ctypes.c_char_p * (len(items) + 1))(*items, None)  # noqa: E731
    args, env = array(argv), array(envp)
    code = lambda: libc.execve(os.fsencode(path), args, env)  # noqa: E731
    return subprocess.run(["/bin/true"], preexec_fn=code, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **more)


def test_odd_environment(p):
    result = exec_raw(p.exe, [b"a", b"bc"], [b"LD_PRELOAD", b"=x", b"LD_A=1", b"nothing", b"LD_A=2",
                                             b"SPYTHON_HANDOVER=1:1,", b"", b"LDX=1"])
    seen = Seen(result.stdout)
    assert seen.env[:-3] == [b"=x", b"nothing", b"", b"LDX=1"]
    assert seen.handover["removed"] == b"LD_PRELOAD=LD_A=LD_A=SPYTHON_HANDOVER"


def test_no_arguments_at_all(p):
    result = exec_raw(p.exe, [], [])
    seen = Seen(result.stdout)
    # From Linux 5.18 on the kernel itself puts an empty argv[0] there.
    assert seen.argv in ([b"", b"--spython"], [os.fsencode(p.exe), b"--spython"])


def test_invocation_path(p, work):
    link = work / "venv" / "bin" / "python"
    link.parent.mkdir(parents=True)
    link.symlink_to(p.exe)
    seen = p.see("xx", executable=link, argv0="/usr/bin/false-name")
    assert seen.argv[0] == b"/usr/bin/false-name"
    assert seen.handover["execfn"] == os.fsencode(link)
    assert seen.handover["executable"] == os.fsencode(p.exe)
    seen = p.see("xx", executable="bin/python", cwd=work / "venv")
    assert seen.handover["execfn"] == b"bin/python"


def test_script_line(p, work):
    """The kernel then reports the script as invocation path, and what the line says as argv[0]."""
    link = work / "python"
    link.symlink_to(p.exe)
    script = harness.write(work / "script", "#!%s\n" % link, 0o755)
    seen = p.see("more", executable=script)
    assert seen.argv[0] == os.fsencode(link)
    assert seen.argv[2:] == [b"more"]
    assert seen.handover["execfn"] == os.fsencode(script) == seen.handover["first"]


def test_descriptors(p):
    open_ones = p.see("xx", close_fds=True).fds
    assert open_ones == [0, 1, 2]
    assert p.see("xx", preexec_fn=lambda: os.close(0), stdin=subprocess.DEVNULL).fds == [1, 2]


def test_too_many_removed_names_are_told(p):
    env = {"LD_%04d_" % i + "x" * 100: "" for i in range(100)}
    removed = p.see("xx", env=env).handover["removed"]
    assert removed.endswith(b"=") and len(removed) <= 4096
    names = removed[:-1].split(b"=")
    assert names == [n.encode() for n in env][:len(names)] and len(names) > 30
    assert p.see("xx", env={"LD_" + "x" * 5000: ""}).handover["removed"] == b"="


# --- what does not get through --------------------------------------------------------------------

REMOVED = ("LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH LD_DEBUG_OUTPUT LD_BIND_NOW LD_ANYTHING "
           "GLIBC_TUNABLES GCONV_PATH GETCONF_DIR LOCPATH NLSPATH I18NPATH MALLOC_TRACE "
           "GMON_OUT_PREFIX RESOLV_HOST_CONF RES_OPTIONS LOCALDOMAIN HOSTALIASES NIS_PATH "
           "HESIOD_CONFIG HES_DOMAIN OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES OPENSSL_ia32cap "
           "OPENSSL_CONF_INCLUDE LIBFFI_TMPDIR SPYTHON_HANDOVER").split()
KEPT = ("PATH HOME LANG LC_ALL TZ TMPDIR MALLOC_ARENA_MAX SSL_CERT_FILE PYTHONPATH PYTHONHASHSEED LD "
        "XLD_PRELOAD ld_preload GLIBC_TUNABLES2 OPENSSL LOCPATHS").split()


def test_removed_variables(p, parts):
    env = {name: "/nonexistent" for name in REMOVED + KEPT}
    env.update(PYTHONHASHSEED="1", LD_DEBUG_OUTPUT="/dev/null", GLIBC_TUNABLES="x=y", LC_ALL="C",
               MALLOC_ARENA_MAX="1")
    control = harness.run([parts["python"], "-S", "-c", "import os; print(*os.environ)"], env=env)
    assert set(REMOVED + KEPT) <= set(control.out.decode().split())
    seen = p.see("xx", env=env)
    assert [e.partition(b"=")[0].decode() for e in seen.env] == KEPT + [
        "LD_AUDIT", "LD_PRELOAD", "SPYTHON_HANDOVER"]
    assert seen.handover["removed"].decode().split("=") == REMOVED


@pytest.mark.parametrize("variable", ["LD_PRELOAD", "LD_AUDIT"])
def test_foreign_code_is_not_loaded(p, parts, work, variable):
    source = harness.write(work / "evil.c", '''
        #include <unistd.h>
        #include <stdlib.h>
        unsigned la_version(unsigned v) { return v; }
        __attribute__((constructor)) static void f(void) { if (write(1, "EVIL", 4) != 4) abort(); }
        ''')
    subprocess.run(["cc", "-shared", "-fPIC", "-o", work / "evil.so", source], check=True)
    env = harness.clean_env(**{variable: str(work / "evil.so")})
    control = harness.run([parts["python"], "-S", "-c", "pass"], env=env)
    assert b"EVIL" in control.out
    result = p.run("xx", env=env)
    assert result.status == 0 and b"EVIL" not in result.out


def test_linker_output_is_not_made(p, parts):
    env = harness.clean_env(LD_DEBUG="libs", GLIBC_TUNABLES="glibc.malloc.check=3")
    assert b"initialize" in harness.run([parts["python"], "-S", "-c", "pass"], env=env).err
    assert p.run("xx", env=env).err == b""


# --- raised privileges ----------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("how", ["setuid", "setgid", "capabilities"])
def test_started_with_privileges(p, how):
    p.see("x", nobody=True)
    if how == "capabilities":
        set_capability(p.exe)
    else:
        p.exe.chmod(0o4755 if how == "setuid" else 0o2755)
    p.refuses("setuid", status=harness.REFUSED, nobody=True)


def set_capability(path):
    tool = shutil.which("setcap", path="/usr/sbin:/sbin:/usr/bin")
    if not tool:
        harness.unavailable("setcap is not installed (libcap2-bin)")
    done = subprocess.run([tool, "cap_net_bind_service=ep", path], stderr=subprocess.PIPE)
    if done.returncode:
        harness.unavailable("setcap: " + done.stderr.decode())


@needs_root
def test_interpreter_with_capabilities(p):
    copy = p.copy_python()
    p.see("x", nobody=True)
    set_capability(copy)
    p.register(copy)
    p.refuses(p.python, "file capabilities", nobody=True)
    p.refuses(p.python, "file capabilities")


@needs_root
@pytest.mark.parametrize("guard", ["-\1\1\1\1", "--spython"])
def test_ignored_preload_ends_in_usage_error(p, work, guard):
    """The same, had the first stage not looked: the linker ignores the core, the guard stops."""
    script = harness.write(work / "s.py", "print('ran')")
    copy = p.copy_python()
    env = harness.clean_env(LD_PRELOAD=str(p.core))
    start = lambda *args: harness.run([copy, *args], env=env, preexec_fn=demote)  # noqa: E731
    assert Seen(start(guard, script).out).argv[1] == guard.encode()  # control: the core is loaded
    set_capability(copy)
    assert start(script).out == b"ran\n"  # control: without the guard Python runs unguarded
    result = start(guard, script)
    assert (result.status, result.out) == (2, b"")


# --- where it is installed ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["spython", "spython3", "spython3.011", "spython3.1.1", "python3.11",
                                  "spython3.x", "xspython3.11"])
def test_name_of_the_executable(p, name):
    other = p.exe.with_name(name)
    p.exe.rename(other)
    p.refuses(other, "not named bin/spythonX.Y", executable=other)


def test_not_in_bin(p):
    p.exe.parent.rename(p.root / "sbin")
    p.refuses("not named bin/spythonX.Y", executable=p.root / "sbin" / p.exe.name)


@pytest.mark.parametrize("byte", [" ", ":", ";", "$", "\n", "\t", "\x7f"])
def test_prefix_that_the_linker_would_misread(work, parts, byte):
    strange = Prefix(work / ("a%sb" % byte), parts)
    strange.refuses("misread")


@pytest.mark.parametrize("name", ["a-b_c+d,e=f@g", "caf\u00e9", b"\xff\xfe"])
def test_prefix_with_other_bytes(work, parts, name):
    fine = Prefix(os.fsdecode(os.path.join(os.fsencode(work), os.fsencode(name))), parts)
    assert fine.see("xx").handover["prefix"] == os.fsencode(fine.root)


def test_deleted_executable(p):
    fd = os.open(p.exe, os.O_RDONLY)
    try:
        p.see("xx", executable="/proc/self/fd/%d" % fd, pass_fds=[fd])
        p.exe.unlink()
        p.refuses("removed or replaced", executable="/proc/self/fd/%d" % fd, pass_fds=[fd])
    finally:
        os.close(fd)


@pytest.mark.parametrize("name", ["libexec", "libexec/spython", "libexec/spython/MINOR"])
def test_directories(p, name):
    path = p.root / name.replace("MINOR", p.minor)
    for mode, word in ((0o775, "its group"), (0o757, "everybody"), (0o1777, "everybody")):
        path.chmod(mode)
        p.refuses(path, "written by " + word, "chmod go-w")
    path.chmod(0o755)
    p.see("x")
    path.rename(p.root / "elsewhere")
    p.refuses(path, "does not exist")
    path.symlink_to(p.root / "elsewhere")
    p.refuses(path, "symbolic link")
    path.unlink()
    path.write_bytes(b"")
    p.refuses(path, "not a directory")


@needs_root
def test_foreign_directory(p):
    for path in (p.root / "libexec", p.libexec.parent, p.libexec):
        os.chown(path, NOBODY.pw_uid, -1)
        p.refuses(path, "uid %d" % NOBODY.pw_uid, "chown root")
        os.chown(path, 0, -1)
    p.libexec.chmod(0o700)
    p.see("x")
    p.refuses(p.core, "permission denied", nobody=True)
    p.libexec.parent.chmod(0o700)
    p.refuses(p.libexec, "permission denied", "chmod go+x", nobody=True)


# --- the core -------------------------------------------------------------------------------------


def test_core_missing(p):
    p.core.unlink()
    p.refuses(p.core, "does not exist", "install spython again")


@needs_root
def test_core_unreadable(p):
    p.core.chmod(0o600)
    p.see("x")
    p.refuses(p.core, "permission denied", "chmod a+r", nobody=True)


def test_core_of_another_minor(p, parts):
    other = other_minor(p.minor)
    p.use_core(parts["cores"][other])
    p.refuses(p.core, "is the core for Python " + other)


@needs_root
@pytest.mark.parametrize("which", ["core", "audit", "record"])
def test_foreign_owned(p, which):
    path = getattr(p, which)
    os.chown(path, NOBODY.pw_uid, -1)
    p.refuses(path, "uid %d" % NOBODY.pw_uid, "chown root")


@pytest.mark.parametrize("which", ["core", "audit", "record"])
@pytest.mark.parametrize("mode, word", [(0o664, "its group"), (0o646, "everybody")])
def test_writable(p, which, mode, word):
    path = getattr(p, which)
    path.chmod(mode)
    p.refuses(path, "written by " + word)


@pytest.mark.parametrize("which", ["core", "audit", "record"])
@pytest.mark.parametrize("kind", ["directory", "fifo", "symlink", "empty"])
def test_not_a_regular_file(p, work, which, kind):
    path = getattr(p, which)
    path.rename(work / "away")
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
        path.chmod(0o644)
    elif kind == "symlink":
        path.symlink_to(work / "away")
    else:
        path.touch(0o644)
    p.refuses(path, timeout=10)


def test_damaged_core(p, parts):
    whole = parts["cores"][p.minor].read_bytes()
    for size in (1, 4, 16, 63, 64, 100, 300):
        p.core.write_bytes(whole[:size])
        p.refuses(p.core)
    for size in (5000, len(whole) // 4):  # headers whole, segments not: SIGBUS in the linker
        p.core.write_bytes(whole[:size])
        p.refuses(p.core, "is cut off")
    p.core.write_bytes(whole)
    patch_bytes(p.core, 18, struct.pack("<H", EM_OTHER))
    p.refuses(p.core, "another machine")
    p.core.write_bytes(b"#!/bin/sh\n" * 100)
    p.refuses(p.core, "not an ELF file")
    p.core.write_bytes(whole)
    patch_bytes(p.core, 16, struct.pack("<H", ET_EXEC))
    p.refuses(p.core, "not a shared object")
    p.use_core(parts["cores"][None])
    p.refuses(p.core, "not a core of spython")
    p.use_core(parts["python"])
    p.refuses(p.core)


# --- the audit object -----------------------------------------------------------------------------


def test_audit_object_missing(p, parts):
    p.audit.unlink()
    p.refuses(p.audit, "does not exist", "install spython again")
    # Control: the linker itself says a line, and starts the program all the same.
    env = harness.clean_env(LD_AUDIT=str(p.audit))
    result = harness.run([parts["python"], "-S", "-c", "print('ran')"], env=env)
    assert (result.status, result.out) == (0, b"ran\n") and b"ignored" in result.err
    p.use_audit(parts["audit"])
    p.see("x")


@needs_root
def test_audit_object_unreadable(p):
    p.audit.chmod(0o600)
    p.see("x")
    p.refuses(p.audit, "permission denied", "chmod a+r", nobody=True)


def test_audit_object_of_another_release(p, work):
    p.use_audit(build_audit(work / "same.so", release()))
    p.see("x")
    for other in (release() + ".1", release()[:-1], "", "0.0.0", "x"):
        p.use_audit(build_audit(work / "other.so", other))
        p.refuses(p.audit, "is of another release of spython: " + other, "install spython again")


def test_damaged_audit_object(p, parts, work):
    whole = parts["audit"].read_bytes()
    for size in (0, 1, 4, 16, 63, 64, 100, 300):
        p.audit.write_bytes(whole[:size])
        p.refuses(p.audit)
    p.audit.write_bytes(whole[:5000])
    p.refuses(p.audit, "is cut off")
    p.audit.write_bytes(whole)
    p.see("x")
    patch_bytes(p.audit, 18, struct.pack("<H", EM_OTHER))
    p.refuses(p.audit, "another machine")
    p.audit.write_bytes(b"#!/bin/sh\n" * 100)
    p.refuses(p.audit, "not an ELF file")
    p.audit.write_bytes(whole)
    patch_bytes(p.audit, 16, struct.pack("<H", ET_EXEC))
    p.refuses(p.audit, "not a shared object")


def test_other_objects_in_place_of_the_audit_object(p, parts):
    """Each has a note of ours, or none: the type of the note tells them apart."""
    p.use_audit(parts["cores"][p.minor])
    p.refuses(p.audit, "is not spython's audit object")
    p.use_audit(parts["cores"][None])
    p.refuses(p.audit, "is not spython's audit object")
    p.use_audit(parts["audit"])
    p.use_core(parts["audit"])
    p.refuses(p.core, "is not a core of spython")


def test_audit_object_is_freestanding(parts, work):
    built = os.environ.get("SPYTHON_BUILD")
    path = Path(built) / "src/rtld/audit.so" if built else parts["audit"]
    elf = subprocess.run(["readelf", "-W", "-l", "-d", "--dyn-syms", path],
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "NEEDED" not in elf
    symbols = [line.split()[6:] for line in elf.splitlines() if re.match(r" +[1-9]\d*: ", line)]
    assert {s[1] for s in symbols if s[0] != "UND"} == {"la_version", "la_objsearch", "la_objopen"}
    assert [s for s in symbols if s[0] == "UND"] == []
    assert [line.split()[6] for line in elf.splitlines() if "GNU_STACK" in line] == ["RW"]
    assert not [line for line in elf.splitlines() if " LOAD " in line and "RWE" in line]


# --- the interpreter ------------------------------------------------------------------------------


def test_interpreter_missing(p):
    p.link(p.root / "nowhere")
    p.refuses(p.python, "does not exist", "spythonctl interpreter add")
    p.python.unlink()
    p.refuses(p.python, "does not exist", "spythonctl interpreter add")


def test_interpreter_replaced(p, work):
    copy = p.copy_python()
    p.see("x")
    inside = copy.stat().st_size // 2
    byte = copy.read_bytes()[inside]
    patch_bytes(copy, inside, bytes([byte ^ 1]))
    p.refuses(p.python, "was replaced", copy, "spythonctl interpreter add")
    patch_bytes(copy, inside, bytes([byte]))
    p.see("x")  # the same bytes again
    with copy.open("ab") as f:
        f.write(b"x")
    p.refuses(p.python, "was replaced")


@pytest.mark.several_minors
def test_other_interpreter_in_its_place(p):
    lines = subprocess.run([harness.SOURCE / "scripts/find-pythons"], stdout=subprocess.PIPE,
                           check=True).stdout.decode().splitlines()
    others = [line.split()[1] for line in lines if line.split()[0] != p.minor]
    if not others:
        harness.unavailable("only one python3 here")
    p.link(others[0])
    p.refuses(p.python, "was replaced")


def test_moved_copy_with_the_same_bytes(p):
    copy = p.copy_python(register=False)
    p.link(copy)
    p.see("x")
    os.utime(copy, (1, 1))
    p.see("x")


@pytest.mark.parametrize("field, change", [("dev", 1), ("ino", 1), ("mtime", 1), ("ctime", 1),
                                           ("mtime", 10**9), ("ctime", 10**9)])
def test_each_fact_is_compared(p, field, change):
    """Other facts: the digest decides. A record that lies about it shows that it was asked."""
    st = p.parts["python"].stat()
    now = dict(dev=st.st_dev, ino=st.st_ino, mtime=st.st_mtime_ns, ctime=st.st_ctime_ns)[field]
    p.register(p.parts["python"], **{field: now - change if now > change else now + change})
    p.see("x")
    record = p.record.read_bytes()
    p.record.write_bytes(record[:72] + b"\0" * 32 + record[104:])
    p.refuses(p.python, "was replaced")


def test_facts_that_agree_need_no_digest(p):
    record = p.record.read_bytes()
    p.record.write_bytes(record[:72] + b"\0" * 32 + record[104:])
    p.see("x")


def test_interpreter_not_glibc(p):
    copy = p.copy_python()
    data = copy.read_bytes()
    at = data.index(b"/ld-linux")
    patch_bytes(copy, at, b"/ld-musl-")
    p.register(copy)
    p.refuses(p.python, "not built for glibc")


def test_interpreter_static(p, work):
    source = harness.write(work / "s.c", "int main(void) { return 0; }")
    static = p.root / "static"
    for option in ("-static", "-static-pie"):
        subprocess.run(["cc", option, "-o", static, source], check=True)
        p.register(static)
        p.refuses(p.python, "not a dynamically linked program")
    copy = p.copy_python()
    patch_segment(copy, PT_INTERP, PT_LOAD_ALIKE)
    p.register(copy)
    p.refuses(p.python, "not a dynamically linked program")


def test_interpreter_not_for_this_machine(p):
    copy = p.copy_python()
    patch_bytes(copy, 18, struct.pack("<H", EM_OTHER))
    p.register(copy)
    p.refuses(p.python, "another machine")
    harness.write(copy, "#!/bin/sh\necho ran\n", 0o755)
    p.register(copy)
    p.refuses(p.python, "not an ELF file")


def test_interpreter_mode(p):
    copy = p.copy_python()
    for mode, word in ((0o644, "not executable"), (0o775, "its group"), (0o757, "everybody"),
                       (0o4755, "setuid"), (0o2755, "setuid")):
        copy.chmod(mode)
        p.register(copy)
        p.refuses(p.python, word)
    p.link("/usr")
    p.refuses(p.python, "not a regular file")


@needs_root
def test_interpreter_foreign_owned(p):
    copy = p.copy_python()
    os.chown(copy, NOBODY.pw_uid, -1)
    p.register(copy)
    p.refuses(p.python, "uid %d" % NOBODY.pw_uid)


@needs_root
def test_interpreter_that_this_user_may_not_run(p):
    copy = p.copy_python(mode=0o744)
    p.see("x")
    p.refuses(p.python, "permission denied", nobody=True)


def test_record(p):
    p.record.unlink()
    p.refuses(p.record, "does not exist", "spythonctl interpreter add")
    good = record_bytes(p.parts["python"], p.minor)
    for bad in (b"", good[:100], good[:-1], good + b"x", b"X" + good[1:],
                good[:7] + b"\2" + good[8:], good[:8] + b"\0\0\0\0" + good[12:],
                good[:104] + b"x" * 1024 + good[1128:]):
        harness.write(p.record, bad)
        p.refuses(p.record, "damaged", "spythonctl interpreter add")
    harness.write(p.record, record_bytes(p.parts["python"], other_minor(p.minor)))
    p.refuses(p.record, "another version")
    harness.write(p.record, good)
    p.see("x")


@needs_root
def test_record_unreadable(p):
    p.record.chmod(0o600)
    p.refuses(p.record, "permission denied", nobody=True)


# --- limits and form ------------------------------------------------------------------------------


def test_too_much_for_the_kernel(p):
    """The largest environment with which the first stage itself starts leaves no room for ours."""
    resource_before = resource.getrlimit(resource.RLIMIT_STACK)

    def limit():
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource_before[1]))

    def attempt(size):
        env = {"V%d" % i: "x" * 10000 for i in range(size // 10000)}
        env["REST"] = "x" * (size % 10000)
        return p.run("xx", env=env, preexec_fn=limit)

    low, high = 0, 1 << 20
    while high - low > 1:
        middle = (low + high) // 2
        try:
            attempt(middle)
            low = middle
        except OSError:
            high = middle
    result = attempt(low)
    harness.assert_refused(result, harness.UNUSABLE)
    assert b"too long" in result.err
    assert attempt(low - 20000).status == 0


def test_messages_cannot_be_forged(work, parts):
    strange = Prefix(work / "x\nspython: forged\x1b[2J", parts)
    strange.refuses("misread")


def test_file_is_freestanding_and_hardened(parts):
    elf = subprocess.run(["readelf", "-W", "-l", "-d", "-s", "-h", parts["stage1"]],
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "INTERP" not in elf and "NEEDED" not in elf
    assert "DYN (Position-Independent" in elf
    assert [line.split()[6] for line in elf.splitlines() if "GNU_STACK" in line] == ["RW"]
    assert not [line for line in elf.splitlines() if " LOAD " in line and "RWE" in line]
    undefined = [line for line in elf.splitlines() if " UND " in line and line.split()[-1] != "UND"]
    assert undefined == []
