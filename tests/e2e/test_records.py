# SPDX-License-Identifier: Apache-2.0
"""What is recorded: every record valid by the published schema, nothing missing, the right line, no
user code run for it, and a denied act."""
import hashlib
import json
import os
import re
import signal
import time

import pytest

import harness
from harness import decode, events, one, run, wait_for, write

SCHEMA = harness.SOURCE / "docs" / "formats" / "record.schema.json"


@pytest.fixture(scope="session")
def validator():
    try:
        import jsonschema
    except ImportError:
        harness.unavailable("python3-jsonschema is not installed")
    if not SCHEMA.exists():
        harness.unavailable("there is no " + str(SCHEMA))
    schema = json.loads(SCHEMA.read_text())
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def check_session(records, validator=None):
    """What holds for every session that ended by itself."""
    if validator:
        for record in records:
            problems = [e.message for e in validator.iter_errors(record)]
            assert not problems, (problems, record)
    assert [r["seq"] for r in records] == list(range(1, len(records) + 1))
    assert [r["event"] for r in records].count("spython.start") == 1
    assert records[0]["event"] == "spython.start"
    assert len({r["pid"] for r in records}) == 1
    assert all(r["id"] == "%s-%d" % (r["session"], r["seq"]) for r in records)
    times = [r["ts"] for r in records]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", t) for t in times)


def check_ended(records, status=None, signal=None):
    stop = records[-1]
    assert stop["event"] == "spython.stop", stop
    assert stop["args"]["status"] == status and stop["args"]["signal"] == signal, stop
    assert stop["args"]["records"] == len(records)
    assert stop["args"]["lost"] == 0 and stop["args"]["unrecorded"] == 0


BROAD = r'''
import array, asyncio, atexit, collections, concurrent.futures, copy, ctypes, dataclasses, glob, gc
import hashlib, http.server, importlib, json, logging, marshal, mmap, multiprocessing, os, pathlib
import pickle, resource, shutil, signal, socket, sqlite3, ssl, subprocess, sys, syslog, tempfile
import threading, time, traceback, urllib.request, uuid, warnings, weakref, zipfile
warnings.simplefilter("ignore")

@dataclasses.dataclass
class D:
    a: int = 1
P = collections.namedtuple("P", "x y")
pickle.loads(pickle.dumps([D(), P(1, 2), collections.OrderedDict()]))
copy.deepcopy({"a": [1, {2}]})
exec("dynamic = 1")
eval("dynamic + 1")
compile("x = 1", "<name>", "exec", dont_inherit=True)
with tempfile.TemporaryDirectory() as d:
    p = pathlib.Path(d)
    (p / "f").write_text("x")
    os.rename(p / "f", p / "g"); os.symlink("g", p / "l"); os.link(p / "g", p / "h")
    os.chmod(p / "g", 0o600); os.truncate(p / "g", 0); os.utime(p / "g"); os.listdir(d)
    list(os.scandir(d)); list(os.walk(d)); glob.glob(d + "/*"); shutil.copy(p / "g", p / "i")
    shutil.make_archive(d + "/arch", "zip", d)
    os.setxattr(p / "g", "user.x", b"\xff\x00") if hasattr(os, "setxattr") else None
subprocess.run(["/bin/true"], env={"SECRET_TOKEN": "hunter2", "PATH": "/bin"})
subprocess.run("exit 0", shell=True, cwd="/")
os.system("true")
os.spawnv(os.P_WAIT, "/bin/true", ["true"])
os.waitpid(os.posix_spawn("/bin/true", ["true"], {"K": "v"}), 0)
os.putenv("PASSWORD_VAR", "hunter2")
os.kill(os.getpid(), 0)
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
c = socket.create_connection(s.getsockname()); c.close(); s.close()
socket.getaddrinfo("localhost", 1); socket.gethostname()
u = socket.socket(socket.AF_UNIX)
try: u.connect(b"\0abstract\xff")
except OSError: pass
u.close()
sqlite3.connect(":memory:").close()
mmap.mmap(-1, 4096).close()
array.array("i", [1]); id(s); gc.get_objects(); sys._getframe(); marshal.loads(marshal.dumps(1))
ctypes.CDLL(None).getpid(); ctypes.create_string_buffer(3); ctypes.string_at(b"abc")
signal.setitimer(signal.ITIMER_REAL, 0); resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
syslog.openlog("x"); logging.getLogger().addHandler(logging.NullHandler()); logging.warning("x")
threads = [threading.Thread(target=open, args=("/dev/null",)) for _ in range(3)]
[t.start() for t in threads]; [t.join() for t in threads]
async def main(): await asyncio.sleep(0)
asyncio.run(main())
try: urllib.request.urlopen("ftp://user:hunter2@127.0.0.1:9/x")
except Exception: pass
sys.settrace(None); sys.setprofile(None)
class A: pass
class B: pass
a = A(); a.__class__ = B
def f(): pass
f.__code__ = (lambda: 1).__code__
importlib.import_module("colorsys")
sys.audit("my.event", 1, "two", None, b"x", 1.5, [1], {"k": "v"})
pid = os.fork()
if pid == 0:
    open("/dev/null").close()
    os._exit(0)
os.waitpid(pid, 0)
print("done")
'''


def test_broad_program(sp, work, validator):
    script = write(work / "broad.py", BROAD)
    found = sp.run(script)
    assert found.status == 0 and found.out == b"done\n", found
    assert found.err == sp.run_python(script).err
    sessions = list(sp.sessions().values())
    assert len(sessions) == 3  # the program, the child of its fork, and that of os.spawnv
    for records in sessions:
        check_session(records, validator)
    main = one(s for s in sessions if s[0]["args"]["parent_session"] is None)
    check_ended(main, status=0)
    names = {r["event"] for r in main}
    for name in ("import", "open", "compile", "exec", "subprocess.Popen", "os.system", "os.rename", "os.fork",
                 "socket.connect", "pickle.find_class", "os.putenv", "sqlite3.connect", "ctypes.dlopen", "my.event",
                 "object.__setattr__", "cpython.run_file", "spython.start", "spython.stop", "spython.summary"):
        assert name in names, name
    text = sp.read_logs()
    assert b"hunter2" not in text, [r for r in main if "hunter2" in json.dumps(r)]


def test_log_file(sp_one, work):
    """One file per session, its name as documented, readable only for its owner."""
    script = write(work / "a.py", "print(1)\n")
    sp_one.run(script)
    sp_one.run(script)
    assert len(sp_one.logs()) == 2
    for path in sp_one.logs():
        assert path.stat().st_mode & 0o777 == 0o600
        records, bad = harness.parse_lines(path.read_bytes())
        assert not bad
        assert re.fullmatch(r"spython-\d{8}T\d{6}-%d-%s\.jsonl" % (records[0]["pid"], records[0]["session"]), path.name)
        assert path.read_bytes().endswith(b"\n")


def test_start_record(sp, work):
    script = write(work / "a.py", "print(1)\n")
    sp.run("-B", script, "x", b"\xff", cwd=work)
    start = sp.records()[0]
    args = start["args"]
    assert start["uid"] == os.getuid()
    assert args["argv"][:4] == [str(sp.spython), "-B", str(script), "x"] and len(args["argv"]) == 5
    assert args["script"] == str(script)
    assert args["script_sha256"] == hashlib.sha256(b"print(1)\n").hexdigest()
    assert args["cwd"] == str(work)
    assert args["parent_pid"] == os.getpid()
    assert args["parent_session"] is None
    assert args["parent_start_time"] == int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
    assert args["boot_id"] == open("/proc/sys/kernel/random/boot_id").read().strip()
    assert args["python"].startswith(sp.minor + ".")
    assert args["profile"] == "standard"
    assert args["ignored"] == [] and args["removed"] == []


ENDINGS = [
    ("pass", 0, None, 0), ("import sys; sys.exit(3)", 3, None, 3), ("import sys; sys.exit('x')", 1, None, 1),
    ("import sys; sys.exit(256 + 7)", 7, None, 7), ("1/0", 1, None, 1), ("x = = 1", 1, None, 1),
    ("raise KeyboardInterrupt", None, signal.SIGINT, -signal.SIGINT),
    ("import sys, threading; threading.Thread(target=sys.exit, args=(4,)).start()", 0, None, 0),
    ("import atexit; atexit.register(open, '/dev/null')", 0, None, 0),
    ("import sys; sys.stdout = open('/dev/full', 'w'); print(1)", None, None, None),
    ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", None, signal.SIGINT, -signal.SIGINT),
]


@pytest.mark.parametrize("code,status,number,wait", ENDINGS, ids=[e[0] for e in ENDINGS])
def test_stop_record(sp, work, code, status, number, wait):
    """The last record tells how the program ended."""
    script = write(work / "a.py", code + "\n")
    found = sp.run(script)
    if wait is None:
        status = sp.run_python(script).status
        assert found.status == status
    else:
        assert found.status == wait, found
    records = one(sp.sessions().values())
    check_session(records)
    check_ended(records, status=status, signal=number)


@pytest.mark.parametrize("how", ["command", "module", "stdin"])
def test_stop_record_of_an_interrupted_command(sp, work, how):
    """An unhandled KeyboardInterrupt kills python3 with SIGINT from inside Py_RunMain()."""
    sp.apply("profile: observe\n")
    write(work / "interrupted.py", "raise KeyboardInterrupt\n")
    args = {"command": ["-c", "raise KeyboardInterrupt"], "module": ["-m", "interrupted"],
            "stdin": []}[how]
    feed = b"raise KeyboardInterrupt\n" if how == "stdin" else b""
    expected = sp.run_python(*args, stdin=feed, cwd=work)
    found = sp.run(*args, stdin=feed, cwd=work)
    assert expected.status == -signal.SIGINT
    assert found[:3] == expected[:3]
    records = one(sp.sessions().values())
    check_session(records)
    check_ended(records, status=None, signal=signal.SIGINT)


def test_passwords_of_hosts_are_redacted(sp, work):
    """urllib hands a URL's user and password on as part of the host."""
    script = write(work / "a.py", '''\
import urllib.request
try:
    urllib.request.urlopen("http://bob:s3cret@127.0.0.1:1/", timeout=1)
except Exception:
    pass
''')
    assert sp.run(script).status == 0
    assert b"s3cret" not in sp.read_logs()
    hosts = {r["args"]["host"] for r in events(sp.records(), "socket.getaddrinfo")}
    assert hosts == {"bob:***@127.0.0.1"}


def test_first_and_last_event(sp, work):
    """From the first event during start-up to the last one at exit."""
    script = write(work / "a.py", "class C:\n    def __del__(self, open=open): open('/dev/null').close()\nkeep = C()\n")
    sp.run(script)
    records = one(sp.sessions().values())
    names = [r["event"] for r in records]
    assert names[1:].index("import") < 5
    assert names[-2] in ("spython.summary", "cpython._PySys_ClearAuditHooks")
    assert "cpython._PySys_ClearAuditHooks" in names
    assert [r for r in events(records, "open") if r["args"]["path"] == "/dev/null"]


def test_locations(sp, work):
    """`at` is the program's line, `in` the innermost one where it differs."""
    script = write(work / "app" / "a.py", '''\
import subprocess, helper
def export():
    subprocess.run(["/bin/true"])      # line 3
class Views:
    def show(self):
        helper.read()                  # line 6
export()
Views().show()
open("/dev/null").close()              # line 9
for i in range(2):
    open(
        "/dev/zero",
    ).close()
''')
    write(work / "app" / "helper.py", "def read():\n    open('/etc/hostname').close()\n")
    assert sp.run(script).status == 0
    records = one(sp.sessions().values())
    popen = one(events(records, "subprocess.Popen"))
    assert (popen["at"]["file"], popen["at"]["line"], popen["at"]["func"]) == (str(script), 3, "export")
    assert popen["in"]["file"].endswith("/subprocess.py") and popen["in"]["line"] > 100
    assert popen["at"]["approved"] is True

    def opened(path):
        return [r for r in events(records, "open") if r["args"]["path"] == path]
    hostname = one(opened("/etc/hostname"))
    assert (hostname["at"]["file"], hostname["at"]["line"]) == (str(work / "app" / "helper.py"), 2)
    assert hostname["at"]["func"] == "read" and "in" not in hostname
    null = one(opened("/dev/null"))
    assert (null["at"]["file"], null["at"]["line"], null["at"]["func"]) == (str(script), 9, "<module>")
    assert [r["at"]["line"] for r in opened("/dev/zero")] == [11, 11]


def test_location_of_dynamic_code(sp, work):
    """A forged file name is shown, and shown not to be approved."""
    script = write(work / "a.py", "exec(compile('\\n\\nopen(\"/dev/null\")', '/srv/app/trusted.py', 'exec'))\n")
    assert sp.run(script).status == 0
    record = one(r for r in events(sp.records(), "open") if r["args"]["path"] == "/dev/null")
    assert (record["at"]["file"], record["at"]["line"]) == ("/srv/app/trusted.py", 3)
    assert record["at"]["approved"] is False


def test_location_with_library_name(sp, work):
    """Code that only says it is the standard library is not skipped as if it were."""
    script = write(work / "a.py", "import os\nexec(compile('open(\"/dev/null\")', os.__file__, 'exec'))\n")
    assert sp.run(script).status == 0
    record = one(r for r in events(sp.records(), "open") if r["args"]["path"] == "/dev/null")
    assert record["at"].get("approved") is False


def test_locations_follow_reused_code_objects(sp, work):
    """Code objects come and go at the same addresses; lines must not be those of the dead."""
    script = write(work / "a.py", '''\
for n in range(1, 200):
    ns = {}
    exec(compile("\\n" * n + "def f%d(): open('/dev/null').close()\\nf%d()" % (n, n), "<n%d>" % n, "exec"), ns)
    del ns
''')
    assert sp.run(script).status == 0
    records = [r for r in events(sp.records(), "open") if r["args"]["path"] == "/dev/null"]
    assert len(records) == 199
    for n, record in enumerate(records, 1):
        assert (record["at"]["file"], record["at"]["line"]) == ("<n%d>" % n, n + 1)
        assert record["at"]["func"] == "f%d" % n


def test_stack_from_medium(sp, work):
    """A stack from level medium up, at most 16 frames, innermost first."""
    script = write(work / "a.py", '''\
import subprocess
def f(n):
    if n:
        return f(n - 1)
    subprocess.run(["/bin/true"])
f(1)
f(40)
''')
    assert sp.run(script).status == 0
    short, deep = events(sp.records(), "subprocess.Popen")
    lines = [f["line"] for f in short["stack"] if f["file"] == str(script)]
    assert lines == [5, 4, 6]
    assert len(deep["stack"]) == 16
    assert all("stack" not in r for r in events(sp.records(), "import"))


def test_fork(sp, work):
    """A child has a session of its own, numbered from 1, and names its parent."""
    script = write(work / "a.py", '''\
import os
children = []
for i in range(3):
    pid = os.fork()
    if pid == 0:
        open("/dev/null").close()
        if i == 1:
            if os.fork() == 0:
                open("/dev/zero").close()
                raise SystemExit(9)
            os.wait()
        raise SystemExit(i)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
''')
    assert sp.run(script).status == 0
    sessions = sp.sessions()
    assert len(sessions) == 5
    for records in sessions.values():
        check_session(records)
    parents = {s: records[0]["args"]["parent_session"] for s, records in sessions.items()}
    main = one(s for s, parent in parents.items() if parent is None)
    children = [s for s, parent in parents.items() if parent == main]
    assert len(children) == 3
    grandchild = one(s for s, parent in parents.items() if parent in children)
    assert sorted(sessions[s][-1]["args"]["status"] for s in children) == [0, 1, 2]
    check_ended(sessions[grandchild], status=9)
    for session in sessions:
        check_ended(sessions[session], status=sessions[session][-1]["args"]["status"])
        assert sessions[session][0]["pid"] == sessions[session][0]["tid"]
    assert len(sp.logs()) == 5


def test_exec_names_parent_by_pid(sp, work):
    """A child that is started anew is found by its parent's pid and start time."""
    write(work / "child.py", "print('child')\n")
    script = write(work / "a.py", "import subprocess, sys\nprint(subprocess.check_output([sys.executable, 'child.py']))\n")
    assert sp.run(script, cwd=work).out == b"b'child\\n'\n"
    sessions = list(sp.sessions().values())
    assert len(sessions) == 2
    parent = one(s for s in sessions if s[0]["args"]["script"].endswith("a.py"))[0]
    child = one(s for s in sessions if s[0]["args"]["script"].endswith("child.py"))[0]
    assert child["args"]["parent_pid"] == parent["pid"]
    assert child["args"]["parent_start_time"] == parent["args"]["start_time"]
    assert child["args"]["parent_session"] is None


HOSTILE = r'''
import sys, os
ran = []
class Text(str):
    def trap(self, *args):
        ran.append("str method")
        raise RuntimeError("user code ran")
    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __iter__ = __getitem__ = __format__ = encode = trap
    def __getattribute__(self, name):
        ran.append("getattribute " + name)
        raise RuntimeError("user code ran")
class Bytes(bytes):
    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __iter__ = __getitem__ = __bytes__ = Text.trap
class Int(int):
    __repr__ = __str__ = __eq__ = __hash__ = __int__ = __index__ = __bool__ = __float__ = Text.trap
class Float(float):
    __repr__ = __str__ = __eq__ = __hash__ = __float__ = __int__ = Text.trap
class List(list):
    __repr__ = __str__ = __eq__ = __len__ = __iter__ = __getitem__ = Text.trap
class Tuple(tuple):
    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __iter__ = __getitem__ = Text.trap
class Dict(dict):
    __repr__ = __str__ = __eq__ = __len__ = __iter__ = __getitem__ = keys = items = values = Text.trap
class Meta(type):
    def __getattribute__(cls, name):
        ran.append("meta " + name)
        return super().__getattribute__(name)
    __repr__ = __hash__ = __eq__ = Text.trap
class Odd(metaclass=Meta):
    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __iter__ = __fspath__ = __index__ = __bool__ = Text.trap
    def __getattr__(self, name):
        ran.append("getattr " + name)
        raise RuntimeError
    @property
    def __class__(self):
        ran.append("__class__")
        return str
loop = []
loop.append(loop)
knot = {}
knot["self"] = knot
deep = []
for i in range(10000):
    deep = [deep]
cases = [
    Text("text subclass"), Bytes(b"bytes subclass"), Int(7), Float(1.5), List([1, 2]), Tuple((3, 4)), Dict(a=1), Odd(), Odd,
    "\udcff\ud800 lone", "nul \0 in text", "newline\n{\"forged\": 1}\n", "\x1b[31mred", "\u2028\u2029\x7f", "\U0001f600",
    "quote \" backslash \\", b"\xff\x00bytes", b"", "", "x" * 10_000_000, b"y" * 10_000_000, bytearray(b"z"), memoryview(b"m"),
    10 ** 400, -10 ** 400, 2 ** 63, -2 ** 63, 2 ** 64, -1, 1 << 100_000, True, False, None, Ellipsis, NotImplemented,
    float("nan"), float("inf"), -float("inf"), -0.0, 1e308, 5e-324, 0.1, 1j,
    loop, knot, deep, [[[[[1]]]]], [Text("x"), Int(1)], {Text: Odd}, list(range(100_000)), {i: i for i in range(1000)},
    {1: 2, None: 3, (1, 2): [4]}, set([1]), frozenset(), range(5), lambda: 1, sys, type, compile("1", "c", "eval"),
    sys._getframe(), (i for i in []), open, object(), Exception("e"),
]
for number, value in enumerate(cases):
    sys.audit("hostile.single", number, value)
sys.audit("hostile.many", *range(200))
sys.audit("hostile.tuple", (1, 2, ("a", Text("b"))))
sys.audit("hostile.none")
sys.audit("h" * 10000, 1)
for name in ("\n", "a\"b", "", "spython.stop", "open", "\u20ac", "a\x1bb", "cpython._PySys_ClearAuditHooks"):
    try:
        sys.audit(name, 1)
    except ValueError:
        pass
for name in (Text("text.name"), "\udcff", "a\0b"):
    try:
        sys.audit(name, 1)
    except (ValueError, RuntimeError, UnicodeError):
        pass
for path in ("/nonexistent/\udcff", b"/nonexistent/\xff", "/nonexistent/\n\x1b"):
    try:
        open(path)
    except OSError:
        pass
try:
    input(("flattened", "b", ("c",)))
except Exception:
    pass
del ran[:0]
print("\n%d cases" % len(cases), "ran" if ran else "nothing ran", ran[:5])
'''


def test_hostile_arguments(sp, work, validator):
    """No method of any argument runs, no record breaks, no argument forges a line."""
    script = write(work / "hostile.py", HOSTILE)
    # Not through sys.audit's own conversion: what python3 itself calls is the measure.
    expected, found = sp.run_python(script), sp.run(script)
    assert found.status == 0, found
    assert found[:3] == expected[:3]
    assert b"nothing ran" in found.out, found.out
    records = one(sp.sessions().values())
    check_session(records, validator)
    check_ended(records, status=0)
    single = events(records, "hostile.single")
    count = int(re.search(rb"(\d+) cases", found.out)[1])
    assert len(single) == count
    assert not [r for r in records if "forged" in r]
    raw = sp.read_logs()
    assert b"\x1b" not in raw and b"\x7f" not in raw
    assert max(len(line) for line in raw.split(b"\n")) <= 65536
    stops = events(records, "spython.stop")
    assert len(stops) == 1 and not stops[0].get("claimed")
    claims = events(records, "spython.claim")
    assert [c["args"]["name"] for c in claims] == ["spython.stop"] and claims[0]["claimed"] is True


def test_hostile_arguments_one_thread_of_many(sp_one, work):
    """Lists that other threads change while they are recorded."""
    script = write(work / "a.py", '''\
import sys, threading
shared, table, stop = [1] * 50, {}, threading.Event()
def change():
    n = 0
    while not stop.is_set():
        n += 1
        shared[:] = [n] * (n % 60)
        table[n % 70] = [n]
        if n % 70 == 0: table.clear()
threads = [threading.Thread(target=change) for _ in range(3)]
for t in threads: t.start()
for i in range(20000):
    sys.audit("shared.list", shared, table)
stop.set()
for t in threads: t.join()
''')
    assert sp_one.run(script).status == 0
    records = one(sp_one.sessions().values())
    assert len(events(records, "shared.list")) == 20000
    check_session(records)


def test_claimed(sp, work):
    """What the program says through sys.audit is a claim; what CPython says is none."""
    script = write(work / "a.py", '''\
import sys, subprocess
sys.audit("open", "/claimed", "r", 0)
open("/dev/null").close()
sys.audit("my.event")
audit = sys.audit
audit("os.system", "claimed")
getattr(sys, "audit")("subprocess.Popen", "claimed", [], None, None)
subprocess.run(["/bin/true"])
''')
    assert sp.run(script).status == 0
    records = sp.records()
    claimed = {(r["event"], str(r["args"])) for r in records if r.get("claimed")}
    assert {e for e, _a in claimed} == {"open", "my.event", "os.system", "subprocess.Popen"}
    assert len(claimed) == 4
    assert one(r for r in events(records, "subprocess.Popen") if not r.get("claimed"))
    assert not [r for r in events(records, "open") if r["args"]["path"] == "/dev/null" and r.get("claimed")]


def test_dynamic_code(sp, work):
    """compile and exec of text: its digest, length and text; the text once."""
    texts = ["x = 1", "raise ValueError", "ü = '\\u20ac'"]
    script = write(work / "a.py", '''\
import sys
exec("x = 1")
exec("x = 1")
eval(compile("1 + 1", "<mine>", "eval"))
exec(b"y = 2")
try:
    exec("raise ValueError")
except ValueError:
    pass
exec("z = '\u20ac'")
exec("# long\\n" * 100000)
eval("2 + 2")
''')
    assert sp.run(script).status == 0
    records = one(sp.sessions().values())
    compiled = [r for r in events(records, "compile") if r.get("source") and r["at"]["file"] == str(script)]

    def of(text):
        data = text if isinstance(text, bytes) else text.encode()
        digest = hashlib.sha256(data).hexdigest()
        return [r for r in compiled if r["source"]["sha256"] == digest and r["source"]["length"] == len(data)]
    twice = of("x = 1")
    assert len(twice) == 2
    assert twice[0]["source"]["text"] == "x = 1" and "text" not in twice[1]["source"]
    for text in ("1 + 1", b"y = 2", "raise ValueError", "z = '\u20ac'", "2 + 2"):
        record = one(of(text))
        assert record["source"]["text"] == (text if isinstance(text, str) else text.decode())
    long = one(of("# long\n" * 100000))
    text = long["source"]["text"]
    text = text if isinstance(text, str) else next(v for v in text.values() if isinstance(v, str))
    assert text.startswith("# long\n# long\n") and len(text) < 70000
    executed = [r for r in events(records, "exec") if r.get("source") and r["at"]["file"] == str(script)]
    assert len(executed) >= 5


def test_code_from_files_is_not_dynamic(sp, work):
    """Imported modules and the script came through the gate: no source in their records."""
    write(work / "mod.py", "x = 'in a module'\n")
    script = write(work / "a.py", "import mod, json, asyncio\nprint(mod.x)\n")
    assert sp.run(script).status == 0
    assert "in a module" not in json.dumps([r.get("source") for r in sp.records()])
    assert b"print(mod.x)" not in sp.read_logs()


def test_open_code(sp, work):
    """Every module's file is named as it passes the gate."""
    write(work / "mod.py", "x = 1\n")
    script = write(work / "a.py", "import mod\n")
    assert sp.run(script).status == 0
    paths = [decode(r["args"]["path"]) for r in events(sp.records(), "spython.open_code")]
    assert str(work / "mod.py") in paths


def test_secrets(sp, work):
    """Values of environments and passwords in URLs are not told; names are."""
    script = write(work / "a.py", '''\
import os, subprocess, urllib.request
subprocess.run(["/bin/true"], env={"TOKEN": "hunter2", "PATH": "/bin"})
os.waitpid(os.posix_spawn("/bin/true", ["true"], {"TOKEN": "hunter2"}), 0)
os.environ["PASSWORD"] = "hunter2"
try:
    urllib.request.urlopen("ftp://user:hunter2@127.0.0.1:9/")
except Exception:
    pass
pid = os.fork()
if pid == 0:
    os.execve("/bin/true", ["true"], {"TOKEN": "hunter2"})
os.waitpid(pid, 0)
''')
    found = sp.run(script, env=sp.env(SECRET="hunter2"))
    assert found.status == 0, found
    assert b"hunter2" not in sp.read_logs()
    popen = one(events(sp.records(), "subprocess.Popen"))
    assert popen["args"]["env"]["names"] == ["TOKEN", "PATH"] and popen["args"]["env"]["redacted"] is True
    put = one(r for r in events(sp.records(), "os.putenv") if "PASSWORD" in str(r["args"]["key"]))
    assert put
    url = one(events(sp.records(), "urllib.Request"))["args"]["fullurl"]
    assert "user:" in str(url) and "127.0.0.1:9" in str(url)


def test_noise_is_counted(sp, work):
    """Noise has no records of its own, and none of it is lost: the counts are exact at the end."""
    script = write(work / "a.py", '''\
import threading
x = object()
def work():
    for i in range(10000): id(x)
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
open("/dev/null").close()
''')
    assert sp.run(script).status == 0
    records = one(sp.sessions().values())
    summary = events(records, "spython.summary")[-1]
    counts = decode(summary["args"]["counts"])
    assert 40000 <= counts["builtins.id"] < 40500
    assert summary["args"]["total"] == sum(counts.values())
    assert records[-1]["args"]["noise"] == summary["args"]["total"]
    assert not events(records, "builtins.id")
    running = [r["noise"] for r in records if r["tid"] == records[0]["pid"]]
    assert running == sorted(running)


# What is denied.

def test_audit_by_default(sp, work):
    """PEP 551's denials are in audit: the record says would-deny, the act happens."""
    script = write(work / "a.py", "import os, pickle, collections\nprint(os.system('exit 5') >> 8)\n"
                   "print(pickle.loads(pickle.dumps(collections.OrderedDict(a=1))))\n")
    found, expected = sp.run(script), sp.run_python(script)
    assert found[:3] == expected[:3] and found.out.startswith(b"5\n")
    records = one(sp.sessions().values())
    system = one(events(records, "os.system"))
    assert system["verdict"] == "would-deny" and len(system["rules"]) == 1
    assert decode(system["args"]["command"]) == b"exit 5"
    assert all(r["verdict"] == "would-deny" for r in events(records, "pickle.find_class"))
    assert records[-1]["args"]["would_deny"] >= 2 and records[-1]["args"]["denied"] == 0
    assert {r.get("verdict", "allow") for r in records} == {"allow", "would-deny"}


def test_addaudithook_is_vetoed_silently(sp, work):
    script = write(work / "a.py", "import sys\nseen = []\nprint(sys.addaudithook(lambda *a: seen.append(a)))\n"
                   "sys.audit('x')\nopen('/dev/null').close()\nprint(len(seen))\n")
    found = sp.run(script)
    assert found[:3] == (0, b"None\n0\n", b"")
    record = one(events(one(sp.sessions().values()), "sys.addaudithook"))
    assert record["verdict"] == "deny" and record["rules"]
    control = sp.run_python(script)
    assert control.status == 0 and control.out != found.out


DENY = '''\
profile: standard
denials:
  os.system: {mode: enforce}
'''

PROGRAM = '''\
import os
try:
    print("status", os.system("echo happened"))
except PermissionError as error:
    print(type(error).__name__, error)
print("goes on")
os.system("echo uncaught")
'''


def test_denied_act(sp, work):
    """PermissionError that names rule and record; the record is in the log before it is raised."""
    sp.apply(DENY)
    script = write(work / "a.py", PROGRAM)
    found = sp.run(script)
    assert found.status == 1 and b"happened" not in found.out and b"uncaught" not in found.out, found
    records = one(sp.sessions().values())
    first, second = events(records, "os.system")
    assert first["verdict"] == second["verdict"] == "deny"
    rule = one(first["rules"])
    line = found.out.split(b"\n")[0].decode()
    assert line.startswith("PermissionError ") and rule in line and first["id"] in line
    assert b"goes on" in found.out
    assert b"PermissionError" in found.err and second["id"].encode() in found.err
    assert records[-1]["args"]["denied"] == 2
    assert first["at"]["line"] == 3
    control = sp.run_python(script)
    assert control.status == 0 and b"happened" in control.out


def test_record_is_written_before_the_act(sp, work):
    """The program dies in its except clause: the record is there."""
    sp.apply(DENY)
    script = write(work / "a.py", "import os, signal\ntry:\n    os.system('x')\nexcept PermissionError:\n"
                   "    os.kill(os.getpid(), signal.SIGKILL)\n")
    assert sp.run(script).status == -signal.SIGKILL
    record = sp.records()[-1]
    assert one(events(sp.records(), "os.system"))["verdict"] == "deny"
    assert record["event"] in ("os.kill", "sys.audit", "os.system")


def test_denied_find_class_with_allow_list(sp, work):
    sp.apply("profile: standard\ndenials:\n  pickle.find_class: {mode: enforce, allow: [collections.OrderedDict]}\n")
    script = write(work / "a.py", "import collections, os, pickle\n"
                   "print(pickle.loads(pickle.dumps(collections.OrderedDict())))\n"
                   "try: pickle.loads(b'cos\\nsystem\\n(S\"echo happened\"\\ntR.')\n"
                   "except Exception as error: print(type(error).__name__)\n")
    found = sp.run(script)
    assert found.status == 0 and b"OrderedDict" in found.out and b"happened" not in found.out, found
    verdicts = [(r["args"]["name"], r["verdict"]) for r in events(sp.records(), "pickle.find_class")]
    assert ("OrderedDict", "allow") in verdicts and ("system", "deny") in verdicts


def test_kill(sp, work):
    """kill ends the process at once, with its record as the last thing."""
    sp.apply("profile: standard\ndenials:\n  os.system: {mode: enforce, action: kill}\n")
    marker = work / "ran"
    script = write(work / "a.py", "import atexit, os\natexit.register(print, 'atexit')\ntry:\n    os.system('>%s')\n"
                   "finally:\n    print('finally', flush=True)\n" % marker)
    found = sp.run(script)
    assert found.status == harness.REFUSED and found.out == b"", found
    assert not marker.exists()
    assert sp.records()[-1]["event"] == "os.system" and sp.records()[-1]["verdict"] == "kill"


# Threads, interpreters, errno.

def test_threads_in_records(sp, work):
    script = write(work / "a.py", '''\
import threading
tids = []
def work():
    tids.append(threading.get_native_id())
    open("/dev/null").close()
threads = [threading.Thread(target=work) for _ in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(*tids)
''')
    found = sp.run(script)
    records = one(sp.sessions().values())
    tids = sorted(r["tid"] for r in events(records, "open") if r["args"]["path"] == "/dev/null")
    assert tids == sorted(int(t) for t in found.out.split())


def test_subinterpreter(sp, work):
    script = write(work / "a.py", '''\
try:
    import _interpreters as si
except ImportError:
    try:
        import _xxsubinterpreters as si
    except ImportError:
        raise SystemExit(77)
import threading
def go():
    i = si.create()
    si.run_string(i, "import sys\\nfor n in range(200): open('/dev/null').close()\\nsys.audit('in.sub')")
    si.destroy(i)
threads = [threading.Thread(target=go) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
''')
    control = sp.run_python(script)
    if control.status != 0:
        pytest.skip("python3 itself cannot do this: %d" % control.status)
    found = sp.run(script)
    assert found[:3] == control[:3]
    records = one(sp.sessions().values())
    check_session(records)
    check_ended(records, status=0)
    assert len(events(records, "in.sub")) == 4
    assert len([r for r in events(records, "open") if r["args"]["path"] == "/dev/null"]) == 800


def test_errno_is_preserved(sp, work):
    """The error that the program sees is that of its own call, not of our write."""
    script = write(work / "a.py", '''\
import os, ctypes, sys, mmap
for path in ("/nonexistent", "/etc/passwd/x", "/usr/../" + "x" * 300):
    for f in (open, os.listdir, os.remove, os.chdir, os.rmdir):
        try:
            f(path)
        except OSError as error:
            print(f.__name__, error)
libc = ctypes.CDLL(None, use_errno=True)
ctypes.set_errno(33)
sys.audit("x")
print(ctypes.get_errno())
''')
    found, expected = sp.run(script), sp.run_python(script)
    assert found[:3] == expected[:3]


def test_policy_digest_and_app(sp, work):
    """A governed program's records carry its app; the start record the policy's digest and serial."""
    script = write(work / "shop.py", "print(1)\n")
    other = write(work / "other.py", "print(2)\n")
    sp.apply("profile: standard\n", shop="match:\n  script: %s\n" % script)
    assert sp.run(script).status == 0 and sp.run(other).status == 0
    by_script = {s[0]["args"]["script"]: s for s in sp.sessions().values()}
    assert {r.get("app") for r in by_script[str(script)]} == {"shop"}
    assert {r.get("app") for r in by_script[str(other)]} == {None}
    start = by_script[str(script)][0]["args"]
    assert len(start["policy_sha256"]) == 64 and start["policy_serial"] >= 1


def test_source_of_code_compiled_earlier(sp, work):
    """exec names the text that its code object was made from, however long ago."""
    script = write(work / "a.py", '''\
first = compile("x = 'first'", "<first>", "exec")
second = compile("x = 'second'", "<second>", "exec")
exec(first)
exec(second)
exec(first)
exec(first.replace(co_name="changed"))
''')
    assert sp.run(script).status == 0
    records = one(sp.sessions().values())
    digests = {name: hashlib.sha256(text).hexdigest() for name, text in
               (("<first>", b"x = 'first'"), ("<second>", b"x = 'second'"))}
    found = [(r["args"]["code_object"]["code"]["file"], r.get("source", {}).get("sha256"))
             for r in events(records, "exec")
             if r["args"]["code_object"]["code"]["file"] in digests]
    assert found[:3] == [(n, digests[n]) for n in ("<first>", "<second>", "<first>")]


def test_noise_count_never_goes_down(sp_one, work):
    """The running count of counted events, from records of several threads."""
    script = write(work / "a.py", '''\
import sys, threading
def work(n):
    for i in range(300):
        id(i)
        if i % n == 0:
            sys.audit("mark", n)
threads = [threading.Thread(target=work, args=(n,)) for n in (3, 7, 11, 50)]
[t.start() for t in threads]
[t.join() for t in threads]
''')
    assert sp_one.run(script).status == 0
    records = one(sp_one.sessions().values())
    counts = [r["noise"] for r in records]
    assert counts == sorted(counts)
    # The running count may lag by what a thread that is just ending has not added yet; this does not.
    assert one(events(records, "spython.stop"))["args"]["noise"] >= 1200


def interpreter_data(run_it, script):
    """KiB of the segment that holds the type of `int`: (all, present in this process alone)."""
    done = run_it(script)
    assert done.status == 0, done
    size, present = map(int, done.out.split())
    return size, present


def test_interpreter_data_is_present(sp, work):
    # One request at the start instead of hundreds of page faults. It fails as a whole where it
    # meets a page that cannot be written, so what RELRO protects must be left out.
    script = write(work / "data.py", r'''
import re
inside, found = False, {}
for line in open("/proc/self/smaps"):
    head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....) ", line)
    if head:
        start, end = (int(head[i], 16) for i in (1, 2))
        inside = start <= id(int) < end
    elif inside:
        name, value = line.split(":", 1)
        found[name] = value.split()[0]
print(found["Size"], found["Private_Dirty"])
''')
    size, present = interpreter_data(sp.run, script)
    assert present >= 0.98 * size, (present, size)
    size, present = interpreter_data(lambda path: sp.run_python("-I", path), script)
    # Before 3.11 there are no frozen modules in it, and relocation alone writes to all of it.
    assert present < 0.98 * size or sp.version < (3, 11), "python3 does the same: nothing is shown"
