# SPDX-License-Identifier: Apache-2.0
# The standard library doing what programs use it for.

case("pickle_main", "classes and functions of __main__ are pickled by name", '''
    import pickle
    class Point:
        def __init__(self, x): self.x = x
        def __eq__(self, other): return self.x == other.x
    def f(): return 1
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps((Point(3), f, Point), protocol)
        point, g, cls = pickle.loads(data)
        print(protocol, point == Point(3), g is f, cls is Point, len(data))
    import pickletools
    pickletools.dis(pickle.dumps(Point(1), 2))
''', says=b"__main__ Point")
case("pickle_python", "the same with the unpickler in Python", '''
    import pickle, io
    class C: pass
    print(type(pickle._loads(pickle.dumps(C()))) is C)
    class Safe(pickle.Unpickler):
        def find_class(self, module, name):
            print("find_class", module, name)
            return super().find_class(module, name)
    Safe(io.BytesIO(pickle.dumps(C()))).load()
''', says=b"find_class __main__ C")
case("pickle_reduce", "an object that runs a function when it is loaded", '''
    import pickle
    class C:
        def __reduce__(self): return (print, ("reduced",))
    pickle.loads(pickle.dumps(C()))
''', says=b"reduced")
case("copyreg", "copyreg and copy.deepcopy", '''
    import copyreg, copy, pickle
    class C:
        def __init__(self, x): self.x = x
    copyreg.pickle(C, lambda c: (C, (c.x + 1,)))
    print(pickle.loads(pickle.dumps(C(1))).x, copy.deepcopy(C(5)).x, copy.copy(C(7)).x)
''', says=b"2 6 8")
case("shelve", "shelve and dbm.dumb", '''
    import shelve, dbm.dumb
    with shelve.Shelf(dbm.dumb.open("store", "c")) as s:
        s["a"] = [1, 2, {"x": (3,)}]
    with shelve.Shelf(dbm.dumb.open("store", "r")) as s:
        print(s["a"])
''', says=b"[1, 2")
case("marshal", "marshal and code objects", '''
    import marshal, types
    code = marshal.loads(marshal.dumps(compile("x = 6 * 7", "<m>", "exec")))
    ns = {}
    exec(code, ns)
    print(ns["x"], types.FunctionType(code, ns).__name__)
''', says=b"42")
case("inspect", "inspect.getsource, getfile, getmodule, signature of things in __main__", '''
    import inspect
    class C:
        """doc"""
        def m(self, a, *, b=1): return a
    def f(x):
        # comment
        return x
    print(inspect.getsource(f), inspect.getsource(C.m), inspect.getsource(C))
    print(inspect.getfile(f), inspect.getmodule(f).__name__, inspect.signature(C.m))
    print(inspect.getsourcefile(C.m), inspect.getdoc(C), inspect.stack()[0].code_context)
''', says=b"# comment")
case("dataclasses", "dataclasses in __main__", '''
    from dataclasses import dataclass, field, asdict, replace
    @dataclass(order=True, frozen=True)
    class D:
        a: int
        b: "list" = field(default_factory=list)
    d = D(1)
    print(d, asdict(d), replace(d, a=2) > d, hash(D.__doc__ is None), D.__module__)
    d.a = 3
''', status=1, says=b"FrozenInstanceError")
case("namedtuple", "namedtuple, typing.NamedTuple, enum", '''
    import collections, typing, enum
    P = collections.namedtuple("P", "x y")
    class Q(typing.NamedTuple):
        x: int = 1
    class E(enum.Enum):
        A = 1
    print(P(1, 2), P.__module__, Q(), Q.__module__, E.A, repr(E.A), E.__module__, typing.get_type_hints(Q))
''', says=b"__main__")
case("asyncio", "asyncio.run, tasks, a server and a client, a subprocess", '''
    import asyncio
    async def serve(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\\n")
        print(await reader.readline())
        writer.close()
        p = await asyncio.create_subprocess_exec("echo", "child", stdout=asyncio.subprocess.PIPE)
        print(await p.communicate(), p.returncode)
        print(await asyncio.gather(*(asyncio.sleep(0, i) for i in range(3))))
        server.close()
    asyncio.run(main())
''', says=b"HELLO")
case("asyncio_interrupt", "KeyboardInterrupt in asyncio.run", '''
    import asyncio
    async def main():
        try:
            raise KeyboardInterrupt
        finally:
            print("cleaned")
    asyncio.run(main())
''', status=-2, says=b"cleaned")
case("contextvars", "contextvars over tasks and threads", '''
    import contextvars, threading, asyncio
    v = contextvars.ContextVar("v", default=0)
    v.set(1)
    context = contextvars.copy_context()
    v.set(2)
    async def task(): return v.get()
    print(context[v], v.get(), asyncio.run(task()), context.run(v.get))
''', says=b"1 2 2 1")
case("threads", "threads, locks, queues, local data", '''
    import threading, queue
    q, total = queue.Queue(), []
    def work():
        while True:
            item = q.get()
            if item is None: return
            total.append(item * item)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads: t.start()
    for i in range(1000): q.put(i)
    for t in threads: q.put(None)
    for t in threads: t.join()
    print(sum(total), threading.active_count(), threading.current_thread())
''', says=b"332833500", mask=[(r"started \d+", "started N", "thread id")])
case("sqlite3", "sqlite3", '''
    import sqlite3
    db = sqlite3.connect(":memory:")
    db.execute("create table t(a)")
    db.executemany("insert into t values (?)", [(i,) for i in range(10)])
    db.create_function("twice", 1, lambda x: 2 * x)
    print(db.execute("select sum(twice(a)) from t").fetchall())
    db.execute("select nothing from t")
''', status=1, says=b"[(90,)]")
case("ssl", "an SSL context", '''
    import ssl
    c = ssl.create_default_context()
    print(repr(c.verify_mode), c.check_hostname, c.minimum_version, ssl.OPENSSL_VERSION, len(c.get_ciphers()) > 5)
''', says=b"CERT_REQUIRED")
case("hashlib", "hashlib, hmac, secrets, zlib", '''
    import hashlib, hmac, zlib, binascii, secrets
    print(hashlib.sha256(b"x").hexdigest(), hashlib.new("md5", b"x").hexdigest(), hashlib.blake2b(b"x").hexdigest()[:16])
    print(hmac.new(b"k", b"m", "sha1").hexdigest(), zlib.crc32(b"x"), len(secrets.token_bytes(5)))
    print(sorted(hashlib.algorithms_available) == sorted(set(hashlib.algorithms_available)))
''', says=b"2d711642b726b044")
case("ctypes", "ctypes: calls, callbacks, errno, structures", '''
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    print(libc.abs(-5), libc.open(b"/nonexistent", 0), ctypes.get_errno())
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    values = (ctypes.c_int * 4)(3, 1, 4, 2)
    libc.qsort(values, 4, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
    print(list(values))
    class S(ctypes.Structure):
        _fields_ = [("a", ctypes.c_uint8), ("b", ctypes.c_uint32)]
    print(bytes(S(1, 2)), ctypes.sizeof(S), ctypes.create_string_buffer(b"ab").raw)
''', says=b"[1, 2, 3, 4]")
case("decimal", "decimal, fractions, statistics, random with a seed", '''
    import decimal, fractions, statistics, random
    decimal.getcontext().prec = 30
    print(decimal.Decimal(1) / 7, fractions.Fraction(0.5), statistics.mean([1, 2]), random.Random(1).random())
''', says=b"0.142857")
case("datetime", "datetime, time zone, zoneinfo, calendar", '''
    import datetime, time, calendar, os
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    print(time.tzname, datetime.datetime.fromtimestamp(0), calendar.month(2026, 2))
    try:
        import zoneinfo
        print(datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")))
    except (ImportError, KeyError) as error:
        print(error)
''')
case("json_re", "json, re, csv, configparser, string, textwrap", '''
    import json, re, csv, io, configparser, textwrap
    print(json.dumps({"b": [1, None, 1e100], "a": "\\u20ac"}, sort_keys=True, indent=1))
    print(re.sub(r"(?P<w>\\w+)", lambda m: m["w"][::-1], "hello world"))
    print(list(csv.reader(io.StringIO('a,"b,c"\\n'))), textwrap.fill("word " * 20, 30))
    c = configparser.ConfigParser(); c.read_string("[a]\\nb = %(c)s\\nc = 1\\n"); print(c["a"]["b"])
''', says=b"olleh dlrow")
case("logging", "logging to stderr, with a traceback and the caller's line", '''
    import logging
    logging.basicConfig(format="%(levelname)s %(name)s %(filename)s:%(lineno)d %(funcName)s %(message)s")
    def f():
        logging.getLogger("x").warning("careful %d", 3)
        try:
            1 / 0
        except ZeroDivisionError:
            logging.exception("went wrong")
    f()
''', says=b"prog.py:4 f careful 3")
case("argparse_error", "argparse's usage error is status 2 and names the script", '''
    import argparse
    p = argparse.ArgumentParser()
    p.add_argument("--n", type=int, required=True)
    p.parse_args()
''', status=2, says=b"usage: prog.py")
case("argparse_help", "argparse's help", '''
    import argparse
    p = argparse.ArgumentParser(description="d")
    p.add_argument("x", nargs="*")
    p.parse_args()
''', args=["--help"], says=b"usage: prog.py")
case("unittest", "unittest.main in a script", '''
    import unittest
    class T(unittest.TestCase):
        def test_good(self): self.assertEqual(1, 1)
        def test_bad(self): self.assertEqual([1, 2], [1, 3])
    unittest.main()
''', status=1, says=b"FAILED (failures=1)", mask=[(r"in [0-9.]+s", "in Ns", "time")])
case("doctest", "doctest.testmod of __main__", '''
    """
    >>> 1 + 1
    2
    >>> 1 + 2
    4
    """
    import doctest
    print(doctest.testmod())
''', says=b"failed=1")
case("pydoc", "help() to a pipe", "def f(x):\n    'the doc'\nhelp(f)\nhelp('if')\nhelp(int.bit_length)\n", says=b"the doc")
case("pdb", "breakpoint() with commands from a pipe", '''
    def f(x):
        breakpoint()
        return x + 1
    print(f(1))
''', stdin=b"p x\nw\nn\nc\n", says=b"(Pdb)")
case("pdb_quit", "q at the breakpoint", "breakpoint()\nprint('not reached')\n", stdin=b"q\n", status=None, says=b"(Pdb)")
case("breakpointhook", "sys.breakpointhook", "import sys\nsys.breakpointhook = lambda *a: print('hook', a)\nbreakpoint(1)\n", says=b"hook (1,)")
case("cprofile", "cProfile.run", '''
    import cProfile, pstats, io
    def f(): return sum(range(10))
    p = cProfile.Profile()
    p.runcall(f)
    print(sorted(k for k in pstats.Stats(p).stats if k[2] in ("f", "<built-in method builtins.sum>")))
    cProfile.run("f()", "stats.out")
    import os
    os.remove("stats.out")
''', says=b"'f')")
case("timeit", "timeit", "import timeit\nprint(timeit.timeit('1+1', number=10) > 0)\n", says=b"True")
case("settrace", "sys.settrace sees the same events", '''
    import sys
    def trace(frame, event, arg):
        print(event, frame.f_code.co_name, frame.f_lineno)
        return trace
    def f(x):
        y = x + 1
        return y
    sys.settrace(trace)
    f(1)
    sys.settrace(None)
''', says=b"return f")
case("setprofile", "sys.setprofile sees no call of ours", '''
    import sys, os
    seen = []
    sys.setprofile(lambda frame, event, arg: seen.append((event, getattr(arg, "__name__", None), frame.f_code.co_name)))
    len(os.listdir("/"))
    open("/dev/null").close()
    eval("1")
    sys.setprofile(None)
    print(seen)
''', says=b"listdir")
case("trace_module", "trace.Trace counts lines", '''
    import trace
    def f():
        for i in range(3):
            pass
    t = trace.Trace(count=1, trace=0)
    t.runfunc(f)
    print(sorted(v for k, v in t.results().counts.items() if k[0] == __file__))
''')
case("tracemalloc", "tracemalloc names the line", '''
    import tracemalloc
    tracemalloc.start(5)
    x = bytearray(100000)
    print(tracemalloc.get_object_traceback(x))
    tracemalloc.stop()
''', says=b"prog.py:3")
case("monitoring", "sys.monitoring", '''
    import sys
    m = sys.monitoring
    m.use_tool_id(3, "tool")
    print([m.get_tool(i) for i in range(6)])
    m.register_callback(3, m.events.PY_START, lambda code, offset: print("start", code.co_name))
    m.set_events(3, m.events.PY_START)
    def f(): pass
    f()
    m.set_events(3, 0)
''', since="3.12", says=b"start f")
case("exec_eval", "exec, eval and compile in their modes", '''
    ns = {}
    exec("def f(x):\\n    return x * 2\\n", ns)
    print(ns["f"](4), eval("x + 1", {"x": 2}), sorted(ns))
    print(eval(compile("1 if y else 2", "<e>", "eval"), None, {"y": 0}))
    exec(compile("5 + 5", "<s>", "single"))
    import ast
    tree = ast.parse("z = [i for i in range(3)]")
    exec(compile(tree, "<a>", "exec"))
    print(z, ast.dump(tree)[:30])
    exec(b"# coding: latin-1\\ns = '\\xe4'")
    print(ascii(s))
''', says=b"10\n")
case("code_module", "code.InteractiveInterpreter and codeop", '''
    import code
    i = code.InteractiveInterpreter({"a": 1})
    print(i.runsource("a + 1"), i.runsource("if a:"))
    i.runsource("1 / 0")
    i.runsource("x = = 2")
''', says=b"ZeroDivisionError")
case("refcounts", "sys.getrefcount and getsizeof of plain things", '''
    import sys
    x = object()
    y = [x, x]
    def f(a): return sys.getrefcount(a)
    print(sys.getrefcount(x), f(x), sys.getsizeof(y), sys.getsizeof(""), sys.getrefcount(print) < 100000)
''')
case("interning", "small integers, interned strings, id()", '''
    import sys
    a = "hel" + "lo"
    print(a is "hello", sys.intern("x y") is sys.intern("x y"), id(a) == id(a), 5 is 5)
''')
case("gc", "gc counts, tracked objects and referrers", '''
    import gc
    gc.collect()
    class C: pass
    c = C(); c.me = c
    del c
    print(gc.collect(), gc.garbage, gc.is_tracked({}), len(gc.get_referrers(C)) > 0, gc.freeze(), gc.get_freeze_count() > 0)
''')
case("audit_hook_free", "sys.audit from the program, without hooks in sight", '''
    import sys
    print(sys.audit("my.event", 1, "two"), sys.audit("other"))
    try:
        sys.audit()
    except TypeError as error:
        print(error)
''', says=b"None None")
case("tempfile", "tempfile, shutil, glob, pathlib", '''
    import tempfile, shutil, glob, pathlib, os
    with tempfile.TemporaryDirectory() as d:
        p = pathlib.Path(d, "a", "b"); p.mkdir(parents=True)
        (p / "f.txt").write_text("x")
        shutil.copytree(pathlib.Path(d, "a"), pathlib.Path(d, "c"))
        print(sorted(os.path.relpath(x, d) for x in glob.glob(d + "/**", recursive=True)))
        print([len(f) for r, ds, f in os.walk(d)])
    print(os.path.exists(d))
''', says=b"c/b/f.txt")
case("sockets", "sockets, selectors, http.server and urllib", '''
    import http.server, threading, urllib.request, socket, selectors
    class H(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers(); self.wfile.write(self.path.encode())
        def log_message(self, *a): pass
    s = http.server.HTTPServer(("127.0.0.1", 0), H)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    print(urllib.request.urlopen("http://127.0.0.1:%d/x?y=1" % s.server_port).read())
    s.shutdown()
    a, b = socket.socketpair()
    a.send(b"z"); print(b.recv(1))
''', env={"no_proxy": "*"}, says=b"/x?y=1")
case("socket_error", "a refused connection is the same OSError", '''
    import socket
    s = socket.socket(); s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]; s.close()
    try:
        socket.create_connection(("127.0.0.1", port), 1)
    except OSError as error:
        print(type(error), error)
    socket.getaddrinfo("127.0.0.1", "no-such-service")
''', status=1, says=b"ConnectionRefusedError")
case("site_pydoc_license", "copyright, credits and license print", "print(copyright)\nprint(repr(exit), repr(credits)[:20])\n", says=b"Python Software Foundation")
case("displayhook", "sys.displayhook and builtins._", "import sys, builtins\nsys.displayhook([1])\nprint(builtins._)\n", says=b"[1]")
case("xml_email", "xml, email, base64, urllib.parse, uuid", '''
    import xml.etree.ElementTree as E, email.message, base64, urllib.parse, uuid, html
    print(E.tostring(E.fromstring("<a b='1'><c/>t</a>")), html.escape("<&>"))
    m = email.message.EmailMessage(); m["Subject"] = "ä"; m.set_content("x"); print(m.as_string())
    print(base64.b64encode(b"abc"), urllib.parse.urlencode({"a": "ä b"}), uuid.uuid5(uuid.NAMESPACE_DNS, "x"))
''', says=b"YWJj")
case("mmap_struct", "mmap, struct, array, memoryview, io", '''
    import mmap, struct, array, io
    m = mmap.mmap(-1, 100); m[:3] = b"abc"; print(m[:4])
    print(struct.pack("<hI", -1, 5), array.array("d", [1.5]).tobytes(), memoryview(b"xyz")[1:].tolist())
    print(io.TextIOWrapper(io.BytesIO(b"a\\r\\nb")).readlines())
''', says=b"abc")
case("subinterpreter", "a subinterpreter runs code", '''
    try:
        import _xxsubinterpreters as si
    except ImportError:
        import _interpreters as si
    i = si.create()
    import sys
    sys.stdout.flush()
    si.run_string(i, "import sys; print('in', sorted(m for m in sys.modules if m == '__main__'), sys.argv); sys.stdout.flush()")
    si.destroy(i)
''', status=None, says=b"in [")
case("class_assignment", "__class__, __code__ and type attributes assigned", '''
    class A: pass
    class B:
        def f(self): return "B"
    a = A(); a.__class__ = B
    def g(): return 1
    def h(): return 2
    g.__code__ = h.__code__
    A.__name__ = "Renamed"
    A.__bases__ = A.__bases__
    print(a.f(), g(), A)
''', says=b"B 2")
case("generators_frames", "frames, generators, coroutines and what gi_code says", '''
    import sys
    def gen():
        x = 1
        yield sys._getframe().f_back.f_lineno
    g = gen()
    print(g.gi_code.co_name, next(g), g.gi_frame.f_locals, g.gi_running)
    def caller(): return sys._getframe(1).f_code.co_name
    print(caller())
''', says=b"<module>")
