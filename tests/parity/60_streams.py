# SPDX-License-Identifier: Apache-2.0
# stdin, stdout, stderr, locale, environment, descriptors.

SHOW = '''
    import sys, locale
    for name in ("stdin", "stdout", "stderr"):
        f = getattr(sys, name)
        print(name, f and (f.encoding, f.errors, f.line_buffering, f.write_through, f.mode, f.name,
                           f.newlines, type(f.buffer).__name__, f.buffer.raw.mode), file=sys.__stdout__)
    print(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), sys.getdefaultencoding(), sys.flags.utf8_mode)
    print(locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(False))
    print(ascii(sys.argv))
    import os
    print(sorted(os.environ.items()))
'''

case("encodings", "encoding, errors and buffering of the streams", SHOW, args=["ä"], says=b"utf-8")
case("locale_c", "LANG=C: the locale is coerced", SHOW, env={"LANG": "C"}, args=["ä"])
case("locale_posix", "LANG=POSIX", SHOW, env={"LANG": "POSIX"}, args=["ä"])
case("locale_none", "no LANG at all", SHOW, env={"LANG": None}, args=["ä"])
case("locale_lc_all_c", "LC_ALL=C: no coercion, UTF-8 mode", SHOW, env={"LC_ALL": "C"}, args=["ä"])
case("locale_missing", "a locale that is not installed", SHOW, env={"LANG": "de_DE.UTF-8"}, args=["ä"])
case("locale_lc_ctype", "LC_CTYPE alone", SHOW, env={"LANG": None, "LC_CTYPE": "C.UTF-8"}, args=["ä"])
case("utf8_on", "PYTHONUTF8=1", SHOW, env={"PYTHONUTF8": "1", "LC_ALL": "C"}, args=["ä"])
case("utf8_off", "PYTHONUTF8=0", SHOW, env={"PYTHONUTF8": "0", "LC_ALL": "C"}, args=["ä"])
case("ioencoding", "PYTHONIOENCODING with an error handler", SHOW, env={"PYTHONIOENCODING": "latin-1:replace"}, says=b"replace")
case("ioencoding_output", "PYTHONIOENCODING changes what is written", "print('ä€')\n", env={"PYTHONIOENCODING": "ascii:xmlcharrefreplace"},
     says=b"&#8364;")
case("unbuffered", "PYTHONUNBUFFERED", "import sys, os\nprint(sys.stdout.write_through)\n"
     "sys.stdout.write('x')\nos._exit(0)\n", env={"PYTHONUNBUFFERED": "1"}, says=b"x")
case("hashseed", "PYTHONHASHSEED fixes hash()", "import sys\nprint(hash('text'), list({'a', 'b', 'c', 'd'}), sys.flags.hash_randomization)\n",
     env={"PYTHONHASHSEED": "42"})
case("hashseed_zero", "PYTHONHASHSEED=0", "import sys\nprint(hash('text'), sys.flags.hash_randomization)\n", env={"PYTHONHASHSEED": "0"})
case("hash_random", "without it, hash() is random", "import sys\nprint(sys.flags.hash_randomization, sys.hash_info.algorithm)\n")
case("faulthandler_env", "PYTHONFAULTHANDLER", "import faulthandler, ctypes\nprint(faulthandler.is_enabled(), flush=True)\n"
     "ctypes.string_at(1)\n", env={"PYTHONFAULTHANDLER": "1"}, status=-11, says=b"Segmentation fault")
case("environment", "os.environ holds what the parent set, bytes included", '''
    import os
    print(sorted(os.environb.items()))
    print(ascii(os.environ.get("ODD")))
''', env={"A": "1", "EMPTY": "", "ODD": b"\xff", "UMLAUT": "ä", "PYTHONUNBUFFERED": "1", "MULTI": "a\nb=c"}, says=b"MULTI")
case("environment_child", "a child inherits the same", '''
    import subprocess
    print(subprocess.run(["/usr/bin/env", "-0"], capture_output=True).stdout.split(b"\\0"))
''', env={"A": "1", "B": "x y"}, says=b"B=x y")
case("environment_order", "the order of the variables", "import os\nprint(list(os.environ))\n", env={"Z": "1", "Y": "2", "X": "3"}, says=b"Z")
case("environment_putenv", "changes of os.environ reach children", '''
    import os, subprocess
    os.environ["NEW"] = "value"
    del os.environ["A"]
    subprocess.run(["/bin/sh", "-c", "echo $NEW ${A-unset}"])
''', env={"A": "1"}, says=b"value unset")
case("environment_libc", "libc's getenv and environ agree with os.environ", '''
    import ctypes, os
    libc = ctypes.CDLL(None)
    environ = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
    found, i = [], 0
    while environ[i]:
        found.append(environ[i])
        i += 1
    print(found)
''', env={"A": "1"}, says=b"A=1")
case("descriptors", "which low descriptors are open, and to what", '''
    import os
    for fd in range(64):
        try:
            os.fstat(fd)
        except OSError:
            continue
        target = os.readlink("/proc/self/fd/%d" % fd)
        print(fd, target.split(":")[0], os.get_inheritable(fd))
    print(os.open("/dev/null", os.O_RDONLY))
''', says=b"2 pipe")
case("descriptors_inherited", "descriptors from the parent are passed on", '''
    import os
    print(os.read(7, 10), os.get_inheritable(7))
''', shell='exec "$@" 7< data', files={"data": "seven"}, says=b"seven")
case("input", "input() from a pipe, with a prompt and at the end", '''
    print(repr(input("prompt> ")))
    print(repr(input()))
    input()
''', stdin=b"first\nlast", status=1, says=b"EOFError")
case("stdin_read", "reading stdin as text, bytes and lines", '''
    import sys
    print(repr(sys.stdin.readline()), list(sys.stdin)[:2], sys.stdin.buffer.read())
''', stdin="ä\nb\r\nc".encode(), says="ä".encode())
case("stdin_bad_bytes", "stdin that is not UTF-8", "import sys\nprint(ascii(sys.stdin.read()))\n", stdin=b"\xff\xfe", status=None)
case("stdin_null", "stdin from /dev/null", "import sys\nprint(repr(sys.stdin.read()), sys.stdin.isatty())\n", shell='exec "$@" </dev/null')
case("stdin_directory", "stdin is a directory", "import sys\nprint(sys.stdin)\n", shell='exec "$@" <.', status=None)
case("stdin_closed", "stdin closed at the start", '''
    import sys, os
    print(sys.stdin, sys.stdout is not None, os.open("/dev/null", os.O_RDONLY))
    input()
''', shell='exec "$@" <&-', status=1, says=b"None")
case("stdout_closed", "stdout closed at the start", '''
    import sys, os
    print("nowhere")
    print(sys.stdout, os.open("/dev/null", os.O_RDONLY), file=sys.stderr)
''', shell='exec "$@" >&-', says=b"None")
case("stderr_closed", "stderr closed at the start", '''
    import sys
    print(sys.stderr)
    raise ValueError("goes nowhere")
''', shell='exec "$@" 2>&-', status=1, says=b"None")
case("all_closed", "all three closed at the start", '''
    import sys, os
    fds = [os.open("out", os.O_WRONLY | os.O_CREAT, 0o644) for i in range(3)]
    os.write(fds[0], repr((fds, sys.stdin, sys.stdout, sys.stderr)).encode())
''', shell='exec "$@" <&- >&- 2>&-')
case("stdout_pipe_gone", "writing to a pipe that nobody reads", "print('x' * 100, flush=True)\n", stdout="closed pipe", status=None,
     says=b"BrokenPipeError")
case("stdout_pipe_gone_at_exit", "the same, noticed at exit", "print('x')\n", stdout="closed pipe", status=120, says=b"BrokenPipeError")
case("sigpipe_default", "SIGPIPE set to its default by the program", '''
    import signal
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print("x", flush=True)
''', stdout="closed pipe", status=-13)
case("big_output", "eight megabytes of output", "import sys\nfor i in range(1000):\n    sys.stdout.write('y' * 8191 + '\\n')\n")
case("interleaved", "the order of stdout and stderr on one pipe", '''
    import sys
    for i in range(3):
        print("out", i)
        print("err", i, file=sys.stderr)
''', shell='exec "$@" 2>&1')
case("binary_output", "bytes on stdout", "import sys\nsys.stdout.buffer.write(bytes(range(256)))\n")
case("surrogate_output", "printing a lone surrogate", "print('\\udcff')\n", says=b"\xff")
case("surrogate_output_strict", "the same where the stream is strict", "print('\\udcff')\n", env={"PYTHONIOENCODING": "utf-8:strict"}, status=1,
     says=b"UnicodeEncodeError")
case("surrogate_stderr", "stderr escapes it", "import sys\nprint('\\udcff', file=sys.stderr)\n", says=b"\\udcff")
case("print_unicode_c", "printing beyond ASCII under LC_ALL=C", "print('ä€')\n", env={"LC_ALL": "C"})
case("terminal", "stdout on a terminal is line buffered", '''
    import os, pty, sys, subprocess
    if len(sys.argv) > 1:
        print(sys.stdout.isatty(), sys.stdout.line_buffering, sys.stdin.isatty())
        sys.exit(0)
    parent, child = pty.openpty()
    subprocess.run([sys.executable, __file__, "child"], stdin=child, stdout=child, stderr=child)
    os.close(child)
    print(os.read(parent, 1000))
''', says=b"True True True")
case("umask_cwd", "umask and working directory are as given", "import os\nprint(oct(os.umask(0)), os.getcwd())\n", shell='umask 027; exec "$@"', says=b"0o27")
case("limits", "resource limits are as given", '''
    import resource
    for name in sorted(n for n in dir(resource) if n.startswith("RLIMIT_")):
        print(name, resource.getrlimit(getattr(resource, name)))
''', shell='ulimit -n 200; exec "$@"', says=b"RLIMIT_NOFILE (200, 200)")
case("nice_session", "nothing changed in process group, session, priority, dumpable, no_new_privs", '''
    import os
    print(os.getpgrp() == os.getppid() or os.getpgrp() != 0, os.getpriority(os.PRIO_PROCESS, 0))
    print([l for l in open("/proc/self/status") if l.startswith(("NoNewPrivs", "Seccomp", "Cap", "Threads", "Uid", "Gid", "Groups"))])
    import ctypes
    print(ctypes.CDLL(None).prctl(3))
''', says=b"Threads")
case("mappings", "no library is mapped that python3 does not map, but ours", '''
    names = set()
    for line in open("/proc/self/maps"):
        parts = line.split(None, 5)
        if len(parts) > 5:
            names.add(parts[5].strip().split("/")[-1])
    print(sorted(names))
''', differs=[
    (r"'audit\.so', ", "", "the audit object"), (r"'core\.so', ", "", "the core itself"), (r"'memfd:[^']*', ", "", "the script's bytes")])
