#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one audit event costs: no hook, empty C hook, empty Python hook, spython with the null sink,
spython with the file sink. Every round runs all of them, one process each; limits are on the ratio
within a round."""
import statistics
import sys
import tempfile
from pathlib import Path

import common
from common import Check, Outcome

CASES = ["0 arguments", "1 argument of 32 bytes", "3 arguments of 32 bytes",
         "12 arguments of 23 bytes", "3 arguments, end of a 5,000-line module",
         "3 arguments, end of a 5,000-line function", "builtins.id (counted)"]
# case -> (limit, aim) of spython with the null sink, as a multiple of the empty Python hook
LIMITS = {CASES[0]: (2.0, 1.2), CASES[1]: (2.0, 1.2), CASES[2]: (2.0, 1.2), CASES[3]: (3.5, 2.0),
          CASES[4]: (3.0, 2.0), CASES[5]: (3.0, 2.0)}
COUNTED, COUNTED_LIMIT = CASES[6], 1.3
VARIANTS = ["no hook", "empty C hook", "empty Python hook", "spython, null sink",
            "spython, file sink"]
# Many short loops: on a busy machine some of them still find the processor free.
CALLS, BEST_OF = 2000, 80
FILE_CALLS, FILE_BEST_OF = 400, 25  # every call is a write(2) and half a kilobyte of log


def write_big_modules(directory):
    """One module of 5,000 lines with the loop in a function at its end, and one whose function has
    5,000 lines (not executed) before the loop: looking up a line number walks the line table."""
    loop = ("    audit, (a, b, c) = sys.audit, ARGS\n"
            "    for _ in repeat(None, count):\n"
            '        audit("x.y", a, b, c)\n')
    head = ("import sys\nfrom itertools import repeat\n"
            'ARGS = tuple(("%d" % i) * 32 for i in range(3))\n')
    lines = "".join("VALUE_%d = %d\n" % (i, i) for i in range(4990))
    (directory / "big_module.py").write_text(
        head + lines + "def three_arguments(count):\n" + loop)
    body = "    if count < 0:\n" + "".join("        v = %d\n" % (i % 200) for i in range(4990))
    (directory / "big_function.py").write_text(
        head + "def three_arguments(count):\n" + body + loop)


def measure(options):
    program = common.HERE / "event_loop.py"
    with common.PrivatePrefix(options.prefix, options.minor) as null_prefix, \
            common.PrivatePrefix(options.prefix, options.minor) as file_prefix, \
            tempfile.TemporaryDirectory(prefix="spython-bench-") as scratch:
        scratch = Path(scratch)
        null_prefix.apply(common.NULL_POLICY)
        file_prefix.apply(common.FILE_POLICY % file_prefix.log)
        write_big_modules(scratch)
        python = null_prefix.python
        preload = common.compile_preload(python, common.HERE / "empty_hook.c",
                                         scratch / "empty_hook.so")
        with_preload = common.clean_env(LD_PRELOAD=str(preload))
        plain = [python, "-I", program, CALLS, BEST_OF, scratch]

        def run_file():
            result = common.run_json([file_prefix.spython, program, FILE_CALLS, FILE_BEST_OF,
                                      scratch])
            file_prefix.clear_logs()
            return result

        variants = {
            "no hook": lambda: common.run_json(plain),
            "empty C hook": lambda: common.run_json(plain, with_preload),
            "empty Python hook": lambda: common.run_json(plain + ["pyhook"]),
            "spython, null sink": lambda: common.run_json(
                [null_prefix.spython, program, CALLS, BEST_OF, scratch]),
            "spython, file sink": run_file,
        }
        for variant in variants.values():  # bytecode of the big modules, page cache
            variant()
        results = common.interleave(variants, options.rounds, "event_cost")
        return evaluate(results, options.rounds, null_prefix.minor)


def evaluate(results, rounds, minor):
    outcome = Outcome("Cost of one event (CPython %s)" % minor)

    def pairs(case, variant, base):
        return [(a[case], b[case]) for a, b in zip(results[variant], results[base])]

    for case, (limit, aim) in LIMITS.items():
        outcome.checks.append(common.ratio_check(
            "full record into memory / empty Python hook: " + case,
            pairs(case, "spython, null sink", "empty Python hook"), limit, aim))
    outcome.checks.append(common.ratio_check(
        "counted event / empty C hook: " + COUNTED,
        pairs(COUNTED, "spython, null sink", "empty C hook"), COUNTED_LIMIT))
    writes = statistics.median(r["writes"] for r in results["spython, file sink"])
    if writes < 0.99:
        raise SystemExit("event_cost: the file sink was not written to (%.2f per event)" % writes)
    if min(a / b for a, b in pairs(CASES[2], "spython, null sink", "empty C hook")) < 1:
        raise SystemExit("event_cost: spython with the null sink does less than an empty hook")
    outcome.checks.append(Check("write(2) calls per event, file sink", writes, limit=1.01))
    quiet = statistics.median(r["writes"] for r in results["spython, null sink"])
    outcome.checks.append(Check("write(2) calls per event, null sink", quiet, limit=0.01))

    rows = [[case] + ["%.0f" % statistics.median(r[case] for r in results[variant])
                      for variant in VARIANTS] for case in CASES]
    outcome.tables.append(("Gross nanoseconds per call (medians of %d rounds, each the best of %d "
                           "inner loops)" % (rounds, BEST_OF), ["case"] + VARIANTS, rows))
    outcome.notes.append("The loop around the call is included in every figure. The file sink is "
                         "measured with %d calls, the others with %d." % (FILE_CALLS, CALLS))
    return outcome


def main():
    options = common.parser(__doc__, rounds=9).parse_args()
    return common.main(measure, options)


if __name__ == "__main__":
    sys.exit(main())
