# SPDX-License-Identifier: Apache-2.0
"""Verified loading: which file it is that counts, files that change meanwhile, older releases, start-up
hooks, and why something was refused."""
import base64
import hashlib
import json
import mmap
import os
import subprocess
import threading
import time

import pytest

import harness
from harness import events, one, run, write
from verified import (HOOK_RULE, Tree, assert_permission_error, explain, flip, judged, make_key, mark, record_id,
                      sha256)

NOBODY = 65534
MAIN = "import sys\nsys.path.insert(0, %r)\nimport lib\n"


@pytest.fixture(scope="session")
def key(prefix, workspace):
    return make_key(prefix / "bin" / "spythonctl", workspace / "verify-files-key")


@pytest.fixture
def tree(sp_one, work, key):
    tree = Tree(work / "srv", key)
    tree.main = tree.write("main.py", MAIN % str(tree.root / "lib"))
    tree.lib = tree.write("lib/lib.py", mark())
    return tree.approve(sp_one)


def assert_ran(sp, script, letter="A"):
    assert sp.run("-B", script)[:3] == (0, b"mark %s\n" % letter.encode(), b"")


def assert_not_run(sp, script, path=None):
    refused = sp.run("-B", script)
    assert_permission_error(refused, path)
    assert refused.out == b""
    return refused


def importer(tree, place, name="main.py"):
    """A listed or unlisted program that imports from another place."""
    return tree.write(name, MAIN % str(place))


def test_planted(sp_one, tree):
    """An unlisted file below a listed root, found before the listed one."""
    sp, planted = sp_one, tree.write("lib/lib/__init__.py", mark("B"))
    assert sp.run_python("-B", tree.main).out == b"mark B\n"
    assert_not_run(sp, tree.main, planted)
    assert one(judged(sp, planted))["args"]["reason"] == "is not listed"


def test_elsewhere_owner_decides(sp_one, tree, work):
    sp = sp_one
    outside = write(work / "other" / "lib.py", mark("B"))
    main = importer(tree, outside.parent)
    tree.approve(sp)
    assert_ran(sp, main, "B")
    outside.chmod(0o666)
    assert_not_run(sp, main, outside)
    assert judged(sp, outside)[-1]["args"]["answers"] == ["owner: rejected"]
    outside.chmod(0o644)
    outside.parent.chmod(0o777)
    assert_not_run(sp, main, outside)


def test_link_out_of_the_root(sp_one, tree, work):
    """The real path decides: what lies outside is judged as what it is there."""
    sp, outside = sp_one, write(work / "other" / "lib.py", mark("B"))
    tree.lib.unlink()
    tree.lib.symlink_to(outside)
    assert_ran(sp, tree.main, "B")
    outside.chmod(0o666)
    assert_not_run(sp, tree.main)
    assert [r["verdict"] for r in judged(sp, outside)] == ["allow", "deny"]


def test_link_into_the_root(sp_one, tree, work):
    sp = sp_one
    (work / "link").symlink_to(tree.root / "lib")
    main = write(work / "outside.py", MAIN % str(work / "link"))
    assert_ran(sp, main)
    flip(tree.lib)
    assert_not_run(sp, main)
    assert [r["args"]["root"] for r in judged(sp, tree.lib)] == [str(tree.root)] * 2


def test_link_across_roots(sp_one, tree, work, key):
    """The other root's list decides, not that of the root where the link is."""
    sp, other = sp_one, Tree(work / "other", key, "other")
    other.write("lib.py", mark())
    other.sign(sp, "--no-compile")
    other.install(sp)
    sp.apply(tree.policy().rstrip("\n") + "\n    - {path: %s, all: [manifest], manifest: other}\n" % other.root)
    tree.lib.unlink()
    tree.lib.symlink_to(other.root / "lib.py")
    assert_ran(sp, tree.main)
    flip(other.root / "lib.py")
    assert_not_run(sp, tree.main)
    assert {r["args"]["source"] for r in judged(sp, other.root / "lib.py")} == {"other serial 1"}


def test_hard_link(sp_one, tree, work):
    """Another name for an approved file is not an approved name."""
    sp = sp_one
    os.link(tree.lib, tree.root / "lib" / "twin.py")
    main = write(work / "main.py", "import sys\nsys.path.insert(0, %r)\nimport twin\n" % str(tree.root / "lib"))
    assert sp.run_python("-B", main).out == b"mark A\n"
    assert_not_run(sp, main)


def test_case_twin(sp_one, tree):
    tree.lib.unlink()
    twin = tree.write("lib/LIB.py", mark())
    main = write(tree.root.parent / "main.py", (MAIN % str(tree.root / "lib")).replace("import lib", "import LIB"))
    assert sp_one.run_python("-B", main).out == b"mark A\n"
    assert_not_run(sp_one, main, twin)


@pytest.mark.parametrize("kind", ["fifo", "device", "directory", "procfs"])
def test_no_regular_file(sp_one, tree, work, kind):
    """Through the open hook, as a loader that is called by hand does it. Files of procfs call themselves
    regular and empty, and that is what is judged and handed out."""
    path = {"device": "/dev/zero", "procfs": "/proc/self/environ"}.get(kind, str(work / "odd"))
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    main = tree.write("main.py", "import io\ntry:\n    print(len(io.open_code(%r).read(9)))\n"
                                 "except OSError as e:\n    print(type(e).__name__)\n" % path)
    tree.approve(sp_one)
    if kind in ("device", "procfs"):
        assert sp_one.run_python("-B", main).out == b"9\n"
    assert sp_one.run("-B", main, timeout=10)[:3] == (
        0, {"directory": b"IsADirectoryError\n", "procfs": b"0\n"}.get(kind, b"OSError\n"), b"")


RELOADS = """import importlib, sys, time
sys.path.insert(0, %r)
end, ran, refused = time.monotonic() + 1.5, 0, 0
while time.monotonic() < end:
    sys.modules.pop("lib", None)
    try:
        import lib
        letter = getattr(lib, "letter", "nothing")  # plain python3 meets the file when it is empty
        ran += letter == "A"
        if letter != "A": print("UNAPPROVED", letter)
    except (PermissionError, ImportError, SyntaxError, EOFError):
        refused += 1
print(ran > 0, refused > 0)
"""


def swap_by_rename(path, texts):
    for text in texts:
        fresh = path.with_name("fresh")
        fresh.write_bytes(text)
        fresh.rename(path)


def swap_by_write(path, texts):
    for text in texts:
        path.write_bytes(text)


def swap_by_append(path, texts):
    path.write_bytes(texts[0])
    with path.open("ab") as f:
        f.write(b"letter = 'B'\n")


def swap_by_mapping(path, texts):
    with path.open("r+b") as f, mmap.mmap(f.fileno(), 0) as view:
        for text in texts:
            view[:] = text


@pytest.mark.parametrize("swap", [swap_by_rename, swap_by_write, swap_by_append, swap_by_mapping])
def test_never_runs_what_is_not_approved(sp_one, tree, swap):
    """Contents alternate while the file is imported again and again."""
    texts = [b"letter = 'A'\n", b"letter = 'B'\n"]
    tree.lib.write_bytes(texts[0])
    main = tree.write("main.py", RELOADS % str(tree.root / "lib"))
    tree.approve(sp_one)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            swap(tree.lib, texts)
            time.sleep(0.0001)
            swap(tree.lib, texts[::-1] if swap is not swap_by_append else texts)
            time.sleep(0.0001)

    swapper = threading.Thread(target=work)
    swapper.start()
    try:
        found = sp_one.run("-B", main)
        control = sp_one.run_python("-B", main)
    finally:
        stop.set()
        swapper.join()
    assert b"UNAPPROVED B" in control.out
    assert found[:3] == (0, b"True True\n", b"")


def test_older_release(sp_one, work, key):
    """A process of the release before keeps importing what was approved then, if policy says so."""
    sp, tree = sp_one, Tree(work / "srv", key)
    lib = tree.write("lib.py", mark())
    main = tree.write("main.py", MAIN % str(tree.root))
    tree.approve(sp)
    old = lib.read_bytes()
    tree.write("lib.py", mark("C"))
    tree.approve(sp, root="older: 1")
    assert_ran(sp, main, "C")
    lib.write_bytes(old)
    assert_ran(sp, main)
    sp.apply(tree.policy())
    assert_not_run(sp, main, lib)


def test_process_of_the_release_before(sp_one, tree):
    """It has the policy that it was started with, whatever is applied meanwhile."""
    sp = sp_one
    main = tree.write("main.py", "import sys\nsys.path.insert(0, %r)\nprint('up', flush=True)\n"
                                 "sys.stdin.readline()\nimport lib\n" % str(tree.root / "lib"))
    tree.approve(sp)
    process = subprocess.Popen([sp.spython, "-B", main], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=sp.env())
    assert process.stdout.readline() == b"up\n"
    tree.write("other.py", "x = 1\n")
    tree.approve(sp)
    assert process.communicate(b"go\n", timeout=20)[0] == b"mark A\n"
    assert process.returncode == 0


def test_strict_default(sp_one, work):
    """Without roots, the owner decides everywhere, and it is enforced."""
    script = write(work / "a.py", mark())
    sp_one.apply("profile: strict\n")
    assert_ran(sp_one, script)
    script.chmod(0o666)
    assert sp_one.run_python(script).out == b"mark A\n"
    harness.assert_refused(sp_one.run(script), harness.REFUSED)


def test_start_hooks_in_strict(sp_one, work):
    """A .pth line runs only if the inventory has the file with these contents."""
    sp = sp_one
    made = run([sp.python, "-I", "-m", "venv", "--without-pip", work / "venv"], env=sp.env())
    assert made.status == 0, made
    hook = write(work / "venv/lib" / ("python" + sp.minor) / "site-packages/marked.pth",
                 "import sys; sys.stdout.write('mark A\\n')\n")
    script = write(work / "app.py", "pass\n")
    adopted = sp.spythonctl("venv", "adopt", work / "venv")
    assert adopted.status == 0, adopted

    def start(python="spython"):
        sp.clear_logs()
        found = run([work / "venv/bin" / python, "-B", script], env=sp.env())
        assert found.status == 0, found
        return set(found.out.split(b"\n")) - {b""}, judged(sp, hook, "spython.startup_hook")

    def inventory():
        write(sp.etc / "hooks.list", "%s  %s\n" % (sha256(hook.read_bytes()), hook))

    inventory()
    sp.apply("profile: strict\n")
    ran, records = start()
    assert ran == {b"mark A"}
    assert {(r["level"], r["verdict"], r["args"]["known"]) for r in records} == {("low", "allow", True)}
    flip(hook)
    assert start("python")[0] == {b"mark B"}
    ran, records = start()
    assert ran == set()
    assert {(r["level"], r["verdict"], tuple(r["rules"])) for r in records} == {("high", "deny", (HOOK_RULE,))}
    text = explain(sp, records[0]["id"]).out
    assert b"To allow it: look at what" in text and b"known         false" in text
    # A line that only some readers see as one: site.py reads with universal newlines.
    write(hook, b"# nothing\rimport sys; sys.stdout.write('mark B\\n')\n")
    assert start("python")[0] == {b"mark B"}
    ran, records = start()
    assert ran == set() and {r["verdict"] for r in records} == {"deny"}
    sp.apply("profile: strict\nverify: {hooks: audit}\n")
    ran, records = start()
    assert ran == {b"mark B"}
    assert {(r["level"], r["verdict"]) for r in records} == {("high", "would-deny")}


def test_explain(sp_one, tree):
    sp, before = sp_one, tree.lib.read_bytes()
    flip(tree.lib)
    refused = assert_not_run(sp, tree.main)
    wanted = record_id(refused.err)
    found = explain(sp, wanted)
    assert found.status == 0 and found.err == b""
    text = found.out.decode()
    for part in ("deny", "manifest: rejected", sha256(before), sha256(tree.lib.read_bytes()),
                 "%s:3 in <module>" % tree.main, "To allow it: put the file back that was signed", str(tree.root)):
        assert part in text, (part, text)
    told = json.loads(explain(sp, wanted, "--json").out)
    assert told["record"]["id"] == wanted and told["advice"].startswith("put the file back")
    # Damaged lines, before and after, do not hide it.
    log = one([p for p in sp.logs() if wanted.split("-")[0] in p.name])
    log.write_bytes(b'{"id":"%s", torn\n\xff\0\n' % wanted.encode() + log.read_bytes() + b'{"v":1,"id":"')
    assert explain(sp, wanted).out == found.out
    assert explain(sp, wanted, "--log", log).out == found.out


def test_explain_goes_past_what_cannot_be_read(sp_one, tree, work):
    """Logs of other users lie in the same directory; a sink's directory may be closed altogether."""
    if os.geteuid() != 0:
        harness.unavailable("becoming another user needs root")
    sp, closed = sp_one, work / "closed"
    flip(tree.lib)
    closed.mkdir(mode=0o700)
    wanted = record_id(assert_not_run(sp, tree.main).err)
    sp.apply(tree.policy(more="log:\n  sinks:\n    - {type: file, path: %s/}\n    - {type: file}\n" % closed))
    mine = one([p for p in sp.logs() if wanted.split("-")[0] in p.name])
    os.chown(mine, NOBODY, NOBODY)
    for i in range(16):  # wherever readdir() has them: before it, and after
        write(sp.log / ("shared-%d.jsonl" % i), "", 0o600)
        write(sp.log / ("spython-%d-%s.jsonl" % (i, wanted.split("-")[0])), "", 0o600)
    asked = {"env": sp.env(), "user": NOBODY, "group": NOBODY, "extra_groups": []}
    found = run([sp.ctl, "explain", wanted], **asked)
    assert found.status == 0 and b"To allow it: put the file back" in found.out and found.err == b"", found
    found = run([sp.ctl, "explain", "0123456789abcdef-1"], **asked)
    assert found.status != 0 and b"in none of the logs that can be read; '" in found.err, found
    assert b"Permission denied" in found.err and len(found.err.splitlines()) == 1
    assert b"is in none of the logs here" in sp.spythonctl("explain", "0123456789abcdef-1").err


@pytest.mark.parametrize("wanted, reason", [("0123456789abcdef-1", b"in none of the logs"), ("x", b"not the id"),
                                            ("0123456789abcdef-", b"not the id"), ("../../etc/passwd", b"not the id")])
def test_explain_unknown(sp_one, wanted, reason):
    found = explain(sp_one, wanted)
    assert found.status != 0 and found.out == b"" and reason in found.err, found


def test_explain_owner_and_unlisted(sp_one, tree, work):
    sp = sp_one
    planted = tree.write("lib/lib/__init__.py", mark("B"))
    text = explain(sp, record_id(assert_not_run(sp, tree.main, planted).err)).out
    assert b"is not listed" in text and b"To allow it: remove the file; or" in text
    script = write(work / "open.py", mark("B"), 0o666)
    refused = sp.run(script)
    harness.assert_refused(refused, harness.REFUSED)
    text = explain(sp, record_id(refused.err)).out.decode()
    assert "owner: rejected" in text and "mode 0666" in text and "let root own '%s'" % script in text


def test_distribution_of_what_was_changed(sp_one, work, key):
    """The record of a refused file has all that is known about it, the distribution it came with last."""
    sp, tree = sp_one, Tree(work / "srv", key)
    lib = tree.write("shop.py", mark())
    main = tree.write("main.py", MAIN.replace("import lib", "import shop") % str(tree.root))
    digest = base64.urlsafe_b64encode(hashlib.sha256(lib.read_bytes()).digest()).rstrip(b"=").decode()
    tree.write("shop-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    tree.write("shop-1.0.dist-info/RECORD", "shop.py,sha256=%s,%d\n" % (digest, lib.stat().st_size))
    tree.approve(sp)
    assert_ran(sp, main)
    flip(lib)
    assert_not_run(sp, main, lib)
    assert judged(sp, lib)[-1]["args"]["distribution"] == "shop 1.0"
