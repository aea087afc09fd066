# SPDX-License-Identifier: Apache-2.0
"""Where keys live and what becomes of them: agents, tokens, passphrases, chains of certificates, and
keys that ran out, were revoked or are for something else. Each refusal has a control beside it."""
import contextlib
import glob
import json
import os
import stat
import subprocess
import time

import pytest

import harness
from authority import LEAF, ROOT, Authority
from harness import run, write
from signing import BAD_SIGNATURE, tool
from terminal import converse, without_terminal

SECOND_HALF = rb"\(([^()]|\([^()]*\))+\)\n\Z"  # what to do, at the end of the message


# ---- SSH: agents, tokens, passphrases


@contextlib.contextmanager
def ssh_agent(work, *keys, env=None):
    """A running agent that holds these keys; gives its socket."""
    socket = work / "agent.sock"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL,
                               env=harness.clean_env(work))
    try:
        harness.wait_for(socket.exists)
        if keys:
            tool("ssh-add", "-q", *keys, env=harness.clean_env(work, SSH_AUTH_SOCK=str(socket), **(env or {})))
        yield str(socket)
    finally:
        process.terminate()
        process.wait()


def sign_argv(signer, key, *options):
    return [signer.sp.ctl, "sign", signer.tree, "--name", "shop", "--no-compile", "--out", signer.manifest,
            "--key", key, *options]


def test_agent(signer):
    """The private key's file is nowhere: the agent alone has it."""
    key = signer.work / "agent-key"
    tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    public = key.with_suffix(".pub")
    with ssh_agent(signer.work, key) as socket:
        key.unlink()
        signer.sign("--no-compile", key=public, env={"SSH_AUTH_SOCK": socket})
        signer.ctl("trust", "add", public)
        assert signer.verify()["signer"]["name"] == "agent-key"
    signer.manifest.unlink()
    signer.signature().unlink()
    found = without_terminal(sign_argv(signer, public), signer.sp.env())
    assert found.status == 1 and b"SSH_AUTH_SOCK" in found.err and b"ssh-add" in found.err, found
    assert found.err.count(b"\n") == 1 and not signer.manifest.exists()
    signer.ctl("sign", signer.tree, "--name", "shop", "--key", signer.work / "none", status=66)


def test_agent_without_the_key(signer):
    """An agent that holds another key, and one that is gone."""
    key, other = signer.work / "wanted", signer.work / "other"
    for path in (key, other):
        tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
    public = key.with_suffix(".pub")
    kept = key.read_bytes()
    key.unlink()
    with ssh_agent(signer.work, other) as socket:
        env = signer.sp.env(SSH_AUTH_SOCK=socket)
        found = converse(sign_argv(signer, public), [], env)
        assert found.status == 1 and b"ssh-add -l" in found.out, found
        write(key, kept, 0o600)
        tool("ssh-add", "-q", key, env=env)
        key.unlink()
        assert run(sign_argv(signer, public), env=env).status == 0
    found = converse(sign_argv(signer, public), [], env)
    assert found.status == 1 and b"ssh-add -l" in found.out, found


@pytest.fixture(scope="session")
def device(tmp_path_factory):
    """OpenSSH's own device for tests. Out of its package, since that depends on a server and on
    modules that every Python would load."""
    folder = tmp_path_factory.mktemp("device")
    if run(["apt-get", "download", "-qq", "openssh-tests"], cwd=folder, timeout=120).status != 0:
        harness.unavailable("apt-get cannot download openssh-tests")
    package, = folder.glob("openssh-tests_*.deb")
    tool("dpkg-deb", "-x", package, folder / "tree")
    return folder / "tree/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"


@pytest.mark.parametrize("kind", ["ed25519-sk", "ecdsa-sk"])
def test_hardware_key(signer, device, kind):
    """A FIDO key, whose touch the verifier demands; a library plays the device."""
    public = {}
    for name, more in (("touched", []), ("untouched", ["-O", "no-touch-required"])):
        key = signer.work / name
        tool("ssh-keygen", "-q", "-t", kind, "-N", "", "-w", device, *more, "-f", key)
        public[name] = key.with_suffix(".pub")
        signer.ctl("trust", "add", public[name])
        signer.sign("--no-compile", "--serial", "1", key=key, env={"SSH_SK_PROVIDER": device})
        if name == "touched":
            assert signer.verify()["signer"]["name"] == "touched"
        else:
            signer.verify(status=BAD_SIGNATURE)
    signer.sign("--no-compile", "--tool-option", "-w", "--tool-option", device, key=signer.work / "touched")
    signer.verify()


@pytest.fixture
def locked(signer):
    """A key with the passphrase "right"."""
    key = signer.work / "locked"
    tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "right", "-f", key)
    signer.ctl("trust", "add", key.with_suffix(".pub"))
    return key


def test_passphrase_is_asked_for(signer, locked):
    asked = rb"Enter passphrase[^:]*: "
    found = converse(sign_argv(signer, locked), [(asked, b"right")], signer.sp.env())
    assert found.status == 0 and b"right" not in found.out, found
    assert signer.verify()["signer"]["name"] == "locked"
    signer.manifest.unlink()
    found = converse(sign_argv(signer, locked), [(asked, b"wrong")], signer.sp.env())
    assert found.status == 1 and b"incorrect passphrase" in found.out and b"(see its message above" in found.out, found
    assert not signer.manifest.exists()


def test_passphrase_without_terminal(signer, locked):
    found = without_terminal(sign_argv(signer, locked), signer.sp.env())
    assert found.status == 1 and b"no terminal" in found.err and b"ssh-add" in found.err, found
    assert not signer.manifest.exists()
    askpass = write(signer.work / "askpass", "#!/bin/sh\necho right\n", 0o755)
    env = signer.sp.env(SSH_ASKPASS=str(askpass), SSH_ASKPASS_REQUIRE="force")
    assert without_terminal(sign_argv(signer, locked), env).status == 0
    signer.verify()


@pytest.mark.parametrize("kind", ["cms", "openpgp"])
def test_other_passphrases(signer, kind):
    """openssl asks for the one of its PEM file; gpg's agent has a program of its own for that."""
    if kind == "openpgp":
        public = signer.keys.openpgp("pass.pgp", "never", passphrase="right")
        options = ["--format", "openpgp"]
        key, env = "pass.pgp", signer.sp.env(GNUPGHOME=str(signer.keys.gnupg))
        good = [*options, "--tool-option", "--pinentry-mode=loopback", "--tool-option", "--passphrase=right"]
        bad = [*options, "--tool-option", "--pinentry-mode=loopback", "--tool-option", "--passphrase=wrong"]
        answers = wrong = []
        signer.ctl("trust", "add", public)
        tool("gpgconf", "--homedir", signer.keys.gnupg, "--kill", "gpg-agent")  # it remembers passphrases
    else:
        root = signer.keys.x509("root")
        plain, cert = signer.keys.x509("leaf", root)
        key, env = signer.work / "locked.key", signer.sp.env()
        tool("openssl", "pkcs8", "-topk8", "-in", plain, "-out", key, "-passout", "pass:right")
        good = bad = options = ["--format", "cms", "--cert", cert]
        answers, wrong = [(rb"Enter pass ?phrase for [^:]*:", b"right")], [(rb"Enter pass ?phrase for [^:]*:", b"wrong")]
        signer.ctl("trust", "add", root[1])
    found = converse(sign_argv(signer, key, *bad), wrong, env)
    assert found.status == 1 and b"made no signature" in found.out, found
    found = without_terminal(sign_argv(signer, key, *options), env)
    assert found.status == 1 and b"no terminal" in found.err, found
    assert not signer.manifest.exists()
    found = converse(sign_argv(signer, key, *good), answers, env)
    assert found.status == 0, found
    signer.verify()


FIRST, SECOND = rb"Enter passphrase \(empty for no passphrase\): ", rb"Enter same passphrase again: "


def is_locked(key):
    return run(["ssh-keygen", "-y", "-P", "", "-f", key]).status != 0


def test_keygen_asks_twice(signer):
    key = signer.work / "new"
    argv = [signer.sp.ctl, "keygen", "--out", key]
    found = converse(argv, [(FIRST, b"one"), (SECOND, b"two"), (FIRST, b"three"), (SECOND, b"three")],
                     signer.sp.env())
    assert found.status == 0 and b"do not match" in found.out and b"three" not in found.out, found
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and is_locked(key)
    tool("ssh-keygen", "-y", "-P", "three", "-f", key)
    found = converse(argv, [], signer.sp.env())
    assert found.status == 73, found  # nobody was asked


def test_keygen_without_passphrase(signer):
    """Not by mistake: neither an empty answer nor nobody who could be asked makes an open key."""
    key = signer.work / "new"
    argv = [signer.sp.ctl, "keygen", "--out", key]
    found = converse(argv, [(FIRST, b""), (SECOND, b"")], signer.sp.env())
    assert found.status == 1 and b"--no-passphrase" in found.out, found
    refusing = write(signer.work / "refuse", "#!/bin/sh\nexit 1\n", 0o755)
    for env in ({}, {"SSH_ASKPASS": "/bin/true"}, {"SSH_ASKPASS": str(refusing), "SSH_ASKPASS_REQUIRE": "force"}):
        found = without_terminal(argv, signer.sp.env(**env))
        assert found.status == 1 and b"--no-passphrase" in found.err, found
    assert sorted(p.name for p in signer.work.glob("new*")) == []
    askpass = write(signer.work / "askpass", "#!/bin/sh\necho right\n", 0o755)
    env = signer.sp.env(SSH_ASKPASS=str(askpass), SSH_ASKPASS_REQUIRE="force")
    assert without_terminal(argv, env).status == 0 and is_locked(key)
    key.unlink()
    key.with_suffix(".pub").unlink()
    signer.ctl("keygen", "--no-passphrase", "--out", key)
    assert not is_locked(key)


# ---- X.509: chains of certificates


@pytest.fixture
def root(signer):
    """A root whose certificate is trusted, and no other."""
    made = Authority(signer.work, "root")
    signer.ctl("trust", "add", made.cert)
    return made


def sign_cms(signer, leaf, cert=None, *options):
    signer.sign("--format", "cms", "--cert", cert or leaf.cert, "--no-compile", "--serial", "1", *options, key=leaf.key)


def check(signer, leaf, *chain, words=None):
    """Signs with the chain; `words` are said if it is refused, None is accepted."""
    sign_cms(signer, leaf, leaf.chain(*chain))
    said = signer.verify(status=BAD_SIGNATURE if words else 0)
    assert words in said if words else said["signer"]["name"] == "root", said


def test_chain_in_the_signature(signer, root):
    """Only the root is trusted: what stands between has to come with the signature."""
    upper = root.sub("upper")
    lower = upper.sub("lower")
    leaf = lower.leaf()
    check(signer, leaf, lower, upper)
    check(signer, leaf, upper, lower, root)  # in any order, and with the root
    check(signer, leaf, words=b"/CN=lower")
    check(signer, leaf, lower, words=b"/CN=upper")
    check(signer, leaf, upper, words=b"/CN=lower")
    said = signer.verify(status=BAD_SIGNATURE)
    assert b"--cert" in said, said
    signer.ctl("trust", "add", lower.cert)
    signer.verify()


def test_chain_file(signer, root):
    """What a file of certificates may look like."""
    inter = root.sub("inter")
    leaf = inter.leaf()
    check(signer, leaf, inter)
    chain = leaf.chain(inter)
    sign = ["sign", signer.tree, "--name", "shop", "--format", "cms", "--key", leaf.key, "--out", signer.manifest]
    good = chain.read_bytes()
    for bad in (good[:-200] + good[-30:], good + b"".join([inter.cert.read_bytes()] * 20)):
        found = signer.ctl(*sign, "--cert", write(chain, bad), status=1)
        assert b"damaged" in found.err, found
    signer.ctl(*sign, "--cert", write(chain, b"remarks\n" + good.replace(b"-----BEGIN", b"\nmore\n-----BEGIN")))
    signer.verify()
    found = converse([signer.sp.ctl, *sign, "--cert", inter.cert], [], signer.sp.env())
    assert found.status == 1 and b"and --cert" in found.out, found  # not that of the key


CHAINS = {
    "good": (dict(), dict(), None),
    "expired": (dict(start=-3, end=-1), dict(), b"expired"),
    "not yet valid": (dict(start=1, end=3), dict(), b"not yet valid"),
    "no authority": (dict(extensions="basicConstraints = critical, CA:FALSE\nkeyUsage = keyCertSign"), dict(),
                     b"invalid CA"),
    "an authority that does not say so": (dict(extensions="keyUsage = keyCertSign"), dict(), b"invalid CA"),
    "may not sign certificates": (dict(extensions="basicConstraints = critical, CA:TRUE\nkeyUsage = cRLSign"), dict(),
                                  b"not good"),
    "for servers": (dict(extensions=ROOT + "\nextendedKeyUsage = serverAuth"), dict(), b"other purposes"),
    "for code": (dict(extensions=ROOT + "\nextendedKeyUsage = codeSigning, serverAuth"), dict(), None),
    "other names": (dict(extensions=ROOT + "\nnameConstraints = critical, permitted;dirName:elsewhere\n"
                         "[elsewhere]\nCN = elsewhere"), dict(), b"permitted subtree violation"),
    "an unknown critical extension": (dict(extensions=ROOT + "\n1.2.3.4 = critical, ASN1:NULL"), dict(),
                                      b"unhandled critical extension"),
    "sha1": (dict(digest="sha1"), dict(), b"too weak"),
    "small key": (dict(key="rsa:1024"), dict(), b"too weak"),
    "leaf expired": (dict(), dict(start=-3, end=-1), b"expired"),
    "leaf not yet valid": (dict(), dict(start=1, end=3), b"not yet valid"),
    "leaf for keys": (dict(), dict(extensions="keyUsage = critical, keyEncipherment"), b"not for digital signatures"),
    "leaf for servers": (dict(), dict(extensions="keyUsage = digitalSignature\nextendedKeyUsage = serverAuth"),
                         b"other purposes"),
    "leaf for time stamps": (dict(), dict(extensions="extendedKeyUsage = critical, timeStamping"), b"other purposes"),
    "leaf for anything": (dict(), dict(extensions="extendedKeyUsage = anyExtendedKeyUsage"), None),
    "leaf that says nothing": (dict(), dict(extensions=""), None),
    "leaf sha1": (dict(), dict(digest="sha1"), b"too weak"),
    "leaf small key": (dict(), dict(key="rsa:1024"), b"too weak"),
    "leaf rsa": (dict(key="rsa:2048"), dict(key="rsa:2048"), None),
}


@pytest.mark.parametrize("fault", CHAINS)
def test_chain_with_a_fault(signer, root, fault):
    """openssl signs with any of them. The good one and its kin are the controls."""
    between, leaf, words = CHAINS[fault]
    inter = root.sub("inter", **between)
    check(signer, inter.leaf("leaf", **leaf), inter, words=words)


def test_path_length(signer, root):
    """An authority that may issue for end users only, with another one below it."""
    for allowed, words in ((1, None), (0, b"path length")):
        upper = root.sub("upper%d" % allowed, "basicConstraints = critical, CA:TRUE, pathlen:%d\nkeyUsage = keyCertSign"
                         % allowed)
        lower = upper.sub("lower")
        check(signer, lower.leaf(), lower, upper, words=words)
        check(signer, upper.leaf(), upper)


def test_leaf_that_issues(signer, root):
    """Who may sign code may not make others that may."""
    leaf = root.leaf("leaf")
    check(signer, leaf)
    check(signer, leaf.leaf("below"), leaf, words=b"invalid CA")


def test_forged_issuer(signer, root):
    """An authority of the same name with a key of its own."""
    real, forged = root.sub("inter"), Authority(signer.work, "forger").sub("inter")
    leaf = forged.leaf()
    check(signer, leaf, forged, words=b"in trust.d")
    check(signer, leaf, real, words=b"trust.d")
    check(signer, real.leaf(), real)


def test_weak_digest(signer, root):
    leaf = root.leaf()
    sign_cms(signer, leaf)
    for md, status in (("sha1", BAD_SIGNATURE), ("sha512", 0)):
        tool("openssl", "cms", "-sign", "-binary", "-in", signer.manifest, "-signer", leaf.cert, "-inkey", leaf.key,
             "-outform", "PEM", "-out", signer.signature(), "-md", md)
        said = signer.verify(status=status)
        assert not status or b"weak" in said, said


# ---- X.509: revocation


@pytest.mark.parametrize("form", ["sha256", "sha1", "plain"])
@pytest.mark.parametrize("which", ["leaf", "inter", "root"])
def test_revoked_certificate(signer, root, which, form):
    """By fingerprint, as openssl prints it or as hexadecimal digits."""
    inter = root.sub("inter")
    chain = {"root": root, "inter": inter, "leaf": inter.leaf()}
    check(signer, chain["leaf"], inter)
    other = root.sub("inter2")
    text = chain[which].fingerprint("sha1" if form == "sha1" else "sha256")
    text = text.replace(":", "").lower() if form == "plain" else text
    signer.ctl("trust", "revoke", text, "--reason", "stolen")
    check(signer, chain["leaf"], inter, words=b"revoked")
    check(signer, other.leaf(), other, words=b"revoked" if which == "root" else None)
    assert b"revoked already" in signer.ctl("trust", "revoke", text, "--reason", "again").out


def other_form(cert, out):
    """The same certificate with the other signature that ECDSA allows: (r, n - s) for (r, s)."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def length(data, at):
        if data[at] < 0x80:
            return data[at], at + 1
        count = data[at] & 0x7F
        return int.from_bytes(data[at + 1:at + 1 + count], "big"), at + 1 + count

    def element(tag, body):
        size = len(body)
        head = bytes([size]) if size < 0x80 else bytes([0x81, size]) if size < 0x100 else \
            bytes([0x82]) + size.to_bytes(2, "big")
        return bytes([tag]) + head + body

    def integer(value):
        return element(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))

    data = tool("openssl", "x509", "-in", cert, "-outform", "DER")
    at = length(data, 1)[1]
    parts = []
    while at < len(data):
        size, body = length(data, at + 1)
        parts.append(data[at:body + size])
        at = body + size
    signature = parts[2][length(parts[2], 1)[1] + 1:]
    numbers, at = [], length(signature, 1)[1]
    while at < len(signature):
        size, body = length(signature, at + 1)
        numbers.append(int.from_bytes(signature[body:body + size], "big"))
        at = body + size
    changed = element(0x30, integer(numbers[0]) + integer(order - numbers[1]))
    der = element(0x30, parts[0] + parts[1] + element(3, b"\0" + changed))
    assert der != data
    out.write_bytes(tool("openssl", "x509", "-inform", "DER", input=der))
    return out


@pytest.mark.parametrize("which", ["leaf", "inter"])
def test_revoked_certificate_in_another_form(signer, root, which):
    """Who has the key can write the certificate so that its digest is another one."""
    inter = root.sub("inter")
    leaf = inter.leaf()
    certs = {"leaf": leaf.cert, "inter": inter.cert}
    fingerprint = {"leaf": leaf, "inter": inter}[which].fingerprint()
    certs[which] = other_form(certs[which], signer.work / "other.pem")
    both = write(signer.work / "both.pem", certs["leaf"].read_bytes() + certs["inter"].read_bytes())
    sign_cms(signer, leaf, both)
    assert signer.verify()["signer"]["name"] == "root"  # it is as good as the first
    signer.ctl("trust", "revoke", fingerprint, "--reason", "stolen")
    assert b"revoked" in signer.verify(status=BAD_SIGNATURE)


def listed_crl(signer):
    found = json.loads(signer.ctl("trust", "list", "--json").out)["keys"]
    return harness.one(k for k in found if k["kind"] == "crl")


@pytest.mark.parametrize("which", ["leaf", "inter"])
def test_revocation_list(signer, root, which):
    """What the authority itself revoked: a first list without it, then the next one with it."""
    inter = root.sub("inter")
    leaf = inter.leaf()
    by, revoked = (inter, leaf) if which == "leaf" else (root, inter)
    other = inter.leaf("other") if which == "leaf" else root.sub("inter2")
    signer.ctl("trust", "add", by.crl("first", days=(-2, 2)), "--name", "revoked-by-us")
    check(signer, leaf, inter)
    by.revoke(revoked)
    signer.ctl("trust", "add", by.crl("second", days=(-1, 3)), "--name", "revoked-by-us")
    assert listed_crl(signer)["name"] == "revoked-by-us" and not listed_crl(signer)["expired"]
    check(signer, leaf, inter, words=b"revoked by its issuer")
    if which == "leaf":
        check(signer, other, inter)
    else:
        check(signer, other.leaf("x"), other)
    signer.ctl("trust", "add", by.dir / "first.crl", "--name", "revoked-by-us", status=73)  # not back
    check(signer, leaf, inter, words=b"revoked by its issuer")
    signer.ctl("trust", "remove", "revoked-by-us")
    check(signer, leaf, inter)


@pytest.mark.parametrize("days, words", [((-2, 2), None), ((-3, -1), b"has expired"), ((1, 3), b"not yet valid")])
def test_revocation_list_out_of_time(signer, root, days, words):
    leaf = root.leaf()
    check(signer, leaf)
    signer.ctl("trust", "add", root.crl(days=days))
    check(signer, leaf, words=words)
    if words and days[1] < 0:
        assert listed_crl(signer)["expired"]
        signer.ctl("trust", "add", root.crl("next"), "--name", "list")
        check(signer, leaf)


def test_revocation_list_of_another(signer, root):
    """Forged: refused when added if the authority is in trust.d, and otherwise when it would count."""
    forger = Authority(signer.work, "forger")
    inter = root.sub("inter")
    leaf = inter.leaf()
    (signer.work / "elsewhere").mkdir()
    namesake = Authority(signer.work / "elsewhere", "root")
    for identified in (True, False):
        said = signer.ctl("trust", "add", namesake.crl("forged", identified=identified), status=BAD_SIGNATURE).err
        assert b"not signed by the authority" in said
    signer.ctl("trust", "add", root.crl("real"))
    check(signer, leaf, inter)
    said = signer.ctl("trust", "add", inter.crl("real2")).out
    assert b"if the authority" in said
    check(signer, leaf, inter)
    signer.ctl("trust", "remove", "real2")
    signer.ctl("trust", "add", forger.crl("strange"))  # nobody's: changes nothing
    check(signer, leaf, inter)


def test_revocation_list_forged_for_an_authority_between(signer, root):
    inter = root.sub("inter")
    leaf = inter.leaf()
    forger = Authority(signer.work, "forger").sub("inter")
    # without a key identifier it could be by either of the two authorities of this name
    signer.ctl("trust", "add", forger.crl("forged", identified=False))
    check(signer, leaf, inter, words=b"CRL signature failure")
    signer.ctl("trust", "remove", "forged")
    signer.ctl("trust", "add", forger.crl("other"))  # says that it is by the other one
    check(signer, leaf, inter)


def test_revocation_list_for_a_signer_in_trust(signer):
    """The signer's own certificate is trusted, its authority is not: the list counts all the same."""
    authority = Authority(signer.work, "authority")
    leaf, other = authority.leaf("leaf"), authority.leaf("other")
    for made in (leaf, other):
        signer.ctl("trust", "add", made.cert)
    sign_cms(signer, leaf)
    assert signer.verify()["signer"]["name"] == "leaf"
    signer.ctl("trust", "add", authority.crl(days=(-3, 1)))
    signer.verify()
    authority.revoke(leaf)
    signer.ctl("trust", "add", authority.crl(days=(-2, 1)))
    assert b"revoked by its issuer" in signer.verify(status=BAD_SIGNATURE)
    sign_cms(signer, other)
    assert signer.verify()["signer"]["name"] == "other"
    signer.ctl("trust", "remove", "list")
    signer.ctl("trust", "add", authority.crl(days=(-3, -1)))
    assert b"has expired" in signer.verify(status=BAD_SIGNATURE)


PARTIAL = "issuingDistributionPoint = critical, @point\n[point]\n"


@pytest.mark.parametrize("extensions, words", [
    ("", None), (PARTIAL + "onlyuser = TRUE", b"a part"), (PARTIAL + "onlyCA = TRUE", b"a part"),
    (PARTIAL + "indirectCRL = TRUE", b"a part"), (PARTIAL + "onlysomereasons = keyCompromise", b"a part"),
    ("2.5.29.27 = critical, ASN1:INTEGER:1", b"delta"), ("2.5.29.28 = critical, ASN1:INTEGER:1", b"damaged"),
])
def test_revocation_list_that_would_not_be_looked_at(signer, root, extensions, words):
    """It is refused, since who added it would believe that it counts; also behind a certificate."""
    listing = root.crl(extensions=extensions)
    found = signer.ctl("trust", "add", listing, status=1 if words else 0)
    assert not words or words in found.err, found
    both = write(signer.work / "both.pem", Authority(signer.work, "second").cert.read_bytes() + listing.read_bytes())
    found = signer.ctl("trust", "add", both, status=1 if words else 0)
    assert not words or words in found.err, found


def test_revocation_list_with_an_unknown_critical_extension(signer, root):
    leaf = root.leaf()
    signer.ctl("trust", "add", root.crl(extensions="1.2.3.4 = critical, ASN1:NULL"))
    check(signer, leaf, words=b"critical")


def test_revocation_list_files(signer, root):
    """Damaged, two at once, cut at any line; and it is no key that could be revoked."""
    listing = root.crl()
    good = listing.read_text()
    lines = good.splitlines(True)
    for bad in (good + good, "".join(lines[:-1]), "".join(lines[:2] + lines[3:]), good.replace("X509 CRL", "X509 X")):
        signer.ctl("trust", "add", write(signer.work / "bad.crl", bad), status=1)
    signer.ctl("trust", "add", listing, "--name", "root", status=73)
    signer.ctl("trust", "add", listing)
    signer.ctl("trust", "add", listing, "--name", "again", status=73)
    signer.ctl("trust", "revoke", "list", "--reason", "x", status=1)
    inside = signer.trust / "keys" / "list.crl"
    write(inside, lines[0] + "".join(lines[2:]))
    leaf = root.leaf()
    sign_cms(signer, leaf)
    signer.verify(status=78)
    write(inside, good)
    signer.verify()


# ---- X.509: a key in an HSM


class Token:
    """A token in software, with a key that never leaves it."""

    module = next((p for p in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
                               "/usr/lib/pkcs11/libsofthsm2.so") if os.path.exists(p)), None)

    def __init__(self, work, issuer):
        if not self.module or not glob.glob("/usr/lib/*/engines-*/pkcs11.so"):
            harness.unavailable("softhsm2, opensc or libengine-pkcs11-openssl is not installed")
        self.dir = work / "tokens"
        self.dir.mkdir()
        conf = write(work / "softhsm2.conf", "directories.tokendir = %s\nobjectstore.backend = file\n" % self.dir)
        self.env = harness.clean_env(work, SOFTHSM2_CONF=str(conf), PKCS11_MODULE_PATH=self.module)
        tool("softhsm2-util", "--init-token", "--free", "--label", "release", "--pin", "1234", "--so-pin", "5678",
             env=self.env)
        tool("pkcs11-tool", "--module", self.module, "--token-label", "release", "--login", "--pin", "1234",
             "--keypairgen", "--key-type", "EC:prime256v1", "--label", "shop", "--id", "01", env=self.env)
        self.uri = "pkcs11:token=release;object=shop"
        pin = write(work / "pin", "1234", 0o600)
        self.uri_with_pin = "%s;pin-source=file:%s" % (self.uri, pin)
        request = work / "token.csr"
        tool("openssl", "req", "-new", "-engine", "pkcs11", "-keyform", "engine", "-key",
             self.uri + ";type=private;pin-value=1234", "-subj", "/CN=token", "-out", request, env=self.env)
        self.cert = work / "token.pem"
        issuer.issue(request, self.cert)

    options = ("--format", "cms", *("--tool-option=" + word for word in ("-engine", "pkcs11", "-keyform", "engine")))


def test_token(signer, root):
    """By PKCS#11, as the man page shows it: the PIN on a terminal, from a file, wrong, and nobody to ask."""
    inter = root.sub("inter")
    token = Token(signer.work, inter)
    cert = write(signer.work / "chain.pem", token.cert.read_bytes() + inter.cert.read_bytes())
    env = signer.sp.env(SOFTHSM2_CONF=token.env["SOFTHSM2_CONF"], PKCS11_MODULE_PATH=token.module)
    options = [*token.options, "--cert", cert]
    asked = rb"PIN[^:]*: *"
    found = converse(sign_argv(signer, token.uri, *options), [(asked, b"1234")], env)
    assert found.status == 0, found
    assert signer.verify()["signer"]["name"] == "root"
    signer.manifest.unlink()
    found = run(sign_argv(signer, token.uri_with_pin, *options), env=env)
    assert found.status == 0, found
    assert signer.verify()["signer"]["name"] == "root"
    signer.manifest.unlink()
    found = converse(sign_argv(signer, token.uri, *options), [(asked, b"4321")], env)
    assert found.status == 1 and b"made no signature" in found.out, found
    found = without_terminal(sign_argv(signer, token.uri, *options), env)
    assert found.status == 1 and b"no terminal" in found.err, found
    found = run(sign_argv(signer, token.uri.replace("shop", "other"), *options), env=env)
    assert found.status == 1, found
    assert not signer.manifest.exists()


# ---- OpenPGP


class OpenPGP:
    """A home of gpg for one test."""

    def __init__(self, signer):
        self.signer, self.home = signer, signer.work / "gnupg"
        self.home.mkdir(mode=0o700)

    def gpg(self, *args, **more):
        return tool("gpg", "--batch", "--quiet", "--no-tty", "--yes", "--homedir", self.home, "--pinentry-mode",
                    "loopback", "--passphrase", "", *args, **more)

    def make(self, name, usage="sign", expires="never"):
        self.gpg("--quick-gen-key", name, "ed25519", usage, expires)
        return self.lines(name, "fpr")[0]

    def lines(self, name, kind):
        listed = self.gpg("--with-colons", "--with-subkey-fingerprint", "--list-keys", name).decode()
        return [line.split(":")[9] for line in listed.splitlines() if line.split(":")[0] == kind]

    def edit(self, name, *commands):
        self.gpg("--command-fd", "0", "--no-batch", "--edit-key", name, input="\n".join(commands).encode() + b"\n")

    def export(self, name, out="key.gpg"):
        return write(self.signer.work / out, self.gpg("--export", name))

    def sign(self, key, *options):
        self.signer.ctl("sign", self.signer.tree, "--name", "shop", "--no-compile", "--out", self.signer.manifest,
                        "--format", "openpgp", "--key", key, "--serial", "1",
                        *("--tool-option=" + o for o in options), env={"GNUPGHOME": str(self.home)})


@pytest.fixture
def openpgp(signer):
    made = OpenPGP(signer)
    yield made
    tool("gpgconf", "--homedir", made.home, "--kill", "all")


def trust_again(signer, key):
    """The key as it is now, in place of what was trusted."""
    if (signer.trust / "keys" / "us.gpg").exists():
        signer.ctl("trust", "remove", "us")
    signer.ctl("trust", "add", key, "--name", "us")


def test_openpgp_revoked_by_its_owner(signer, openpgp):
    fingerprint = openpgp.make("owner")
    openpgp.sign("owner")
    trust_again(signer, openpgp.export("owner"))
    assert signer.verify()["signer"]["fingerprint"] == fingerprint
    revocation = (openpgp.home / "openpgp-revocs.d" / (fingerprint + ".rev")).read_text()
    openpgp.gpg("--import", input=revocation.replace(":-----BEGIN", "-----BEGIN").encode())
    trust_again(signer, openpgp.export("owner"))
    assert b"revoked by its owner" in signer.verify(status=BAD_SIGNATURE)


def test_openpgp_expired_after_signing(signer, openpgp):
    openpgp.make("owner")
    openpgp.sign("owner")
    trust_again(signer, openpgp.export("owner"))
    signer.verify()
    openpgp.gpg("--quick-set-expire", openpgp.lines("owner", "fpr")[0], "seconds=1")
    time.sleep(2.1)
    trust_again(signer, openpgp.export("owner"))
    assert b"expired" in signer.verify(status=BAD_SIGNATURE)
    assert json.loads(signer.ctl("trust", "list", "--json").out)["keys"][0]["expired"]


def test_openpgp_subkey(signer, openpgp):
    """A primary key that certifies, a subkey that signs: good, revoked by us, by its owner, expired."""
    primary = openpgp.make("owner", "cert")
    openpgp.gpg("--quick-add-key", primary, "ed25519", "sign", "never")
    openpgp.gpg("--quick-add-key", primary, "ed25519", "sign", "never")
    first, second = openpgp.lines("owner", "fpr")[1:]
    openpgp.sign(first + "!")
    trust_again(signer, openpgp.export("owner"))
    assert signer.verify()["signer"]["fingerprint"] == first
    signer.ctl("trust", "revoke", first, "--reason", "token lost")
    assert b"token lost" in signer.verify(status=BAD_SIGNATURE)
    openpgp.sign(second + "!")
    assert signer.verify()["signer"]["fingerprint"] == second
    openpgp.edit("owner", "key 2", "revkey", "y", "0", "", "y", "save")
    trust_again(signer, openpgp.export("owner"))
    assert b"revoked by its owner" in signer.verify(status=BAD_SIGNATURE)
    signer.ctl("trust", "remove", "us")
    signer.ctl("trust", "revoke", primary, "--reason", "all of it")
    signer.ctl("trust", "add", openpgp.export("owner"), status=BAD_SIGNATURE)


def test_openpgp_subkey_expired(signer, openpgp):
    primary = openpgp.make("owner", "cert")
    openpgp.gpg("--quick-add-key", primary, "ed25519", "sign", "never")
    subkey = openpgp.lines("owner", "fpr")[1]
    openpgp.sign(subkey + "!")
    trust_again(signer, openpgp.export("owner"))
    signer.verify()
    openpgp.gpg("--quick-set-expire", primary, "seconds=1", subkey)
    time.sleep(2.1)
    trust_again(signer, openpgp.export("owner"))
    assert b"expired" in signer.verify(status=BAD_SIGNATURE)


def test_openpgp_revoked_primary_revokes_subkeys(signer, openpgp):
    primary = openpgp.make("owner", "cert")
    openpgp.gpg("--quick-add-key", primary, "ed25519", "sign", "never")
    openpgp.sign(openpgp.lines("owner", "fpr")[1] + "!")
    trust_again(signer, openpgp.export("owner"))
    signer.verify()
    signer.ctl("trust", "revoke", primary, "--reason", "all of it")
    assert b"all of it" in signer.verify(status=BAD_SIGNATURE)


def test_openpgp_wrong_key(signer, openpgp):
    """Of the same name, which anybody can take."""
    real = openpgp.make("owner")
    trust_again(signer, openpgp.export(real))
    openpgp.sign(real)
    assert signer.verify()["signer"]["fingerprint"] == real
    openpgp.gpg("--quick-gen-key", "owner", "ed25519", "sign", "never")
    other = next(f for f in openpgp.lines("owner", "fpr") if f != real)
    openpgp.sign(other)
    said = signer.verify(status=BAD_SIGNATURE)
    assert other[-16:].encode() in said and b"not in trust.d" in said


@pytest.mark.parametrize("kind", ["primary", "subkey"])
def test_openpgp_key_that_must_not_sign(signer, openpgp, kind):
    """The key signs while it may; then its owner says that it certifies, or authenticates, only."""
    primary = openpgp.make("owner", "sign" if kind == "primary" else "cert")
    key = primary
    if kind == "subkey":
        openpgp.gpg("--quick-add-key", primary, "ed25519", "sign", "never")
        key = openpgp.lines("owner", "fpr")[1]
    openpgp.sign(key + "!")
    trust_again(signer, openpgp.export("owner"))
    signer.verify()
    openpgp.edit("owner", *(["key 1"] if kind == "subkey" else []), "change-usage",
                 *(["a", "s"] if kind == "subkey" else ["s"]), "q", "save")
    trust_again(signer, openpgp.export("owner"))
    said = signer.verify(status=BAD_SIGNATURE)
    assert b"not for signatures" in said, said


def test_openpgp_signature_of_an_encryption_key_is_not_made(signer, openpgp):
    """gpg itself does not sign with one; the control is the key beside it."""
    primary = openpgp.make("owner", "sign")
    openpgp.gpg("--quick-add-key", primary, "cv25519", "encr", "never")
    encrypting = openpgp.lines("owner", "fpr")[1]
    argv = sign_argv(signer, encrypting + "!", "--format", "openpgp")
    found = converse(argv, [], signer.sp.env(GNUPGHOME=str(openpgp.home)))
    assert found.status == 1 and b"gpg --list-secret-keys" in found.out, found
    openpgp.sign(primary + "!")
    trust_again(signer, openpgp.export("owner"))
    signer.verify()


# ---- rotation


POLICY = "verify:\n  mode: audit\n  roots:\n    - {path: %s, all: [manifest], manifest: shop%s}\n"


def test_rotation(signer):
    """Both keys count while one follows the other; then the old one goes."""
    old, new = signer.trust_ssh("old", "new")
    signer.release(old, 1)
    signer.sp.apply(POLICY % (signer.tree, ""))
    signer.release(new, 2)
    signer.sp.apply(POLICY % (signer.tree, ", older: 1"))  # one of each
    signer.ctl("trust", "remove", "old")
    found = signer.sp.spythonctl("apply")
    assert found.status == 1, found
    fingerprint = run(["ssh-keygen", "-l", "-f", old]).out.split()[1]
    said = found.out + found.err
    for words in (b"shop.1.manifest", fingerprint, b"not in trust.d", b"spythonctl manifest remove shop 1"):
        assert words in said, (words, said)
    signer.ctl("manifest", "remove", "shop", "1")
    assert signer.sp.spythonctl("apply").status == 0


def test_rotation_too_early(signer):
    """The old key is removed while what it signed is the newest: how to go on is said."""
    old, new = signer.trust_ssh("old", "new")
    signer.release(old, 1)
    signer.sp.apply(POLICY % (signer.tree, ""))
    before = signer.sp.policy_bin.read_bytes()
    removed = signer.ctl("trust", "remove", "old").out
    assert b"shop" in removed and b"sign" in removed, removed
    found = signer.sp.spythonctl("apply")
    assert found.status != 0 and signer.sp.policy_bin.read_bytes() == before
    said = found.out + found.err
    for words in (b"shop.manifest", b"not in trust.d", b"trust list", b"spythonctl manifest add"):
        assert words in said, (words, said)
    signer.signature().unlink()
    tool("ssh-keygen", "-q", "-Y", "sign", "-n", "spython-manifest", "-f", new, signer.manifest)
    assert b"anew" in signer.ctl("manifest", "add", signer.manifest).out  # the same list by the other key
    assert signer.sp.spythonctl("apply").status == 0
    signer.release(new, 2)
    assert signer.sp.spythonctl("apply").status == 0
    signer.ctl("trust", "add", old.with_suffix(".pub"))
    signer.ctl("trust", "remove", "new")
    assert signer.sp.spythonctl("apply").status != 0
    signer.ctl("trust", "add", new.with_suffix(".pub"))
    assert signer.sp.spythonctl("apply").status == 0


def test_apply_obeys_a_revocation_list(signer, root):
    """What is installed stops to count with the list that revokes its signer."""
    inter = root.sub("inter")
    leaf = inter.leaf()
    sign_cms(signer, leaf, leaf.chain(inter))
    signer.ctl("manifest", "add", signer.manifest)
    signer.sp.apply(POLICY % (signer.tree, ""))
    signer.ctl("trust", "add", inter.crl("before", days=(-2, 1)), "--name", "theirs")
    assert signer.sp.spythonctl("apply").status == 0
    inter.revoke(leaf)
    said = signer.ctl("trust", "add", inter.crl("after", days=(-1, 1)), "--name", "theirs").out
    assert b"shop.manifest is installed and counts no more" in said
    found = signer.sp.spythonctl("apply")
    assert found.status == 1 and b"revoked by its issuer" in found.err, found
    other = inter.leaf("other")
    signer.sign("--format", "cms", "--cert", other.chain(inter), "--no-compile", "--serial", "2", key=other.key)
    signer.ctl("manifest", "add", signer.manifest)
    assert signer.sp.spythonctl("apply").status == 0
