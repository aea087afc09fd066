# SPDX-License-Identifier: Apache-2.0
"""The table of digests that apply makes: used for what has not changed, and for nothing else. That it
is used can only be seen when it lies, so that is the control of each test."""
import hashlib
import mmap
import os
import struct
import tempfile
import time
from pathlib import Path

import pytest

import harness
from harness import REFUSED, run
from verified import Tree, flip, judged, make_key, mark

HEAD, ENTRY = struct.Struct("<8sII"), struct.Struct("<QqQ32s")
RELIABLE = {b"ext2/ext3", b"xfs", b"btrfs", b"f2fs"}


def read_table(sp):
    data = (sp.etc / "digests.bin").read_bytes()
    magic, count, size = HEAD.unpack_from(data)
    assert (magic, size, len(data)) == (b"SPYDIG1\n", ENTRY.size, HEAD.size + count * size)
    entries = [ENTRY.unpack_from(data, HEAD.size + i * size) for i in range(count)]
    assert entries == sorted(entries) and len({e[:2] for e in entries}) == count
    return entries


def write_table(sp, entries):
    data = HEAD.pack(b"SPYDIG1\n", len(entries), ENTRY.size)
    (sp.etc / "digests.bin").write_bytes(data + b"".join(ENTRY.pack(*e) for e in sorted(entries)))


def entry_of(path, digest):
    st = path.stat()
    return st.st_ino, st.st_ctime_ns, st.st_size, digest


def sha256(path):
    return hashlib.sha256(path.read_bytes()).digest()


@pytest.fixture
def place():
    """A directory where the time of last change tells of every change."""
    for above in (tempfile.gettempdir(), "/var/tmp", harness.SOURCE):
        if run(["stat", "-f", "-c", "%T", above]).out.strip() in RELIABLE:
            with tempfile.TemporaryDirectory(prefix="spython-digests-", dir=above) as directory:
                os.chmod(directory, 0o755)
                yield Path(os.path.realpath(directory))
            return
    harness.unavailable("there is no directory on one of %s" % b", ".join(sorted(RELIABLE)).decode())


@pytest.fixture
def tree(sp, place):
    tree = Tree(place / "shop", make_key(sp.ctl, place / "key"))
    tree.write("main.py", "import part\n" + mark())
    tree.write("part.py", mark())
    tree.write("data.bin", "not code")
    time.sleep(0.03)  # the clock of times of change moves in steps
    return tree.approve(sp)


def lie(sp, path, digest):
    """A table that says `digest` of the file as it is now."""
    write_table(sp, [entry_of(path, digest)] + [e for e in read_table(sp) if e[0] != path.stat().st_ino])


def test_table_holds_the_code_of_roots(sp, tree):
    entries = read_table(sp)
    for name in ("main.py", "part.py"):
        assert entry_of(tree.root / name, sha256(tree.root / name)) in entries
    assert (tree.root / "data.bin").stat().st_ino not in [e[0] for e in entries]
    done = sp.run(tree.root / "main.py")
    assert done.status == 0 and done.out == b"mark A\nmark A\n", done
    record, = judged(sp, tree.root / "part.py")
    assert record["args"]["sha256"] == sha256(tree.root / "part.py").hex()
    assert record["args"]["answers"] == ["manifest: trusted"] and record["args"]["cached"] is True
    sp.clear_logs()
    sp.apply(tree.policy(verify="digests: fresh"))
    assert sp.run(tree.root / "main.py").status == 0
    record, = judged(sp, tree.root / "part.py")
    assert "cached" not in record["args"] and record["args"]["sha256"]


def test_what_the_table_says_is_believed_of_unchanged_files_only(sp, tree):
    part = tree.root / "part.py"
    approved = sha256(part)
    flip(part)
    done = sp.run(tree.root / "main.py")
    assert b"mark B" not in done.out and b"refused by rule" in done.err, done

    lie(sp, part, approved)
    done = sp.run(tree.root / "main.py")
    assert done.out == b"mark B\nmark A\n", "control: the table is not used"

    # The same lie, and the same bytes once more.
    data = part.read_bytes()
    time.sleep(0.03)
    part.write_bytes(data)
    done = sp.run(tree.root / "main.py")
    assert b"mark B" not in done.out and b"refused by rule" in done.err, done


def write_through_mapping(path):
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        at = view.find(b"mark A")
        view[at:at + 6] = b"mark B"


def replace_by_another(path):
    fresh = path.with_name("fresh")
    fresh.write_bytes(path.read_bytes().replace(b"mark A", b"mark B"))
    st = path.stat()
    os.utime(fresh, ns=(st.st_atime_ns, st.st_mtime_ns))
    fresh.rename(path)


def put_link(path):
    other = path.with_name("other.py")
    other.write_bytes(path.read_bytes().replace(b"mark A", b"mark B"))
    path.unlink()
    path.symlink_to("other.py")


@pytest.mark.parametrize("change", [flip, write_through_mapping, replace_by_another, put_link])
def test_changes_are_noticed(sp, tree, change):
    part = tree.root / "part.py"
    change(part)
    control = sp.run_python("-I", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import part",
                            tree.root)
    assert control.out == b"mark B\n", control
    done = sp.run(tree.root / "main.py")
    assert b"mark B" not in done.out and b"refused by rule" in done.err, done


def test_others_who_can_write(sp, tree):
    part = tree.root / "part.py"
    approved = sha256(part)
    flip(part)
    for mode in (0o664, 0o646):
        part.chmod(mode)
        lie(sp, part, approved)
        assert b"mark B" not in sp.run(tree.root / "main.py").out
    part.chmod(0o644)
    lie(sp, part, approved)
    assert b"mark B" in sp.run(tree.root / "main.py").out, "control"
    for mode in (0o664, 0o646):
        (sp.etc / "digests.bin").chmod(mode)
        assert b"mark B" not in sp.run(tree.root / "main.py").out


def test_fresh(sp, tree):
    part = tree.root / "part.py"
    approved = sha256(part)
    sp.apply(tree.policy(verify="digests: fresh"))
    assert not (sp.etc / "digests.bin").exists()
    flip(part)
    write_table(sp, [entry_of(part, approved)])
    done = sp.run(tree.root / "main.py")
    assert b"mark B" not in done.out and b"refused by rule" in done.err, done
    sp.apply(tree.policy())
    lie(sp, part, approved)
    assert b"mark B" in sp.run(tree.root / "main.py").out, "control"


@pytest.mark.parametrize("harm", ["absent", "empty", "cut", "magic", "digest"])
def test_harm_to_the_table_changes_nothing(sp, tree, harm):
    path = sp.etc / "digests.bin"
    data = path.read_bytes()
    entries = [e[:3] + (bytes(32),) for e in read_table(sp)]
    if harm == "absent":
        path.unlink()
    elif harm == "digest":
        write_table(sp, entries)
    else:
        path.write_bytes({"empty": b"", "cut": data[:-1], "magic": b"X" + data[1:]}[harm])
    done = sp.run(tree.root / "main.py")
    assert done.status == 0 and done.out == b"mark A\nmark A\n" and not done.err, done
    flip(tree.root / "part.py")
    assert b"mark B" not in sp.run(tree.root / "main.py").out
    flip_main = tree.root / "main.py"
    flip(flip_main)
    assert sp.run(flip_main).status == REFUSED


def test_apply_again_after_a_copy(sp, tree):
    part = tree.root / "part.py"
    before = part.stat()
    time.sleep(0.03)
    part.write_bytes(part.read_bytes())
    os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert entry_of(part, sha256(part)) not in read_table(sp)
    assert sp.run(tree.root / "main.py").out == b"mark A\nmark A\n"
    time.sleep(0.03)
    done = sp.spythonctl("apply", "--dry-run")
    assert done.status == 0 and entry_of(part, sha256(part)) not in read_table(sp)
    done = sp.spythonctl("apply")
    assert done.status == 0 and b"nothing to apply" in done.out, done
    assert entry_of(part, sha256(part)) in read_table(sp)


def test_no_roots_no_table(sp, tree):
    assert (sp.etc / "digests.bin").exists()
    sp.apply("profile: standard\n")
    assert not (sp.etc / "digests.bin").exists()
