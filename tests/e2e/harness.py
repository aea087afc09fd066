# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test needs: a private copy of the built prefix, a clean environment, one way
to run a program and to read what was recorded.

SPYTHON_PREFIX      the prefix that `make prefix DIR=...` made; without it the tests skip
SPYTHON_MUST_WORK   1: what would be skipped because something is missing fails instead
SPYTHON_MINORS      "3.11 3.13": only these; default: all that are registered in the prefix
"""
import collections
import json
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]

USAGE, NOINPUT, IO, REFUSED, UNUSABLE = 64, 66, 74, 77, 78

# `spython: <object>: <what is wrong> (<what to do>)`, and nothing else.
MESSAGE = re.compile(rb"\Aspython: [^\n]+: [^\n]+ \([^\n]+\)\n\Z")

# A segmentation fault on purpose must not leave a core file.
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

Result = collections.namedtuple("Result", "status out err argv")


def must_work():
    return os.environ.get("SPYTHON_MUST_WORK") == "1"


def unavailable(reason):
    """Skips, or fails where everything has to be there."""
    if must_work():
        pytest.fail("SPYTHON_MUST_WORK=1, but " + reason)
    pytest.skip(reason)


def prefix_path():
    path = os.environ.get("SPYTHON_PREFIX")
    return Path(path).resolve() if path else None


def version_key(minor):
    return tuple(int(part) for part in minor.split("."))


def built_minors():
    """Minor versions that this machine has a Python with headers for."""
    found = subprocess.run([os.fspath(SOURCE / "scripts/find-pythons")], capture_output=True, text=True)
    return [line.split()[0] for line in found.stdout.splitlines()]


def registered_minors(every=False):
    """Minor versions of the prefix; `every`: also those that SPYTHON_MINORS leaves out."""
    prefix = prefix_path()
    if prefix is None:
        return []
    found = [p.parent.name for p in prefix.glob("libexec/spython/3.*/python")]
    wanted = [] if every else os.environ.get("SPYTHON_MINORS", "").split()
    return sorted((m for m in found if not wanted or m in wanted), key=version_key)


def clean_env(home="/nonexistent", **more):
    """The environment that a service manager would give: nothing of the developer's shell."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(home)}
    for name, value in more.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


def run(argv, env=None, stdin=b"", cwd=None, timeout=60, executable=None, **more):
    """Runs to the end and gives status (negative: the signal), stdout and stderr as bytes.
    `stdin` is bytes or a file descriptor; what Popen takes besides may follow."""
    feed = stdin if isinstance(stdin, bytes) else None
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.PIPE)
    argv = [os.fspath(a) for a in argv]
    process = subprocess.Popen(argv, executable=executable and os.fspath(executable),
                               env=clean_env() if env is None else env,
                               stdin=subprocess.PIPE if feed is not None else stdin,
                               cwd=cwd, **more)
    try:
        out, err = process.communicate(feed, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError("still running after %s s: %r\nstdout: %r\nstderr: %r"
                             % (timeout, argv, out, err)) from None
    return Result(process.returncode, out, err, argv)


def wait_for(condition, timeout=10.0):
    """Polls until `condition()` is true and returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "nothing happened for %s s" % timeout
        time.sleep(0.01)


def parse_lines(data):
    """Splits a log into (records, bad): `bad` are lines that are no JSON object."""
    records, bad = [], []
    for line in data.split(b"\n"):
        if not line:
            continue
        try:
            record = json.loads(line)
            assert isinstance(record, dict)
        except (ValueError, AssertionError):
            bad.append(line)
        else:
            records.append(record)
    return records, bad


class Installation:
    """A private copy of the prefix, for one minor version: its own policy and its own logs."""

    def __init__(self, root, minor):
        self.root = Path(root)
        self.minor = minor
        self.version = version_key(minor)
        self.spython = self.root / "bin" / ("spython" + minor)
        self.ctl = self.root / "bin" / "spythonctl"
        self.etc = self.root / "etc" / "spython"
        self.log = self.root / "var" / "log" / "spython"
        self.libexec = self.root / "libexec" / "spython" / minor
        self.policy_bin = self.etc / "policy.bin"
        self.python = Path(os.path.realpath(self.libexec / "python"))
        self.home = self.root / "home"

    def env(self, **more):
        return clean_env(self.home, **more)

    def run(self, *args, env=None, **more):
        """spython with these arguments."""
        return run([self.spython, *args], env=self.env() if env is None else env, **more)

    def run_python(self, *args, env=None, **more):
        """The plain interpreter of the same build: the control."""
        return run([self.python, *args], env=self.env() if env is None else env, **more)

    def logs(self):
        """Of sessions; spythonctl keeps a log of its own."""
        return sorted(p for p in self.log.glob("*.jsonl*") if p.name != "spythonctl.jsonl")

    def read_logs(self):
        return b"\n".join(p.read_bytes() for p in self.logs())

    def records(self, torn=0):
        """All records, in the order of the files and lines; at most `torn` lines may be damaged."""
        records, bad = [], []
        for path in self.logs():
            good, damaged = parse_lines(path.read_bytes())
            records += good
            bad += damaged
        assert len(bad) <= torn, bad
        return records

    def sessions(self, torn=0):
        """Records by session, in sequence."""
        sessions = collections.OrderedDict()
        for record in self.records(torn):
            sessions.setdefault(record["session"], []).append(record)
        for records in sessions.values():
            records.sort(key=lambda r: r["seq"])
        return sessions

    def clear_logs(self):
        for path in self.logs():
            path.unlink()

    def spythonctl(self, *args, **more):
        return run([self.ctl, *args], env=self.env(), **more)

    def apply(self, yaml, **apps):
        """Makes `yaml` the policy of this prefix."""
        self.etc.mkdir(parents=True, exist_ok=True)
        (self.etc / "spython.yaml").write_text(yaml)
        for name, text in apps.items():
            (self.etc / "apps.d").mkdir(exist_ok=True)
            (self.etc / "apps.d" / (name + ".yml")).write_text(text)
        result = self.spythonctl("apply")
        assert result.status == 0, (result.out, result.err)
        return result


def clone(source, dest, minor):
    """Copies of the prefix what one minor version needs; a prefix is relocatable. Into a copy that is
    there already it adds another minor version."""
    source, dest = Path(source), Path(dest)
    fresh = not dest.exists()
    keep = {"spython", "spython" + minor, "spythonctl"}
    for folder, names in (("bin", keep), ("libexec/spython", {minor}), ("etc", None), ("share", None)):
        if not (source / folder).is_dir() or (names is None and not fresh):
            continue
        (dest / folder).mkdir(parents=True, mode=0o755, exist_ok=True)
        for entry in (source / folder).iterdir():
            if (names is None or entry.name in names) and not (dest / folder / entry.name).exists():
                subprocess.run(["cp", "-a", "--reflink=auto", entry, dest / folder], check=True)
    if fresh:
        for stale in dest.glob("etc/spython/policy.bin*"):
            stale.unlink()
        log = dest / "var" / "log" / "spython"
        log.mkdir(parents=True)
        shutil.copystat(source / "var" / "log" / "spython", log)
        (dest / "home").mkdir()
    return Installation(dest, minor)


def decode(value):
    """A value of a record as the Python object it tells of (docs/formats/record.md, Values)."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "map" in value:
        return {decode(key): decode(item) for key, item in value["map"]}
    if "items" in value:
        return decode(value["items"])
    if "bytes" in value:
        text = value["bytes"].encode("utf-8")
        return re.sub(rb"\\(\\|x[0-9a-f]{2})",
                      lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1][1:], 16)]), text)
    if "escaped" in value:
        return re.sub(r"\\(\\|u[0-9a-f]{4})",
                      lambda m: "\\" if m[1] == "\\" else chr(int(m[1][1:], 16)), value["escaped"])
    for form in ("text", "int", "float"):
        if form in value:
            return {"text": str, "int": lambda t: int(t, 16), "float": float}[form](value[form])
    return value


def write(path, data, mode=0o644):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
    path.chmod(mode)
    return path


def events(records, name):
    return [r for r in records if r["event"] == name]


def one(items):
    items = list(items)
    assert len(items) == 1, items
    return items[0]


def assert_refused(result, status):
    """One line of the agreed form, the right status, no output."""
    assert result.status == status, (result.status, result.out, result.err)
    assert result.out == b""
    assert MESSAGE.match(result.err), result.err
