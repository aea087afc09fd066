#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Private memory of spython above python3 -I of the same build, after the same imports."""
import statistics
import sys
import tempfile
from pathlib import Path

import common
from common import Check, Outcome

LIMIT_KIB = 1536
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
print(int(fields["Private_Clean"].split()[0]) + int(fields["Private_Dirty"].split()[0]))
"""


def measure(options):
    outcome = Outcome("Private memory above python3")
    rows = []
    with common.PrivatePrefix(options.prefix, options.minor) as private, \
            tempfile.TemporaryDirectory(prefix="spython-bench-") as scratch:
        private.apply(common.FILE_POLICY % private.log)
        for name, text in SCRIPTS.items():
            script = Path(scratch) / "script.py"
            script.write_text("import sys\n" + text + REPORT)
            variants = {"python3 -I": lambda: common.run_json([private.python, "-I", script]),
                        "spython": lambda: common.run_json([private.spython, script])}
            results = common.interleave(variants, options.rounds, "memory")
            above = [a - b for a, b in zip(results["spython"], results["python3 -I"])]
            outcome.checks.append(Check(name, statistics.median(above) / 1024, LIMIT_KIB / 1024,
                                        unit=" MiB", spread=tuple(q / 1024 for q in
                                                                  common.quartiles(above))))
            rows.append([name] + ["%.0f" % statistics.median(results[v]) for v in variants])
    outcome.tables.append(("KiB of private memory (Private_Clean + Private_Dirty of smaps_rollup), "
                           "medians of %d rounds" % options.rounds,
                           ["script", "python3 -I", "spython"], rows))
    return outcome


def main():
    options = common.parser(__doc__, rounds=9).parse_args()
    return common.main(measure, options)


if __name__ == "__main__":
    sys.exit(main())
