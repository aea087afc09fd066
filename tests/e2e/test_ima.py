# SPDX-License-Identifier: Apache-2.0
"""The verifier `ima`: security.ima as evmctl writes it, checked when the policy is applied."""
import os
import shutil

import pytest

import harness
from harness import events, run, write

POLICY = "verify:\n  mode: %s\n  roots:\n    - {path: %s, all: [ima]}\n"


@pytest.fixture
def signed(sp_one, work):
    """A tree with a signed program, the key that signed it, and trust.d that knows its certificate."""
    for tool in ("evmctl", "openssl"):
        if not shutil.which(tool, path="/usr/bin:/usr/sbin:/sbin"):
            harness.unavailable(tool + " is not installed")
    if os.geteuid() != 0:
        harness.unavailable("security.ima needs root")
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", work / "key.pem",
         "-out", work / "cert.pem", "-days", "30", "-subj", "/CN=ima test",
         "-addext", "keyUsage=digitalSignature"])
    root = work / "app"
    write(root / "main.py", "import helper\nprint('ran', helper.x)\n")
    write(root / "helper.py", "x = 1\n")
    for name in ("main.py", "helper.py"):
        sign(work, root / name)
    found = sp_one.spythonctl("trust", "add", work / "cert.pem", "--name", "ima")
    assert found.status == 0, found
    sp_one.apply(POLICY % ("enforce", root))
    return root


def sign(work, path, hash="sha256"):
    found = run(["evmctl", "ima_sign", "--hashalgo", hash, "--key", work / "key.pem", path],
                env=harness.clean_env(PATH="/usr/bin:/usr/sbin:/bin"))
    assert found.status == 0, found


def refusal(sp):
    return [r for r in events(sp.records(), "spython.open_code") if r["verdict"] == "deny"][-1]


def test_signed_code_runs(sp_one, signed):
    assert sp_one.run("-B", signed / "main.py")[:3] == (0, b"ran 1\n", b"")
    judged = [r["args"] for r in events(sp_one.records(), "spython.open_code") if "answers" in r["args"]]
    assert any(a["real_path"] == str(signed / "helper.py") and a["answers"] == ["ima: trusted"] for a in judged)


def test_changed_byte(sp_one, signed):
    write(signed / "helper.py", "x = 2\n")
    assert run([sp_one.python, "-B", signed / "main.py"]).out == b"ran 2\n"  # the control
    found = sp_one.run("-B", signed / "main.py")
    assert found.status == 1 and found.out == b"" and b"ima: has another digest" in found.err
    assert refusal(sp_one)["args"]["path"] == str(signed / "helper.py")


def test_changed_and_signed_again_needs_an_apply(sp_one, signed, work):
    write(signed / "helper.py", "x = 3\n")
    sign(work, signed / "helper.py")
    assert sp_one.run("-B", signed / "main.py").status == 1
    assert sp_one.spythonctl("apply").status == 0
    assert sp_one.run("-B", signed / "main.py").out == b"ran 3\n"


def test_sha512(sp_one, signed, work):
    write(signed / "helper.py", "x = 4\n")
    sign(work, signed / "helper.py", "sha512")
    assert sp_one.spythonctl("apply").status == 0
    assert sp_one.run("-B", signed / "main.py").out == b"ran 4\n"


@pytest.mark.parametrize("how", ["unsigned", "cut", "flipped", "digest", "other key", "revoked", "untrusted"])
def test_what_does_not_count(sp_one, signed, work, how):
    """The control: it runs before."""
    path = signed / "helper.py"
    assert sp_one.run("-B", signed / "main.py").out == b"ran 1\n"
    value = os.getxattr(path, "security.ima")
    if how == "unsigned":
        os.removexattr(path, "security.ima")
    elif how == "cut":
        os.setxattr(path, "security.ima", value[:-1])
    elif how == "flipped":
        os.setxattr(path, "security.ima", value[:-1] + bytes([value[-1] ^ 1]))
    elif how == "digest":  # what IMA itself writes of files that nobody signed
        os.setxattr(path, "security.ima", bytes([4, 4]) + bytes(32))
    elif how == "other key":
        (work / "other").mkdir()
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", work / "other/key.pem",
             "-out", work / "other/cert.pem", "-days", "30", "-subj", "/CN=other"])
        sign(work / "other", path)
    elif how == "revoked":
        assert sp_one.spythonctl("trust", "revoke", "ima", "--reason", "lost").status == 0
    else:
        assert sp_one.spythonctl("trust", "remove", "ima").status == 0
    assert sp_one.spythonctl("apply").status == 0
    assert run([sp_one.python, "-B", signed / "main.py"]).out == b"ran 1\n"  # the control
    found = sp_one.run("-B", signed / "main.py")
    assert found.out == b"" and found.status != 0, found
    assert b"ima: is not listed" in found.err


def test_audit_reports(sp_one, signed):
    sp_one.apply(POLICY % ("audit", signed))
    write(signed / "helper.py", "x = 5\n")
    assert sp_one.run("-B", signed / "main.py").out == b"ran 5\n"
    told = [r for r in events(sp_one.records(), "spython.open_code") if r["verdict"] == "would-deny"]
    assert [r["args"]["path"] for r in told] == [str(signed / "helper.py")]
