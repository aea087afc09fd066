#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start-up while only approved code runs: a manifest each for the standard library, a virtual
environment and an application, enforced for Python and native code, against python3 -I in the same
environment; with every event recorded to a file, and with those of level low and worse, to tell what
recording costs from what verifying costs. Pages and bytecode are warm.

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
LEVELS = {"informational": "every event recorded", "low": "level low and worse recorded"}
LIMIT = 1.05

POLICY = """profile: standard
log:
  sinks:
    - {type: file, path: "%(log)s/", level: %(level)s}
venvs: ["%(venv)s"]
verify:
  mode: enforce
  native: {mode: enforce}
  roots:
    - {path: "%(stdlib)s", all: [manifest], manifest: stdlib}
    - {path: "%(venv)s", all: [manifest], manifest: venv}
    - {path: "%(app)s", all: [manifest], manifest: app}
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


def approve(private, work, trees):
    """Signs each tree as it is, and takes the manifests."""
    must(private.ctl, "keygen", "--no-passphrase", "--out", work / "key")
    must(private.ctl, "trust", "add", work / "key.pub")
    for name, tree in trees.items():
        # The system's own bytecode stays as its packages made it.
        compiled = ["--no-compile"] if name == "stdlib" else []
        must(private.ctl, "sign", tree, "--name", name, "--key", work / "key", "--out", work / (name + ".manifest"),
             *compiled)
        must(private.ctl, "manifest", "add", work / (name + ".manifest"))


def measure(options):
    outcome = common.Outcome("Start-up with only approved code")
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
        trees = {"stdlib": stdlib, "venv": str(venv), "app": str(app)}
        approve(private, work, trees)
        for level, recorded in LEVELS.items():
            policy = POLICY % dict(trees, log=private.log, level=level)
            for number, name in enumerate(SCRIPTS):
                script = app / ("main%d.py" % number)
                results = measure_start(private, policy, venv, script, options.rounds)
                pairs = list(zip(results["spython"], results["python3 -I"]))
                outcome.checks.append(common.ratio_check(
                    "%s: %s, %s" % (private.minor, name, recorded), [(a[0], b[0]) for a, b in pairs],
                    LIMIT))
                medians = [statistics.median(r[i] for r in results[v]) * 1e3
                           for v in ("python3 -I", "spython") for i in (0, 1)]
                rows.append([private.minor, name, recorded] + ["%.1f" % value for value in medians]
                            + ["%.3f" % (medians[2] / medians[0])])
    outcome.tables.append((
        "Milliseconds, medians of %d paired runs" % options.rounds,
        ["version", "script", "records", "python3 -I, wall", "CPU", "spython, wall", "CPU", "wall, ratio of medians"], rows))
    return outcome


def measure_start(private, policy, venv, script, rounds):
    """Wall and CPU seconds of each round, after one start that shows what is judged."""
    variants = {"python3 -I": lambda: timed([venv / "bin" / "python", "-I", script]),
                "spython": lambda: timed([venv / "bin" / "spython", script])}
    private.apply(policy.replace("level: low", "level: informational"))
    private.clear_logs()
    for variant in variants.values():
        variant()
    check_log(private.log)
    private.apply(policy)
    variants["spython"]()
    private.clear_logs()
    os.sync()  # what making the environment has left to write would be measured too
    time.sleep(REUSE_SECONDS)
    results = common.interleave(variants, rounds, "verified start")
    if len([log for log in private.log.iterdir() if log.name.startswith("spython-")]) != rounds:
        raise SystemExit("verified start: a run left no log")
    private.clear_logs()
    return results


def check_log(directory):
    """Every file that was opened as code must have been judged and found approved."""
    log, = [log for log in directory.iterdir() if log.name.startswith("spython-")]
    text = log.read_text()
    judged = [line for line in text.splitlines() if '"spython.open_code"' in line and '"error":null' in line]
    if not judged or '"verdict":"deny"' in text or any(': trusted"' not in line for line in judged):
        raise SystemExit("verified start: something was refused or not judged:\n%s" % text)


def main():
    parser = common.parser(__doc__, rounds=30)
    parser.add_argument("--directory", help="where the environment is made; default: that for temporary files")
    parser.add_argument("--packages", help="a directory of wheels, instead of the package index")
    return common.main(measure, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
