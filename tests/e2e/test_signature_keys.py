# SPDX-License-Identifier: Apache-2.0
"""Where keys live and what becomes of them: agents, tokens, passphrases, chains of certificates, and
keys that ran out, were revoked or are for something else. Each refusal has a control beside it."""
import contextlib
import os
import stat
import subprocess

import pytest

import harness
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


@pytest.mark.parametrize("kind", ["ed25519-sk", "ecdsa-sk"])
def test_hardware_key(signer, kind):
    """A FIDO key, whose touch the verifier demands; a library plays the device."""
    device = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"
    if not os.path.exists(device):
        harness.unavailable(device + " is not installed (Debian: openssh-tests)")
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
