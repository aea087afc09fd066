# SPDX-License-Identifier: Apache-2.0
"""Keys of all three kinds, made for the tests, and one way to sign and to verify with them."""
import json
import os
import re
import subprocess

from harness import run, write

BAD_SIGNATURE = 65

CERTIFICATES = """
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[code]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
[encipher]
basicConstraints = critical, CA:FALSE
keyUsage = critical, keyEncipherment
"""


def tool(*argv, **more):
    """One of the tools that keys are made with; its output."""
    return subprocess.run([os.fspath(a) for a in argv], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **more).stdout


class Keys:
    """Keys below one directory, made when they are first asked for."""

    def __init__(self, root):
        self.root = root
        self.gnupg = root / "gnupg"
        root.mkdir()

    def ssh(self, name):
        if not (self.root / name).exists():
            tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.root / name)
        return self.root / name

    def x509(self, name, issuer=None, kind="code", days=30):
        """Key and certificate; without an issuer a root."""
        key, cert = self.root / (name + ".key"), self.root / (name + ".pem")
        if cert.exists():
            return key, cert
        config = write(self.root / "extensions", CERTIFICATES)
        request = self.root / (name + ".csr")
        tool("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", key, "-out", request, "-subj", "/CN=" + name)
        by = ["-signkey", key] if issuer is None else ["-CA", issuer[1], "-CAkey", issuer[0],
                                                       "-CAcreateserial"]
        tool("openssl", "x509", "-req", "-in", request, *by, "-days", str(days), "-extfile", config,
             "-extensions", "root" if issuer is None else kind, "-out", cert)
        return key, cert

    def openpgp(self, name, expires="never", *options, passphrase="", usage="sign"):
        """The public key's file; the user id is the name."""
        public = self.root / (name + ".gpg")
        if not public.exists():
            self.gnupg.mkdir(mode=0o700, exist_ok=True)
            gpg = ["gpg", "--batch", "--quiet", "--homedir", self.gnupg]
            tool(*gpg, *options, "--pinentry-mode", "loopback", "--passphrase", passphrase, "--quick-gen-key", name,
                 "ed25519", usage, expires)
            public.write_bytes(tool(*gpg, "--export", name))
        return public

    def close(self):
        if self.gnupg.exists():
            tool("gpgconf", "--homedir", self.gnupg, "--kill", "all")


class Signer:
    """A prefix, and a small tree to sign."""

    def __init__(self, sp, keys, work):
        self.sp, self.keys, self.work = sp, keys, work
        self.tree = work / "tree"
        self.manifest = work / "shop.manifest"
        write(self.tree / "app.py", "import helper\nprint('ran', helper.x)\n")
        write(self.tree / "helper.py", "x = 1\n")
        self.trust = sp.etc / "trust.d"

    def ctl(self, *args, status=0, env=None):
        """spythonctl, with the exit status that is expected; gives the result."""
        more = {"GNUPGHOME": str(self.keys.gnupg), **(env or {})}
        found = run([self.sp.ctl, *args], env=self.sp.env(**more), cwd=self.work)
        assert found.status == status, found
        if status:
            assert re.match(rb"\Aspythonctl: [^\n]+: [^\n]+ \([^\n]+\)\n\Z", found.err), found.err
        return found

    def sign(self, *options, key=None, status=0, name="shop", out=None, env=None):
        return self.ctl("sign", self.tree, "--name", name, "--key", key or self.keys.ssh("release"),
                        "--out", out or self.manifest, *options, status=status, env=env)

    def release(self, key, serial, *options):
        """Signs the tree as it is, and installs that; `options` of manifest add."""
        self.sign("--serial", str(serial), "--no-compile", key=key)
        self.ctl("manifest", "add", self.manifest, *options)

    def trust_ssh(self, *names):
        """SSH keys whose signatures count."""
        made = [self.keys.ssh(name) for name in names]
        for key in made:
            self.ctl("trust", "add", key.with_suffix(".pub"))
        return made

    def sign_as(self, kind, *options, **more):
        """Signs with a good key of a kind; gives the file to trust."""
        if kind == "ssh":
            self.sign(*options, **more)
            return self.keys.ssh("release").with_suffix(".pub")
        if kind == "cms":
            root = self.keys.x509("root")
            key, cert = self.keys.x509("leaf", root)
            self.sign("--format", "cms", "--cert", cert, *options, key=key, **more)
            return root[1]
        public = self.keys.openpgp("release.pgp")
        self.sign("--format", "openpgp", *options, key="release.pgp", **more)
        return public

    def signature(self):
        return next(p for p in (self.manifest.with_name("shop.manifest" + s)
                                for s in (".sig", ".p7s", ".asc")) if p.exists())

    def verify(self, *options, status=0, manifest=None):
        """What `verify --json` says."""
        found = run([self.sp.ctl, "verify", self.tree, "--manifest", manifest or self.manifest, "--json",
                     *options], env=self.sp.env())
        assert found.status == status, found
        return json.loads(found.out) if found.out else found.err
