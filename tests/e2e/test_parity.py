# SPDX-License-Identifier: Apache-2.0
"""The programs of tests/parity under python3 and under spython (profile standard): stdout, stderr,
exit status, death by signal and the files they leave must be the same.

SPYTHON_PARITY_CONTROL=1 compares python3 with itself instead: every difference is then a program
that does not do the same thing twice. It needs no prefix.
"""
import collections
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import harness

sys.path.insert(0, str(harness.SOURCE / "tests" / "parity"))
import table  # noqa: E402

CASES = table.load()
CONTROL = os.environ.get("SPYTHON_PARITY_CONTROL") == "1"

# What differs between two runs of python3 itself. Applied to both sides of every case.
EVERYWHERE = (
    (r"\b0x[0-9a-f]{5,}\b", "0xADDRESS", "objects and threads lie anywhere"),
)

Outcome = collections.namedtuple("Outcome", "status out err files")


def control_interpreters():
    found = subprocess.run([harness.SOURCE / "scripts" / "find-pythons"], stdout=subprocess.PIPE, text=True)
    wanted = os.environ.get("SPYTHON_MINORS", "").split()
    pairs = [line.split()[:2] for line in found.stdout.splitlines()]
    return {minor: os.path.realpath(path) for minor, path in pairs if not wanted or minor in wanted}


def minors():
    return list(control_interpreters()) if CONTROL else harness.registered_minors()


def pytest_generate_tests(metafunc):
    if "pair" in metafunc.fixturenames:
        metafunc.parametrize("pair", [(c, m) for m in minors() or ["none"] for c in CASES
                                      if m == "none" or c.applies_to(m)],
                             ids=lambda pair: pair[1] + "-" + pair[0].id)


def prepare(case, work):
    """Makes the working directory anew; times are fixed, for they go into .pyc files."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    base = os.fsencode(work)
    files = dict(case.files)
    if case.program is not None:
        files[case.file] = case.program
    for name, data in files.items():
        path = os.path.join(base, os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.utime(path, (1_000_000_000, 1_000_000_000))
    if case.setup:
        case.setup(str(work))


def listing(work):
    """What lies in the directory afterwards: name, kind, content (of .pyc: only the header, since
    marshal's output depends on reference counts)."""
    found = []
    base = os.fsencode(work)
    for folder, folders, files in os.walk(base):
        for name in folders + files:
            path = os.path.join(folder, name)
            content = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as f:
                    content = f.read()
                if path.endswith(b".pyc"):
                    content = content[:8]
            found.append((os.path.relpath(path, base), oct(os.lstat(path).st_mode), content))
    return sorted(found, key=lambda entry: entry[0])


def interact(case, argv, env, work, stdout):
    process = subprocess.Popen(argv, env=env, cwd=work, stdin=subprocess.PIPE, stdout=stdout,
                               stderr=subprocess.PIPE)
    seen = b""
    if case.send:
        text, number = case.send
        while text not in seen:
            chunk = os.read(process.stdout.fileno(), 4096)
            assert chunk, (seen, process.stderr.read())
            seen += chunk
        time.sleep(0.05)  # into the sleep that the program announced
        process.send_signal(number)
    try:
        out, err = process.communicate(case.stdin, timeout=case.timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError("%s: still running after %s s; stdout %r stderr %r"
                             % (case.id, case.timeout, out, err)) from None
    return process.returncode, seen + (out or b""), err


def execute(case, interpreter, work, home):
    prepare(case, work)
    script = case.invoke
    if script is None:
        script = os.path.join(os.fsencode(work), os.fsencode(case.file))
    argv = [str(interpreter), script, *case.args]
    if case.shell:
        argv = ["/bin/sh", "-c", case.shell, "sh", *argv]
    stdout = subprocess.PIPE
    if case.stdout == "closed pipe":
        reader, stdout = os.pipe()
        os.close(reader)
    try:
        status, out, err = interact(case, argv, harness.clean_env(home, **case.env), work, stdout)
    finally:
        if stdout != subprocess.PIPE:
            os.close(stdout)
    return Outcome(status, out, err, listing(work))


def replace(outcome, patterns):
    def each(text):
        for pattern, replacement, _reason in patterns:
            text = re.sub(pattern, replacement, text.decode("latin-1")).encode("latin-1")
        return text
    return outcome._replace(out=each(outcome.out), err=each(outcome.err))


def normalise(outcome, interpreter):
    """The interpreter's own name: sys.executable is spython, so that children which a program starts
    through it are recorded as well. This is the one difference that is wanted in every case."""
    name = os.fsencode(interpreter)
    return outcome._replace(out=outcome.out.replace(name, b"<PYTHON>"),
                            err=outcome.err.replace(name, b"<PYTHON>"))


def compare(case, minor, prefix, folder):
    """Runs a case both ways. Returns (python3's outcome, spython's outcome), comparable."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    if CONTROL:
        python = control_interpreters_once()[minor]
        candidate = python
    else:
        python = os.path.realpath(prefix / "libexec" / "spython" / minor / "python")
        candidate = prefix / "bin" / ("spython" + minor)
    work = folder / "work"
    expected = normalise(execute(case, python, work, home), python)
    found = normalise(execute(case, candidate, work, home), candidate)
    if case.refused and not CONTROL:
        status, text, _reason = case.refused
        assert found.status == status and found.out == b"" and text in found.err, found
        found = expected
    shutil.rmtree(work, ignore_errors=True)
    expected, found = (replace(o, (*EVERYWHERE, *case.mask)) for o in (expected, found))
    if not CONTROL:
        found = replace(found, case.differs)
    return expected, found


_interpreters = {}
_lock = threading.Lock()


def control_interpreters_once():
    with _lock:
        if not _interpreters:
            _interpreters.update(control_interpreters())
    return _interpreters


class Now:
    """In place of a future: runs when it is asked for."""

    def __init__(self, *call):
        self.call = call

    def result(self):
        return self.call[0](*self.call[1:])


@pytest.fixture(scope="module")
def outcomes(request, workspace):
    """All pairs that this session asked for, run by as many threads as there are processors; by
    pytest-xdist's processes, one at a time each."""
    pairs = [item.callspec.params["pair"] for item in request.session.items
             if item.module is request.module and "pair" in getattr(item, "fixturenames", ())]
    if any(minor == "none" for _case, minor in pairs):
        harness.unavailable("SPYTHON_PREFIX is not set (make prefix DIR=...)")
    installed = None
    if not CONTROL:
        installed = workspace / "parity-prefix"
        for minor in {minor for _case, minor in pairs}:
            harness.clone(harness.prefix_path(), installed, minor)
    folder = workspace / "parity"
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) if alone else None
    yield {(case.id, minor): (pool.submit if pool else Now)(compare, case, minor, installed, folder / str(number))
           for number, (case, minor) in enumerate(pairs)}
    if pool:
        pool.shutdown(cancel_futures=True)


def test_same(pair, outcomes):
    case, minor = pair
    expected, found = outcomes[case.id, minor].result()
    # The control: python3 does what the table says this program shows.
    if case.status is not None:
        assert expected.status == case.status, expected
    if case.says is not None:
        assert case.says in expected.out + expected.err, expected
    assert found.status == expected.status, (found, expected)
    assert found.out == expected.out
    assert found.err == expected.err
    assert found.files == expected.files


def test_table_is_large_enough():
    assert len(CASES) >= 90
    assert all(case.shows for case in CASES)
    assert all(len(entry) == 3 and entry[2] for case in CASES for entry in (*case.mask, *case.differs))
