#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast `spythonctl sign` lists a tree: 50,000 files of 1 GiB in total, warm page cache, against
one sha256sum process for each processor, which share the same files. Compiling is left out: it costs
what Python's own compiler costs."""
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

FILES, TOTAL = 50000, 1 << 30
LIMIT = 1 / 0.8  # at least 0.8 times what sha256sum reaches


def make_tree(root, files, total):
    """Sizes as in real environments, many small and few large; contents that do not repeat."""
    source = random.Random(7)
    weights = [source.lognormvariate(0, 1.5) for _ in range(files)]
    scale = total / sum(weights)
    block = source.randbytes(1 << 20)
    names = []
    for number, weight in enumerate(weights):
        folder = root / ("p%03d" % (number // 100))
        if number % 100 == 0:
            folder.mkdir()
        size = int(weight * scale)
        at = source.randrange(1 << 19)
        data = (block[at:] * (size // (1 << 19) + 1))[:size]
        path = folder / ("m%d.py" % number)
        path.write_bytes(data)
        names.append(path)
    return names


def spread(names, processes):
    """One list for each process, the bytes evenly dealt out."""
    lists = [[] for _ in range(processes)]
    sizes = [0] * processes
    for name in sorted(names, key=lambda n: -n.stat().st_size):
        least = sizes.index(min(sizes))
        lists[least].append(name)
        sizes[least] += name.stat().st_size
    return [b"\0".join(os.fsencode(n) for n in part) + b"\0" for part in lists]


def run_sha256sum(lists):
    started = time.monotonic()
    running = []
    for part in lists:
        process = subprocess.Popen(["xargs", "-0", "sha256sum"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   env=common.clean_env())
        process.stdin.write(part)
        process.stdin.close()
        running.append(process)
    if any(process.wait() for process in running):
        raise SystemExit("sha256sum failed")
    return time.monotonic() - started


def run_sign(ctl, tree, work, *more):
    started = time.monotonic()
    subprocess.run([ctl, "sign", tree, "--name", "bench", "--no-compile", "--key", work / "key", "--out",
                    work / "bench.manifest", *more], check=True, stdout=subprocess.DEVNULL, env=common.clean_env())
    return time.monotonic() - started


def measure(options):
    outcome = common.Outcome("Signing %d files of 1 GiB" % FILES)
    ctl = Path(options.prefix) / "bin" / "spythonctl"
    with tempfile.TemporaryDirectory(prefix="bench-sign-", dir=options.directory) as directory:
        work = Path(directory)
        tree = work / "tree"
        tree.mkdir()
        names = make_tree(tree, FILES, TOTAL)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / "key"], check=True)
        lists = spread(names, os.cpu_count())
        run_sha256sum(lists)  # into the page cache
        results = common.interleave({
            "sha256sum": lambda: run_sha256sum(lists),
            "spythonctl sign": lambda: run_sign(ctl, tree, work),
            "spythonctl sign --verity": lambda: run_sign(ctl, tree, work, "--verity"),
        }, options.rounds, "sign")
    pairs = list(zip(results["spythonctl sign"], results["sha256sum"]))
    outcome.checks.append(common.ratio_check("time to sign / time of %d sha256sum" % os.cpu_count(), pairs, LIMIT))
    outcome.tables.append(("Seconds, medians of %d paired runs" % options.rounds, ["what", "seconds", "MiB/s"],
                           [[name, "%.2f" % common.statistics.median(times),
                             "%.0f" % ((TOTAL >> 20) / common.statistics.median(times))]
                            for name, times in results.items()]))
    return outcome


def main():
    parser = common.parser(__doc__, rounds=7)
    parser.add_argument("--directory", help="where the tree is made; default: the directory for temporary files")
    return common.main(measure, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
