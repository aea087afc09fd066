# SPDX-License-Identifier: Apache-2.0
"""Runs every command of README.md, in order, in one copy of the sources, as a reader would.

Directives are HTML comments right above a block of ```sh:
    <!-- not run: REASON -->     the block is left out
    <!-- prints: TEXT -->        its output must contain TEXT
and above a block of ```json:
    <!-- record: EVENT -->       it must look like the record that the example makes today
"""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import harness

README = harness.SOURCE / "README.md"
BLOCK = re.compile(r"(?:^<!-- ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)
TIMEOUT = 900
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def blocks(language):
    """(line, directive, text) of each fenced block in this language."""
    text = README.read_text("utf-8")
    found = []
    for match in BLOCK.finditer(text):
        directive, kind, body = match.groups()
        if kind == language:
            found.append((text.count("\n", 0, match.start(2)) + 1, directive or "", body))
    return found


COMMANDS = blocks("sh")
RECORDS = blocks("json")


def copy_sources(target):
    """What a clone would have, and what is not committed yet."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=harness.SOURCE, check=True, stdout=subprocess.PIPE).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (harness.SOURCE / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(harness.SOURCE / name, target / name)


def reader_env(home):
    """The build directory is the real one if there is one, so that nothing is compiled twice."""
    env = harness.clean_env(home, PATH=PATH)
    for name in ("SPYTHON_PYTHONS", "PYENV_ROOT"):
        if name in os.environ:
            env[name] = os.environ[name]
    build = Path(os.environ.get("SPYTHON_BUILD", harness.SOURCE / "build"))
    if (build / "build.ninja").exists():
        env["BUILD"] = str(build)
    return env


def test_commands_are_found():
    """If the pattern missed them, nothing below would be tested."""
    text = README.read_text("utf-8")
    assert len(COMMANDS) == text.count("```sh\n") > 5
    assert "make demo\n" in [body for _, _, body in COMMANDS]
    assert "make test\n" in [body for _, _, body in COMMANDS]
    assert all(d == "" or d.startswith(("not run: ", "prints: ")) for _, d, _ in COMMANDS)
    assert len(text.splitlines()) < 200


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text("utf-8")):
        assert target.startswith("https://") or (harness.SOURCE / target).exists(), target


def test_commands(prefix, work):
    """One test, because a block goes on where the one before it stopped."""
    home, copy = work / "home", work / "spython"
    home.mkdir()
    copy_sources(copy)
    env = reader_env(home)
    for line, directive, body in COMMANDS:
        if directive.startswith("not run: "):
            continue
        result = harness.run(["/bin/sh", "-eu", "-c", body], env=env, cwd=copy, timeout=TIMEOUT,
                             stderr=subprocess.STDOUT)
        output = result.out.decode("utf-8", "replace")
        assert result.status == 0, "README.md:%d\n%s" % (line, output)
        if directive.startswith("prints: "):
            text = directive[len("prints: "):]
            assert text in output, "README.md:%d: no %r in\n%s" % (line, text, output)


def shape(value):
    """Members and types, not values: times, pids and paths differ."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return type(value).__name__


@pytest.mark.parametrize("line,directive,body", RECORDS, ids=["line%d" % r[0] for r in RECORDS])
def test_record(sp_one, line, directive, body):
    """The record that README.md opens with is a real one."""
    event = re.fullmatch(r"record: (\S+)", directive).group(1)
    shown = json.loads(body)
    result = sp_one.run(harness.SOURCE / "examples" / "shop" / "shop.py", "--forged-cookie")
    assert result.status == 0, result.err
    real = harness.one(harness.events(sp_one.records(), event))
    assert shape(shown) == shape(real)
    for name in ("v", "event", "level", "verdict", "rules"):
        assert shown[name] == real[name]
    for name in ("line", "func"):
        assert shown["at"][name] == real["at"][name]
