# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests. The helpers themselves are in harness.py."""
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

import harness
import signing

# What a developer's shell exports must not decide what the tests see.
for _name in [n for n in os.environ if n.startswith("PYTHON")]:
    del os.environ[_name]


# Nor must what it ignores: a program keeps ignoring what its parent did (nohup, a shell's "&").
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


def pytest_configure(config):
    config.addinivalue_line("markers", "several_minors: needs cores of two minor versions; left out "
                                       "where the machine has one Python only")


def pytest_collection_modifyitems(config, items):
    if len(harness.built_minors()) >= 2:
        return
    left_out = [i for i in items if i.get_closest_marker("several_minors")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [i for i in items if i not in left_out]


def pytest_generate_tests(metafunc):
    if "minor" in metafunc.fixturenames:
        metafunc.parametrize("minor", harness.registered_minors() or ["none"], scope="session")


@pytest.fixture(scope="session")
def prefix():
    """The built prefix. Tests must not write to it: see `sp`."""
    path = harness.prefix_path()
    if path is None:
        harness.unavailable("SPYTHON_PREFIX is not set (make prefix DIR=...)")
    if not harness.registered_minors():
        pytest.fail("no interpreter is registered in " + str(path))
    return path


@pytest.fixture(scope="session")
def workspace():
    """A directory that every user can traverse, unlike pytest's own: some tests run as nobody."""
    path = Path(tempfile.mkdtemp(prefix="e2e-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def work(workspace):
    """An empty directory for one test."""
    path = Path(tempfile.mkdtemp(dir=workspace))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def sp(prefix, minor, work):
    """A private installation for one test, on every registered minor version."""
    return harness.clone(prefix, work / "prefix", minor)


@pytest.fixture
def sp_one(prefix, work):
    """The same on one minor only, for what does not depend on the version."""
    minors = harness.registered_minors()
    return harness.clone(prefix, work / "prefix", "3.11" if "3.11" in minors else minors[-1])


@pytest.fixture(scope="session")
def keys(workspace):
    """Keys that sign, made once for all tests of a process."""
    for name in ("ssh-keygen", "openssl", "gpg", "gpgv"):
        if not shutil.which(name):
            harness.unavailable(name + " is not installed")
    made = signing.Keys(workspace / "keys")
    yield made
    made.close()


@pytest.fixture
def signer(sp_one, keys, work):
    return signing.Signer(sp_one, keys, work)
