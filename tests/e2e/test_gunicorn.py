# SPDX-License-Identifier: Apache-2.0
"""A service that is upgraded while it is used: gunicorn, enforced, with blue and green directories and
a `current` link, and with a dependency that is replaced under it."""
import json
import os
import signal

import pytest

import gunicorn_service
import harness
import verified
from harness import events, run, wait_for, write

APP = """
import importlib, os
RELEASE = %r

def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    try:
        said, status = importlib.import_module(name).WHAT if name else "", "200 OK"
    except (ImportError, OSError) as e:
        said, status = str(e), "500 Internal Server Error"
    body = ("%%s %%s %%s" %% (RELEASE, os.getpid(), said)).encode()
    start_response(status, [("Content-Length", str(len(body)))])
    return [body]
"""

# Read anew at each reload: by then the link leads to the next release.
CONFIG = "import os\nchdir = os.path.realpath(os.path.dirname(__file__))\n"

REFUSED = "refused by rule spython-unapproved-code"


class Service:
    def __init__(self, sp, work):
        self.sp, self.work, self.shop = sp, work, work / "srv/shop"
        self.environment = gunicorn_service.Environment(sp, work / "srv/venv", work / "tools")
        key = verified.make_key(sp.ctl, work / "key")
        self.trees = {"shop": verified.Tree(self.shop, key, "shop"),
                      "venv": verified.Tree(self.environment.root, key, "venv")}
        self.policy = "verify:\n  mode: enforce\n  roots:\n" + "".join(
            "    - {path: %s, all: [manifest], manifest: %s}\n" % (tree.root, name)
            for name, tree in self.trees.items())

    def deploy(self, release):
        """A directory that is whole, but not yet signed nor current."""
        write(self.shop / release / "app.py", APP % release)
        write(self.shop / release / "gunicorn.conf.py", CONFIG)
        for name in ("one", "two", "three", "four"):
            write(self.shop / release / (name + ".py"), "WHAT = '%s of %s'\n" % (name, release))

    def approve(self, *names):
        for name in names:
            self.trees[name].sign(self.sp)
            self.trees[name].install(self.sp)
        self.sp.apply(self.policy)

    def make_current(self, release):
        fresh = self.shop / ".current"
        fresh.symlink_to(release)
        fresh.rename(self.shop / "current")

    def start(self):
        return gunicorn_service.Gunicorn(self.environment, self.shop / "current/gunicorn.conf.py",
                                 self.work / "socket", self.work / "gunicorn.log")

    def run_plain(self, directory, module):
        """The control: what python3 makes of it."""
        return run([self.environment.root / "bin/python", "-B", "-c",
                    "import sys; sys.path.insert(0, sys.argv[1]); print(__import__(sys.argv[2], "
                    "fromlist=['x']).WHAT)", directory, module], env=self.sp.env())


@pytest.fixture
def service(sp_one, work):
    if os.getuid() != 0:
        harness.unavailable("a service is installed as root")
    return Service(sp_one, work)


def policies(sp):
    return {s["pid"]: s["policy"] for s in json.loads(sp.spythonctl("ps", "--json").out)["sessions"]}


def is_all(server, release):
    return all(server.ask().release == release for _ in range(20))


def test_blue_and_green(service):
    sp = service.sp
    service.deploy("blue")
    service.make_current("blue")
    service.approve("shop", "venv")
    with service.start() as server, gunicorn_service.Visitor(server) as visitor:
        assert {(a.status, a.said) for a in server.ask_all("one")} == {(200, "one of blue")}

        service.deploy("green")
        assert service.run_plain(service.shop / "green", "one").out == b"one of green\n"
        service.approve("shop")
        service.make_current("green")
        # Workers of blue go on with blue until they are told.
        assert {(a.release, a.said) for a in server.ask_all("two")} == {("blue", "two of blue")}

        server.signal(signal.SIGHUP)
        wait_for(lambda: is_all(server, "green"), 30)
        assert {(a.release, a.said) for a in server.ask_all("three")} == {("green", "three of green")}

        # One byte of green.
        bad = service.shop / "green/four.py"
        data = bad.read_bytes()
        verified.cached(sp, bad).unlink()
        bad.write_bytes(data.replace(b"four", b"f0ur"))
        answers = server.ask_all("four")
        assert {a.status for a in answers} == {500} and all(REFUSED in a.said for a in answers), answers
        assert service.run_plain(service.shop / "green", "four").out == b"f0ur of green\n"
        bad.write_bytes(data)
        assert {a.said for a in server.ask_all("four")} == {"four of green"}

        # The master started under the first policy; its successor starts under the one in force.
        assert policies(sp)[server.master] == "stale"
        old = server.master
        server.signal(signal.SIGUSR2)
        successor = service.work / "gunicorn.pid.2"
        wait_for(lambda: successor.exists() and successor.read_text().strip(), 30)
        server.master = int(successor.read_text())
        workers = {a.pid for a in server.ask_all("one", 4)}
        server.signal(signal.SIGTERM, old)
        server.process.wait(timeout=30)
        assert len(workers) == 4 and is_all(server, "green")
        assert policies(sp)[server.master] == "current"
    assert visitor.failed == [] and visitor.releases == ["blue", "green"] and visitor.count > 100

    records = sp.records()
    # Workers of green are forks of the old master: they took the newer manifest on.
    looked = events(records, "spython.newer_policy")
    assert looked and {tuple(r["args"]["manifests"]) for r in looked} == {("shop serial 2", "venv serial 1")}
    assert {r["args"].get("real_path") for r in records if r["verdict"] == "deny"} == {str(bad)}


def test_dependency_that_is_upgraded_in_place(service):
    def wheel(version):
        return gunicorn_service.make_wheel(service.work, "pricing", version, {
            "pricing/__init__.py": "WHAT = 'pricing %s'\n" % version,
            "pricing/vat.py": "WHAT = 'vat %s'\n" % version,
            "pricing/duty.py": "WHAT = 'duty %s'\n" % version})

    environment = service.environment
    assert environment.install("--no-index", wheel("1.0")).status == 0
    service.deploy("blue")
    service.make_current("blue")
    service.approve("shop", "venv")
    with service.start() as server, gunicorn_service.Visitor(server) as visitor:
        assert {a.said for a in server.ask_all("pricing")} == {"pricing 1.0"}
        found = environment.install("--no-index", "--upgrade", wheel("2.0"))
        assert found.status == 0, found
        # The control: nobody has approved it yet.
        answers = server.ask_all("pricing.vat")
        assert {a.status for a in answers} == {500} and all(REFUSED in a.said for a in answers), answers
        site = environment.root / "lib" / ("python" + service.sp.minor) / "site-packages"
        assert service.run_plain(site, "pricing.vat").out == b"vat 2.0\n"

        service.approve("venv")
        assert {a.said for a in server.ask_all("pricing.vat")} == {"vat 2.0"}
        assert {a.said for a in server.ask_all("pricing")} == {"pricing 1.0"}
        write(site / "pricing/duty.py", "WHAT = 'duty 0'\n")
        verified.cached(service.sp, site / "pricing/duty.py").unlink()
        assert all(REFUSED in a.said for a in server.ask_all("pricing.duty"))
        assert service.run_plain(site, "pricing.duty").out == b"duty 0\n"
        # The same workers answered all of it.
        assert policies(service.sp)[server.master] == "stale"
    assert visitor.failed == [] and visitor.releases == ["blue"]
