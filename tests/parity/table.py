# SPDX-License-Identifier: Apache-2.0
"""The parity table: small programs that must not be able to tell spython from python3.

Each NN_topic.py calls case() once per program. A case says what it shows and what python3 is known
to do (`status`, `says`), so that a program which no longer does what its line claims is a failure of
the table, not a silent agreement of two interpreters about nothing.
"""
import runpy
import textwrap
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Case:
    def __init__(self, topic, name, shows, program, *, file="prog.py", invoke=None, args=(), env=None,
                 stdin=b"", files=None, setup=None, shell=None, stdout=None, send=None, status=0,
                 says=None, since="3.8", until=None, mask=(), differs=(), refused=None, timeout=60):
        self.topic, self.name, self.shows = topic, name, shows
        # bytes are taken as they are; text is dedented so that a case can be written in place
        if isinstance(program, str):
            program = textwrap.dedent(program).lstrip("\n").encode("utf-8", "surrogateescape")
        self.program = program      # None: there is only what `files` and `setup` make
        self.file = file            # its name, below the working directory
        self.invoke = invoke        # what is typed; default: the absolute path
        self.args = args
        self.env = env or {}        # besides PATH, HOME and LANG; None removes
        self.stdin = stdin
        self.files = files or {}    # name: text or bytes
        self.setup = setup          # called with the working directory
        self.shell = shell          # sh text that runs "$@"
        self.stdout = stdout        # "closed pipe": nobody reads
        self.send = send            # (text on stdout to wait for, signal to send)
        self.status = status        # of python3; negative: signal; None: not told
        self.says = says            # bytes that python3 writes to stdout or stderr
        self.since, self.until = since, until
        self.mask = mask            # (pattern, replacement, reason): not constant between two runs
        self.differs = differs      # (pattern, replacement, reason): documented difference; the
                                    # replacement turns what spython says into what python3 says
        self.refused = refused      # (status, text on stderr, reason): documented: not run at all
        self.timeout = timeout

    @property
    def id(self):
        return self.topic + "." + self.name

    def applies_to(self, minor):
        def key(text):
            return tuple(int(part) for part in text.split("."))
        if key(minor) < key(self.since):
            return False
        return self.until is None or key(minor) <= key(self.until)


def load():
    """All cases, in the order of the files."""
    cases = []
    for path in sorted(HERE.glob("[0-9][0-9]_*.py")):
        def case(name, shows, program, _topic=path.stem[3:], **more):
            cases.append(Case(_topic, name, shows, program, **more))
        runpy.run_path(str(path), {"case": case})
    names = [c.id for c in cases]
    assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]
    return cases
