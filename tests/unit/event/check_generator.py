#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_generator.py GEN_CATALOGUE: a good table is taken, each kind of mistake is refused by line."""

import pathlib
import subprocess
import sys
import tempfile

HEAD = "name\targs\tlevel\traiser\tredact\tversions\tnote\n"
GOOD = [
    "a.b\tx,y\tlow\tc\ty=secret\t3.8:noise\t",
    "a.c\t\thigh\tpython\t\t\tnote",
    "spython.x\tx\tlow\tself\t\t3.9:args=y,x\t",
]
BAD = [
    ("a.d\t\tlow\tc\t\t", "columns"),
    ("a.d\t\tinfo\tc\t\t\t", "'info' is none of"),
    ("a.d\t\tlow\tC\t\t\t", "'C' is none of"),
    ("a.d\t\tlow\tself\t\t\t", "spython.* is raised by self"),
    ("a.d\tx,x\tlow\tc\t\t\t", "same name"),
    ("a.d\tx y\tlow\tc\t\t\t", "not a name"),
    ("a.d\targ1\tlow\tc\t\t\t", "positions without a name"),
    ("a.d\tx\tlow\tc\ty=env\t\t", "unknown argument 'y'"),
    ("a.d\tx\tlow\tc\tx=hidden\t\t", "'hidden' is none of"),
    ("a.d\tx\tlow\tc\tx=env\t3.9:args=z\t", "how is 'z' redacted"),
    ("a.d\tx\tlow\tc\t\t2.7:low\t", "not 3.MINOR"),
    ('a."\t\tlow\tc\t\t\t', "name must be"),
    ("a.c\t\tlow\tc\t\t\t", "is not behind 'a.c'"),
    ("a.a\t\tlow\tc\t\t\t", "is not behind 'a.c'"),
]


def generate(lines):
    with tempfile.TemporaryDirectory() as directory:
        table = pathlib.Path(directory, "table.tsv")
        out = pathlib.Path(directory, "out.c")
        table.write_text("# comment\n" + HEAD + "".join(line + "\n" for line in lines))
        done = subprocess.run(
            [sys.executable, sys.argv[1], str(table), str(out)], stderr=subprocess.PIPE, text=True
        )
        return done.returncode, done.stderr, out.read_text() if out.exists() else ""


def main():
    status, message, text = generate(GOOD)
    assert status == 0 and message == "", message
    assert "catalogue_count = 3;" in text
    assert '{"a.b", 3, LEVEL_NOISE, RAISER_C, 2, ' in text
    assert generate(GOOD)[2] == text, "two runs differ"
    for line, expected in BAD:
        status, message, text = generate(GOOD[:2] + [line])
        assert status == 1 and text == "", line
        assert "table.tsv:5: " in message and expected in message, message
    assert generate([])[0] == 1


if __name__ == "__main__":
    main()
