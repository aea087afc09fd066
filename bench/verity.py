#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start-up while only code that the kernel measured runs: bench/verified.py's question with the
verifier fsverity, in a virtual machine with a distribution kernel, for machines whose own kernel
has no fs-verity. Without acceleration every instruction takes many times as long, user's and
kernel's alike; the ratios are what is of interest. Needs root (chroot), the tools of
tests/kernel/run, and the package index or --packages."""
import gzip
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import common
import verified

LIMIT = 1.02
MEMORY_MIB = 3072
BOOT_SECONDS = 1800

INIT = """#!/bin/sh
B=/bin/busybox
$B mkdir -p /proc /sys /dev /r
$B mount -t proc proc /proc
$B mount -t devtmpfs devtmpfs /dev
$B insmod /loop.ko
$B mount -o loop /root.img /r
$B mount -t proc proc /r/proc
$B mount -o bind /dev /r/dev
$B chroot /r /usr/bin/python3 -I -S /measure.py
$B poweroff -f
"""

# Runs in the virtual machine.
MEASURE = r"""
import fcntl, json, os, struct, subprocess, sys, time
ENABLE_VERITY = 0x40806685
ARGUMENT = struct.pack("=IIIIQIIQ88x", 1, 1, 4096, 0, 0, 0, 0, 0)
settings = json.load(open("/settings.json"))
sealed = 0
for tree in settings["trees"]:
    for folder, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and os.path.getsize(path):
                with open(path, "rb") as file:
                    fcntl.ioctl(file, ENABLE_VERITY, ARGUMENT)
                sealed += 1
env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}
def must(*argv):
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit("FAILED %s: %d %s" % (argv, done.returncode, done.stdout[-2000:]))
must(settings["ctl"], "interpreter", "add", settings["python"])
must(settings["ctl"], "apply")
def timed(argv):
    start = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit("FAILED %s: %d" % (argv, status))
    return time.perf_counter() - start
for number, name in enumerate(settings["scripts"]):
    script = "/srv/app/main%d.py" % number
    plain, ours = ["/srv/venv/bin/python", "-I", script], ["/srv/venv/bin/spython", script]
    timed(plain), timed(ours)
    for log in os.listdir(settings["log"]):
        if log.startswith("spython-"):
            text = open(os.path.join(settings["log"], log)).read()
            if text.count("fsverity: trusted") < 50 or '"verdict":"deny"' in text:
                sys.exit("FAILED not judged by fsverity: %s: %s" % (log, text[-3000:]))
            os.unlink(os.path.join(settings["log"], log))
    pairs = []
    for i in range(settings["rounds"]):
        if i % 2:
            pairs.append((timed(ours), timed(plain)))
        else:
            base = timed(plain)
            pairs.append((timed(ours), base))
    print("result " + json.dumps({"name": name, "pairs": pairs, "sealed": sealed}), flush=True)
"""


def kernel_tests():
    loader = importlib.machinery.SourceFileLoader("kernel_tests", str(common.SOURCE / "tests/kernel/run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("kernel_tests", loader))
    loader.exec_module(module)
    return module


def copy_with_libraries(path, root):
    """A program or library, and whatever it is linked with, at the same places below root."""
    listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for name in [str(path), *re.findall(r"(/\S+) \(0x", listed.stdout)]:
        target = Path(str(root) + name)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(os.path.realpath(name), target)


def chroot(root, *argv):
    script = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec /usr/sbin/chroot "$0" "$@"'
    verified.must("unshare", "-m", "sh", "-c", script, root, *argv)


def make_root(private, root, options):
    """Everything that runs in the machine. Returns the settings of MEASURE."""
    stdlib = common.python_fact(private.python, 'sysconfig.get_path("stdlib")')
    for name in ("proc", "dev", "tmp", "etc", "opt", "srv/app", "usr/bin"):
        (root / name).mkdir(parents=True)
    for line in ("passwd", "group", "ld.so.cache"):
        shutil.copy2("/etc/" + line, root / "etc" / line)
    shutil.copytree(stdlib, str(root) + stdlib, symlinks=False)
    for name in Path(stdlib, "lib-dynload").iterdir():
        copy_with_libraries(name, root)
    copy_with_libraries(private.python, root)
    os.symlink(private.python, root / "usr/bin/python3")
    copy_with_libraries("/usr/bin/ssh-keygen", root)
    shutil.copytree("/usr/lib/locale/C.utf8", root / "usr/lib/locale/C.utf8")
    shutil.copytree(private.root, root / "opt/spython", symlinks=True)
    ctl = "/opt/spython/bin/spythonctl"
    copy_with_libraries(private.ctl, root)
    verified.make_environment(private.python, root / "srv/venv", options.packages)
    for library in (root / "srv/venv").rglob("*.so"):
        copy_with_libraries(library, root)
    for number, text in enumerate(verified.SCRIPTS.values()):
        (root / ("srv/app/main%d.py" % number)).write_text(text)
    trees = {"stdlib": stdlib, "venv": "/srv/venv", "app": "/srv/app"}
    chroot(root, ctl, "interpreter", "add", private.python)
    chroot(root, ctl, "keygen", "--no-passphrase", "--out", "/key")
    chroot(root, ctl, "trust", "add", "/key.pub")
    chroot(root, ctl, "venv", "adopt", "/srv/venv")
    for name, tree in trees.items():
        chroot(root, ctl, "sign", tree, "--name", name, "--key", "/key", "--verity", "--out",
               "/%s.manifest" % name)
        chroot(root, ctl, "manifest", "add", "/%s.manifest" % name)
    policy = verified.POLICY % dict(trees, log="/opt/spython/var/log/spython", level="informational")
    policy = policy.replace("[manifest]", "[fsverity]")
    (root / "opt/spython/etc/spython/spython.yaml").write_text(policy)
    settings = {"trees": list(trees.values()), "ctl": ctl, "python": private.python, "rounds": options.rounds,
                "log": "/opt/spython/var/log/spython", "scripts": list(verified.SCRIPTS)}
    (root / "settings.json").write_text(json.dumps(settings))
    (root / "measure.py").write_text(MEASURE)


def make_initramfs(kernel, root, work, tests):
    tree, image = work / "initramfs", work / "initramfs/root.img"
    (tree / "bin").mkdir(parents=True)
    size = int(subprocess.run(["du", "-sm", root], check=True, stdout=subprocess.PIPE).stdout.split()[0])
    with open(image, "wb") as out:
        out.truncate((size * 5 // 4 + 64) << 20)
    tests.run(tests.tool("mke2fs"), "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "verity,^has_journal",
              "-d", root, image)
    shutil.copy(tests.busybox(), tree / "bin/busybox")
    os.symlink("busybox", tree / "bin/sh")
    shutil.copy(kernel / "loop.ko", tree / "loop.ko")
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    names = "".join("%s\n" % p.relative_to(tree) for p in sorted(tree.rglob("*")))
    out = work / "initramfs.gz"
    with gzip.open(out, "wb", 1) as packed:
        cpio = subprocess.Popen(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=tree,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cpio.stdin.write(names.encode())
        cpio.stdin.close()
        shutil.copyfileobj(cpio.stdout, packed)
        if cpio.wait():
            raise SystemExit("cpio failed")
    return out


def boot(kernel, initramfs):
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-m", str(MEMORY_MIB),
            "-kernel", kernel / "vmlinuz", "-initrd", initramfs, "-append", "console=ttyS0 quiet panic=-1",
            "-display", "none", "-no-reboot", "-nodefaults", "-serial", "stdio", "-monitor", "none"]
    done = subprocess.run([os.fspath(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=BOOT_SECONDS, text=True, errors="replace")
    found = [json.loads(line) for line in re.findall(r"^result (.*)$", done.stdout.replace("\r", ""), re.M)]
    if len(found) != len(verified.SCRIPTS):
        raise SystemExit("the machine did not come to its end:\n" + done.stdout[-3000:])
    return found


def measure(options):
    outcome = common.Outcome("Start-up with only measured code, in a virtual machine without acceleration")
    tests = kernel_tests()
    with common.PrivatePrefix(options.prefix, options.minor) as private, \
            tempfile.TemporaryDirectory(prefix="spython-bench-", dir=options.directory) as scratch:
        work = Path(os.path.realpath(scratch))
        (work / "root").mkdir(mode=0o755)
        try:
            cache = Path(options.cache).resolve()
            cache.mkdir(parents=True, exist_ok=True)
            kernel = tests.fetch(options.kernel, cache)
            make_root(private, work / "root", options)
            initramfs = make_initramfs(kernel, work / "root", work, tests)
        except tests.Unable as e:
            raise SystemExit("verity: " + str(e)) from None
        shutil.rmtree(work / "root")
        shutil.rmtree(work / "initramfs")
        rows = []
        for found in boot(kernel, initramfs):
            outcome.checks.append(common.ratio_check("%s: %s, wall time" % (private.minor, found["name"]),
                                                     found["pairs"], options.limit))
            rows.append([found["name"], "%.0f" % (statistics.median(p[1] for p in found["pairs"]) * 1e3),
                         "%.0f" % (statistics.median(p[0] for p in found["pairs"]) * 1e3)])
    outcome.tables.append(("Milliseconds, medians of %d paired runs; kernel of %s" % (options.rounds, options.kernel),
                           ["script", "python3 -I", "spython"], rows))
    return outcome


def main():
    parser = common.parser(__doc__, rounds=15)
    parser.add_argument("--directory", help="where all is made; default: that for temporary files")
    parser.add_argument("--packages", help="a directory of wheels, instead of the package index")
    parser.add_argument("--kernel", default="trixie-backports", help="suite that it is of; default: %(default)s")
    parser.add_argument("--cache", default=str(common.SOURCE / "build-kernels"), help="where kernels are kept")
    parser.add_argument("--limit", type=float, default=LIMIT, help="default: %(default)s")
    return common.main(measure, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
