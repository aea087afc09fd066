# SPDX-License-Identifier: Apache-2.0
"""Packages made for one test, and package managers with a database of their own. What they install
lies below the test's directory, the programs are the system's."""
import os
import shutil

import harness
from harness import run, write


class Dpkg:
    name = "dpkg"
    needs = ("dpkg", "dpkg-deb")

    def __init__(self, sp, work):
        self.sp, self.work, self.admin = sp, work / "dpkg", work / "dpkg" / "admin"
        for directory in ("info", "updates", "triggers"):
            (self.admin / directory).mkdir(parents=True)
        write(self.admin / "status", "")
        # What the scripts ask is asked of the same database; dpkg tells its own scripts likewise.
        self.env = sp.env(PATH="/usr/sbin:/usr/bin:/sbin:/bin", DPKG_ADMINDIR=str(self.admin))

    def build(self, package, version, files, after=None, control=None):
        """`files`: contents by absolute path; `after`: what its postinst does."""
        root = self.work / ("%s_%s" % (package, version))
        write(root / "DEBIAN/control", "Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody "
              "<nobody@example.org>\nDescription: for a test\n" % (package, version))
        if after:
            write(root / "DEBIAN/postinst", "#!/bin/sh\n%s\n" % after, mode=0o755)
        for name, text in (control or {}).items():
            write(root / "DEBIAN" / name, text, mode=0o755)
        for path, data in files.items():
            write(root / str(path).lstrip("/"), data, mode=0o755 if "/bin/" in str(path) else 0o644)
        made = run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", root, self.work], env=self.env)
        assert made.status == 0, made
        return self.work / ("%s_%s_all.deb" % (package, version))

    def build_triggers(self, paths):
        """The package that ships spython, as contrib has it, with the places of the test."""
        contrib = harness.SOURCE / "contrib" / "dpkg"
        triggers = (contrib / "spython.triggers").read_text()
        assert "interest-noawait /usr/lib/python3.11\n" in triggers
        triggers = triggers.replace("/usr/bin/python3.11\n", "%s\n" % paths[0])
        triggers = triggers.replace("/usr/lib/python3.11\n", "%s\n" % paths[1])
        postinst = (contrib / "spython.postinst").read_text()
        assert "/usr/share/" in postinst
        return self.build("spython-test", "1", {}, control={
            "triggers": triggers,
            "postinst": postinst.replace("/usr/share", "%s/share" % self.sp.root)})

    def install(self, package):
        return run(["dpkg", "--admindir", self.admin, "--log", self.work / "log", "-i", package],
                   env=self.env)

    def is_whole(self, package):
        """The package is installed, and no other left half done."""
        assert package.exists()
        return run(["dpkg", "--admindir", self.admin, "--audit"], env=self.env).out == b""


class Rpm:
    name = "rpm"
    needs = ("rpm", "rpmbuild")

    def __init__(self, sp, work):
        self.sp, self.work = sp, work / "rpm"
        self.home = self.work / "home"
        write(self.home / ".rpmmacros", "%%_dbpath %s/db\n%%_topdir %s/build\n%%__os_install_post %%{nil}\n"
              "%%_binaries_in_noarch_packages_terminate_build 0\n" % (self.work, self.work))
        self.env = sp.env(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME=str(self.home))
        assert run(["rpm", "--initdb"], env=self.env).status == 0

    def _build(self, package, version, body):
        spec = write(self.work / ("%s-%s.spec" % (package, version)),
                     "Name: %s\nVersion: %s\nRelease: 1\nSummary: for a test\nLicense: none\n"
                     "BuildArch: noarch\nAutoReqProv: no\n%%description\nFor a test.\n%s"
                     % (package, version, body))
        made = run(["rpmbuild", "-bb", spec], env=self.env)
        assert made.status == 0, made
        return self.work / "build/RPMS/noarch" / ("%s-%s-1.noarch.rpm" % (package, version))

    def build(self, package, version, files, after=None):
        source = self.work / "source" / ("%s-%s" % (package, version))
        install, listed = [], []
        for number, (path, data) in enumerate(sorted(files.items(), key=str)):
            kept = write(source / str(number), data)
            mode = "755" if "/bin/" in str(path) else "644"
            install.append("install -D -m %s %s %%{buildroot}%s" % (mode, kept, path))
            listed.append("%%attr(%s, root, root) %s" % (mode, path))
        return self._build(package, version, "%%install\n%s\n%%files\n%s\n%s" % (
            "\n".join(install), "\n".join(listed), "%%post\n%s\n" % after if after else ""))

    def build_triggers(self, paths):
        script = self.sp.root / "share/spython/upgrade/spython-interpreter-upgraded"
        return self._build("spython-test", "1", "%%global spython_paths %s\n%%global spython_upgraded %s\n"
                           "%%include %s\n%%files\n" % (" ".join(map(str, paths)), script, harness.SOURCE /
                                                        "contrib" / "rpm" / "spython-upgrade.inc"))

    def install(self, package):
        # Debian's rpm wants to hear that this is meant.
        option = ["--force-debian"] if os.path.exists("/etc/debian_version") else []
        return run(["rpm", *option, "-U", "--nodeps", package], env=self.env)

    def is_whole(self, package):
        return run(["rpm", "-q", package.stem], env=self.env).status == 0


def manager(kind, sp, work):
    for program in kind.needs:
        if not shutil.which(program):
            harness.unavailable(program + " is not installed")
    if os.getuid() != 0:
        harness.unavailable("packages are installed as root")
    return kind(sp, work)
