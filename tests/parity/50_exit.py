# SPDX-License-Identifier: Apache-2.0
# How a program ends.
import signal

for label, argument, status in (("none", "", 0), ("zero", "0", 0), ("three", "3", 3), ("256", "256", 0),
                                ("minus_one", "-1", 255), ("text", "'a text'", 1), ("empty_text", "''", 1),
                                ("true", "True", 1), ("tuple", "(1, 2)", 1), ("none_value", "None", 0),
                                ("huge", "1 << 70", 255), ("float", "1.5", 1), ("surrogate", "'\\udcff'", 1)):
    case("sys_exit_" + label, "sys.exit(%s)" % argument, "import sys\nsys.exit(%s)\n" % argument, status=status)

case("exit_object", "SystemExit with an object whose str() is a program's", '''
    class Why:
        def __str__(self):
            return "because"
    raise SystemExit(Why())
''', status=1, says=b"because")
case("exit_object_fails", "SystemExit with an object whose str() fails", '''
    class Why:
        def __str__(self):
            raise ValueError("no")
    raise SystemExit(Why())
''', status=1)
case("exit_class", "raise SystemExit without a call", "raise SystemExit\n")
case("exit_subclass", "a subclass of SystemExit with its own code", '''
    class Stop(SystemExit):
        code = 9
    raise Stop
''', status=None)
case("exit_code_attribute", "SystemExit whose code was set later", '''
    error = SystemExit(1)
    error.code = 5
    raise error
''', status=5)
case("exit_builtin", "exit() and quit() of site", "print('before')\nexit(4)\n", status=4, says=b"before")
case("exit_in_thread", "sys.exit in a thread ends only the thread", '''
    import threading, sys
    t = threading.Thread(target=sys.exit, args=(3,))
    t.start()
    t.join()
    print("alive")
''', says=b"alive")
case("exit_in_finally", "SystemExit passes finally blocks, and can be replaced there", '''
    import sys
    try:
        try:
            sys.exit(3)
        finally:
            print("finally")
    except SystemExit as error:
        print("caught", error.code)
    try:
        sys.exit(3)
    finally:
        raise ValueError("replaces it")
''', status=1, says=b"replaces it")
case("exit_nested", "SystemExit while another exception is handled", '''
    import sys
    try:
        1 / 0
    except ZeroDivisionError:
        sys.exit("said so")
''', status=1, says=b"said so")
case("exit_from_exec", "sys.exit in exec'd code and in an imported module", '''
    import leaves
''', files={"leaves.py": "exec('import sys; sys.exit(7)')\n"}, status=7)
case("exit_in_atexit", "sys.exit in an atexit function", '''
    import atexit, sys
    atexit.register(print, "last")
    atexit.register(sys.exit, 5)
''', status=None, says=b"last")
case("atexit_order", "atexit functions run in reverse, also after an error", '''
    import atexit
    for i in range(3):
        atexit.register(print, "atexit", i)
    raise ValueError("x")
''', status=1, says=b"atexit 2")
case("atexit_raises", "an exception in an atexit function", '''
    import atexit
    atexit.register(print, "still runs")
    atexit.register(lambda: 1 / 0)
''', status=0, says=b"still runs")
case("atexit_registers", "atexit functions that register and unregister others", '''
    import atexit
    def a():
        print("a")
        atexit.register(b)
    def b():
        print("b")
    atexit.register(a)
    print(atexit._ncallbacks())
''', says=b"a")
case("keyboard_interrupt", "an uncaught KeyboardInterrupt is death by SIGINT", '''
    import atexit
    atexit.register(print, "atexit ran")
    raise KeyboardInterrupt("text")
''', status=-signal.SIGINT, says=b"atexit ran")
case("keyboard_interrupt_subclass", "a subclass of KeyboardInterrupt", '''
    class Mine(KeyboardInterrupt): pass
    raise Mine("x")
''', status=None, says=b"Mine")
case("keyboard_interrupt_chained", "KeyboardInterrupt from another exception", '''
    try:
        1 / 0
    except ZeroDivisionError:
        raise KeyboardInterrupt
''', status=-signal.SIGINT, says=b"ZeroDivisionError")
case("keyboard_interrupt_in_function", "SIGINT raised by the program itself", '''
    import os, signal
    def f():
        os.kill(os.getpid(), signal.SIGINT)
        for i in range(10 ** 9): pass
    f()
''', status=-signal.SIGINT, says=b"KeyboardInterrupt", mask=[(r"(?s)Traceback.*(?=KeyboardInterrupt)", "", "which line it hits")])
case("sigint_ignored", "an uncaught KeyboardInterrupt where SIGINT is ignored from outside", '''
    import signal
    print(signal.getsignal(signal.SIGINT))
    raise KeyboardInterrupt
''', shell='trap "" INT; exec "$@"', status=None)
case("sigint_handler", "a handler for SIGINT, then an uncaught KeyboardInterrupt", '''
    import signal
    signal.signal(signal.SIGINT, lambda *a: print("handled"))
    signal.raise_signal(signal.SIGINT)
    raise KeyboardInterrupt
''', status=-signal.SIGINT, says=b"handled")
case("sigint_sent", "SIGINT from outside while sleeping", '''
    import time
    print("ready", flush=True)
    try:
        time.sleep(60)
    finally:
        print("finally")
''', send=(b"ready\n", signal.SIGINT), status=-signal.SIGINT, says=b"finally")
case("sigint_caught", "SIGINT from outside, caught", '''
    import time
    print("ready", flush=True)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print("caught")
''', send=(b"ready\n", signal.SIGINT), says=b"caught")
case("sigterm", "SIGTERM kills without cleaning up", '''
    import time, atexit
    atexit.register(print, "never")
    print("ready", flush=True)
    time.sleep(60)
''', send=(b"ready\n", signal.SIGTERM), status=-signal.SIGTERM)
case("sighup", "SIGHUP kills", '''
    import time
    print("ready", flush=True)
    time.sleep(60)
''', send=(b"ready\n", signal.SIGHUP), status=-signal.SIGHUP)
case("signal_handlers", "handlers, their default, getsignal of all", '''
    import signal
    for s in sorted(signal.valid_signals()):
        print(int(s), signal.getsignal(s))
''', says=b"13 ")
case("signal_mask", "the signal mask and /proc's view of ignored and caught signals", '''
    import signal
    print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    print([l for l in open("/proc/self/status") if l.startswith(("Sig", "Shd")) and not l.startswith("SigQ")])
''', says=b"SigIgn")
case("alarm", "SIGALRM with a handler, and setitimer", '''
    import signal
    def ring(number, frame):
        print("ring", number, frame.f_code.co_name)
        raise TimeoutError
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    def wait():
        signal.pause()
    wait()
''', status=1, says=b"ring 14 wait")
case("wakeup_fd", "signal.set_wakeup_fd", '''
    import signal, os
    r, w = os.pipe()
    os.set_blocking(w, False)
    print(signal.set_wakeup_fd(w))
    signal.signal(signal.SIGUSR1, lambda *a: None)
    signal.raise_signal(signal.SIGUSR1)
    print(os.read(r, 1))
''', says=b"-1")
case("os_exit", "os._exit runs nothing and flushes nothing", '''
    import os, atexit
    atexit.register(print, "never")
    print("lost in the buffer")
    os._exit(6)
''', status=6)
case("abort", "os.abort", "import os\nprint('lost')\nos.abort()\n", status=-signal.SIGABRT)
case("kill_self", "SIGKILL to itself", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", status=-signal.SIGKILL)
case("stack_overflow_c", "a fatal signal without faulthandler", "import ctypes\nctypes.string_at(1)\n", status=-signal.SIGSEGV)
case("faulthandler", "faulthandler's dump at a segmentation fault", '''
    import faulthandler, ctypes
    faulthandler.enable()
    def f():
        ctypes.string_at(1)
    f()
''', status=-signal.SIGSEGV, says=b"Segmentation fault")
case("faulthandler_traceback", "faulthandler.dump_traceback", '''
    import faulthandler, sys
    def f():
        faulthandler.dump_traceback(sys.stdout)
    f()
''', says=b"in f")
case("fatal_error", "a fatal error of the interpreter", '''
    import sys, ctypes
    sys.stdout.flush()
    ctypes.pythonapi.Py_FatalError(b"on purpose")
''', status=-signal.SIGABRT, says=b"on purpose")
case("finalisation_order", "what is destroyed when: globals, modules, cycles", '''
    import sys, atexit, sibling
    class C:
        def __init__(self, name): self.name = name
        def __del__(self, print=print): print("del", self.name)
    a = C("a")
    _private = C("private")
    sibling.kept = C("sibling")
    cycle = C("cycle"); cycle.me = cycle
    atexit.register(print, "atexit")
    print("end of script")
''', files={"sibling.py": ""}, says=b"del private")
case("finalizing_flag", "sys.is_finalizing during atexit and __del__", '''
    import sys, atexit
    class C:
        def __del__(self, sys=sys, print=print): print("del", sys.is_finalizing())
    keep = C()
    atexit.register(lambda: print("atexit", sys.is_finalizing()))
''', says=b"del True")
case("weakref_finalize", "weakref.finalize at exit", '''
    import weakref
    class C: pass
    keep = C()
    weakref.finalize(keep, print, "finalised")
    print("end")
''', says=b"finalised")
case("gc_at_exit", "garbage with __del__ is collected at exit; gc.callbacks", '''
    import gc
    gc.disable()
    class C:
        def __init__(self): self.me = self
        def __del__(self): print("collected")
    C(); C()
    print(gc.isenabled(), gc.get_threshold())
''', says=b"collected")
case("thread_at_exit", "a thread that is still running is waited for", '''
    import threading, time
    def work():
        time.sleep(0.2)
        print("thread done")
    threading.Thread(target=work).start()
    print("main done")
''', says=b"main done\nthread done")
case("daemon_at_exit", "a daemon thread is not", '''
    import threading, time
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
    print("main done")
''', says=b"main done")
case("atexit_thread", "threading._register_atexit, and a thread pool left open", '''
    import concurrent.futures, time
    pool = concurrent.futures.ThreadPoolExecutor(2)
    pool.submit(lambda: (time.sleep(0.1), print("pooled")))
    print("main done")
''', says=b"pooled")
case("stdout_flushed", "stdout is flushed at exit, also after an error", '''
    import sys
    sys.stdout.write("no newline")
    raise ValueError
''', status=1, says=b"no newline")
case("flush_fails", "stdout that cannot be flushed at exit", '''
    import sys
    sys.stdout = open("/dev/full", "w")
    print("x")
''', status=None)
case("import_in_del", "an import while the interpreter ends", '''
    class C:
        def __del__(self):
            import colorsys
            print("imported", colorsys.__name__)
    keep = C()
''', status=None)
case("execv", "the program replaces itself", '''
    import os, sys
    sys.stdout.flush()
    os.execv("/bin/echo", ["echo", "replaced"])
''', says=b"replaced")
case("execv_self", "the program starts itself anew through sys.executable", '''
    import os, sys
    if len(sys.argv) < 2:
        print("first", flush=True)
        os.execv(sys.executable, [sys.executable, __file__, "again"])
    print("second", sys.argv)
''', says=b"second")
