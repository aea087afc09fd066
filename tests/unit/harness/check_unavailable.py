# SPDX-License-Identifier: Apache-2.0
"""usage: check_unavailable.py MISSING RUN_TESTS. A test that the machine cannot do is skipped, or fails with
SPYTHON_MUST_WORK=1; scripts/run-tests counts the one that was skipped, although its program ended with 0."""
import importlib.machinery
import importlib.util
import os
import subprocess
import sys

sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("run_tests", sys.argv[2])
run_tests = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests", loader))
loader.exec_module(run_tests)


def run(must):
    done = subprocess.run([sys.argv[1]], env=dict(os.environ, SPYTHON_MUST_WORK=must), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


for must in ("0", ""):
    status, output = run(must)
    assert status == 0 and "skipped: nothing has this" in output, output
    assert run_tests.skipped_inside(output) == 1, output
status, output = run("1")
assert status == 1 and "SPYTHON_MUST_WORK=1, but nothing has this" in output, output
assert run_tests.skipped_inside(output) == 0, output
