# SPDX-License-Identifier: Apache-2.0
"""Upgrades under processes that run: what they import after it, what new ones run, and what is refused
all the same."""
import json
import os
import subprocess

import pytest

import harness
import verified
from harness import events, one, write

# Imports or maps what a line names, and says what came of it.
SERVER = """
import ctypes, importlib, os, sys
print("ready", flush=True)
for line in sys.stdin:
    how, name = line.split()
    child = os.fork() if how == "fork" else 0
    if child:
        os.waitpid(child, 0)
        continue
    try:
        print("mapped" if how == "map" and ctypes.CDLL(name) else
              importlib.import_module(name).WHAT, flush=True)
    except (ImportError, OSError) as e:
        print("refused" if "refused by rule" in str(e) else repr(e), flush=True)
    if how == "fork":
        os._exit(0)
"""


class Server:
    """A program that lives through an upgrade."""

    def __init__(self, argv, env):
        self.process = subprocess.Popen([os.fspath(a) for a in argv], env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, how, name):
        self.process.stdin.write("%s %s\n" % (how, name))
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


@pytest.fixture
def tree(sp, work):
    key = verified.make_key(sp.ctl, work / "key")
    tree = verified.Tree(work / "app", key)
    tree.write("server.py", SERVER)
    for name in ("a", "b", "c", "d", "e"):
        tree.write(name + ".py", "WHAT = '%s 1'\n" % name)
    return tree


def release(tree, number, names="abcde"):
    for name in names:
        tree.write(name + ".py", "WHAT = '%s %s'\n" % (name, number))


def ps(sp, pid):
    listed = json.loads(sp.spythonctl("ps", "--json").out)["sessions"]
    return one(s for s in listed if s["pid"] == pid)["policy"]


def test_lazy_imports_after_an_upgrade_in_place(sp, tree):
    tree.approve(sp)
    with Server([sp.spython, tree.root / "server.py"], sp.env()) as old, \
            Server([sp.python, "-B", tree.root / "server.py"], sp.env()) as plain:
        assert old.ask("import", "a") == "a 1"
        release(tree, 2)
        assert old.ask("import", "b") == "refused"  # nobody has approved release 2 yet
        assert plain.ask("import", "b") == "b 2"
        tree.approve(sp)
        assert old.ask("import", "b") == "b 2"
        assert old.ask("fork", "c") == "c 2"
        # The control: what nobody has signed is refused, whatever was applied.
        tree.write("d.py", "WHAT = 'd 3'\n")
        assert old.ask("import", "d") == "refused"
        assert plain.ask("import", "d") == "d 3"
        # What the process started with holds as long as it lives.
        release(tree, 1, "e")
        assert old.ask("import", "e") == "e 1"
        assert ps(sp, old.process.pid) == "stale"

    records = sp.records()
    parent = one(r["session"] for r in events(records, "spython.start")
                 if r["pid"] == old.process.pid)
    looked = one(r for r in events(records, "spython.newer_policy") if r["session"] == parent)
    assert looked["args"]["manifests"] == ["shop serial 2"] and looked["args"]["error"] is None
    assert looked["level"] == "low" and looked["verdict"] == "allow"
    told = json.loads(sp.spythonctl("status", "--json").out)["policy"]
    assert looked["args"]["sha256"] == told["digest"] and looked["args"]["serial"] == told["serial"]
    passed = [r for r in verified.judged(sp, tree.root / "b.py") if r["session"] == parent]
    assert [(r["verdict"], r["args"]["source"]) for r in passed] == [("deny", "shop serial 1"),
                                                                     ("allow", "shop serial 2")]
    refused = one(verified.judged(sp, tree.root / "d.py"))
    assert refused["args"]["source"] == "shop serial 2"


def replace(path, data):
    """As package managers do: a new file takes the place of the old one."""
    os.rename(write(path.with_name(path.name + ".dpkg-new"), data), path)


def extension(sp):
    """Some shared object that needs nothing that the interpreter has not."""
    found = sp.run_python("-I", "-c", "import _json; print(_json.__file__)")
    assert found.status == 0, found
    return open(found.out.decode().strip(), "rb").read()


def test_native_code_after_an_upgrade_in_place(sp, tree):
    first = extension(sp)
    second = first + b"release 2"
    objects = [tree.root / name for name in ("one.so", "two.so", "three.so")]
    for path in objects:
        replace(path, first)
    tree.approve(sp, verify="native: {mode: enforce}")
    with Server([sp.spython, tree.root / "server.py"], sp.env()) as old, \
            Server([sp.python, tree.root / "server.py"], sp.env()) as plain:
        assert old.ask("map", objects[0]) == "mapped"
        for path in objects[1:]:
            replace(path, second)
        assert old.ask("map", objects[1]) == "refused"
        tree.approve(sp, verify="native: {mode: enforce}")
        assert old.ask("map", objects[1]) == "mapped"
        replace(objects[2], second + b"changed")
        assert old.ask("map", objects[2]) == "refused"
        assert plain.ask("map", objects[2]) == "mapped"


def test_a_newer_policy_that_is_not_sound(sp, tree):
    """As hard to fool as a start: what stops one changes nothing here, and is recorded."""
    tree.approve(sp)
    with Server([sp.spython, tree.root / "server.py"], sp.env()) as old:
        release(tree, 2)
        tree.approve(sp)
        sp.policy_bin.chmod(0o666)
        assert old.ask("import", "a") == "refused"
        harness.assert_refused(sp.run(tree.root / "server.py"), harness.UNUSABLE)
        sp.policy_bin.chmod(0o644)
        assert old.ask("import", "a") == "a 2"
    bad, good = events(sp.records(), "spython.newer_policy")
    assert bad["level"] == "high" and "can be written by everybody" in bad["args"]["error"]
    assert bad["args"]["manifests"] == [] and bad["args"]["serial"] is None
    assert good["args"]["manifests"] == ["shop serial 2"]
