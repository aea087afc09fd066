# SPDX-License-Identifier: Apache-2.0
"""The measured program of event_cost.py: prints {case: gross nanoseconds per call} as JSON.

usage: event_loop.py CALLS BEST_OF BIG_MODULE_DIR [pyhook]

Gross: the loop is included, the same for every variant. Each figure is the best of BEST_OF inner
loops, so that what else the machine does is mostly left out."""
import json
import sys
from itertools import repeat
from time import perf_counter_ns

ARGS3 = tuple(("%d" % i) * 32 for i in range(3))
ARGS12 = tuple(("%x" % i) * 23 for i in range(12))
SYSCALLS = "syscw: "


def no_arguments(count):
    audit = sys.audit
    for _ in repeat(None, count):
        audit("x.y")


def one_argument(count):
    audit, a = sys.audit, ARGS3[0]
    for _ in repeat(None, count):
        audit("x.y", a)


def three_arguments(count):
    audit, (a, b, c) = sys.audit, ARGS3
    for _ in repeat(None, count):
        audit("x.y", a, b, c)


def twelve_arguments(count):
    audit, (a, b, c, d, e, f, g, h, i, j, k, m) = sys.audit, ARGS12
    for _ in repeat(None, count):
        audit("x.y", a, b, c, d, e, f, g, h, i, j, k, m)


def counted_event(count):
    identity, thing = id, ARGS3
    for _ in repeat(None, count):
        identity(thing)


def writes_so_far():
    """write(2) calls of this process, as the kernel counts them; reading it makes none."""
    with open("/proc/self/io") as file:
        for line in file:
            if line.startswith(SYSCALLS):
                return int(line[len(SYSCALLS):])
    raise SystemExit("/proc/self/io has no syscw")


def best(function, count, best_of):
    least = None
    for _ in range(best_of):
        start = perf_counter_ns()
        function(count)
        took = perf_counter_ns() - start
        least = took if least is None else min(least, took)
    return least / count


def main():
    count, best_of, directory = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    sys.path.insert(0, directory)
    import big_module
    import big_function
    if sys.argv[4:] == ["pyhook"]:
        sys.addaudithook(lambda *a: None)
    cases = {"0 arguments": no_arguments, "1 argument of 32 bytes": one_argument,
             "3 arguments of 32 bytes": three_arguments,
             "12 arguments of 23 bytes": twelve_arguments,
             "3 arguments, end of a 5,000-line module": big_module.three_arguments,
             "3 arguments, end of a 5,000-line function": big_function.three_arguments,
             "builtins.id (counted)": counted_event}
    figures = {name: best(function, count, best_of) for name, function in cases.items()}
    before = writes_so_far()
    three_arguments(count)
    # The file that writes_so_far() opens is an event of its own: one record, one write.
    figures["writes"] = (writes_so_far() - before) / count
    json.dump(figures, sys.stdout)


main()
