# SPDX-License-Identifier: Apache-2.0
"""A program on a terminal of its own, and what a person types there; or without any terminal."""
import os
import pty
import re
import select
import subprocess
import time

import harness


def converse(argv, answers, env, cwd=None, timeout=60):
    """Runs on a new terminal. `answers`: (what is asked, as a regular expression; what is typed), in
    this order. Gives status and all that was shown, in `out`."""
    argv = [os.fspath(a) for a in argv]
    ours, theirs = pty.openpty()
    # setsid makes the terminal the controlling one: passphrases are asked for on /dev/tty
    process = subprocess.Popen(["setsid", "--ctty", "--wait", *argv], stdin=theirs, stdout=theirs, stderr=theirs,
                               env=env, cwd=cwd)
    os.close(theirs)
    shown, since, left = b"", 0, list(answers)
    end = time.monotonic() + timeout
    try:
        while True:
            assert time.monotonic() < end, (argv, left, shown)
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(ours, 4096)
            except OSError:  # the last one closed it
                break
            if not data:
                break
            shown += data
            asked = re.search(left[0][0], shown[since:]) if left else None
            if asked:
                since += asked.end()
                os.write(ours, left.pop(0)[1] + b"\n")
        status = process.wait(timeout=10)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
    assert not left, (left, shown)
    return harness.Result(status, shown, b"", argv)


def without_terminal(argv, env, cwd=None, timeout=30):
    """Runs where there is no terminal to ask on; one that waits for an answer fails the test."""
    return harness.run(argv, env=env, cwd=cwd, timeout=timeout, start_new_session=True)
