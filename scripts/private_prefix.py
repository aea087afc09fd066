# SPDX-License-Identifier: Apache-2.0
"""A private copy of a built prefix, for the demo and the benches: its own policy, its own logs.
Standard library only."""
import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]


def clean_env(**more):
    """The environment that a service manager would give: nothing of the caller's shell."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
    env.update(more)
    return env


def add_arguments(parser):
    """Where the installation comes from: a prefix, or else a build directory."""
    parser.add_argument("--prefix", help="a prefix that `make prefix` built")
    parser.add_argument("build", nargs="?", default=os.environ.get("BUILD", "build"),
                        help="without --prefix: the build directory (default: %(default)s)")
    parser.add_argument("--minor", help="Python version (default: 3.11, or the newest)")


@contextlib.contextmanager
def chosen_prefix(options):
    """The prefix that the options name; one that is made from a build directory is removed."""
    if options.prefix:
        yield Path(options.prefix).resolve()
        return
    build = SOURCE / options.build
    if not (build / "build.ninja").exists():
        raise SystemExit("%s: no build directory (run make build, or give --prefix)" % build)
    with tempfile.TemporaryDirectory(prefix="spython-prefix-") as directory:
        os.chmod(directory, 0o755)
        done = subprocess.run([SOURCE / "scripts" / "make-prefix", build, directory],
                              stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            raise SystemExit("%s: make-prefix failed" % build)
        yield Path(directory).resolve()


def default_minor(prefix):
    """What is used if none is named: 3.11, which the figures are about, or the newest."""
    minors = registered_minors(prefix)
    if not minors:
        raise SystemExit("%s: no interpreter is registered (spythonctl interpreter add)" % prefix)
    return "3.11" if "3.11" in minors else minors[-1]


def registered_minors(prefix):
    found = [p.parent.name for p in Path(prefix).glob("libexec/spython/3.*/python")]
    return sorted(found, key=lambda minor: tuple(int(part) for part in minor.split(".")))


class PrivatePrefix:
    """A copy of what one minor version needs. Use as a context manager; it removes itself."""

    def __init__(self, source, minor=None):
        source = Path(source).resolve()
        self.minor = minor or default_minor(source)
        self.root = Path(os.path.realpath(tempfile.mkdtemp(prefix="spython-private-")))
        self.root.chmod(0o755)
        self.spython = self.root / "bin" / ("spython" + self.minor)
        self.ctl = self.root / "bin" / "spythonctl"
        self.etc = self.root / "etc" / "spython"
        self.log = self.root / "var" / "log" / "spython"
        try:
            self._fill(source)
        except BaseException:
            self.remove()
            raise
        # The very interpreter that spython executes: what everything is compared with.
        self.python = os.path.realpath(self.root / "libexec" / "spython" / self.minor / "python")

    def _fill(self, source):
        keep = {"spython", "spython" + self.minor, "spythonctl"}
        for folder, names in (("bin", keep), ("libexec/spython", {self.minor})):
            (self.root / folder).mkdir(parents=True)
            for entry in (source / folder).iterdir():
                if entry.name in names:
                    subprocess.run(["cp", "-a", entry, self.root / folder], check=True)
        self.etc.mkdir(parents=True)
        self.log.mkdir(parents=True)
        shutil.copystat(source / "var" / "log" / "spython", self.log)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.remove()

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def apply(self, yaml):
        """Makes `yaml` the policy of this copy; returns what spythonctl printed."""
        (self.etc / "spython.yaml").write_text(yaml)
        done = subprocess.run([self.ctl, "apply"], env=clean_env(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise SystemExit("spythonctl apply: exit status %d\n%s"
                             % (done.returncode, done.stdout))
        return done.stdout

    def clear_logs(self):
        for path in self.log.iterdir():
            path.unlink()
