#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Private memory of spython above python3 -I of the same build, after the same imports.

One idle process of each kind runs all the time, so that what counts is what every further process
costs: pages of a file are private to the only process that maps it, and whether there is another
one must not depend on what else the machine does. The growth of the resident set is shown as well:
it counts those pages, whoever shares them."""
import contextlib
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import common
from common import Check, Outcome

LIMIT_MIB = 1.5
SCRIPTS = {"empty script": "", "asyncio, ssl, json, logging":
           "import asyncio, ssl, json, logging\n",
           "16 threads, one event each": """
import threading
threads = [threading.Thread(target=sys.audit, args=("x.y", 1)) for _ in range(16)]
[t.start() for t in threads]
[t.join() for t in threads]
"""}
REPORT = """
with open("/proc/self/smaps_rollup") as file:
    fields = dict(line.split(":", 1) for line in file if ":" in line and "kB" in line)
kib = {name: int(value.split()[0]) for name, value in fields.items()}
print([kib["Private_Clean"] + kib["Private_Dirty"], kib["Rss"]])
"""
IDLE = "import sys, asyncio, ssl, json, logging\nprint('ready', flush=True)\nsys.stdin.read()\n"


@contextlib.contextmanager
def idle_process(argv):
    """Runs until the with block ends."""
    process = subprocess.Popen([str(word) for word in argv], env=common.clean_env(), cwd="/",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if process.stdout.readline() != b"ready\n":
            raise SystemExit("memory: %s did not start" % argv[0])
        yield
    finally:
        process.communicate()


def measure(options):
    outcome = Outcome("Private memory above python3")
    rows = []
    with common.PrivatePrefix(options.prefix, options.minor) as private, \
            tempfile.TemporaryDirectory(prefix="spython-bench-") as scratch:
        private.apply(common.FILE_POLICY % private.log)
        script, idle = Path(scratch) / "script.py", Path(scratch) / "idle.py"
        idle.write_text(IDLE)
        variants = {"python3 -I": [private.python, "-I"], "spython": [private.spython]}
        with idle_process(variants["python3 -I"] + [idle]), \
                idle_process(variants["spython"] + [idle]):
            for name, text in SCRIPTS.items():
                script.write_text("import sys\n" + text + REPORT)
                results = common.interleave(
                    {v: lambda words=words: common.run_json(words + [script])
                     for v, words in variants.items()}, options.rounds, "memory")
                above = [(a[0] - b[0]) / 1024 for a, b in
                         zip(results["spython"], results["python3 -I"])]
                outcome.checks.append(Check(name, statistics.median(above), LIMIT_MIB,
                                            unit=" MiB", spread=common.quartiles(above)))
                rows.append([name] + ["%.0f" % statistics.median(r[i] for r in results[v])
                                      for i in (0, 1) for v in variants])
    outcome.tables.append(("KiB, medians of %d rounds" % options.rounds,
                           ["script", "private, python3 -I", "private, spython",
                            "resident, python3 -I", "resident, spython"], rows))
    return outcome


def main():
    options = common.parser(__doc__, rounds=9).parse_args()
    return common.main(measure, options)


if __name__ == "__main__":
    sys.exit(main())
