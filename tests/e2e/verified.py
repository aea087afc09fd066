# SPDX-License-Identifier: Apache-2.0
"""Signed trees for the tests of verified loading: sign, install the manifest, apply, change a byte."""
import hashlib
import os
import re

from harness import events, run, write

RULE = "spython-unapproved-code"
HOOK_RULE = "spython-startup-hook"

# What the program or its user gets to see of a refusal, in one line.
REFUSAL = (rb"refused by rule spython-unapproved-code: [a-z]+: [^\n]+ "
           rb"\(record ([0-9a-f]{16}-[0-9]+); spythonctl explain \1\)")


def mark(letter="A"):
    """Source text whose only trace is a line on stdout; `A` is approved, `B` is not."""
    return "print('mark %s')\n" % letter


def flip(path):
    """Changes one byte, of source, of bytecode or of an archive that is not compressed. Size and time
    of last change stay what they were."""
    data, st = path.read_bytes(), path.stat()
    assert data.count(b"mark A") == 1, path
    path.write_bytes(data.replace(b"mark A", b"mark B"))
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def make_key(ctl, path):
    made = run([ctl, "keygen", "--no-passphrase", "--out", path])
    assert made.status == 0, made
    return path


def compile_to(sp, source, target, mode="checked-hash"):
    """`target`: a .pyc of `source` in the way that this minor version makes it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = sp.run_python("-I", "-c", "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], "
                         "sys.argv[1], True, invalidation_mode=py_compile.PycInvalidationMode[sys.argv[3]])",
                         source, target, mode.replace("-", "_").upper())
    assert made.status == 0, made
    return target


def cached(sp, source):
    """Where this minor version keeps the bytecode of `source`."""
    return source.parent / "__pycache__" / ("%s.cpython-%s.pyc" % (source.stem, sp.minor.replace(".", "")))


class Tree:
    """A directory, its manifest, and the policy of one or more installations about it."""

    def __init__(self, root, key, name="shop"):
        self.root, self.key, self.name, self.serial = root, key, name, 0
        self.manifest = root.parent / (root.name + ".manifest")
        root.mkdir(parents=True, exist_ok=True)

    def write(self, path, text):
        return write(self.root / path, text)

    def sign(self, sp, *options):
        """Signs the tree as it is now, as a newer release."""
        self.serial += 1
        for name in (self.manifest, self.manifest.with_name(self.manifest.name + ".sig")):
            if name.exists():
                name.unlink()
        found = sp.spythonctl("sign", self.root, "--name", self.name, "--key", self.key, "--out", self.manifest,
                              "--serial", str(self.serial), *options)
        assert found.status == 0, found

    def install(self, sp):
        public = str(self.key) + ".pub"
        if not list((sp.etc / "trust.d").glob("**/me*")):
            found = sp.spythonctl("trust", "add", public, "--name", "me")
            assert found.status == 0, found
        found = sp.spythonctl("manifest", "add", self.manifest)
        assert found.status == 0, found

    def policy(self, mode="enforce", root="", verify="", more=""):
        """`root`, `verify`: more keys of the root and of the section, as YAML's flow style has them."""
        return ("verify:\n  mode: %s\n  roots:\n    - {path: %s, all: [manifest], manifest: %s%s}\n%s%s"
                % (mode, self.root, self.name, root and ", " + root, verify and "  %s\n" % verify, more))

    def approve(self, sp, *options, **policy):
        """Everything at once: what is in the tree now is what may run."""
        self.sign(sp, "--no-compile", *options)
        self.install(sp)
        sp.apply(self.policy(**policy))
        return self


def judged(sp, path, event="spython.open_code"):
    """Records of this event about one file, by its real path."""
    return [r for r in events(sp.records(), event) if r["args"].get("real_path") == str(path)]


def assert_record(record, verdict, expected, actual):
    args = record["args"]
    assert record["verdict"] == verdict, record
    assert record["rules"] == [RULE]
    assert args["answers"] == ["manifest: rejected"]
    assert (args["sha256"], args["expected"], args["actual"]) == (sha256(actual), sha256(expected), sha256(actual))
    assert args["reason"] == "has another digest than the one that is listed"


def last_line(result):
    lines = result.err.splitlines()
    return lines[-1] if lines else b""


def assert_permission_error(result, path=None):
    """The program did not catch it: a traceback whose last line tells everything."""
    assert result.status == 1, result
    assert re.match(rb"PermissionError: \[Errno 13\] " + REFUSAL + rb": '", last_line(result)), result.err
    if path:
        assert os.fsencode(path) in last_line(result)


def record_id(text):
    return re.search(rb"spythonctl explain ([0-9a-f]{16}-[0-9]+)\)", text).group(1).decode()


def explain(sp, wanted, *options):
    return sp.spythonctl("explain", wanted, *options)
