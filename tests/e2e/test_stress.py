# SPDX-License-Identifier: Apache-2.0
"""Load, sudden death, and a log that is taken away: every event whose call returned is in the log, at
most the last record of a killed process is torn, and what was lost is told exactly."""
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

import harness
from harness import events, one, run, write

# The long version runs on one minor only.
SECONDS = float(os.environ.get("SPYTHON_STRESS_SECONDS", "10"))

FLOOD = '''
import sys, threading, time
end = time.monotonic() + float(sys.argv[1])
counts = [0] * 32
def work(k):
    n, audit, now = 0, sys.audit, time.monotonic
    while True:
        audit("flood.event", k, n, "text")
        n += 1
        if n % 64 == 0 and now() > end:
            break
    counts[k] = n
threads = [threading.Thread(target=work, args=(k,)) for k in range(32)]
for t in threads: t.start()
for t in threads: t.join()
print(*counts)
'''


def check_flood(sp, work, seconds):
    script = write(work / "flood.py", FLOOD)
    found = sp.run(script, str(seconds), timeout=seconds * 10 + 60)
    assert found.status == 0 and found.err == b"", found.err
    counts = [int(n) for n in found.out.split()]
    seen = [0] * 32
    total = 0
    path = one(sp.logs())
    numbers = set()
    pattern = re.compile(rb'\{"v":1,"ts":"[^"]*","seq":(\d+),.*"event":"flood\.event",'
                         rb'"args":\{"arg0":(\d+),"arg1":(\d+),"arg2":"text"\}.*\}\n')
    with open(path, "rb") as f:
        for line in f:
            total += 1
            match = pattern.fullmatch(line)
            if match:
                k, n = int(match[2]), int(match[3])
                # In order per thread, without a gap.
                assert n == seen[k], (k, n, seen[k])
                seen[k] += 1
                numbers.add(int(match[1]))
            else:
                last = json.loads(line)
                numbers.add(last["seq"])
    assert seen == counts
    assert numbers == set(range(1, total + 1))
    assert last["event"] == "spython.stop" and last["args"]["records"] == total and last["args"]["lost"] == 0
    return sum(counts)


def test_threads_short(sp, work):
    assert check_flood(sp, work, 1) > 1000


def test_threads(sp_one, work):
    """32 threads flat out."""
    assert check_flood(sp_one, work, SECONDS) > 10000


def test_forks(sp, work):
    """200 children at once, each with a session of its own."""
    script = write(work / "a.py", '''\
import os, sys, time
children = []
r, w = os.pipe()
for i in range(200):
    pid = os.fork()
    if pid == 0:
        os.close(w)
        os.read(r, 1)
        for n in range(5):
            sys.audit("child.event", i, n)
        if i % 2:
            os._exit(i % 100)
        raise SystemExit(i % 100)
    children.append(pid)
os.close(w)
print(sum(os.WEXITSTATUS(os.waitpid(pid, 0)[1]) for pid in children))
''')
    found = sp.run(script)
    assert found[:2] == (0, b"%d\n" % sum(i % 100 for i in range(200))), found
    sessions = sp.sessions()
    assert len(sessions) == 201
    main = one(s for s in sessions.values() if s[0]["args"]["parent_session"] is None)
    seen = set()
    for records in sessions.values():
        assert [r["seq"] for r in records] == list(range(1, len(records) + 1))
        assert records[0]["event"] == "spython.start"
        if records is main:
            continue
        assert records[0]["args"]["parent_session"] == main[0]["session"]
        children = events(records, "child.event")
        assert len(children) == 5
        seen.add(str(children[0]["args"]))
    assert len(seen) == 200


@pytest.mark.parametrize("ending,status", [("os._exit(7)", 7), ("os.abort()", -signal.SIGABRT),
                                           ("os.kill(os.getpid(), 9)", -9), ("ctypes.string_at(1)", -11),
                                           ("os.execv('/bin/true', ['true'])", 0)])
def test_sudden_ends(sp, work, ending, status):
    """What was recorded before is there, whole: nothing waits in a buffer."""
    script = write(work / "a.py", "import ctypes, os, sys\nfor n in range(1000):\n    sys.audit('before.end', n)\n"
                   + ending + "\n")
    found = sp.run(script)
    assert found.status == status, found
    records = one(sp.sessions().values())
    assert len(events(records, "before.end")) == 1000
    assert [r["seq"] for r in records] == list(range(1, len(records) + 1))


VICTIM = '''
import os, sys, threading
def work(k):
    n, line = 0, memoryview(sys.argv[1].encode())
    while True:
        sys.audit("victim.event", k, n, line)
        os.write(1, b"%d %d\\n" % (k, n))
        n += 1
threads = [threading.Thread(target=work, args=(k,), daemon=True) for k in range(4)]
for t in threads: t.start()
for t in threads: t.join()
'''


def test_sigkill_at_any_moment(sp, work):
    """The program says what it has done after each call; all of that is in the log."""
    script = write(work / "victim.py", VICTIM)
    rng = random.Random(7)
    runs = 40 if sp.minor == "3.11" else 6
    torn = 0
    for number in range(runs):
        sp.clear_logs()
        with open(work / "said", "wb") as said:
            process = subprocess.Popen([sp.spython, script, "x" * rng.choice((1, 300, 3000))], stdout=said,
                                       stdin=subprocess.DEVNULL, env=sp.env())
            time.sleep(rng.uniform(0.03, 0.25))
            process.kill()
            assert process.wait() == -signal.SIGKILL
        lines = (work / "said").read_bytes().split(b"\n")[:-1]
        logs = sp.logs()
        assert logs or not lines
        if not logs:
            continue
        data = one(logs).read_bytes()
        records, bad = harness.parse_lines(data)
        # At most the last record of the process is torn, and only at the very end of the file.
        assert len(bad) <= 1, bad
        if bad:
            torn += 1
            assert data.rstrip(b"\n").endswith(bad[0])
        seen = set()
        for record in events(records, "victim.event"):
            args = list(record["args"].values()) if isinstance(record["args"], dict) else record["args"]
            seen.add((args[0], args[1]))
        missing = [line for line in lines if tuple(int(n) for n in line.split()) not in seen]
        assert not missing, (len(lines), missing[:5])
        seqs = sorted(r["seq"] for r in records)
        assert len(set(seqs)) == len(seqs)


def all_numbers_accounted(records):
    """Every sequence number is either in the log or within a loss that was told."""
    numbers = {r["seq"] for r in records}
    lost = 0
    for loss in events(records, "spython.loss"):
        args = loss["args"]
        assert args["lost"] >= 1 and args["first"] <= args["last"]
        missing = [n for n in range(args["first"], args["last"] + 1) if n not in numbers]
        assert len(missing) == args["lost"], (args, len(missing))
        numbers.update(missing)
        lost += args["lost"]
    assert numbers == set(range(1, max(numbers) + 1))
    return lost


COUNT = "profile: standard\nlog:\n  sinks:\n    - type: file\n      path: %s/\n      on_failure: %s\n"


@pytest.fixture
def counted(sp_one, work):
    """An installation whose file sink counts what it cannot write. On one minor version: sinks know
    nothing of Python."""
    sp = sp_one
    logs = work / "logs"
    logs.mkdir(mode=0o1777)
    logs.chmod(0o1777)
    sp.apply(COUNT % (logs, "count"))
    sp.log = logs
    return sp


def test_deleted_log_file(counted, work):
    """The file is unlinked under the program: writing goes on, in a new file sooner or later, and what
    cannot be found again is told."""
    script = write(work / "a.py", '''\
import glob, os, sys, time
for n in range(100): sys.audit("early", n)
for path in glob.glob(sys.argv[1] + "/*.jsonl"): os.unlink(path)
end = time.monotonic() + 8
while time.monotonic() < end and not glob.glob(sys.argv[1] + "/*.jsonl"):
    sys.audit("between")
    time.sleep(0.01)
for n in range(100): sys.audit("late", n)
''')
    found = counted.run(script, counted.log)
    assert found.status == 0, found
    records = sorted(counted.records(), key=lambda r: r["seq"])
    assert len(events(records, "late")) == 100, "no new file"
    assert records[-1]["event"] == "spython.stop"


def test_deleted_log_directory(counted, work):
    """The whole directory is gone for a while: counted, and told when it is back."""
    script = write(work / "a.py", '''\
import os, shutil, sys, time
d = sys.argv[1]
for n in range(10): sys.audit("early", n)
shutil.rmtree(d)
end = time.monotonic() + 3
while time.monotonic() < end:
    sys.audit("between")
    time.sleep(0.01)
os.mkdir(d)
os.chmod(d, 0o1777)
end = time.monotonic() + 8
while time.monotonic() < end and not os.listdir(d):
    sys.audit("between")
    time.sleep(0.01)
for n in range(100): sys.audit("late", n)
''')
    found = counted.run(script, counted.log)
    assert found.status == 0, found
    records = sorted(counted.records(), key=lambda r: r["seq"])
    assert len(events(records, "late")) == 100
    assert records[-1]["event"] == "spython.stop"
    # What came before the loss was noticed is in the file that is gone; from there on all is told.
    loss = events(records, "spython.loss")[0]["args"]
    assert loss["error"] == "ENOENT" and loss["lost"] == loss["last"] - loss["first"] + 1
    assert [r["seq"] for r in records] == list(range(loss["last"] + 1, loss["last"] + 1 + len(records)))
    assert records[-1]["args"]["lost"] == loss["lost"]


def test_renamed_log_directory(counted, work):
    """The directory is moved away: nothing is lost, whether the records go on there or in a new one."""
    script = write(work / "a.py", '''\
import os, sys, time
d = sys.argv[1]
for n in range(10): sys.audit("early", n)
os.rename(d, d + ".away")
os.mkdir(d)
os.chmod(d, 0o1777)
for n in range(100):
    sys.audit("late", n)
    time.sleep(0.03)
''')
    found = counted.run(script, counted.log)
    assert found.status == 0, found
    away, bad = harness.parse_lines(b"\n".join(p.read_bytes() for p in work.glob("logs.away/*")))
    assert not bad and len(events(away, "early")) == 10
    records = sorted(away + counted.records(), key=lambda r: r["seq"])
    assert len(events(records, "late")) + all_numbers_accounted(records) >= 100
    assert records[-1]["event"] == "spython.stop"


def test_file_size_limit(counted, work):
    """RLIMIT_FSIZE: no SIGXFSZ for the program, losses counted, told when the limit is lifted."""
    script = write(work / "a.py", '''\
import resource, sys
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
for n in range(500): sys.audit("limited", n)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
import time
end = time.monotonic() + 3
while time.monotonic() < end:
    sys.audit("after")
    time.sleep(0.05)
''')
    found = counted.run(script)
    assert found.status == 0, found
    records = [r for r in counted.records(torn=2)]
    assert events(records, "after"), "nothing is recorded any more"
    assert events(records, "spython.loss"), "the loss is not told"
    lost = all_numbers_accounted(records)
    assert lost + len(events(records, "limited")) >= 500
    assert records[-1]["event"] == "spython.stop" and records[-1]["args"]["lost"] == lost


def test_file_size_limit_of_each_file(counted, work):
    """A limit that holds some records: the session goes on in the next file, and loses nothing."""
    script = write(work / "a.py", '''\
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (131072, 131072))
for n in range(1500): sys.audit("limited", n)
''')
    found = counted.run(script)
    assert found.status == 0, found
    records = counted.records(torn=20)
    assert all_numbers_accounted(records) == 0
    assert len(events(records, "limited")) == 1500
    assert len(counted.logs()) > 3 and max(p.stat().st_size for p in counted.logs()) <= 131072
    assert max(records, key=lambda r: r["seq"])["event"] == "spython.stop"


def test_file_size_limit_hits_stopping_sink(sp_one, work):
    """Where policy says that the program stops: status 74 and one line."""
    sp, logs = sp_one, work / "logs"
    logs.mkdir()
    logs.chmod(0o1777)
    sp.apply(COUNT % (logs, "stop"))
    script = write(work / "a.py", "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))\n"
                   "sys.audit('x')\nprint('goes on', flush=True)\n")
    found = sp.run(script)
    harness.assert_refused(found, harness.IO)


FIND_LOG = '''
import os, sys
def log_fd():
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + fd).startswith(sys.argv[1]):
                return int(fd)
        except OSError:
            pass
'''


@pytest.mark.parametrize("how", ["os.close(fd)", "os.dup2(null, fd)", "os.dup2(other, fd)", "os.closerange(3, 100000)",
                                 "[os.close(f) for f in range(3, 2000) if f not in (null, other) and ok(f)]"])
def test_log_descriptor_taken_away(counted, work, how):
    """A program that closes every descriptor, or puts another file there, goes on being recorded; its
    own files get nothing of ours."""
    script = write(work / "a.py", FIND_LOG + '''
import time
null = os.open("/dev/null", os.O_RDWR)
other = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT, 0o644)
def ok(f):
    try: os.fstat(f)
    except OSError: return False
    return True
fd = log_fd()
assert fd is not None
for n in range(10): sys.audit("early", n)
%s
end = time.monotonic() + 3
while time.monotonic() < end:
    sys.audit("between")
    time.sleep(0.02)
for n in range(50): sys.audit("late", n)
''' % how)
    found = counted.run(script, counted.log, work / "other")
    assert found.status == 0, found
    other = (work / "other").read_bytes()
    records = sorted(counted.records(), key=lambda r: r["seq"])
    assert len(events(records, "early")) == 10
    assert len(events(records, "late")) == 50, "blinded"
    leaked = harness.parse_lines(other)[0]
    # What went into the other file before the exchange was noticed must not count as recorded.
    assert len(leaked) <= 64, len(leaked)
    lost = all_numbers_accounted(records)
    assert records[-1]["event"] == "spython.stop" and records[-1]["args"]["lost"] == lost


def test_full_disk(counted, work):
    """ENOSPC: counted, and told when there is room again."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    script = write(work / "a.py", '''\
import os, sys, time
ballast = sys.argv[1] + "/ballast"
with open(ballast, "wb", buffering=0) as f:
    try:
        while True: f.write(b"x" * 4096)
    except OSError:
        pass
for n in range(2000): sys.audit("full", n, "x" * 500)
os.unlink(ballast)
end = time.monotonic() + 3
while time.monotonic() < end:
    sys.audit("after")
    time.sleep(0.05)
''')
    found = run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=2m,mode=1777 none "$1" || exit 90; '
                 '"$2" "$3" "$1"; s=$?; mkdir "$4" && cp "$1"/*.jsonl "$4"/; exit $s',
                 "sh", counted.log, counted.spython, script, work / "copy"], env=counted.env())
    if found.status == 90 or b"unshare" in found.err:
        harness.unavailable("cannot mount a file system here: %r" % found.err)
    assert found.status == 0, found
    counted.log = work / "copy"
    records = counted.records(torn=1)
    lost = all_numbers_accounted(records)
    assert lost > 0 and lost + len(events(records, "full")) >= 2000
    assert records[-1]["event"] == "spython.stop" and records[-1]["args"]["lost"] == lost


def test_many_short_runs_at_once(sp_one, work):
    """Fifty processes that start together: each has its file."""
    script = write(work / "a.py", "import sys\nsys.audit('here')\n")
    processes = [subprocess.Popen([sp_one.spython, script], env=sp_one.env(), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(50)]
    for process in processes:
        assert process.communicate() == (b"", b"") and process.returncode == 0
    sessions = sp_one.sessions()
    assert len(sessions) == 50
    assert all(s[-1]["event"] == "spython.stop" and len(events(s, "here")) == 1 for s in sessions.values())


def test_fork_while_threads_raise_events(sp, work):
    """No deadlock, no mixed records: a child of a busy process begins anew."""
    script = write(work / "a.py", '''\
import os, sys, threading, time, warnings
warnings.simplefilter("ignore")
stop = threading.Event()
def work(k):
    n = 0
    while not stop.is_set():
        sys.audit("busy", k, n)
        n += 1
        if n % 50 == 0: time.sleep(0.001)
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
for t in threads: t.start()
for i in range(40):
    pid = os.fork()
    if pid == 0:
        sys.audit("child", i)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
for t in threads: t.join()
''')
    assert sp.run(script, timeout=60).status == 0
    sessions = sp.sessions()
    assert len(sessions) == 41
    for records in sessions.values():
        assert [r["seq"] for r in records] == list(range(1, len(records) + 1))
        assert len({r["pid"] for r in records}) == 1


def test_loss_found_at_the_end(sp_one, work):
    """A log that was replaced shortly before the end is noticed at the end, with the exact number."""
    script = write(work / "a.py", '''\
import os, sys
for name in os.listdir("/proc/self/fd"):
    try:
        target = os.readlink("/proc/self/fd/" + name)
    except OSError:
        continue
    if target.endswith(".jsonl"):
        os.dup2(os.open("/dev/null", os.O_WRONLY), int(name))
for i in range(20):
    sys.audit("lost", i)
''')
    assert sp_one.run(script).status == 0
    records = one(sp_one.sessions().values())
    loss = one(events(records, "spython.loss"))["args"]
    stop = one(events(records, "spython.stop"))["args"]
    assert not events(records, "lost") and loss["lost"] >= 20 and stop["lost"] == loss["lost"]
    assert len(records) + loss["lost"] == stop["records"]
    assert loss["last"] - loss["first"] + 1 == loss["lost"]
