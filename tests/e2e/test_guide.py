# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of docs/verified-loading.md as they stand, on two installations: one that signs,
and one that has only the public key. A comment above each block says whose it is, and `fails: TEXT`
that it must fail with TEXT."""
import re
import shutil
import textwrap

import harness
from harness import write

GUIDE = harness.SOURCE / "docs" / "verified-loading.md"
BLOCK = re.compile(r"^ *<!-- (signer|runner)(?:, fails: ([^\n]*?))? -->\n *```sh\n(.*?)^ *```$", re.M | re.S)

MAIN = "import prices\nprint('total', sum(prices.PRICES))\n"
PRICES = "PRICES = [1, 2, 3]\n"


def tree(root):
    write(root / "main.py", MAIN)
    write(root / "prices.py", PRICES)


def steps():
    text = GUIDE.read_text("utf-8")
    found = [(who, fails, textwrap.dedent(body)) for who, fails, body in BLOCK.findall(text)]
    assert len(found) == text.count("```sh\n") == 8
    return found


def test_guide(prefix, work):
    minor = harness.registered_minors()[-1]
    machines = {}
    for who in ("signer", "runner"):
        sp = harness.clone(prefix, work / who / "prefix", minor)
        (sp.root / "bin" / "spython").unlink(missing_ok=True)
        (sp.root / "bin" / "spython").symlink_to(sp.spython.name)
        (work / who / "cwd").mkdir()
        machines[who] = sp
    tree(work / "signer" / "shop")
    copied = False
    for number, (who, fails, body) in enumerate(steps(), 1):
        sp, cwd, shop = machines[who], work / who / "cwd", work / who / "shop"
        if who == "runner" and not copied:
            shutil.copytree(work / "signer" / "shop", shop)
            for name in ("shop.manifest", "shop.manifest.sig", "release-key.pub"):
                shutil.copy2(work / "signer" / "cwd" / name, cwd / name)
            copied = True
        env = sp.env(PATH="%s/bin:/usr/bin:/bin" % sp.root, ETC=str(sp.etc), LOG=str(sp.log))
        found = harness.run(["/bin/sh", "-eu", "-c", body.replace("/srv/shop", str(shop))], env=env, cwd=cwd)
        if fails:
            assert found.status != 0 and fails.encode() in found.err, (number, found)
            assert b"planted" not in found.out
        else:
            assert found.status == 0, (number, found)
        if number == 6:
            assert found.out == b"total 6\nnothing\n", found
    # The control: nothing but spython stands between the planted file and the program.
    plain = harness.run([machines["runner"].python, work / "runner" / "shop" / "main.py"],
                        env=harness.clean_env())
    assert plain.out.startswith(b"planted\n")
