# SPDX-License-Identifier: Apache-2.0
"""What all benches share: paired interleaved runs, medians, limits, compiled helpers, and what the
machine is. Standard library only."""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent
sys.path.insert(0, str(SOURCE / "scripts"))

from private_prefix import PrivatePrefix, add_arguments, chosen_prefix  # noqa: E402,F401
from private_prefix import clean_env, registered_minors  # noqa: E402,F401

NULL_POLICY = 'profile: standard\nlog:\n  sinks:\n    - type: "null"\n'
FILE_POLICY = 'profile: standard\nlog:\n  sinks:\n    - type: file\n      path: "%s/"\n'


def parser(description, rounds):
    """The options that every bench has."""
    options = argparse.ArgumentParser(description=description)
    add_arguments(options)
    options.add_argument("--rounds", type=int, default=rounds, help="default: %(default)s")
    options.add_argument("--json", action="store_true", help="print one JSON document")
    options.add_argument("--report", action="store_true",
                         help="print only, do not check the limits")
    return options


class Check:
    """One figure that the project promises. `limit` and `aim` are upper bounds."""

    def __init__(self, what, figure, limit=None, aim=None, unit="", spread=None):
        self.what, self.figure, self.limit, self.aim = what, figure, limit, aim
        self.unit, self.spread = unit, spread

    @property
    def passed(self):
        return self.limit is None or self.figure <= self.limit

    def row(self):
        def number(value):
            return "" if value is None else "%.3g%s" % (value, self.unit)
        figure = "%.3f%s" % (self.figure, self.unit)
        if self.spread:
            figure += " (%.3f to %.3f)" % self.spread
        verdict = "" if self.limit is None else "yes" if self.passed else "**NO**"
        reached = "" if self.aim is None else "yes" if self.figure <= self.aim else "no"
        return [self.what, figure, number(self.limit), number(self.aim), verdict, reached]

    def as_dict(self):
        return {"what": self.what, "figure": self.figure, "limit": self.limit, "aim": self.aim,
                "unit": self.unit, "spread": self.spread, "passed": self.passed}


CHECK_HEAD = ["what", "figure (quartiles)", "limit", "aim", "within limit", "within aim"]


class Outcome:
    """What one bench found: tables of (title, head, rows), checks, and remarks."""

    def __init__(self, title):
        self.title, self.tables, self.checks, self.notes = title, [], [], []

    @property
    def passed(self):
        return all(check.passed for check in self.checks)

    def markdown(self):
        parts = ["## " + self.title]
        if self.checks:
            parts.append(table(CHECK_HEAD, [check.row() for check in self.checks]))
        for title, head, rows in self.tables:
            parts += [title + ":", table(head, rows)]
        parts += self.notes
        return "\n\n".join(parts) + "\n"

    def as_dict(self):
        return {"title": self.title, "passed": self.passed, "notes": self.notes,
                "checks": [check.as_dict() for check in self.checks],
                "tables": [{"title": t, "head": h, "rows": r} for t, h, r in self.tables]}


def main(measure, options):
    """Measures on the prefix that the options name and prints as asked; the exit status."""
    with chosen_prefix(options) as options.prefix:
        outcome = measure(options)
    if options.json:
        print(json.dumps(outcome.as_dict(), indent=1))
    else:
        print(outcome.markdown())
    return 0 if outcome.passed or options.report else 1


def table(head, rows):
    cells = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def quartiles(values):
    cut = statistics.quantiles(values, n=4, method="inclusive")
    return cut[0], cut[2]


def ratio_check(what, pairs, limit=None, aim=None):
    """From (figure, base) of each round: the median of the ratios of the rounds. What the machine
    does to one round it does to both, so the ratio says more than either figure."""
    ratios = [figure / base for figure, base in pairs]
    return Check(what, statistics.median(ratios), limit, aim, spread=quartiles(ratios))


def interleave(variants, rounds, progress):
    """Calls every variant once a round, each time beginning with another one; yields nothing, gives
    {name: [result of each round]}."""
    results = {name: [] for name in variants}
    names = list(variants)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            results[name].append(variants[name]())
        if sys.stderr.isatty():
            print("\r%s: round %d of %d " % (progress, number + 1, rounds), end="",
                  file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return results


def run_json(argv, env=None):
    """Runs a measured program and reads the JSON document it prints."""
    argv = [str(word) for word in argv]
    done = subprocess.run(argv, env=env or clean_env(), cwd="/",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0 or not done.stdout:
        raise SystemExit("%s: exit status %d\n%s" % (" ".join(argv), done.returncode,
                                                     done.stderr.decode(errors="replace")))
    return json.loads(done.stdout)


def python_fact(python, expression):
    """One value from the interpreter that is measured, e.g. where its headers are."""
    code = "import sys, sysconfig, json; print(json.dumps(%s))" % expression
    return json.loads(subprocess.run([python, "-I", "-S", "-c", code], env=clean_env(), check=True,
                                     stdout=subprocess.PIPE).stdout)


def compile_preload(python, source, target):
    include = python_fact(python, 'sysconfig.get_path("include")')
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-fPIC", "-shared",
                    "-I", include, str(source), "-o", str(target), "-ldl"], check=True)
    return target


def compile_embedder(python, source, target):
    """Links `source` with the libpython of `python`, as python3-config --embed says. None if this
    build has no libpython to link with."""
    config = "%s/python%s-config" % (python_fact(python, 'sysconfig.get_config_var("BINDIR")'),
                                     python_fact(python, 'sysconfig.get_config_var("VERSION")'))
    if not os.path.exists(config):
        return None
    flags = [subprocess.run([config, *words], env=clean_env(), check=True, text=True,
                            stdout=subprocess.PIPE).stdout.split()
             for words in (("--includes",), ("--ldflags", "--embed"))]
    library = python_fact(python, 'sysconfig.get_config_var("LIBDIR")')
    done = subprocess.run([os.environ.get("CC", "cc"), "-O2", *flags[0], str(source), "-o",
                           str(target), *flags[1], "-Wl,-rpath," + library],
                          stderr=subprocess.PIPE, text=True)
    return target if done.returncode == 0 else None


def machine(prefix_python):
    """What a reader needs to judge the figures; nothing that names the machine."""
    model = "unknown"
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.split(":")[0].strip() in ("model name", "CPU part"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass

    def first_line(*argv):
        try:
            return subprocess.run(argv, cwd=SOURCE, check=True, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL).stdout.splitlines()[0]
        except (OSError, subprocess.CalledProcessError, IndexError):
            return "unknown"
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    commit = first_line("git", "rev-parse", "--short=12", "HEAD")
    # What the benches write themselves does not change what they measured.
    if first_line("git", "status", "--porcelain", "--untracked-files=no", "--", "src",
                  "bench/*.py", "bench/*.c") != "unknown":
        commit += " with uncommitted changes"
    return [("CPU", "%s, %d cores visible" % (model, os.cpu_count())),
            ("Kernel", platform.release().split("-")[0]), ("System", release),
            ("Compiler", first_line(os.environ.get("CC", "cc"), "--version")), ("Commit", commit),
            ("Python", python_fact(prefix_python, 'sys.version.replace("\\n", " ")')
             + (", shared libpython" if python_fact(
                 prefix_python, 'sysconfig.get_config_var("Py_ENABLE_SHARED")') and
                _needs_libpython(prefix_python) else ", static"))]


def _needs_libpython(python):
    try:
        listed = subprocess.run(["ldd", python], check=True, text=True, stdout=subprocess.PIPE)
    except (OSError, subprocess.CalledProcessError):
        return False
    return "libpython" in listed.stdout
