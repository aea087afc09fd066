#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU-bound programs under python3, under a host linked with libpython, and under spython: five
loops and five programs of pyperformance.

A sixth, pickle in pure Python, is shown without a limit: it raises an audit event, builtins.id, for
each object, so it measures the hook and not the interpreter."""
import math
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import common
from common import Check, Outcome

LIMIT = 1.01
EVENT_BOUND = "pyperformance pickle"
BEST_OF = 3
PYPERFORMANCE = "pyperformance==1.11.0"


def quiet(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def fetch_pyperformance(directory):
    """The benchmark programs from the package, without installing it. None if it cannot be had."""
    python = sys.executable
    if not quiet(python, "-m", "pip", "--version"):
        quiet(python, "-m", "venv", directory / "venv")
        python = directory / "venv" / "bin" / "python"
        if not python.exists():
            return None
    quiet(python, "-m", "pip", "download", "--no-deps", "--no-cache-dir",
          "--disable-pip-version-check", "--dest", directory, PYPERFORMANCE)
    wheels = list(directory.glob("pyperformance-*.whl"))
    if not wheels:
        return None
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(directory)
    return directory / "pyperformance" / "data-files" / "benchmarks"


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values))


def compare(outcome, label, results, variant, programs, limit=None):
    """Checks the geometric mean over the programs, taken in each round by itself; then the median
    of the rounds. (The best times of all rounds would hang on one lucky process.)"""
    if not programs:
        return
    means = [geometric_mean([a[p] / b[p] for p in programs])
             for a, b in zip(results[variant], results["python3"])]
    outcome.checks.append(Check("%s / python3: %s" % (variant, label), statistics.median(means),
                                limit, spread=common.quartiles(means)))


def measure(options):
    outcome = Outcome("CPU-bound programs")
    program = common.HERE / "loop_programs.py"
    with common.PrivatePrefix(options.prefix, options.minor) as private, \
            tempfile.TemporaryDirectory(prefix="spython-bench-") as scratch:
        scratch = Path(scratch)
        private.apply(common.FILE_POLICY % private.log)
        benchmarks = fetch_pyperformance(scratch)
        if benchmarks is None:
            outcome.notes.append("pyperformance could not be downloaded: not run.")
        arguments = [program, BEST_OF] + ([benchmarks] if benchmarks else [])
        variants = {"python3": lambda: common.run_json([private.python, "-I", *arguments]),
                    "spython": lambda: common.run_json([private.spython, *arguments])}
        host = common.compile_embedder(private.python, common.HERE / "embedder.c", scratch / "host")
        if host:
            variants["libpython host"] = lambda: common.run_json([host, "-I", *arguments])
        else:
            outcome.notes.append("This Python has no libpython to link a host with.")
        results = common.interleave(variants, options.rounds, "loops")

    names = list(results["python3"][0])
    groups = {"five loops": [n for n in names if not n.startswith("pyperformance ")],
              "five programs of pyperformance": [n for n in names if n != EVENT_BOUND and
                                                 n.startswith("pyperformance ")]}
    for label, programs in groups.items():
        compare(outcome, label, results, "spython", programs, LIMIT)
        if host:
            compare(outcome, label, results, "libpython host", programs)
    rows = []
    for name in names:
        row = [name, "%.1f" % (statistics.median(r[name] for r in results["python3"]) * 1e3)]
        for variant in [v for v in variants if v != "python3"]:
            ratio = common.ratio_check("", [(a[name], b[name]) for a, b in
                                            zip(results[variant], results["python3"])])
            row.append("%.3f (%.3f to %.3f)" % ((ratio.figure,) + ratio.spread))
        rows.append(row)
    outcome.tables.append((
        "CPU time, medians of %d rounds, each the best of %d" % (options.rounds, BEST_OF),
        ["program", "python3, ms"] + [v + " / python3" for v in variants if v != "python3"], rows))
    if EVENT_BOUND in names:
        outcome.notes.append("%s calls id() on every object, an audit event each time: it "
                             "is not among the five that the limit is about." % EVENT_BOUND)
    return outcome


def main():
    options = common.parser(__doc__, rounds=25).parse_args()
    return common.main(measure, options)


if __name__ == "__main__":
    sys.exit(main())
