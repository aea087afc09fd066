# SPDX-License-Identifier: Apache-2.0
"""spythonctl on a built prefix, verb by verb. Every refusal has its control: the same thing without
the defect is accepted. Policy texts are judged by their own tests; here they are only carriers."""
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import harness
from harness import SOURCE, UNUSABLE, USAGE, run, wait_for, write

NEGATIVE, NOINPUT, CANTCREAT, IOERR, NOPERM = 1, 66, 73, 74, 77
ERROR = re.compile(rb"^spythonctl: [^\n]+: [^\n]+ \([^\n]+\)$", re.M)
NOBODY = 65534

is_root = pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user: needs root")


def ctl(sp, *args, status=0, **more):
    result = sp.spythonctl(*args, **more)
    assert result.status == status, (args, result.status, result.out, result.err)
    if status not in (0, NEGATIVE):
        assert ERROR.search(result.err), result.err
    return result


def ctl_json(sp, *args, status=0):
    return json.loads(ctl(sp, *args, "--json", status=status).out)


def apply(sp, yaml, status=0, *options):
    write(sp.etc / "spython.yaml", yaml)
    return ctl(sp, "apply", *options, status=status)


def status_problems(sp):
    result = sp.spythonctl("status", "--json")
    document = json.loads(result.out)
    assert result.status == (1 if document["problems"] else 0)
    assert document["ok"] == (not document["problems"])
    return document["problems"]


def settings(sp, *app):
    return {s["name"]: s for s in ctl_json(sp, "show", *app)["settings"]}


# ---- the command line


def help_verbs(sp):
    out = ctl(sp, "--help").out.decode()
    lines = re.findall(r"^  ([a-z]+(?: [a-z]+)?)\b.*$", out, re.M)
    assert len(lines) > 12, out
    return lines


def test_help_knows_every_verb_and_so_do_man_page_and_completion(sp_one):
    page = (SOURCE / "man/spythonctl.1").read_text().replace("\\-", "-")
    completion = (SOURCE / "contrib/completion/spythonctl.bash").read_text()
    for verb in help_verbs(sp_one):
        assert re.search(r'^\.(BI|BR|B|TP)? ?"?%s\b' % verb, page, re.M), verb
        ctl(sp_one, "help", *verb.split())
        ctl(sp_one, *verb.split(), "--help")
        for word in verb.split():
            assert re.search(r"\b%s\b" % word, completion), verb
    for option in re.findall(r"--[a-z-]+", ctl(sp_one, "--help").out.decode()):
        assert option in page and option in completion, option


def complete(sp, *words):
    """What bash would offer for the last word."""
    script = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _spythonctl;'
              ' printf "%s\\n" "${COMPREPLY[@]}"')
    result = run(["bash", "-c", script, SOURCE / "contrib/completion/spythonctl.bash", sp.ctl, *words])
    assert result.status == 0 and result.err == b"", result.err
    return set(result.out.decode().split())


def test_completion(sp_one):
    verbs = {v.split()[0] for v in help_verbs(sp_one)}
    assert complete(sp_one, "") == verbs
    assert complete(sp_one, "interpreter", "") == {v.split()[1] for v in help_verbs(sp_one)
                                                   if v.startswith("interpreter ")}
    assert complete(sp_one, "venv", "") == {"adopt", "list", "remove"}
    assert complete(sp_one, "--prefix", "/x", "ro") == {"rollback"}
    assert "--dry-run" in complete(sp_one, "apply", "-")
    assert complete(sp_one, "interpreter", "remove", "") == {sp_one.minor}


@pytest.mark.parametrize("args", [
    (), ("nonsense",), ("interpreter",), ("interpreter", "nonsense"), ("interpreter", "add"),
    ("interpreter", "remove"), ("interpreter", "remove", "x"), ("interpreter", "default", "../3.11"),
    ("apply", "--json"), ("apply", "extra"), ("--nonsense", "apply"), ("apply", "--prefix"),
    ("status", "--dry-run"), ("help", "nonsense"), ("help", "interpreter", "nonsense"),
    ("show", "a", "b"), ("-x",),
])
def test_usage(sp_one, args):
    assert ctl(sp_one, *args, status=USAGE).out == b""


def test_version(sp_one):
    assert re.fullmatch(rb"spythonctl \d+\.\d+\.\d+\n", ctl(sp_one, "--version").out)


def test_prefix_follows_from_the_executable(sp_one, work):
    stray = shutil.copy(sp_one.ctl, work / "spythonctl")
    result = run([stray, "status"])
    assert result.status == UNUSABLE and b"--prefix" in result.err
    assert run([stray, "--prefix", sp_one.root, "show"]).status == 0
    assert run([stray, "--prefix", work, "show"]).status == UNUSABLE
    assert run([stray, "--prefix", work / "absent", "show"]).status == NOINPUT
    link = work / "link"
    link.symlink_to(sp_one.ctl)
    assert json.loads(run([link, "status", "--json"]).out)["prefix"] == str(sp_one.root)


def test_full_output_is_an_error(sp_one):
    with open("/dev/full", "wb") as full:
        assert ctl(sp_one, "show", status=IOERR, stdout=full)


def on_terminal(sp, **env):
    leader, follower = pty.openpty()
    subprocess.run([sp.ctl, "status"], stdout=follower, env=sp.env(TERM="xterm", **env))
    os.close(follower)
    out = b""
    try:
        while True:
            out += os.read(leader, 65536)
    except OSError:
        pass
    os.close(leader)
    return out


def test_colour_only_on_a_terminal_without_no_color(sp_one):
    assert b"\033[" in on_terminal(sp_one)
    assert b"\033[" not in on_terminal(sp_one, NO_COLOR="1")
    assert b"\033[" not in sp_one.spythonctl("status").out


def test_hostile_names_reach_no_terminal(sp_one, work):
    name = "evil\033[2Jname\n"
    result = ctl(sp_one, "venv", "adopt", str(work / name), status=NOINPUT)
    assert b"\033" not in result.err and b"\\x1b[2J" in result.err
    assert result.err.count(b"\n") == 1


# ---- interpreters


@pytest.fixture
def copy(sp_one, work):
    """A copy of the registered interpreter that may be damaged."""
    path = work / "place" / "python"
    path.parent.mkdir(mode=0o755)
    shutil.copy(sp_one.python, path)
    path.chmod(0o755)
    return path


def record(sp):
    """interpreter_record.h, read with struct."""
    data = (sp.libexec / "interpreter").read_bytes()
    form = struct.Struct("8sII3Q4q32s1024s1024s1024s1024s64sII8192s")
    fields = form.unpack(data)
    text = [f.split(b"\0")[0].decode() for f in fields[11:16]]
    paths = [fields[18][i * 1024:][:1024].split(b"\0")[0].decode() for i in range(fields[16])]
    return {"magic": fields[0], "size": fields[1], "hex": fields[2], "sha256": fields[10],
            "path": text[0], "prefix": text[1], "exec_prefix": text[2], "stdlib": text[3],
            "platlibdir": text[4], "debug": fields[17], "paths": paths}


def test_record_is_what_the_interpreter_says(sp):
    ctl(sp, "interpreter", "add", sp.python)
    code = ("import sys, os, json; print(json.dumps([sys.hexversion, sys.base_prefix, sys.base_exec_prefix,"
            "os.path.dirname(os.path.realpath(os.__file__)), getattr(sys, 'platlibdir', ''), sys.path]))")
    said = json.loads(sp.run_python("-I", "-S", "-c", code).out)
    got = record(sp)
    assert got["magic"] == b"SPYINT\0\1" and got["size"] == (sp.libexec / "interpreter").stat().st_size
    assert [got["hex"], got["prefix"], got["exec_prefix"], os.path.realpath(got["stdlib"]),
            got["platlibdir"], got["paths"]] == said
    assert got["path"] == str(sp.python)
    digest = subprocess.run(["sha256sum", sp.python], capture_output=True).stdout.split()[0]
    assert got["sha256"].hex().encode() == digest
    assert os.readlink(sp.libexec / "python") == str(sp.python)
    assert stat.S_IMODE((sp.libexec / "interpreter").stat().st_mode) == 0o644
    assert not [p for p in sp.libexec.iterdir() if p.name.startswith(".")]


def test_add_asks_in_an_empty_environment(sp_one, work):
    ctl(sp_one, "interpreter", "add", sp_one.python)
    before = record(sp_one)
    write(work / "evil" / "os.py", "raise SystemExit(99)")
    hostile = sp_one.env(PYTHONHOME="/nonexistent", PYTHONPATH=str(work / "evil"))
    control = run([sp_one.python, "-c", "pass"], env=hostile)
    assert control.status != 0
    result = run([sp_one.ctl, "interpreter", "add", sp_one.python], env=hostile, cwd=work / "evil")
    assert result.status == 0, result.err
    assert record(sp_one) == before
    # -I alone would explain that; so look at the environment itself.
    source = write(work / "env.c", '#include <stdio.h>\n#include <unistd.h>\n'
                   'int main(void) { dprintf(2, "%s\\n", *environ ? *environ : "none"); return 3; }')
    subprocess.run(["cc", "-D_GNU_SOURCE", "-o", work / "env", source], check=True)
    assert run([work / "env"], env=hostile).err != b"none\n"
    assert b"version: none (" in run([sp_one.ctl, "interpreter", "add", work / "env"], env=hostile).err


def test_add_by_link_and_copy(sp_one, copy, work):
    ctl(sp_one, "interpreter", "add", str(copy))
    assert record(sp_one)["path"] == str(copy)
    link = work / "link"
    link.symlink_to(sp_one.python)
    ctl(sp_one, "interpreter", "add", str(link))
    assert record(sp_one)["path"] == str(sp_one.python)


def static_program(work):
    source = write(work / "static.c", "int main(void) { return 0; }")
    done = subprocess.run(["cc", "-static", "-o", work / "static", source], capture_output=True)
    if done.returncode != 0:
        harness.unavailable("no static program can be linked")
    return work / "static"


def set_capability(path):
    if subprocess.run(["setcap", "cap_net_raw+ep", path], capture_output=True).returncode != 0:
        harness.unavailable("setcap does not work here")


# name -> (what makes the copy unfit, exit status, text of the message)
UNFIT = {
    "not executable": (lambda p: p.chmod(0o644), NEGATIVE, b"not executable"),
    "setuid": (lambda p: p.chmod(0o4755), NEGATIVE, b"set-user-ID"),
    "setgid": (lambda p: p.chmod(0o2755), NEGATIVE, b"set-group-ID"),
    "capability": (set_capability, NEGATIVE, b"file capabilities"),
    "group writable": (lambda p: p.chmod(0o775), NOPERM, b"can be written"),
    "foreign": (lambda p: os.chown(p, NOBODY, NOBODY), NOPERM, b"owned by uid 65534"),
    "open directory": (lambda p: p.parent.chmod(0o777), NOPERM, b"can be written"),
    "foreign directory": (lambda p: os.chown(p.parent, NOBODY, 0), NOPERM, b"owned by uid 65534"),
    "a script": (lambda p: write(p, "#!/bin/sh\nexit 0\n", 0o755), NEGATIVE, b"is a script"),
    "garbage": (lambda p: write(p, b"\177ELF" + bytes(300), 0o755), NEGATIVE, b"kind of machine"),
    "empty": (lambda p: write(p, b"", 0o755), NEGATIVE, b"not an ELF"),
    "another program": (lambda p: shutil.copy("/bin/true", p), NEGATIVE, b"no sensible answer"),
    "a failing program": (lambda p: shutil.copy("/bin/false", p), NEGATIVE, b"failed"),
    "in a venv": (lambda p: write(p.parent / "pyvenv.cfg", "home = /usr/bin\n"), NEGATIVE,
                  b"register its base in '/usr/bin'"),
}


@is_root
@pytest.mark.parametrize("defect", UNFIT)
def test_add_refuses(sp_one, copy, defect):
    spoil, status, text = UNFIT[defect]
    ctl(sp_one, "interpreter", "add", str(copy))
    ctl(sp_one, "interpreter", "add", str(sp_one.python))
    before = (sp_one.libexec / "interpreter").read_bytes()
    spoil(copy)
    try:
        result = ctl(sp_one, "interpreter", "add", str(copy), status=status)
        assert text in result.err and ERROR.search(result.err), result.err
        assert (sp_one.libexec / "interpreter").read_bytes() == before
    finally:
        copy.parent.chmod(0o755)
        os.chown(copy.parent, 0, 0)


def test_add_refuses_what_is_no_python(sp_one, work):
    ctl(sp_one, "interpreter", "add", str(work / "absent"), status=NOINPUT)
    ctl(sp_one, "interpreter", "add", str(work), status=NEGATIVE)
    result = ctl(sp_one, "interpreter", "add", str(static_program(work)), status=NEGATIVE)
    assert b"statically linked" in result.err
    os.mkfifo(work / "fifo")
    ctl(sp_one, "interpreter", "add", str(work / "fifo"), status=NEGATIVE)


@pytest.mark.several_minors
def test_add_refuses_a_minor_without_a_core(sp_one):
    others = [m for m in harness.registered_minors() if m != sp_one.minor]
    if not others:
        harness.unavailable("only one minor version is built")
    other = os.path.realpath(harness.prefix_path() / "libexec/spython" / others[0] / "python")
    result = ctl(sp_one, "interpreter", "add", other, status=NEGATIVE)
    assert b"no core" in result.err and sp_one.minor.encode() in result.err
    # One good path does not hide a bad one.
    result = ctl(sp_one, "interpreter", "add", other, sp_one.python, status=NEGATIVE)
    assert b"registered " in result.out


def test_venv_python_resolves_to_its_base(sp_one, work):
    subprocess.run([sp_one.python, "-m", "venv", "--without-pip", work / "v"], check=True)
    ctl(sp_one, "interpreter", "add", str(work / "v/bin/python"))
    assert record(sp_one)["path"] == str(sp_one.python)
    subprocess.run([sp_one.python, "-m", "venv", "--without-pip", "--copies", work / "c"], check=True)
    result = ctl(sp_one, "interpreter", "add", str(work / "c/bin/python"), status=NEGATIVE)
    assert b"venv adopt" in result.err


@is_root
def test_add_runs_a_users_interpreter_as_that_user(sp_one, work):
    """A prefix of another user: root must not run what that user can change."""
    source = write(work / "id.c", '#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n'
                   'int main(void) { dprintf(2, "uid %d\\n", (int)geteuid()); return 3; }')
    subprocess.run(["cc", "-o", work / "prog", source], check=True)
    subprocess.run(["chown", "-R", "65534:65534", work], check=True)
    result = ctl(sp_one, "interpreter", "add", str(work / "prog"), status=NEGATIVE)
    assert b"uid 65534" in result.err
    os.chown(work, 0, 0)
    os.chown(work / "prog", 0, 0)
    # The control, and the fixture's clean-up.
    subprocess.run(["chown", "-R", "0:0", work], check=True)
    assert b"uid 0" in ctl(sp_one, "interpreter", "add", str(work / "prog"), status=NEGATIVE).err


def state(sp, status=0):
    document = ctl_json(sp, "interpreter", "check", status=status)
    return harness.one(document["interpreters"])


def test_states(sp_one, copy):
    ctl(sp_one, "interpreter", "add", str(copy))
    assert state(sp_one)["state"] == "ok"

    again = copy.with_name("again")
    shutil.copy2(copy, again)
    os.replace(again, copy)
    copied = state(sp_one)
    assert copied["state"] == "copied" and "interpreter add" in copied["todo"]
    ctl(sp_one, "interpreter", "add", str(copy))
    assert state(sp_one)["state"] == "ok"

    data = copy.read_bytes()
    copy.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))  # the same size
    assert state(sp_one, NEGATIVE)["state"] == "replaced"
    copy.write_bytes(data + b"x")
    assert state(sp_one, NEGATIVE)["state"] == "replaced"
    copy.write_bytes(data)
    assert state(sp_one)["state"] == "copied"

    copy.chmod(0o757)
    assert state(sp_one, NEGATIVE)["state"] == "untrusted"
    copy.chmod(0o755)
    copy.unlink()
    assert state(sp_one, NEGATIVE)["state"] == "missing"
    copy.symlink_to(sp_one.python)
    assert state(sp_one, NEGATIVE)["state"] == "unusable"


def with_note(data, text):
    """The same object, whose note says something else."""
    at = data.index(b"spython\0", data.index(b"\x08\0\0\0")) + 8
    end = data.index(b"\0", at)
    return data[:at] + text[:end - at].ljust(end - at, b"0") + data[end:]


OBJECTS = [(name, spoiled, word) for name in ("core.so", "audit.so") for spoiled, word in (
    (lambda data: b"", "not an object of spython"), (lambda data: data[:2048], "cut off"),
    (lambda data: with_note(data, b"9.9.9"), "is for 9.9"),
    (lambda data: data.replace(b"\x08\0\0\0", b"\x07\0\0\0"), "not an object of spython"))]


def test_incomplete_installations(sp_one):
    for name in ("core.so", "audit.so", "python"):
        path = sp_one.libexec / name
        path.rename(path.with_name("away"))
        assert state(sp_one, NEGATIVE)["state"] == "incomplete", name
        path.with_name("away").rename(path)
    for name, spoiled, word in OBJECTS:
        path = sp_one.libexec / name
        before = path.read_bytes()
        path.write_bytes(spoiled(before))
        found = state(sp_one, NEGATIVE)
        assert found["state"] == "incomplete" and word in found["problem"], found
        assert sp_one.run("--version").status == harness.UNUSABLE  # the first stage says the same
        path.write_bytes(before)
        assert state(sp_one)["state"] in ("ok", "copied")
    sp_one.spython.rename(sp_one.root / "away")
    assert state(sp_one, NEGATIVE)["state"] == "incomplete"
    (sp_one.root / "away").rename(sp_one.spython)
    assert state(sp_one)["state"] in ("ok", "copied")


@pytest.mark.parametrize("spoil", ["empty", "short", "long", "magic", "unterminated", "count"])
def test_damaged_record(sp_one, spoil):
    path = sp_one.libexec / "interpreter"
    good = path.read_bytes()
    at = {"magic": 0, "unterminated": 104, "count": 104 + 4 * 1024 + 64}
    bad = {"empty": b"", "short": good[:-1], "long": good + b"\0",
           "magic": b"X" + good[1:], "unterminated": good[:104] + b"/" * 1024 + good[1128:],
           "count": good[:at["count"]] + b"\xff" * 4 + good[at["count"] + 4:]}[spoil]
    path.write_bytes(bad)
    assert state(sp_one, NEGATIVE)["state"] == "unusable"
    path.write_bytes(good)
    assert state(sp_one)["state"] in ("ok", "copied")


def test_default_and_remove(sp_one):
    link = sp_one.root / "bin/spython"
    if link.is_symlink() or link.exists():
        link.unlink()
    ctl(sp_one, "interpreter", "add", sp_one.python)
    assert os.readlink(link) == "spython" + sp_one.minor  # there was none
    link.unlink()
    link.symlink_to("spython3.99")
    ctl(sp_one, "interpreter", "add", sp_one.python)
    assert os.readlink(link) == "spython3.99"  # left alone
    ctl(sp_one, "interpreter", "default", "3.99", status=NOINPUT)
    ctl(sp_one, "interpreter", "default", sp_one.minor)
    assert os.readlink(link) == "spython" + sp_one.minor
    assert state(sp_one)["default"] is True

    ctl(sp_one, "interpreter", "remove", "3.99", status=NOINPUT)
    ctl(sp_one, "interpreter", "remove", sp_one.minor)
    assert not os.path.lexists(link) and not os.path.lexists(sp_one.libexec / "python")
    assert not (sp_one.libexec / "interpreter").exists() and sp_one.python.exists()
    assert state(sp_one, NEGATIVE)["state"] == "not registered"
    ctl(sp_one, "interpreter", "remove", sp_one.minor, status=NOINPUT)

    link.write_text("a file of somebody's")
    ctl(sp_one, "interpreter", "add", sp_one.python)
    ctl(sp_one, "interpreter", "default", sp_one.minor, status=CANTCREAT)
    assert link.read_text() == "a file of somebody's"


# ---- virtual environments


@pytest.fixture
def venv(sp_one, work):
    ctl(sp_one, "interpreter", "add", sp_one.python)
    root = work / "place" / "venv"
    subprocess.run([sp_one.python, "-m", "venv", "--without-pip", root], check=True)
    write(root / "lib" / ("python" + sp_one.minor) / "site-packages" / "pkg" / "__init__.py", "")
    return root


def adopted(sp, status=0):
    return ctl_json(sp, "venv", "list", status=status)["venvs"]


def test_adopt_and_remove(sp_one, venv):
    assert adopted(sp_one) == []
    for _ in range(2):  # again changes nothing
        ctl(sp_one, "venv", "adopt", str(venv) + "/")
        assert [(v["root"], v["ok"], v["minor"]) for v in adopted(sp_one)] == [
            (str(venv), True, sp_one.minor)]
    for name in ("spython", "spython" + sp_one.minor):
        assert os.readlink(venv / "bin" / name) == str(sp_one.spython)
    assert ctl_json(sp_one, "show")["venvs"] == [str(venv)]
    assert status_problems(sp_one) == [] or "venv" not in str(status_problems(sp_one))

    ctl(sp_one, "venv", "remove", str(venv))
    assert adopted(sp_one) == [] and ctl_json(sp_one, "show")["venvs"] == []
    assert not list((venv / "bin").glob("spython*"))
    ctl(sp_one, "venv", "remove", str(venv), status=NOINPUT)


def test_remove_of_a_venv_that_is_gone(sp_one, venv):
    ctl(sp_one, "venv", "adopt", str(venv))
    shutil.rmtree(venv)
    assert harness.one(adopted(sp_one, NEGATIVE))["ok"] is False
    assert any(p["object"] == str(venv) for p in status_problems(sp_one))
    ctl(sp_one, "venv", "remove", str(venv))
    assert adopted(sp_one) == []


def test_a_venv_that_the_policy_names(sp_one, venv):
    apply(sp_one, "venvs:\n  - %s\n" % venv)
    assert harness.one(adopted(sp_one, NEGATIVE))["root"] == str(venv)  # its links are missing
    assert b"spython.yaml" in ctl(sp_one, "venv", "remove", str(venv), status=NEGATIVE).err
    ctl(sp_one, "venv", "adopt", str(venv))
    assert harness.one(adopted(sp_one))["ok"] is True


def test_adopt_by_link_lists_the_real_root(sp_one, venv, work):
    (work / "link").symlink_to(venv)
    ctl(sp_one, "venv", "adopt", str(work / "link"))
    assert [v["root"] for v in adopted(sp_one)] == [str(venv)]
    ctl(sp_one, "venv", "remove", str(work / "link"))
    assert adopted(sp_one) == []


def packages(venv):
    return harness.one(venv.glob("lib/python3.*/site-packages"))


def edit_config(venv, pattern, text):
    path = venv / "pyvenv.cfg"
    path.write_text(re.sub(pattern, text, path.read_text()))


def many_open_files(venv):
    for i in range(20):
        write(packages(venv) / ("m%d.py" % i), "", 0o666)


def other_python(venv):
    edit_config(venv, r"home = .*", "home = /opt/other/bin")
    (venv / "bin/python").unlink()


BAD_VENV = {
    "no pyvenv.cfg": (lambda v: (v / "pyvenv.cfg").unlink(), NEGATIVE, b"no pyvenv.cfg"),
    "no version": (lambda v: edit_config(v, "version = .*", ""), NEGATIVE, b"no version"),
    "odd version": (lambda v: edit_config(v, "version = .*", "version = ../3"), NEGATIVE, b"no version"),
    "no home": (lambda v: edit_config(v, "home = .*", ""), NEGATIVE, b"no home"),
    "another minor": (lambda v: edit_config(v, "version = .*", "version = 3.99.1"), NEGATIVE,
                      b"needs Python 3.99"),
    "another python": (other_python, NEGATIVE, b"was made from"),
    "foreign root": (lambda v: os.chown(v, NOBODY, 0), NOPERM, b"owned by uid 65534"),
    "open root": (lambda v: v.chmod(0o777), NOPERM, b"can be written by everybody"),
    "open directory above": (lambda v: v.parent.chmod(0o777), NOPERM, b"can be written"),
    "foreign pyvenv.cfg": (lambda v: os.chown(v / "pyvenv.cfg", NOBODY, 0), NOPERM, b"pyvenv.cfg"),
    "open bin": (lambda v: (v / "bin").chmod(0o775), NOPERM, b"by its group"),
    "open script": (lambda v: write(v / "bin/tool", "", 0o777), NOPERM, b"bin/tool"),
    "open module": (lambda v: (packages(v) / "pkg/__init__.py").chmod(0o666), NOPERM, b"__init__.py"),
    "foreign package": (lambda v: os.chown(packages(v) / "pkg", NOBODY, 0), NOPERM, b"/pkg'"),
    "open lib": (lambda v: (v / "lib").chmod(0o777), NOPERM, b"/lib'"),
    "many": (many_open_files, NOPERM, b"20 files could be changed"),
    "link to an open file": (lambda v: (write(v.parent / "x.py", "", 0o666),
                                        (packages(v) / "x.py").symlink_to(v.parent / "x.py")),
                             NOPERM, b"x.py"),
    "in the way": (lambda v: write(v / "bin/spython", "", 0o755), CANTCREAT, b"in the way"),
}


@is_root
@pytest.mark.parametrize("defect", BAD_VENV)
def test_adopt_refuses(sp_one, venv, defect):
    spoil, status, text = BAD_VENV[defect]
    ctl(sp_one, "venv", "adopt", str(venv))
    ctl(sp_one, "venv", "remove", str(venv))
    before = sp_one.policy_bin.read_bytes()
    spoil(venv)
    try:
        result = ctl(sp_one, "venv", "adopt", str(venv), status=status)
        assert text in result.err and ERROR.search(result.err), result.err
    finally:
        venv.parent.chmod(0o755)
    assert adopted(sp_one) == [] and sp_one.policy_bin.read_bytes() == before
    assert not [p for p in (venv / "bin").glob("spython*") if p.is_symlink()]


def test_adopt_changes_nothing_while_the_policy_is_wrong(sp_one, venv):
    ctl(sp_one, "apply")
    before = sp_one.policy_bin.read_bytes()
    write(sp_one.etc / "spython.yaml", "nonsense: 1\n")
    result = ctl(sp_one, "venv", "adopt", str(venv), status=NEGATIVE)
    assert b"spython.yaml:1:1: error:" in result.err
    assert not os.path.lexists(venv / "bin/spython") and adopted(sp_one) == []
    assert sp_one.policy_bin.read_bytes() == before


# ---- policy


def test_check(sp_one, work):
    write(sp_one.etc / "spython.yaml", "profile: standard\n")
    assert ctl(sp_one, "check").err == b""
    assert ctl_json(sp_one, "check") == {"ok": True, "messages": []}
    path = write(sp_one.etc / "spython.yaml", "profile: standard\n  \nprofil: strict\n")
    out = ctl(sp_one, "check", status=NEGATIVE).out.decode()
    assert re.search(r"^%s:3:1: error: .*profil.*$" % re.escape(str(path)), out, re.M), out
    assert "\n    hint: " in out
    document = ctl_json(sp_one, "check", status=NEGATIVE)
    assert document["ok"] is False
    assert [(m["file"], m["line"], m["column"], m["severity"]) for m in document["messages"]] == [
        (str(path), 3, 1, "error")]
    write(work / "policy" / "spython.yaml", "profile: observe\n")
    assert ctl(sp_one, "check", str(work / "policy"))
    ctl(sp_one, "check", str(work / "absent"), status=NOINPUT)


def test_apply_and_diff(sp_one):
    assert ctl_json(sp_one, "status", status=sp_one.spythonctl("status").status)["policy"][
        "state"] == "built-in"
    out = apply(sp_one, "profile: observe\n").out.decode()
    assert "- profile: standard\n" in out and "+ profile: observe\n" in out
    assert settings(sp_one)["profile"]["value"] == "observe"
    assert stat.S_IMODE(sp_one.policy_bin.stat().st_mode) == 0o644
    out = apply(sp_one, "profile: strict\n").out.decode()
    assert "- profile: observe\n" in out and "+ profile: strict\n" in out
    policy = ctl_json(sp_one, "status", status=sp_one.spythonctl("status").status)["policy"]
    assert policy["serial"] == 2 and policy["profile"] == "strict" and policy["sources"] == "same"
    assert not [p for p in sp_one.etc.iterdir() if p.name.startswith(".policy")]


def test_apply_again_is_no_change(sp_one):
    apply(sp_one, "profile: observe\n")
    before = sp_one.policy_bin.stat()
    time.sleep(1.1)  # the time of the apply is part of the artefact
    assert b"nothing to apply" in apply(sp_one, "profile: observe # a comment\n").out
    after = sp_one.policy_bin.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_dry_run_writes_nothing(sp_one):
    def tree():
        return {p.name: p.read_bytes() for p in sp_one.etc.rglob("*") if p.is_file()}

    write(sp_one.etc / "spython.yaml", "profile: observe\n")
    before = tree()
    assert b"+ profile: observe\n" in ctl(sp_one, "apply", "--dry-run").out
    assert tree() == before
    ctl(sp_one, "apply")
    assert tree() != before


def test_app_changes_are_shown_under_their_name(sp_one):
    write(sp_one.etc / "apps.d/shop.yml", "match:\n  script: /srv/shop.py\nprofile: observe\n")
    out = apply(sp_one, "profile: standard\n").out.decode()
    assert "+ app shop\n" in out and "+ app shop: profile: observe\n" in out
    assert "+ app shop: log." not in out  # as the host's
    assert settings(sp_one, "shop")["profile"] == {"name": "profile", "value": "observe",
                                                   "from": "apps.d/shop.yml"}
    assert settings(sp_one, "shop")["log.stack.level"]["from"] == "host"
    assert ctl_json(sp_one, "show")["apps"] == ["shop"]
    (sp_one.etc / "apps.d/shop.yml").unlink()
    assert "- app shop\n" in ctl(sp_one, "apply").out.decode()
    ctl(sp_one, "show", "shop", status=NOINPUT)


def test_show_says_where_a_setting_comes_from(sp_one):
    assert {s["from"] for s in settings(sp_one).values()} == {"built-in"}
    apply(sp_one, "profile: observe\nlog:\n  host: web-17\n")
    shown = settings(sp_one)
    assert shown["profile"]["from"] == "spython.yaml"
    assert shown["log.host"] == {"name": "log.host", "value": "web-17", "from": "spython.yaml"}
    assert shown["log.stack.level"]["from"] == "profile"
    assert re.search(r"^log\.host +web-17  \(spython\.yaml\)$", ctl(sp_one, "show").out.decode(), re.M)


def test_wrong_sources_leave_the_policy_in_force(sp_one):
    apply(sp_one, "profile: observe\n")
    before = sp_one.policy_bin.read_bytes()
    result = apply(sp_one, "profile: [\n", NEGATIVE)
    assert b"spython.yaml:" in result.err and ERROR.search(result.err)
    assert sp_one.policy_bin.read_bytes() == before
    assert any("errors" in p["problem"] for p in status_problems(sp_one))


def foreign(path):
    os.chown(path, NOBODY, NOBODY)


OPEN_SOURCES = {
    "foreign file": lambda e: foreign(e / "spython.yaml"),
    "group-writable file": lambda e: (e / "spython.yaml").chmod(0o664),
    "open directory": lambda e: e.chmod(0o777),
    "foreign directory": foreign,
    "open apps.d": lambda e: (e / "apps.d").chmod(0o777),
    "foreign app": lambda e: foreign(e / "apps.d/shop.yml"),
    "link to an open file": lambda e: (write(e.parent / "elsewhere", "match: {user: nobody}\n", 0o666),
                                       (e / "apps.d/other.yml").symlink_to(e.parent / "elsewhere")),
}


@is_root
@pytest.mark.parametrize("defect", OPEN_SOURCES)
def test_apply_refuses_sources_that_others_can_change(sp_one, defect):
    write(sp_one.etc / "apps.d/shop.yml", "match:\n  script: /srv/shop.py\n")
    apply(sp_one, "profile: standard\n")  # the control
    before = sp_one.policy_bin.read_bytes()
    write(sp_one.etc / "spython.yaml", "profile: observe\n")
    OPEN_SOURCES[defect](sp_one.etc)
    result = ctl(sp_one, "apply", status=NOPERM)
    assert b"chown" in result.err
    ctl(sp_one, "apply", "--dry-run", status=NOPERM)
    sp_one.etc.chmod(0o755)
    os.chown(sp_one.etc, 0, 0)
    assert sp_one.policy_bin.read_bytes() == before
    assert status_problems(sp_one)


def test_history_and_rollback(sp_one):
    ctl(sp_one, "rollback", status=NOINPUT)
    profiles = ["observe", "strict", "standard", "observe", "strict", "standard", "observe"]
    for profile in profiles:
        apply(sp_one, "profile: %s\n" % profile)
    kept = sorted(p.name for p in sp_one.etc.glob("policy.bin*"))
    assert kept == ["policy.bin"] + ["policy.bin.%d" % i for i in range(1, 6)] + ["policy.bin.off"]

    last = sp_one.policy_bin.read_bytes()
    out = ctl(sp_one, "rollback").out.decode()
    assert "+ profile: standard\n" in out and "policy 6 " in out
    assert (sp_one.etc / "policy.bin.undone").read_bytes() == last
    assert any("something else" in p["problem"] for p in status_problems(sp_one))
    ctl(sp_one, "rollback")
    assert settings(sp_one)["profile"]["value"] == "strict"
    ctl(sp_one, "apply")
    document = json.loads(sp_one.spythonctl("status", "--json").out)
    assert document["policy"]["serial"] == 8 and document["policy"]["profile"] == "observe"


def test_serials_are_not_used_twice(sp_one):
    apply(sp_one, "profile: observe\n")
    apply(sp_one, "profile: strict\n")
    ctl(sp_one, "rollback")
    apply(sp_one, "profile: standard\n")
    assert json.loads(sp_one.spythonctl("status", "--json").out)["policy"]["serial"] == 3


def test_rollback_refuses_a_damaged_policy(sp_one):
    apply(sp_one, "profile: observe\n")
    apply(sp_one, "profile: strict\n")
    before = sp_one.policy_bin.read_bytes()
    earlier = sp_one.etc / "policy.bin.1"
    good = earlier.read_bytes()
    earlier.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    ctl(sp_one, "rollback", status=UNUSABLE)
    assert sp_one.policy_bin.read_bytes() == before
    earlier.write_bytes(good)
    ctl(sp_one, "rollback")
    assert sp_one.policy_bin.read_bytes() == good


def test_apply_replaces_a_damaged_policy(sp_one):
    apply(sp_one, "profile: observe\n")
    sp_one.policy_bin.write_bytes(b"garbage")
    ctl(sp_one, "show", status=UNUSABLE)
    assert any(p["object"] == "policy" for p in status_problems(sp_one))
    assert b"unusable" in ctl(sp_one, "apply").out
    assert settings(sp_one)["profile"]["value"] == "observe"


def test_applies_at_once(sp_one):
    """However they interleave, each time a whole policy is in force and no serial is lost."""
    write(sp_one.etc / "spython.yaml", "profile: observe\n")
    with open(os.devnull, "wb") as null:
        running = [subprocess.Popen([sp_one.ctl, "apply"], stdout=null, env=sp_one.env())
                   for _ in range(8)]
        deadline = time.monotonic() + 30
        while any(p.poll() is None for p in running):
            assert time.monotonic() < deadline
            if sp_one.policy_bin.exists():
                ctl(sp_one, "show")
    assert [p.returncode for p in running] == [0] * 8
    document = json.loads(sp_one.spythonctl("status", "--json").out)
    assert document["policy"]["serial"] == 1 and document["policy"]["sources"] == "same"


def test_apply_waits_for_the_lock(sp_one):
    apply(sp_one, "profile: observe\n")
    write(sp_one.etc / "spython.yaml", "profile: strict\n")
    with open(sp_one.etc / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen([sp_one.ctl, "apply"], stdout=subprocess.PIPE)
        time.sleep(0.5)
        assert process.poll() is None and settings(sp_one)["profile"]["value"] == "observe"
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert process.communicate(timeout=10) and process.returncode == 0
    assert settings(sp_one)["profile"]["value"] == "strict"


@is_root
def test_others_may_look_but_not_touch(sp_one):
    apply(sp_one, "profile: observe\n")
    write(sp_one.etc / "spython.yaml", "profile: strict\n")

    def as_nobody(*args):
        return run([sp_one.ctl, *args], user=NOBODY, group=NOBODY, extra_groups=[])

    assert as_nobody("show").status == 0
    assert as_nobody("check").status == 0
    assert as_nobody("apply", "--dry-run").status == 0
    for args in (("apply",), ("rollback",), ("interpreter", "add", sp_one.python)):
        result = as_nobody(*args)
        assert result.status == NOPERM and ERROR.search(result.err), (args, result)
    assert settings(sp_one)["profile"]["value"] == "observe"


@is_root
def test_private_prefix_of_a_user(sp_one, work):
    """Somebody without privileges installs below their home and does everything by themselves."""
    write(sp_one.etc / "spython.yaml", "profile: observe\n")
    shutil.copytree(sp_one.root, work / "home", symlinks=True)
    subprocess.run(["chown", "-hR", "65534:65534", work / "home"], check=True)
    tool = work / "home/bin/spythonctl"

    def as_nobody(*args):
        return run([tool, *args], user=NOBODY, group=NOBODY, extra_groups=[])

    for args in (("interpreter", "add", sp_one.python), ("interpreter", "default", sp_one.minor),
                 ("apply",), ("show",), ("ps",)):
        result = as_nobody(*args)
        assert result.status == 0, (args, result)
    result = as_nobody("status", "--json")
    assert json.loads(result.out)["problems"] == [] and result.status == 0
    os.chown(work / "home/etc/spython/spython.yaml", 65533, 65533)
    assert as_nobody("apply").status == NOPERM


def test_closed_output(sp_one):
    """Nothing of what is printed may land in a file that happens to get the number 1 or 2."""
    write(sp_one.etc / "spython.yaml", "profile: observe\n")
    result = run(["sh", "-c", 'exec "$0" apply >&- 2>&- <&-', sp_one.ctl])
    assert result.status == 0
    assert settings(sp_one)["profile"]["value"] == "observe"


def test_reader_that_goes_away(sp_one):
    write(sp_one.etc / "spython.yaml", "profile: observe\n")
    reader, writer = os.pipe()
    os.close(reader)
    assert ctl(sp_one, "apply", status=IOERR, stdout=writer)
    os.close(writer)
    assert settings(sp_one)["profile"]["value"] == "observe"


# ---- status


def test_status_of_a_good_installation(sp_one):
    ctl(sp_one, "interpreter", "add", sp_one.python)
    ctl(sp_one, "interpreter", "default", sp_one.minor)
    apply(sp_one, "profile: standard\n")
    out = ctl(sp_one, "status").out.decode()
    assert "everything is as it should be" in out and str(sp_one.python) in out
    document = ctl_json(sp_one, "status")
    assert set(document) == {"prefix", "owner", "interpreters", "policy", "pending", "apps", "venvs", "ok",
                             "problems"}
    assert document["prefix"] == str(sp_one.root) and document["policy"]["state"] == "in force"
    assert re.fullmatch("[0-9a-f]{64}", document["policy"]["digest"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["policy"]["applied"])
    sink = document["apps"][0]["sinks"][0]
    assert sink["kind"] == "file" and sink["exists"] and sink["writable"]
    assert sink["path"] == str(sp_one.log) + "/" and sink["on_failure"] in ("stop", "count")


def good_status(sp):
    ctl(sp, "interpreter", "add", sp.python)
    ctl(sp, "interpreter", "default", sp.minor)
    apply(sp, "profile: standard\n")
    assert status_problems(sp) == []


STATUS_DEFECTS = {
    "open core": lambda sp: (sp.libexec / "core.so").chmod(0o775),
    "open bin": lambda sp: (sp.root / "bin").chmod(0o777),
    "open libexec": lambda sp: sp.libexec.parent.chmod(0o777),
    "open audit object": lambda sp: (sp.libexec / "audit.so").chmod(0o775),
    "no audit object": lambda sp: (sp.libexec / "audit.so").unlink(),
    "another audit object": lambda sp: shutil.copy(sp.libexec / "core.so", sp.libexec / "audit.so"),
    "no core": lambda sp: (sp.libexec / "core.so").unlink(),
    "no default": lambda sp: (sp.root / "bin/spython").unlink(),
    "not applied": lambda sp: write(sp.etc / "spython.yaml", "profile: observe\n"),
    "wrong sources": lambda sp: write(sp.etc / "spython.yaml", "nonsense\n"),
    "damaged policy": lambda sp: sp.policy_bin.write_bytes(b""),
    "open policy": lambda sp: sp.policy_bin.chmod(0o666),
    "no log directory": lambda sp: shutil.rmtree(sp.log),
    "log directory not sticky": lambda sp: sp.log.chmod(0o777),
    "log directory is a file": lambda sp: (shutil.rmtree(sp.log), write(sp.log, "")),
    "no interpreter": lambda sp: (sp.libexec / "interpreter").unlink(),
}


@pytest.mark.parametrize("defect", STATUS_DEFECTS)
def test_status_finds(sp_one, defect):
    good_status(sp_one)  # the control
    STATUS_DEFECTS[defect](sp_one)
    problems = status_problems(sp_one)
    assert problems and all(p["object"] and p["problem"] and p["todo"] for p in problems), problems
    out = ctl(sp_one, "status", status=NEGATIVE).out
    for problem in problems:
        assert problem["problem"].encode() in out and problem["todo"].encode() in out


@pytest.mark.parametrize("options,word", [("ro", "read-only"), ("size=4k", "full")])
def test_status_finds_file_systems_that_take_nothing(sp_one, options, word):
    if os.geteuid() != 0:
        harness.unavailable("mounting needs root")
    good_status(sp_one)  # the control
    script = ("mount -t tmpfs -o size=4k,mode=1777 none %(log)s && "
              "{ head -c 4096 /dev/zero >%(log)s/full || :; } && "
              "mount -o remount,%(options)s %(log)s && exec %(ctl)s status --json"
              % {"log": sp_one.log, "options": options, "ctl": sp_one.ctl})
    found = harness.run(["unshare", "--mount", "sh", "-c", script], env=sp_one.env())
    assert found.status == NEGATIVE, found
    problems = json.loads(found.out)["problems"]
    assert any(word in p["problem"] and str(sp_one.log) in p["object"] for p in problems), problems


def test_installation_in_usr(sp_one, work):
    """What is in /usr has its policy in /etc and its logs in /var, not below /usr."""
    if os.geteuid() != 0:
        harness.unavailable("mounting needs root")
    script = write(work / "a.py", "print('ran')\n")
    for folder in ("upper/bin", "upper/libexec", "layer"):
        (work / folder).mkdir(parents=True)
    for name in ("spythonctl", sp_one.spython.name):
        shutil.copy2(sp_one.root / "bin" / name, work / "upper/bin" / name)
    shutil.copytree(sp_one.libexec.parent, work / "upper/libexec/spython", symlinks=True)
    command = ("mount -t tmpfs none %(dir)s/layer && mkdir -p %(dir)s/layer/upper %(dir)s/layer/work && "
               "cp -a %(dir)s/upper/. %(dir)s/layer/upper && "
               "mount -t overlay none -o lowerdir=/usr,upperdir=%(dir)s/layer/upper,workdir=%(dir)s/layer/work /usr && "
               "mkdir -p %(dir)s/etc/spython %(dir)s/var/log/spython && chmod 1777 %(dir)s/var/log/spython && "
               "mkdir -p /etc/spython /var/log/spython && "
               "mount --bind %(dir)s/etc/spython /etc/spython && "
               "mount --bind %(dir)s/var/log/spython /var/log/spython && "
               "echo 'log: {host: from-etc}' >/etc/spython/spython.yaml && "
               "/usr/bin/spythonctl apply && exec /usr/bin/%(name)s %(dir)s/a.py"
               % {"dir": work, "name": sp_one.spython.name})
    made = [p for p in (Path("/etc/spython"), Path("/var/log/spython")) if not p.exists()]
    try:
        found = harness.run(["unshare", "--mount", "sh", "-c", command], env=sp_one.env())
    finally:
        for path in made:
            path.exists() and path.rmdir()
    assert found.status == 0 and found.out.endswith(b"ran\n"), found
    assert (work / "etc/spython/policy.bin").exists()
    logs = list((work / "var/log/spython").glob("spython-*"))
    assert len(logs) == 1 and b'"host":"from-etc"' in logs[0].read_bytes()


# ---- ps

SLEEP = "import sys, time\nsys.stdout.write('up\\n')\nsys.stdout.flush()\ntime.sleep(60)\n"


class Running:
    """A session that sleeps."""

    def __init__(self, sp, script, *args, **more):
        self.process = subprocess.Popen([sp.spython, script, *args], stdout=subprocess.PIPE,
                                        env=sp.env(), **more)
        assert self.process.stdout.readline() == b"up\n"
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def ps(sp, *args):
    return {s["pid"]: s for s in ctl_json(sp, "ps", *args)["sessions"]}


def test_ps_tells_which_policy_a_session_has(sp_one, work):
    script = write(work / "sleeper.py", SLEEP)
    with Running(sp_one, script) as first:
        shown = ps(sp_one)[first.pid]
        assert shown["policy"] == "built-in" and shown["stale"] is False
        assert shown["minor"] == sp_one.minor and shown["script"] == str(script)
        assert shown["uid"] == os.getuid()
        assert Path(shown["log"]).parent == sp_one.log and shown["session"] in shown["log"]
        assert harness.parse_lines(Path(shown["log"]).read_bytes())[0][0]["session"] == shown["session"]
        apply(sp_one, "profile: standard\n")
        with Running(sp_one, script) as second:
            shown = ps(sp_one)
            assert shown[first.pid]["policy"] == "built-in" and shown[first.pid]["stale"] is True
            assert shown[second.pid]["policy"] == "current"
            assert set(ps(sp_one, "--stale")) & {first.pid, second.pid} == {first.pid}
            apply(sp_one, "profile: standard\nlog:\n  host: other\n")
            assert ps(sp_one)[second.pid]["policy"] == "stale"
            ctl(sp_one, "rollback")
            assert ps(sp_one)[second.pid]["policy"] == "current"
            text = ctl(sp_one, "ps").out.decode()
            assert re.search(r"^%d .* current .*sleeper\.py" % second.pid, text, re.M), text
    assert first.pid not in ps(sp_one)


def test_ps_lists_no_other_python_and_no_other_prefix(sp_one, work):
    script = write(work / "sleeper.py", SLEEP)
    plain = subprocess.Popen([sp_one.python, script], stdout=subprocess.PIPE)
    other = harness.clone(harness.prefix_path(), work / "other", sp_one.minor)
    try:
        assert plain.stdout.readline() == b"up\n"
        with Running(other, script) as foreign_session:
            assert foreign_session.pid in ps(other)
            assert not {plain.pid, foreign_session.pid} & set(ps(sp_one))
    finally:
        plain.kill()
        plain.communicate()


def test_ps_escapes_what_others_chose(sp_one, work):
    script = write(work / "sl\033[31meep.py", SLEEP)
    with Running(sp_one, script, "arg\n\377") as running:
        out = ctl(sp_one, "ps").out
        assert b"\033" not in out and b"sl\\x1b[31meep.py" in out
        assert ps(sp_one)[running.pid]["argv"][-1] == "arg\n\u00ff"


def test_ps_notices_a_replaced_core(sp_one, work):
    script = write(work / "sleeper.py", SLEEP)
    with Running(sp_one, script) as running:
        core = sp_one.libexec / "core.so"
        shutil.copy(core, core.with_name("new"))
        os.replace(core.with_name("new"), core)
        shown = ps(sp_one, "--stale")[running.pid]
        assert shown["core_replaced"] is True and shown["stale"] is True


@is_root
def test_ps_says_what_it_could_not_read(sp_one, work):
    script = write(work / "sleeper.py", SLEEP)
    with Running(sp_one, script) as running:
        result = run([sp_one.ctl, "ps", "--json"], user=NOBODY, group=NOBODY, extra_groups=[])
        document = json.loads(result.out)
        shown = {s["pid"]: s for s in document["sessions"]}[running.pid]
        assert shown["readable"] is False and shown["policy"] == "unreadable"
        assert document["unreadable"] > 0
        assert ps(sp_one)[running.pid]["readable"] is True
