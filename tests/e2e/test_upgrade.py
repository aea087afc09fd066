# SPDX-License-Identifier: Apache-2.0
"""Upgrades under processes that run: what they import after it, what new ones run, and what is refused
all the same."""
import json
import os
import subprocess

import pytest

import harness
import packages
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


# ---- what the package manager's triggers do

class Host:
    """An interpreter and a library that come from packages, the library signed and enforced."""

    def __init__(self, kind, sp, work):
        self.sp, self.work = sp, work
        self.packages = packages.manager(kind, sp, work)
        self.python = work / "usr/bin" / ("python" + sp.minor)
        self.library = work / "usr/lib/tiny"
        self.conf = sp.etc / "upgrade.conf"
        self.server = write(work / "server.py", "import sys\nsys.path.insert(0, %r)\n%s"
                            % (str(self.library), SERVER))
        self.binary = sp.python.read_bytes()
        self.install_python(1)
        self.install_library(1)
        self.ctl("interpreter", "add", self.python)
        self.tree = verified.Tree(self.library, verified.make_key(sp.ctl, work / "key"), "tiny")
        self.tree.manifest = work / "tiny.manifest"
        self.tree.sign(sp)
        self.tree.install(sp)
        sp.apply(self.tree.policy())
        write(self.conf, "# comment\n\nkey: %s\ntree: tiny %s\n" % (self.tree.key, self.library))

    def ctl(self, *args):
        found = self.sp.spythonctl(*args)
        assert found.status == 0, found
        return found

    def install(self, package):
        """What the scripts said. The transaction succeeds whatever they found."""
        found = self.packages.install(package)
        assert found.status == 0, found
        assert self.packages.is_whole(package)
        return found.err.decode()

    def install_python(self, version):
        return self.install(self.packages.build("python-test", str(version), {
            self.python: self.binary + b"release %d" % version}))

    def install_library(self, version, after=None, **more):
        files = {self.library / (name + ".py"): "WHAT = '%s %s'\n" % (name, version) for name in "abcde"}
        files.update({self.library / (name + ".py"): text for name, text in more.items()})
        # As packages of Python do, bytecode of the release before goes: it would be used as it is.
        clean = "rm -f %s/__pycache__/*.pyc\n" % self.library
        return self.install(self.packages.build("tiny-test", str(version), files, clean + (after or "")))

    def install_triggers(self):
        return self.install(self.packages.build_triggers([self.python, self.library]))

    def run_by_hand(self, status=0):
        script = self.sp.root / "share/spython/upgrade/spython-interpreter-upgraded"
        found = harness.run([script, self.packages.name], env=self.packages.env)
        assert found.status == status, found
        return found.err.decode()

    def serials(self):
        listed = json.loads(self.ctl("manifest", "list", "--json").out)["manifests"]
        return sorted(m["serial"] for m in listed)

    def import_anew(self, name):
        with Server([self.sp.spython, self.server], self.sp.env()) as new:
            return new.ask("import", name)


@pytest.fixture(params=[packages.Dpkg, packages.Rpm], ids=["dpkg", "rpm"])
def host(request, sp_one, work):
    return Host(request.param, sp_one, work)


def test_upgrade_by_the_package_manager(host):
    with Server([host.sp.spython, host.server], host.sp.env()) as old, \
            Server([host.python, "-B", host.server], host.sp.env()) as plain:
        assert old.ask("import", "a") == "a 1"
        # The control: without the triggers, nobody has approved what the new package brought.
        assert host.install_library(2) == ""
        assert old.ask("import", "b") == "refused" and host.import_anew("b") == "refused"
        assert plain.ask("import", "b") == "b 2"
        host.install_triggers()
        before = host.serials()  # rpm's triggers look at what is installed already
        said = host.install_library(3)
        assert "policy: tiny: signed anew and in force" in said, said
        assert host.serials() == [*before, before[-1] + 1]
        assert old.ask("import", "c") == "c 3" and host.import_anew("c") == "c 3"
        # Nothing that is signed already is signed again.
        assert host.run_by_hand() == "" and host.serials()[-1] == before[-1] + 1
        assert old.ask("import", "d") == "d 3"
    verified_tree = host.sp.spythonctl("verify", host.library, "--manifest",
                                       host.sp.etc / "trust.d/manifests/tiny.manifest")
    assert verified_tree.status == 0, verified_tree


def test_upgrade_of_the_interpreter(host):
    def start():
        return host.sp.run(write(host.work / "hello.py", "print('hello')\n"))

    assert start().out == b"hello\n"
    host.install_python(2)
    harness.assert_refused(start(), harness.UNUSABLE)  # the control
    host.install_triggers()
    said = host.install_python(3)
    assert start().out == b"hello\n", said
    assert json.loads(host.ctl("interpreter", "list", "--json").out)["interpreters"][0]["state"] == "ok"
    # What is not as its package has it is not registered.
    said = host.install(host.packages.build("python-test", "4", {host.python: host.binary + b"release 4"},
                                            "echo planted >>%s" % host.python))
    assert "%s: is not as package python-test" % host.python in said, said
    harness.assert_refused(start(), harness.UNUSABLE)
    assert harness.run([host.python, host.work / "hello.py"], env=host.sp.env()).out == b"hello\n"


def test_what_the_package_manager_does_not_vouch_for_is_not_signed(host):
    host.install_triggers()
    said = host.install_library(2, "echo 'WHAT = \"planted\"' >>%s/b.py" % host.library)
    assert "%s: is not as package tiny-test" % host.library in said and "b.py" in said, said
    assert host.serials() == [1] and host.import_anew("a") == "refused"
    with Server([host.python, "-B", host.server], host.sp.env()) as plain:
        assert plain.ask("import", "b") == "planted"

    for planted in ("planted.py", "__pycache__/planted.py"):
        write(host.library / planted, "WHAT = 'planted'\n")
        said = host.install_library(3 + len(planted))
        assert "%s: belong to no package: %s" % (host.library, host.library / planted) in said, said
        assert host.serials() == [1]
        (host.library / planted).unlink()
    write(host.library / "planted.py", "WHAT = 'planted'\n")
    with open(host.conf, "a") as conf:
        conf.write("exclude: planted.*\n")
    assert "signed anew and in force" in host.run_by_hand()
    assert host.import_anew("a").startswith("a ") and host.import_anew("planted") == "refused"
    with Server([host.python, "-B", host.server], host.sp.env()) as plain:
        assert plain.ask("import", "planted") == "planted"


def test_upgrade_without_a_key(host):
    host.install_triggers()
    write(host.conf, "tree: tiny %s\n" % host.library)
    said = host.install_library(2)
    assert "no key is configured here" in said and "spythonctl sign %s --name tiny" % host.library in said
    assert host.serials() == [1] and host.import_anew("a") == "refused"
    host.conf.unlink()
    assert "upgrade.conf: is not there, so nothing is signed" in host.run_by_hand()
    # A key that somebody has to unlock: nobody is asked, and the transaction does not wait.
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", host.tree.key], check=True)
    write(host.conf, "key: %s\ntree: tiny %s\n" % (host.tree.key, host.library))
    assert "cannot be signed as 'tiny'" in host.install_library(3)
    assert host.serials() == [1]


def test_upgrade_applies_nothing_but_manifests(host):
    host.install_triggers()
    yaml = (host.sp.etc / "spython.yaml").read_text()
    write(host.sp.etc / "spython.yaml", "profile: observe\n" + yaml)  # begun, and not applied
    before = host.sp.policy_bin.read_bytes()
    said = host.install_library(2)
    assert "not in force, since its sources say more than what is in force" in said, said
    assert host.sp.policy_bin.read_bytes() == before and host.serials() == [1, 2]
    write(host.sp.etc / "spython.yaml", yaml)
    host.ctl("apply")
    assert host.import_anew("a") == "a 2"

    write(host.sp.etc / "spython.yaml", yaml + "log: {host: other}\n")
    host.ctl("apply", "--confirm-within", "1h")
    assert "not in force, since a policy waits to be confirmed" in host.install_library(3)
    assert json.loads(host.sp.spythonctl("status", "--json").out)["pending"]["confirm"]
    host.ctl("confirm")
    host.ctl("apply")
    host.ctl("off", "--for", "1h", "--reason", "test")
    assert "not in force, since enforcement is off for now" in host.install_library(4)
    host.ctl("on")


@pytest.mark.parametrize("text, said", [
    ("key /etc/key\n", "line 1: not KEY: VALUE"),
    ("# x\nkeys: /etc/key\n", "line 2: unknown key 'keys'"),
    ("tree: tiny\n", "line 1: not NAME DIRECTORY"),
    ("tree: $(touch x) /srv\n", "line 1: not a manifest's name"),
    ("tree: a /srv/*\n", "line 1: not a plain path"),
])
def test_upgrade_conf_that_is_wrong(sp_one, text, said):
    write(sp_one.etc / "upgrade.conf", text)
    found = harness.run([sp_one.root / "share/spython/upgrade/spython-interpreter-upgraded", "dpkg"])
    assert found.status == 1 and said in found.err.decode(), found


def test_upgrade_conf_of_others(host):
    host.conf.chmod(0o666)
    host.install_library(2)
    assert "so nothing is signed" in host.run_by_hand(status=1)
    host.conf.chmod(0o644)
    os.chown(host.conf, 12345, 12345)
    assert "so nothing is signed" in host.run_by_hand(status=1)
    os.chown(host.conf, 0, 0)
    assert "signed anew and in force" in host.run_by_hand()


def test_upgrade_scripts_are_clean():
    if not harness.shutil.which("shellcheck"):
        harness.unavailable("shellcheck is not installed")
    for name in ("upgrade/spython-interpreter-upgraded", "dpkg/spython.postinst"):
        found = harness.run(["shellcheck", harness.SOURCE / "contrib" / name])
        assert found.status == 0, found.out.decode()
