#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start-up while only approved code runs: a manifest each for the standard library, a virtual
environment and an application, enforced for Python and native code, every event recorded to a file,
against python3 -I in the same environment. Pages and bytecode are warm.

The environment is made with packages from the package index (--packages DIRECTORY takes wheels from
there, with nothing to download)."""
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
from startup import REUSE_SECONDS, timed

SCRIPTS = {"asyncio, ssl, json, logging": "import asyncio, ssl, json, logging\n",
           "numpy, pandas, django": "import numpy, pandas, django\n"}
PACKAGES = ["numpy", "pandas", "django"]
LIMIT = 1.05

POLICY = """profile: standard
log:
  sinks:
    - {type: file, path: "%(log)s/"}
venvs: ["%(venv)s"]
verify:
  mode: enforce
  native: {mode: enforce}
  roots:
    - {path: "%(stdlib)s", all: [%(verifier)s], manifest: stdlib}
    - {path: "%(venv)s", all: [%(verifier)s], manifest: venv}
    - {path: "%(app)s", all: [%(verifier)s], manifest: app}
"""


def must(*argv, **more):
    done = subprocess.run([os.fspath(word) for word in argv], env=common.clean_env(), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode != 0:
        raise SystemExit("%s: exit status %d\n%s" % (" ".join(map(str, argv)), done.returncode, done.stdout))
    return done.stdout


def make_environment(python, root, packages):
    """With bytecode that nobody has to make while it is measured."""
    must(python, "-m", "venv", root)
    source = ["--no-index", "--find-links", packages] if packages else []
    # The index may need the caller's settings (proxy, certificates).
    done = subprocess.run([root / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check",
                           *source, *PACKAGES], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit("pip install: exit status %d\n%s" % (done.returncode, done.stdout))


def approve(private, work, trees, verifier):
    """Signs each tree as it is, takes the manifests, and enforces them."""
    must(private.ctl, "keygen", "--no-passphrase", "--out", work / "key")
    must(private.ctl, "trust", "add", work / "key.pub")
    for name, tree in trees.items():
        # The system's own bytecode stays as its packages made it.
        compiled = ["--no-compile"] if name == "stdlib" else []
        must(private.ctl, "sign", tree, "--name", name, "--key", work / "key", "--out", work / (name + ".manifest"),
             *compiled)
        must(private.ctl, "manifest", "add", work / (name + ".manifest"))
    private.apply(POLICY % dict(trees, log=private.log, verifier=verifier))


def measure(options):
    outcome = common.Outcome("Start-up with only approved code, every event recorded to a file")
    rows = []
    with common.PrivatePrefix(options.prefix, options.minor) as private, \
            tempfile.TemporaryDirectory(prefix="spython-bench-", dir=options.directory) as scratch:
        work = Path(os.path.realpath(scratch))
        work.chmod(0o755)
        venv, app = work / "venv", work / "app"
        make_environment(private.python, venv, options.packages)
        must(private.ctl, "venv", "adopt", venv)
        app.mkdir()
        for number, text in enumerate(SCRIPTS.values()):
            (app / ("main%d.py" % number)).write_text(text)
        stdlib = common.python_fact(private.python, 'sysconfig.get_path("stdlib")')
        approve(private, work, {"stdlib": stdlib, "venv": str(venv), "app": str(app)}, options.verifier)
        for number, name in enumerate(SCRIPTS):
            script = app / ("main%d.py" % number)
            variants = {"python3 -I": lambda: timed([venv / "bin" / "python", "-I", script]),
                        "spython": lambda: timed([venv / "bin" / "spython", script])}
            for variant in variants.values():
                variant()
            private.clear_logs()
            time.sleep(REUSE_SECONDS)
            results = common.interleave(variants, options.rounds, "verified start")
            check_logs(private.log, options.rounds)
            private.clear_logs()
            pairs = list(zip(results["spython"], results["python3 -I"]))
            outcome.checks.append(common.ratio_check("%s: %s, wall time" % (private.minor, name),
                                                     [(a[0], b[0]) for a, b in pairs], options.limit))
            medians = [statistics.median(r[i] for r in results[v]) * 1e3
                       for v in ("python3 -I", "spython") for i in (0, 1)]
            rows.append([private.minor, name] + ["%.1f" % value for value in medians]
                        + ["%.3f" % (medians[2] / medians[0])])
    outcome.tables.append((
        "Milliseconds, medians of %d paired runs; verifier %s" % (options.rounds, options.verifier),
        ["version", "script", "python3 -I, wall", "CPU", "spython, wall", "CPU", "wall, ratio of medians"], rows))
    return outcome


def check_logs(directory, rounds):
    """Every file that was opened as code must have been judged and found approved."""
    logs = list(directory.iterdir())
    if len(logs) != rounds:
        raise SystemExit("verified start: a run left no log")
    text = logs[0].read_text()
    judged = [line for line in text.splitlines() if '"spython.open_code"' in line and '"error":null' in line]
    if not judged or '"verdict":"deny"' in text or any(': trusted"' not in line for line in judged):
        raise SystemExit("verified start: something was refused or not judged:\n%s" % text)


def main():
    parser = common.parser(__doc__, rounds=30)
    parser.add_argument("--directory", help="where the environment is made; default: that for temporary files")
    parser.add_argument("--packages", help="a directory of wheels, instead of the package index")
    parser.add_argument("--verifier", default="manifest", choices=["manifest", "fsverity"])
    parser.add_argument("--limit", type=float, default=LIMIT, help="default: %(default)s")
    return common.main(measure, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
