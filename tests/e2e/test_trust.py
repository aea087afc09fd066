# SPDX-License-Identifier: Apache-2.0
"""spythonctl trust and manifest: whose signatures count, which release is in force."""
import json
import os

import pytest

import harness
from harness import USAGE, run, write
from signing import BAD_SIGNATURE

KINDS = ["ssh", "cms", "openpgp"]


def listed(signer, what="trust", status=0):
    found = run([signer.sp.ctl, what, "list", "--json"], env=signer.sp.env())
    assert found.status == status, found
    return json.loads(found.out)["keys" if what == "trust" else "manifests"]


def history(signer):
    return (signer.trust / "history").read_text()


# ---- keys


@pytest.mark.parametrize("kind, word", [("ssh", "ssh"), ("cms", "x509"), ("openpgp", "openpgp")])
def test_add_list_remove(signer, kind, word):
    public = signer.sign_as(kind)
    signer.ctl("trust", "add", public, "--name", "us")
    key = harness.one(listed(signer))
    assert (key["name"], key["kind"], key["revoked"], key["expired"]) == ("us", word, None, False)
    assert (key["expires"] is None) == (kind != "cms")
    if kind != "cms":  # there the certificate that signs has its own
        assert signer.verify()["signer"]["fingerprint"] == key["fingerprint"]
    signer.ctl("trust", "add", public, "--name", "again", status=73)
    signer.ctl("trust", "remove", "us")
    assert listed(signer) == []
    signer.verify(status=BAD_SIGNATURE)
    signer.ctl("trust", "remove", "us", status=66)
    lines = history(signer).splitlines()
    assert "trust add us %s %s" % (word, key["fingerprint"]) in lines[0] and "trust remove us" in lines[1]


def test_names(signer):
    public = signer.keys.ssh("release").with_suffix(".pub")
    for bad in ("../x", ".x", "a b", "x" * 65, "-x"):
        signer.ctl("trust", "add", public, "--name=" + bad, status=1)
        signer.ctl("trust", "remove", "--", bad, status=1)
    signer.ctl("trust", "add", public)
    other = signer.keys.ssh("other").with_suffix(".pub")
    signer.ctl("trust", "add", other, "--name", "release", status=73)
    signer.ctl("trust", "add", other)
    assert [k["name"] for k in listed(signer)] == ["other", "release"]


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_key(signer, kind):
    """Another key of the same kind does not make it count; its own does, beside the other."""
    public = signer.sign_as(kind)
    other = {"ssh": lambda: signer.keys.ssh("other").with_suffix(".pub"),
             "cms": lambda: signer.keys.x509("strange")[1],
             "openpgp": lambda: signer.keys.openpgp("other.pgp")}[kind]()
    signer.ctl("trust", "add", other, "--name", "other")
    signer.verify(status=BAD_SIGNATURE)
    signer.ctl("trust", "add", public, "--name", "us")
    assert signer.verify()["signer"]["name"] == "us"


@pytest.mark.parametrize("kind", KINDS)
def test_revoked(signer, kind):
    public = signer.sign_as(kind)
    signer.ctl("trust", "add", public, "--name", "us")
    fingerprint = signer.verify()["signer"]["fingerprint"]
    signer.ctl("trust", "revoke", "us", status=USAGE)
    signer.ctl("trust", "revoke", "us", "--reason", "two\nlines", status=USAGE)
    signer.ctl("trust", "revoke", "nobody", "--reason", "x", status=66)
    signer.verify()
    signer.ctl("trust", "revoke", fingerprint, "--reason", "laptop stolen")
    said = signer.verify(status=BAD_SIGNATURE)
    assert b"revoked" in said and b"laptop stolen" in said
    assert "laptop stolen" in history(signer)
    if kind == "cms":  # the root still counts, the signer's certificate does not
        signer.ctl("trust", "revoke", "us", "--reason", "closed")
    key = harness.one(listed(signer))
    assert key["revoked"]["reason"] == ("closed" if kind == "cms" else "laptop stolen")
    signer.ctl("trust", "remove", "us")
    signer.ctl("trust", "add", public, status=BAD_SIGNATURE)  # the revocation stays


def test_revoked_before_it_was_known(signer):
    public = signer.sign_as("ssh")
    fingerprint = run(["ssh-keygen", "-l", "-f", public]).out.decode().split()[1]
    signer.ctl("trust", "revoke", fingerprint, "--reason", "leaked")
    signer.ctl("trust", "add", public, status=BAD_SIGNATURE)
    signer.ctl("trust", "add", signer.keys.ssh("other").with_suffix(".pub"))


@pytest.mark.parametrize("text", ["", "nonsense\n", "ssh-ed25519 AAAA x\n", "PRIVATE", "CUT"])
def test_what_is_no_public_key(signer, text):
    if text == "PRIVATE":
        text = signer.keys.ssh("release").read_text()
    if text == "CUT":  # four characters of base64 less: three bytes
        words = signer.keys.ssh("release").with_suffix(".pub").read_text().split()
        text = "%s %s\n" % (words[0], words[1][:-4])
    signer.ctl("trust", "add", write(signer.work / "bad.pub", text), status=1)
    os.mkfifo(signer.work / "fifo")
    found = run([signer.sp.ctl, "trust", "add", signer.work / "fifo"], env=signer.sp.env(), timeout=10)
    assert found.status not in (0, -9), found
    signer.ctl("trust", "add", signer.work / "none", status=66)
    assert not (signer.trust / "keys").exists()
    signer.ctl("trust", "add", signer.keys.ssh("release").with_suffix(".pub"))


def test_damaged_trust_is_an_error(signer):
    """A file there that is not understood is never skipped."""
    signer.ctl("trust", "add", signer.sign_as("ssh"))
    signer.verify()
    for name, text in (("keys/x.pub", "ssh-ed25519 AAAA\n"), ("keys/readme.txt", ""), ("revoked", "x\n"),
                       ("revoked", "release 2026-11-24 a name\n")):
        write(signer.trust / name, text)
        found = run([signer.sp.ctl, "verify", signer.tree, "--manifest", signer.manifest], env=signer.sp.env())
        assert found.status not in (0, 1) and name.split("/")[-1].encode() in found.err, found
        (signer.trust / name).unlink()
    signer.verify()


@pytest.mark.parametrize("where", ["", "keys", "keys/release.pub"])
def test_writable_trust_is_refused(signer, where):
    signer.ctl("trust", "add", signer.sign_as("ssh"))
    path = signer.trust / where
    mode = path.stat().st_mode
    path.chmod(0o777)
    signer.verify(status=77)
    path.chmod(mode)
    signer.verify()


# ---- manifests


def release(signer, serial, text=None):
    """Signs release `serial` into a file of its own."""
    if text is not None:
        write(signer.tree / "helper.py", text)
    path = signer.work / ("r%d.manifest" % serial)
    signer.sign("--serial", str(serial), "--no-compile", out=path)
    return path


@pytest.fixture
def trusting(signer):
    signer.ctl("trust", "add", signer.keys.ssh("release").with_suffix(".pub"))
    return signer


def in_force(signer):
    return [(m["name"], m["serial"], m["newest"]) for m in listed(signer, "manifest")]


def test_serials(trusting):
    signer = trusting
    r1, r2, r3 = (release(signer, n, "x = %d\n" % n) for n in (1, 2, 3))
    signer.ctl("manifest", "add", r1)
    signer.ctl("manifest", "add", r3)
    assert in_force(signer) == [("shop", 3, True), ("shop", 1, False)]
    signer.ctl("manifest", "add", r3)  # again: nothing changes
    before = history(signer)
    assert b"older" in signer.ctl("manifest", "add", r2, status=73).err
    signer.ctl("manifest", "add", r2, "--allow-older", status=73)
    signer.ctl("manifest", "add", r2, "--reason", "x", status=73)
    other = release(signer, 3, "x = 4\n")
    signer.ctl("manifest", "add", other, "--allow-older", "--reason", "x", status=73)
    assert history(signer) == before
    signer.ctl("manifest", "add", r2, "--allow-older", "--reason", "3 loses orders")
    assert in_force(signer)[0] == ("shop", 2, True)
    assert "serial 2" in history(signer).splitlines()[-1] and "3 loses orders" in history(signer)
    signer.ctl("manifest", "remove", "shop", "1")
    assert ("shop", 1, False) not in in_force(signer)
    signer.ctl("manifest", "remove", "shop", "1", status=66)
    signer.ctl("manifest", "remove", "shop", "x", status=USAGE)
    signer.ctl("manifest", "remove", "shop")
    assert in_force(signer) == []


def test_add_needs_a_good_signature(trusting):
    signer = trusting
    path = release(signer, 1)
    signature = path.with_name(path.name + ".sig")
    moved = signature.rename(signer.work / "elsewhere")
    signer.ctl("manifest", "add", path, status=BAD_SIGNATURE)
    write(signature, moved.read_bytes()[:-60])
    signer.ctl("manifest", "add", path, status=BAD_SIGNATURE)
    assert in_force(signer) == []
    signer.ctl("manifest", "add", path, moved)
    assert in_force(signer) == [("shop", 1, True)]


def test_two_signatures_are_refused(trusting):
    signer = trusting
    path = release(signer, 1)
    extra = write(path.with_name(path.name + ".asc"), "x")
    signer.ctl("manifest", "add", path, status=1)
    extra.unlink()
    signer.ctl("manifest", "add", path)


@pytest.mark.parametrize("cut", [1, 40])
def test_torn_list_of_revoked_keys(trusting, cut):
    """A revocation that a torn write took half away does not let its key count again."""
    signer = trusting
    path = release(signer, 1)
    signer.ctl("manifest", "add", path)
    signer.ctl("trust", "revoke", "A" * 40, "--reason", "lost with its token")
    assert harness.one(listed(signer, "manifest"))["ok"]
    revoked = signer.trust / "revoked"
    whole = revoked.read_bytes()
    revoked.write_bytes(whole[:-cut])
    signer.ctl("manifest", "list", status=78)
    revoked.write_bytes(whole)
    assert harness.one(listed(signer, "manifest"))["ok"]


def test_key_revoked_later(trusting):
    """What is installed stops to count, is listed so, and apply refuses it; a new key mends it."""
    signer = trusting
    path = release(signer, 1)
    signer.ctl("manifest", "add", path)
    policy = "verify:\n  mode: audit\n  roots:\n    - {path: %s, all: [manifest], manifest: shop}\n" % signer.tree
    signer.sp.apply(policy)
    signer.ctl("trust", "revoke", "release", "--reason", "gone")
    assert not harness.one(listed(signer, "manifest", BAD_SIGNATURE))["ok"]
    found = signer.sp.spythonctl("apply")
    assert found.status != 0 and b"revoked" in found.err, found
    signer.ctl("trust", "add", signer.keys.ssh("other").with_suffix(".pub"))
    signer.sign("--serial", "2", "--no-compile", key=signer.keys.ssh("other"), out=path)
    signer.ctl("manifest", "add", path)
    assert in_force(signer) == [("shop", 2, True)]  # the one that counts no more is not kept
    signer.sp.apply(policy)


def test_approved_runs_and_changed_does_not(trusting):
    signer = trusting
    signer.sign()
    signer.ctl("manifest", "add", signer.manifest)
    signer.sp.apply("verify:\n  mode: enforce\n  roots:\n    - {path: %s, all: [manifest], manifest: shop}\n"
                    % signer.tree)
    app = signer.tree / "app.py"
    assert signer.sp.run(app)[:2] == (0, b"ran 1\n")
    write(signer.tree / "helper.py", "x = 2\n")
    for pyc in (signer.tree / "__pycache__").iterdir():
        pyc.unlink()
    found = signer.sp.run(app)
    assert found.status == 1 and found.out == b"", found
    assert signer.sp.run_python("-B", app)[:2] == (0, b"ran 2\n")
    refused = [r for r in signer.sp.records() if r["verdict"] == "deny"]
    said = signer.ctl("explain", refused[0]["id"]).out
    assert b"helper.py" in said and b"manifest" in said, said
    assert json.loads(signer.ctl("explain", "--json", refused[0]["id"]).out)["advice"]
    signer.ctl("explain", "0123456789abcdef-1", status=66)


# ---- what is easily overlooked


ENFORCE = "verify:\n  mode: enforce\n  native: {mode: off}\n  roots:\n    - {path: %s, all: [manifest], manifest: shop%s}\n"


def test_rollback_refuses_what_a_revoked_key_has_signed(signer):
    old, new = signer.trust_ssh("old", "new")
    signer.release(old, 1)
    signer.sp.apply(ENFORCE % (signer.tree, ""))
    signer.release(new, 2)
    assert signer.sp.spythonctl("apply").status == 0
    before = signer.sp.policy_bin.read_bytes()
    signer.ctl("rollback")  # the control: both keys count
    assert signer.sp.policy_bin.read_bytes() != before
    assert signer.sp.spythonctl("apply").status == 0
    before = signer.sp.policy_bin.read_bytes()
    signer.ctl("trust", "revoke", "old", "--reason", "stolen")
    found = signer.ctl("rollback", status=1)
    assert b"shop serial 1 counts no more" in found.err and b"revoked" in found.err
    assert signer.sp.policy_bin.read_bytes() == before


def test_a_withdrawn_release_is_none_of_the_older_ones(signer):
    key, = signer.trust_ssh("release")
    app = write(signer.tree / "app.py", "print('one')\n")
    signer.release(key, 1)
    first = signer.manifest.read_bytes(), signer.signature().read_bytes()
    app.write_text("print('two')\n")
    signer.release(key, 2)
    signer.sp.apply(ENFORCE % (signer.tree, ", older: 1"))
    assert signer.sp.run(app).out == b"two\n"
    signer.manifest.write_bytes(first[0])
    signer.signature().write_bytes(first[1])
    signer.ctl("manifest", "add", signer.manifest, "--allow-older", "--reason", "the second is bad")
    assert signer.sp.spythonctl("apply").status == 0
    assert signer.sp.run(app).status == 77
    app.write_text("print('one')\n")
    assert signer.sp.run(app).out == b"one\n"


def test_another_signature_beside_the_same_manifest(signer):
    old, new = signer.trust_ssh("old", "new")
    signer.release(old, 1)
    assert b"installed already" in signer.ctl("manifest", "add", signer.manifest).out
    signer.signature().unlink()
    run(["ssh-keygen", "-q", "-Y", "sign", "-n", "spython-manifest", "-f", new, signer.manifest])
    assert b"anew" in signer.ctl("manifest", "add", signer.manifest).out
    assert b"counts no more" not in signer.ctl("trust", "remove", "old").out


def test_roots_that_protect_nothing(signer):
    """A path that is misspelt, a link, and a mode that was forgotten."""
    key, = signer.trust_ssh("release")
    signer.release(key, 1)
    etc = signer.sp.etc
    for path, why in ((str(signer.tree) + "x", b"there is no such directory"),
                      (signer.tree / "app.py", b"it is not a directory")):
        write(etc / "spython.yaml", ENFORCE % (path, ""))
        found = signer.sp.spythonctl("apply")
        assert found.status == 1 and why in found.err and b"spython.yaml:5" in found.err, found
    link = signer.work / "current"
    link.symlink_to(signer.tree)
    write(etc / "spython.yaml", ENFORCE % (link, ""))
    found = signer.sp.spythonctl("apply")
    assert found.status == 0 and b"when a link on the way is changed" in found.err, found
    write(etc / "spython.yaml", (ENFORCE % (signer.tree, "")).replace("  mode: enforce\n", ""))
    assert b"'roots' have no effect" in signer.sp.spythonctl("apply").err
    write(etc / "spython.yml", "")
    write(etc / "spython.yaml", ENFORCE % (signer.tree, ""))
    found = signer.sp.spythonctl("apply")
    assert found.status == 0 and b"call it spython.yaml" in found.err
    (etc / "spython.yml").unlink()
    found = signer.sp.spythonctl("apply")
    assert found.status == 0 and b"warning" not in found.err  # the control


def test_status_tells_what_would_not_start(signer):
    key, = signer.trust_ssh("release")
    signer.release(key, 1)
    app = signer.tree / "app.py"
    write(signer.sp.etc / "apps.d/shop.yml", "match:\n  script: %s\n" % app)
    signer.sp.apply(ENFORCE % (signer.tree, ""))
    assert b"would be refused" not in signer.sp.spythonctl("status").out
    app.write_text("print('changed')\n")
    found = signer.sp.spythonctl("status")
    assert found.status == 1 and b"would be refused" in found.out and b"another digest" in found.out, found
