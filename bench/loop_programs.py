# SPDX-License-Identifier: Apache-2.0
"""The measured program of loops.py: prints {program: CPU seconds} as JSON.

usage: loop_programs.py BEST_OF [PYPERFORMANCE_DIR]

Five CPU-bound loops, and with PYPERFORMANCE_DIR five programs of pyperformance, which are run in
this process through a stand-in for pyperf. CPU time, because other processes' share of the machine
is not what is asked."""
import argparse
import json
import os
import runpy
import sys
import time
import types

# program -> arguments, repetitions: about a tenth of a second each
PYPERFORMANCE = {
    "richards": ([], 2),
    "deltablue": ([], 25),
    "nbody": (["--iterations", "20000"], 1),
    "spectral_norm": ([], 1),
    "json_loads": ([], 150),
    "pickle": (["pickle", "--pure-python"], 20),
}


def calls():
    def add(a, b=1):
        return a + b
    total = 0
    for i in range(1500000):
        total = add(total, i)
    return total


def floats():
    x = 0.5
    for _ in range(2000000):
        x = 3.7 * x * (1.0 - x) + 1e-9
    return x


class Counter:
    def __init__(self):
        self.value = 0

    def step(self, by):
        self.value += by


def methods():
    counter = Counter()
    for i in range(1500000):
        counter.step(i)
    return counter.value


def json_round_trip():
    data = {"items": [{"id": i, "name": "item %d" % i, "price": i / 7} for i in range(400)]}
    for _ in range(150):
        text = json.dumps(data)
        json.loads(text)
    return len(text)


def strings():
    words = ["word%d" % i for i in range(1000)]
    for _ in range(1500):
        text = " ".join(words).upper().replace("WORD", "w-")
        text.split(" ")
    return len(text)


LOOPS = {"calls": calls, "floats": floats, "methods": methods, "json": json_round_trip,
         "strings": strings}


class Runner:
    """As much of pyperf.Runner as the programs use: runs what they register, once, timed."""

    def __init__(self, *_, **__):
        self.argparser = argparse.ArgumentParser()
        self.metadata = {}
        self.args = None

    def parse_args(self, argv=None):
        if self.args is None:
            self.args = self.argparser.parse_args(argv)
        return self.args

    def bench_func(self, name, function, *args, **_):
        def timed(loops):
            start = time.process_time()
            for _ in range(loops):
                function(*args)
            return time.process_time() - start
        registered.append(timed)

    def bench_time_func(self, name, function, *args, **_):
        def timed(loops):
            start = time.process_time()
            function(loops, *args)
            return time.process_time() - start
        registered.append(timed)


registered = []


def load_pyperformance(directory, name, arguments):
    """Lets the program register itself and gives the function that times N of its loops."""
    path = os.path.join(directory, "bm_" + name, "run_benchmark.py")
    argv, sys.argv = sys.argv, [path] + arguments
    registered.clear()
    try:
        runpy.run_path(path, run_name="__main__")
    finally:
        sys.argv = argv
    return registered.pop()


def best(function, best_of):
    least = None
    for _ in range(best_of):
        took = function()
        least = took if least is None else min(least, took)
    return least


def timed_loop(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def main():
    best_of = int(sys.argv[1])
    figures = {}
    for name, function in LOOPS.items():
        figures[name] = best(lambda: timed_loop(function), best_of)
    if len(sys.argv) > 2:
        stand_in = types.ModuleType("pyperf")
        stand_in.Runner = Runner
        stand_in.perf_counter = time.process_time
        stand_in.python_implementation = lambda: "cpython"
        sys.modules["pyperf"] = stand_in
        for name, (arguments, repetitions) in PYPERFORMANCE.items():
            program = load_pyperformance(sys.argv[2], name, arguments)
            figures["pyperformance " + name] = best(lambda: program(repetitions), best_of)
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
