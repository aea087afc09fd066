# SPDX-License-Identifier: Apache-2.0
"""gunicorn from the package index in an environment of its own, under spython, with somebody who keeps
asking it."""
import collections
import os
import signal
import socket
import subprocess
import threading
import time
import zipfile

import harness
from harness import run, wait_for

VERSIONS = ("gunicorn==23.0.0", "packaging==24.2")

Answer = collections.namedtuple("Answer", "status release pid said")


def pip_env():
    """Where the index is, the machine's own environment and files say."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def make_wheel(directory, name, version, files):
    wheel = directory / ("%s-%s-py3-none-any.whl" % (name, version))
    info = "%s-%s.dist-info/" % (name, version)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(info + "METADATA",
                         "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version))
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
                         "Tag: py3-none-any\n")
        archive.writestr(info + "RECORD", "".join("%s,,\n" % p for p in [*files, info + "METADATA",
                                                                        info + "WHEEL", info + "RECORD"]))
    return wheel


class Environment:
    """A virtual environment that is adopted, and a pip that is not in it."""

    def __init__(self, sp, root, tools):
        self.sp, self.root, self.tools = sp, root, tools
        for path, options in ((tools, []), (root, ["--without-pip"])):
            made = run([sp.python, "-I", "-m", "venv", *options, path], env=sp.env(), timeout=180)
            assert made.status == 0, made
        self.spython, self.program = root / "bin" / "spython", root / "bin" / "gunicorn"
        found = self.install(*VERSIONS)
        if found.status != 0:
            harness.unavailable("gunicorn cannot be installed: %r" % found.err[-400:])
        adopted = sp.spythonctl("venv", "adopt", root)
        assert adopted.status == 0, adopted

    def install(self, *what):
        return run([self.tools / "bin/python", "-m", "pip", "--python", self.root / "bin/python", "install",
                    "--quiet", *what], env=pip_env(), timeout=300)


class Gunicorn:
    """One that serves, until the end of the block."""

    def __init__(self, environment, config, socket_path, log):
        self.socket_path, self.log = socket_path, log
        self.errors = open(log, "ab")
        self.process = subprocess.Popen(
            [os.fspath(a) for a in (environment.spython, environment.program, "-c", config, "--bind",
                                    "unix:%s" % socket_path, "--workers", "2", "--pid",
                                    log.with_suffix(".pid"), "app:application")],
            env=environment.sp.env(), stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors)
        self.master = self.process.pid

    def ask(self, path=""):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(os.fspath(self.socket_path))
            s.sendall(b"GET /%s HTTP/1.0\r\n\r\n" % path.encode())
            data = b""
            while True:
                more = s.recv(65536)
                if not more:
                    break
                data += more
        head, body = data.split(b"\r\n\r\n", 1)
        release, pid, said = body.decode().split(" ", 2)
        return Answer(int(head.split()[1]), release, int(pid), said)

    def ask_all(self, path, workers=2):
        """Asks until so many workers have answered; what they said."""
        said = {}

        def enough():
            answer = self.ask(path)
            said[answer.pid] = answer
            return len(said) >= workers
        wait_for(enough, 20)
        return list(said.values())

    def wait_until_ready(self):
        def is_ready():
            assert self.process.poll() is None, self.log.read_text()
            try:
                return self.ask()
            except OSError:
                return None
        return wait_for(is_ready, 30)

    def signal(self, number, pid=None):
        os.kill(pid or self.master, number)

    def __enter__(self):
        self.wait_until_ready()
        return self

    def __exit__(self, *error):
        for pid in {self.master, self.process.pid}:
            try:
                self.signal(signal.SIGTERM, pid)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


class Visitor:
    """Asks without a pause, and keeps every answer that is not as it should be."""

    def __init__(self, gunicorn):
        self.gunicorn, self.failed, self.releases, self.count = gunicorn, [], [], 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopped.is_set():
            try:
                answer = self.gunicorn.ask()
            except (OSError, ValueError) as e:
                self.failed.append(repr(e))
                time.sleep(0.01)
                continue
            self.count += 1
            if answer.status != 200:
                self.failed.append(answer)
            if answer.release not in self.releases:
                self.releases.append(answer.release)
            time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        self.thread.join()
