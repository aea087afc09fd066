# SPDX-License-Identifier: Apache-2.0
# Children, forks, pools.

case("subprocess", "subprocess in its usual forms", '''
    import subprocess
    print(subprocess.run(["echo", "a b"], capture_output=True, text=True).stdout)
    print(subprocess.check_output("echo $0 shell; exit 0", shell=True))
    print(subprocess.call(["false"]), subprocess.getstatusoutput("exit 3"))
    try:
        subprocess.run(["/nonexistent/x"])
    except FileNotFoundError as error:
        print(error)
    p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print(p.communicate(b"through"), p.args)
    subprocess.run(["sh", "-c", "kill -9 $$"], check=True)
''', status=1, says=b"SIGKILL")
case("subprocess_options", "cwd, env, preexec_fn, close_fds, start_new_session", '''
    import subprocess, os
    print(subprocess.run(["pwd"], cwd="/", capture_output=True).stdout)
    print(subprocess.run(["/usr/bin/env"], env={"ONLY": "this"}, capture_output=True).stdout)
    print(subprocess.run(["sh", "-c", "echo $X"], preexec_fn=lambda: os.environ.update(X="1"), capture_output=True).stdout)
    print(subprocess.run(["sh", "-c", "echo gone"], start_new_session=True, capture_output=True).stdout)
''', says=b"ONLY=this")
case("subprocess_descriptors", "a child sees only 0, 1 and 2", '''
    import subprocess
    print(subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True).stdout.split())
    print(subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True, close_fds=False).stdout.split())
''', says=b"'0', '1', '2', '3'")
case("os_system", "os.system and os.popen", '''
    import os, sys
    print(os.system("echo from sh; exit 3"), flush=True)
    print(os.popen("echo popen").read())
    print(os.system("ls /proc/self/fd >/dev/null"))
''', says=b"768")
case("os_system_descriptors", "what a child of os.system inherits", '''
    import os
    os.system("ls /proc/self/fd")
''', says=b"0\n1\n2\n3\n")
case("spawn_family", "os.spawnv, posix_spawn, waitstatus", '''
    import os
    print(os.spawnv(os.P_WAIT, "/bin/true", ["true"]))
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 4"], os.environ)
    print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
''', says=b"4")
case("child_through_executable", "a script run through sys.executable, its status and stderr", '''
    import subprocess, sys
    r = subprocess.run([sys.executable, "child.py", "-x"], capture_output=True, text=True)
    print(r.returncode, r.stdout, r.stderr)
    r = subprocess.run([sys.executable, "-B", "-u", "child.py"], capture_output=True, text=True)
    print(r.returncode, r.stdout)
''', files={"child.py": "import sys\nprint(sys.argv, sys.flags.dont_write_bytecode)\nsys.exit('bye')\n"}, says=b"bye")
case("fork", "fork, exit statuses, and what the child prints", '''
    import os, sys
    for status in (0, 7):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            print("child")
            sys.exit(status)
        print(os.waitpid(pid, 0)[1] >> 8)
''', says=b"child\n7")
case("fork_exit_paths", "a child that ends by _exit, by an exception, by a signal", '''
    import os, sys, signal
    def child(f):
        sys.stdout.flush(); sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            f()
            os._exit(0)
        print(os.waitpid(pid, 0)[1])
    child(lambda: os._exit(3))
    child(lambda: os.kill(os.getpid(), signal.SIGTERM))
    child(os.abort)
    pid = os.fork()
    if pid == 0:
        raise ValueError("in the child")
    print(os.waitpid(pid, 0)[1])
''', says=b"in the child")
case("fork_at_hooks", "os.register_at_fork, in order", '''
    import os, sys
    os.register_at_fork(before=lambda: print("before", flush=True), after_in_parent=lambda: None,
                        after_in_child=lambda: print("child hook", flush=True))
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
''', says=b"child hook")
case("fork_of_fork", "a grandchild whose parent is gone", '''
    import os, time
    r, w = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.05)
            os.write(w, b"grandchild")
            os._exit(0)
        os._exit(0)
    os.wait()
    os.close(w)
    print(os.read(r, 100))
''', says=b"grandchild")
case("fork_threads", "fork while threads run", '''
    import os, threading, time, warnings
    warnings.simplefilter("ignore")
    stop = threading.Event()
    def spin():
        while not stop.is_set():
            open("/dev/null").close()
    threads = [threading.Thread(target=spin) for _ in range(4)]
    for t in threads: t.start()
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            open("/dev/null").close()
            os._exit(5)
        assert os.waitpid(pid, 0)[1] == 5 << 8
    stop.set()
    for t in threads: t.join()
    print("done")
''', says=b"done")
case("daemonise", "the double fork with everything closed", '''
    import os, time
    r, w = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(1024):
                if fd != w:
                    try: os.close(fd)
                    except OSError: pass
            os.open("/dev/null", os.O_RDWR); os.dup2(0, 1); os.dup2(0, 2)
            open("/dev/null").close()
            os.write(w, b"daemon %d" % len(os.listdir("/proc/self/fd")))
            os._exit(0)
        os._exit(0)
    os.wait()
    os.close(w)
    print(os.read(r, 100)[:6])
''', says=b"daemon")
case("multiprocessing_pool", "multiprocessing with fork: Pool", '''
    import multiprocessing
    def f(x): return x * x
    if __name__ == "__main__":
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(f, range(10)))
''', says=b"81")
case("multiprocessing_queue", "Process and Queue, its exit code and name", '''
    import multiprocessing
    def work(q): q.put(["from the child", multiprocessing.current_process().name])
    context = multiprocessing.get_context("fork")
    q = context.Queue()
    p = context.Process(target=work, args=(q,))
    p.start()
    print(q.get())
    p.join()
    print(p.exitcode)
''', says=b"from the child")
case("multiprocessing_manager", "a Manager's shared dictionary", '''
    import multiprocessing
    context = multiprocessing.get_context("fork")
    def work(d, i): d[i] = i * 10
    with context.Manager() as m:
        d = m.dict()
        ps = [context.Process(target=work, args=(d, i)) for i in range(3)]
        for p in ps: p.start()
        for p in ps: p.join()
        print(sorted(d.items()))
''', says=b"(2, 20)")
case("multiprocessing_error", "an exception in a worker, and a worker that dies", '''
    import multiprocessing, os
    context = multiprocessing.get_context("fork")
    def bad(x): return 1 / x
    def die(): os._exit(9)
    with context.Pool(1) as pool:
        try:
            pool.apply(bad, (0,))
        except ZeroDivisionError as error:
            print("got", error)
    p = context.Process(target=die)
    p.start(); p.join()
    print(p.exitcode)
''', says=b"9")
case("multiprocessing_uncaught", "an uncaught exception in a Process", '''
    import multiprocessing
    def bad(): raise ValueError("in the process")
    p = multiprocessing.get_context("fork").Process(target=bad, name="worker")
    p.start(); p.join()
    print(p.exitcode)
''', says=b"in the process")
case("process_pool", "concurrent.futures with fork", '''
    import concurrent.futures, multiprocessing
    def f(x): return x + 1
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        print(list(pool.map(f, range(5))))
''', says=b"[1, 2, 3, 4, 5]")
case("pty", "pty.fork", '''
    import pty, os
    pid, fd = pty.fork()
    if pid == 0:
        os.write(1, b"on a terminal: %d" % os.isatty(1))
        os._exit(0)
    print(os.read(fd, 100))
    os.waitpid(pid, 0)
''', says=b"on a terminal: 1")
case("setuid_calls", "ids, groups and capabilities are as given", '''
    import os
    print(os.getresuid(), os.getresgid(), os.getgroups())
''')
case("prctl_name", "a program that changes its own title", '''
    import ctypes
    ctypes.CDLL(None).prctl(15, b"renamed", 0, 0, 0)
    print(open("/proc/self/comm").read())
''', says=b"renamed")
