# SPDX-License-Identifier: Apache-2.0
"""Certification authorities for tests, kept by `openssl ca`: chains, dates, faults, revocation lists."""
import datetime

from harness import write
from signing import tool

CONFIG = """
[ca]
default_ca = this
[this]
database = {dir}/index
new_certs_dir = {dir}
serial = {dir}/serial
crlnumber = {dir}/crlnumber
default_md = {digest}
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
x509_extensions = leaf
[any]
commonName = supplied
[list]
{list}
[more]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
{extensions}
"""

ROOT = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign"
LEAF = "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = codeSigning"


def date(days):
    """So many days from now, as openssl ca wants it."""
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return then.strftime("%Y%m%d%H%M%SZ")


class Authority:
    """A certificate and its key; whether it may issue is up to its extensions, and it does anyway."""

    def __init__(self, root, name, issuer=None, extensions=ROOT, start=-1, end=30, digest="sha256",
                 key="ec:P-256"):
        self.dir = root / name
        self.name, self.issuer = name, issuer
        self.key, self.cert = self.dir / "key", self.dir / (name + ".pem")
        self.dir.mkdir()
        kind, size = key.split(":")
        option = "ec_paramgen_curve" if kind == "ec" else "rsa_keygen_bits"
        tool("openssl", "genpkey", "-algorithm", kind, "-pkeyopt", "%s:%s" % (option, size), "-out", self.key)
        request = self.dir / "request"
        tool("openssl", "req", "-new", "-key", self.key, "-subj", "/CN=" + name, "-out", request)
        write(self.dir / "index", "")
        write(self.dir / "serial", "1000\n")
        write(self.dir / "crlnumber", "01\n")
        (issuer or self).issue(request, self.cert, extensions, start, end, digest)

    def call(self, *args, extensions="", digest="sha256", listed=""):
        config = write(self.dir / "config", CONFIG.format(dir=self.dir, digest=digest, extensions=extensions,
                                                          list=listed))
        return tool("openssl", "ca", "-batch", "-config", config, "-keyfile", self.key, *args)

    def issue(self, request, out, extensions=LEAF, start=-1, end=30, digest="sha256"):
        by = ["-cert", self.cert] if self.cert.exists() else ["-selfsign"]
        self.call(*by, "-in", request, "-out", out, "-notext", "-extensions", "more", "-startdate", date(start),
                  "-enddate", date(end), extensions=extensions, digest=digest)

    def sub(self, name, extensions=ROOT, **more):
        return Authority(self.dir, name, self, extensions, **more)

    def leaf(self, name="leaf", extensions=LEAF, **more):
        return Authority(self.dir, name, self, extensions, **more)

    def revoke(self, other):
        self.call("-cert", self.cert, "-revoke", other.cert)

    def crl(self, name="list", days=None, extensions="", identified=True):
        """The list as of now; `days` (start, end) are offsets from today."""
        out = self.dir / (name + ".crl")
        dates = [] if days is None else ["-crl_lastupdate", date(days[0]), "-crl_nextupdate", date(days[1])]
        self.call("-cert", self.cert, "-gencrl", "-crlexts", "list", *dates, "-out", out,
                  listed=("authorityKeyIdentifier = keyid\n" if identified else "") + extensions)
        return out

    def fingerprint(self, digest="sha256"):
        return tool("openssl", "x509", "-in", self.cert, "-noout", "-fingerprint", "-" + digest) \
            .decode().strip().split("=")[1]

    def chain(self, *others):
        """A file with this certificate and those of others behind it."""
        return write(self.dir / "chain.pem", b"".join(c.cert.read_bytes() for c in (self, *others)))
