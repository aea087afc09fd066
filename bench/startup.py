#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start-up of an empty script and of one that imports asyncio, ssl, json and logging: spython with
every event recorded to a file against python3 -I of the same build."""
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import common
from common import Outcome

SCRIPTS = {"empty script": "", "asyncio, ssl, json, logging":
           "import asyncio, ssl, json, logging\n"}
LIMIT = 1.05

# ext4 gives no inode again that was freed less than five seconds ago, and looks at each of those
# whenever a file is made near them: files that the benches removed would be measured too.
REUSE_SECONDS = 6


def timed(argv):
    """Wall and CPU seconds of one process from spawn to exit."""
    argv = [os.fspath(word) for word in argv]
    start = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, common.clean_env())
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        raise SystemExit("%s: wait status %d" % (" ".join(argv), status))
    return wall, usage.ru_utime + usage.ru_stime


def measure_minor(prefix, minor, rounds, outcome):
    with common.PrivatePrefix(prefix, minor) as private, \
            tempfile.TemporaryDirectory(prefix="spython-bench-") as scratch:
        private.apply(common.FILE_POLICY % private.log)
        for name, text in SCRIPTS.items():
            script = Path(scratch) / "script.py"
            script.write_text(text)
            variants = {"python3 -I": lambda: timed([private.python, "-I", script]),
                        "spython": lambda: timed([private.spython, script])}
            for variant in variants.values():
                variant()
            private.clear_logs()
            time.sleep(REUSE_SECONDS)
            results = common.interleave(variants, rounds, "startup " + private.minor)
            logs = list(private.log.iterdir())
            if len(logs) != rounds or min(log.stat().st_size for log in logs) < 1000:
                raise SystemExit("startup: a run of spython left no log")
            private.clear_logs()
            pairs = list(zip(results["spython"], results["python3 -I"]))
            what = "%s: %s, wall time" % (private.minor, name)
            outcome.checks.append(common.ratio_check(
                what, [(a[0], b[0]) for a, b in pairs], LIMIT))
            medians = [statistics.median(r[i] for r in results[v]) * 1e3
                       for v in ("python3 -I", "spython") for i in (0, 1)]
            cpu = common.ratio_check("", [(a[1], b[1]) for a, b in pairs])
            yield [private.minor, name] + ["%.1f" % value for value in medians] \
                + ["%.3f" % (medians[2] / medians[0]), "%.3f" % cpu.figure]


def measure(options):
    outcome = Outcome("Start-up, every event recorded to a file")
    minors = common.registered_minors(options.prefix) if options.all_minors else [options.minor]
    rows = []
    for minor in minors:
        rows += measure_minor(options.prefix, minor, options.rounds, outcome)
    outcome.tables.append((
        "Milliseconds, medians of %d paired runs" % options.rounds,
        ["version", "script", "python3 -I, wall", "CPU", "spython, wall", "CPU",
         "wall, ratio of medians", "CPU, median ratio"], rows))
    return outcome


def main():
    parser = common.parser(__doc__, rounds=30)
    parser.add_argument("--all-minors", action="store_true", help="every registered version")
    options = parser.parse_args()
    return common.main(measure, options)


if __name__ == "__main__":
    sys.exit(main())
