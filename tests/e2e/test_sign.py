# SPDX-License-Identifier: Apache-2.0
"""spythonctl keygen, sign and verify: what is listed, what signatures are accepted, what differs."""
import concurrent.futures
import json
import os
import shutil
import stat
import time

import pytest

from harness import USAGE, run, write
from signing import BAD_SIGNATURE, tool

KINDS = ["ssh", "cms", "openpgp"]


# ---- keygen


def test_keygen(signer):
    key = signer.work / "new"
    signer.ctl("keygen", "--no-passphrase", "--out", key, "--comment", "of the shop")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert (signer.work / "new.pub").read_text().endswith(" of the shop\n")
    signer.sign(key=key)
    before = key.read_bytes()
    signer.ctl("keygen", "--no-passphrase", "--out", key, status=73)
    key.rename(signer.work / "moved")  # the public half alone is in the way as well
    signer.ctl("keygen", "--no-passphrase", "--out", key, status=73)
    assert (signer.work / "moved").read_bytes() == before and not key.exists()
    assert not list(signer.work.glob("*.new.*"))


# ---- sign


def test_lists_files_with_flags(signer):
    write(signer.tree / "code.pth", "import os\n")
    write(signer.tree / "paths.pth", "/somewhere\n")
    write(signer.tree / "sitecustomize.py", "x = 1\n")
    shutil.copy("/bin/true", signer.tree / "native")
    os.symlink("/etc/passwd", signer.tree / "out")
    os.symlink("app.py", signer.tree / "in")
    said = signer.sign().out
    flags = {path: entry[1] for path, entry in rows(signer).items()}
    assert "h" in flags["code.pth"] and "h" in flags["sitecustomize.py"]
    # A cache is its source once more, bytecode without one is a hook by itself.
    assert flags["__pycache__/sitecustomize.cpython-%s.pyc" % signer.sp.minor.replace(".", "")] == "b"
    assert "h" not in flags["paths.pth"] and "h" not in flags["app.py"]
    assert flags["native"] == "n" and flags["app.py"] == "-"
    assert flags["__pycache__/app.cpython-%s.pyc" % signer.sp.minor.replace(".", "")] == "b"
    assert "out" not in flags and "in" not in flags
    assert b"2 files run code at every start" in said and b"code.pth" in said


def rows(signer):
    """Path: (distribution, flags), as written: DIGEST SIZE VERITY FLAGS DISTRIBUTION PATH."""
    found = {}
    for line in signer.manifest.read_text().split("\n\n", 1)[1].splitlines()[:-1]:
        digest, size, verity, flags, rest = line.split(" ", 4)
        distribution, path = rest.split(" ", 1)
        found[path] = (distribution, flags)
    return found


def test_attributes_by_record(signer):
    site = signer.tree / "lib" / ("python" + signer.sp.minor) / "site-packages"
    write(site / "shop" / "__init__.py", "")
    write(site / "own.py", "")
    write(signer.tree / "bin" / "shop", "#!/bin/sh\n")
    write(site / "shop-1.0.dist-info" / "METADATA", "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    write(site / "shop-1.0.dist-info" / "RECORD",
          'shop/__init__.py,,\n"../../../bin/shop",,\nshop-1.0.dist-info/RECORD,,\n../../../../out,,\n')
    said = signer.sign("--list-unowned").out.decode()
    found = rows(signer)
    below = "lib/python%s/site-packages/" % signer.sp.minor
    assert found[below + "shop/__init__.py"][0] == "shop@1.0"
    assert found["bin/shop"][0] == "shop@1.0"
    assert found[below + "own.py"][0] == "-"
    assert "    %sown.py\n" % below in said and "bin/shop" not in said
    write(site / "shop" / "__init__.py", "changed = 1\n")
    signer.ctl("trust", "add", signer.keys.ssh("release").with_suffix(".pub"))
    changed = signer.verify(status=1)["changed"]
    assert {"path": below + "shop/__init__.py", "distribution": "shop 1.0"} in changed


def test_is_deterministic(signer):
    env = {"SOURCE_DATE_EPOCH": "1700000000"}
    texts = []
    for jobs in ("1", "4", "2"):
        signer.sign("--serial", "5", "--jobs", jobs, env=env)
        texts.append(signer.manifest.read_bytes())
    assert len(set(texts)) == 1 and b"created: 2023-11-14T22:13:20Z\n" in texts[0]
    signer.sign("--serial", "5", env={"SOURCE_DATE_EPOCH": "1700000001"})  # the control
    assert signer.manifest.read_bytes() != texts[0]


def test_serials_grow(signer):
    for serial in (1, 2):
        signer.sign()
        assert b"\nserial: %d\n" % serial in signer.manifest.read_bytes()
    signer.sign("--serial", "9")
    signer.sign()
    assert b"\nserial: 10\n" in signer.manifest.read_bytes()
    signer.sign(name="other", status=73)
    for bad in ("0", "-1", "x", "9223372036854775808"):
        signer.sign("--serial", bad, status=USAGE)


@pytest.mark.parametrize("plant", ["fifo", "newline"])
def test_odd_files_are_refused(signer, plant):
    signer.sign()  # the control
    if plant == "fifo":
        os.mkfifo(signer.tree / "fifo")
    else:
        write(signer.tree / "new\nline", "")
    said = signer.sign(status=1).err
    assert plant[:3].encode() in said, said
    signer.ctl("trust", "add", signer.keys.ssh("release").with_suffix(".pub"))
    assert len(signer.verify(status=1)["added"]) == 1


def test_no_compile_exclude_and_verity(signer):
    write(signer.tree / "notes.txt", "")
    signer.sign("--no-compile", "--exclude", "*.txt", "--verity")
    assert set(rows(signer)) == {"app.py", "helper.py"}
    digest = tool("fsverity", "digest", "--compact", signer.tree / "helper.py").decode().strip() \
        if shutil.which("fsverity") else None
    if digest:
        assert digest.split(":")[-1] in signer.manifest.read_text()


def test_what_does_not_compile_is_told(signer):
    write(signer.tree / "broken.py", "def (\n")
    said = signer.sign().err
    assert b"broken.py" in said
    assert "broken.py" in rows(signer) and not any("broken.c" in path for path in rows(signer))


def test_from_log(signer):
    write(signer.tree / "unused.py", "")
    signer.sp.apply("verify:\n  mode: audit\n  roots:\n    - {path: %s, all: [owner]}\n" % signer.tree)
    assert signer.sp.run(signer.tree / "app.py").status == 0
    signer.sign("--no-compile", "--from-log", signer.sp.logs()[0])
    assert {"app.py", "helper.py"} <= set(rows(signer)) and "unused.py" not in rows(signer)
    empty = write(signer.work / "empty.jsonl", "")
    signer.sign("--from-log", empty, status=1)
    signer.sign("--from-log", signer.work / "none", status=66)


@pytest.mark.parametrize("args", [
    (), ("--name", "shop"), ("--key", "k"), ("--name", "a/b", "--key", "k"), ("--name", "a.1", "--key", "k"),
    ("--name", "shop", "--key", "k", "--format", "pem"), ("--name", "shop", "--key", "k", "--format", "cms"),
    ("--name", "shop", "--key", "k", "--cert", "c"), ("--name", "shop", "--key", "k", "--jobs", "0"),
])
def test_usage(signer, args):
    signer.ctl("sign", signer.tree, *args, status=USAGE)
    signer.ctl("verify", signer.tree, status=USAGE)


# ---- verify


def test_added_changed_missing(signer):
    signer.ctl("trust", "add", signer.sign_as("ssh"))
    said = signer.verify()
    assert said["same"] and said["signer"]["name"] == "release" and said["serial"] == 1
    write(signer.tree / "helper.py", "x = 2\n")
    write(signer.tree / "planted.py", "")
    (signer.tree / "app.py").unlink()
    said = signer.verify(status=1)
    assert [[e["path"] for e in said[word]] for word in ("added", "changed", "missing")] \
        == [["planted.py"], ["helper.py"], ["app.py"]]
    assert not signer.verify("--exclude", "planted.py", status=1)["added"]
    found = run([signer.sp.ctl, "verify", signer.tree, "--manifest", signer.manifest], env=signer.sp.env())
    assert found.status == 1 and b"1 added, 1 changed, 1 missing" in found.out


def test_unlisted_bytecode_is_counted(signer):
    signer.ctl("trust", "add", signer.sign_as("ssh"))
    write(signer.tree / "__pycache__" / "app.cpython-37.pyc", "stale")
    said = signer.verify()
    assert said["same"] and said["unlisted_bytecode"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_good_and_forged(signer, kind):
    public = signer.sign_as(kind)
    assert b"in trust.d" in signer.verify(status=BAD_SIGNATURE)
    assert signer.verify("--no-signature")["same"]
    signer.ctl("trust", "add", public, "--name", "us")
    assert signer.verify()["signer"]["name"] == "us"
    text = signer.manifest.read_bytes()
    signer.manifest.write_bytes(text.replace(b"serial: 1\n", b"serial: 2\n"))
    signer.verify(status=BAD_SIGNATURE)
    signer.manifest.write_bytes(text)
    signer.verify()
    signer.signature().unlink()
    signer.verify(status=BAD_SIGNATURE)


def alterations(data, stride):
    for i in range(0, len(data), stride):
        yield data[:i] + bytes([data[i] ^ 1]) + data[i + 1:]
        yield data[:i]


@pytest.mark.parametrize("kind, stride", [("ssh", 2), ("cms", 7), ("openpgp", 2)])
def test_altered_signatures(signer, kind, stride):
    """Altered and cut at every byte: refused, or accepted with the same contents and signer only."""
    signer.ctl("trust", "add", signer.sign_as(kind, "--no-compile"))
    good = signer.verify()
    data = signer.signature().read_bytes()
    suffix = signer.signature().name[len("shop.manifest"):]

    def check(numbered):
        number, altered = numbered
        manifest = signer.work / str(number) / "shop.manifest"
        write(manifest, signer.manifest.read_bytes())
        write(manifest.with_name("shop.manifest" + suffix), altered)
        found = run([signer.sp.ctl, "verify", signer.tree, "--manifest", manifest, "--json"],
                    env=signer.sp.env())
        if found.status == 0:
            assert json.loads(found.out) == good, altered
            return True
        assert found.status == BAD_SIGNATURE, (altered, found)
        return False

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        accepted = list(pool.map(check, enumerate(alterations(data, stride))))
    assert accepted.count(False) > len(accepted) * 0.9, accepted.count(True)


def test_altered_manifest(signer):
    signer.ctl("trust", "add", signer.sign_as("ssh", "--no-compile"))
    data = signer.manifest.read_bytes()
    for altered in alterations(data, 5):
        signer.manifest.write_bytes(altered)
        signer.verify(status=BAD_SIGNATURE)
    signer.manifest.write_bytes(data)
    signer.verify()


def test_wrong_namespace(signer):
    """A good signature by a good key, but made for files in general."""
    signer.ctl("trust", "add", signer.sign_as("ssh"))
    sig = signer.signature()
    for namespace, status in (("file", BAD_SIGNATURE), ("spython-manifest", 0)):
        sig.unlink()
        tool("ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", signer.keys.ssh("release"), signer.manifest)
        said = signer.verify(status=status)
    assert said["same"]


@pytest.mark.parametrize("kind, days, words", [
    ("code", 30, None), ("server", 30, b"other purposes"), ("encipher", 30, b"not for digital signatures"),
    ("code", 0, b"expired"),
])
def test_certificates(signer, kind, days, words):
    """Of another purpose, or run out; signed by openssl, which does not care."""
    root = signer.keys.x509("root")
    key, cert = signer.keys.x509("%s-%d" % (kind, days), root, kind, days)
    signer.ctl("trust", "add", root[1])
    if days == 0:
        time.sleep(1.1)
    signer.sign_as("cms")  # replaced now
    tool("openssl", "cms", "-sign", "-binary", "-in", signer.manifest, "-signer", cert, "-inkey", key,
         "-outform", "PEM", "-out", signer.signature(), "-md", "sha256")
    said = signer.verify(status=BAD_SIGNATURE if words else 0)
    assert words in said if words else said["same"]


def test_openpgp_expired(signer):
    fake = "--faked-system-time=20200101T000000!"
    public = signer.keys.openpgp("old.pgp", "1d", fake)
    signer.sign("--format", "openpgp", "--tool-option", fake, key="old.pgp")
    signer.ctl("trust", "add", public)
    assert b"expired" in signer.verify(status=BAD_SIGNATURE)
    signer.ctl("trust", "add", signer.sign_as("openpgp"))
    signer.verify()


def test_no_configuration_of_openssl(signer):
    """OPENSSL_CONF can name code to load; spythonctl's own use of libcrypto does not read it."""
    mark, provider = signer.work / "loaded", signer.work / "provider.so"
    source = write(signer.work / "provider.c", '#include <fcntl.h>\n__attribute__((constructor)) static void f(void) '
                   '{ open("%s", O_CREAT | O_WRONLY, 0600); }\nint OSSL_provider_init(void) { return 0; }\n' % mark)
    tool("cc", "-shared", "-fPIC", "-o", provider, source)
    conf = write(signer.work / "openssl.cnf", "openssl_conf = init\n[init]\nproviders = list\n[list]\n"
                 "evil = evil_section\n[evil_section]\nmodule = %s\nactivate = 1\n" % provider)
    signer.sign()
    run(["openssl", "dgst", source], env={**signer.sp.env(), "OPENSSL_CONF": str(conf)})
    assert mark.exists()  # the control
    mark.unlink()
    signer.ctl("verify", signer.tree, "--manifest", signer.manifest, "--no-signature",
               env={"OPENSSL_CONF": str(conf)})
    assert not mark.exists()
