# SPDX-License-Identifier: Apache-2.0
# Tracebacks, warnings, everything that goes to stderr by itself.

case("uncaught", "an exception in the script", "x = 1\nraise ValueError('text')\n", status=1, says=b"ValueError: text")
case("nested", "calls with their source lines and carets", '''
    def inner(x):
        return {"a": x}["b"] + 1
    def outer():
        return [inner(i) for i in range(3)]
    outer()
''', status=1, says=b"KeyError")
case("chained", "raise from, and an exception during handling", '''
    def f():
        try:
            1 / 0
        except ZeroDivisionError as error:
            raise KeyError("k") from error
    try:
        f()
    except KeyError:
        undefined_name
''', status=1, says=b"direct cause")
case("suppressed_context", "raise from None", '''
    try:
        1 / 0
    except ZeroDivisionError:
        raise ValueError("alone") from None
''', status=1, says=b"alone")
case("in_exec", "an error in exec'd text has no source line", '''
    exec("x = 1\\nraise ValueError('in exec')")
''', status=1, says=b'File "<string>"')
case("in_exec_named", "an error in text compiled under a file's name", '''
    exec(compile("\\n\\nraise ValueError('pretends')", __file__, "exec"))
''', status=1, says=b"pretends")
case("in_eval", "a syntax error in eval", 'eval("1 +* 2")\n', status=1, says=b"SyntaxError")
case("in_lambda", "an error in a lambda, a class body, a comprehension", '''
    f = lambda x: x.nothing
    class C:
        y = [f(i) for i in (1,)]
''', status=1, says=b"AttributeError")
case("recursion", "RecursionError with its repeated lines", '''
    def f(n):
        return f(n + 1)
    f(0)
''', status=1, says=b"RecursionError")
case("recursion_mutual", "mutual recursion, caught", '''
    import traceback
    def a(): b()
    def b(): a()
    try:
        a()
    except RecursionError as error:
        print(error, len(traceback.format_exc()) > 100)
''', says=b"maximum recursion")
case("suggestion", "did you mean", '''
    value = 1
    print(valeu)
''', status=1, says=b"NameError")
case("exception_group", "an exception group", '''
    raise ExceptionGroup("several", [ValueError(1), ExceptionGroup("in", [TypeError(2)])])
''', status=1, since="3.11", says=b"several")
case("notes", "notes on an exception", '''
    error = ValueError("text")
    error.add_note("the note\\nof two lines")
    raise error
''', status=1, since="3.11", says=b"the note")
case("str_fails", "an exception whose str() fails", '''
    class Bad(Exception):
        def __str__(self):
            raise TypeError("inner")
    raise Bad
''', status=1, says=b"Bad")
case("str_surrogate", "an exception text with surrogates", "raise ValueError('\\udcff\\x00')\n", status=1, says=b"ValueError")
case("qualified_name", "the name of an exception of __main__ and of others", '''
    import json
    class Mine(Exception): pass
    class Outer:
        class Inner(Exception): pass
    try:
        raise Outer.Inner("x")
    except Outer.Inner as error:
        print(repr(error))
    json.loads("{")
''', status=1, says=b"json.decoder.JSONDecodeError")
case("own_class", "an exception class of the script", "class Mine(Exception): pass\nraise Mine('m')\n", status=1, says=b"Mine: m")
case("assertion", "assert", "x = 1\nassert x == 2, 'message'\n", status=1, says=b"AssertionError: message")
case("multi_line_statement", "the line of a statement over many lines", '''
    def f(a, b, c):
        raise ValueError(a)
    f(
        1,
        2,
        c=3
    )
''', status=1, says=b"ValueError")
case("traceback_module", "traceback.format_stack, print_exc, extract_tb", '''
    import traceback, sys
    def f():
        traceback.print_stack(file=sys.stdout)
        1 / 0
    try:
        f()
    except ZeroDivisionError:
        print(traceback.format_exc())
        print(traceback.extract_tb(sys.exc_info()[2]))
''', says=b"ZeroDivisionError")
case("linecache", "linecache finds the lines of the script", '''
    import linecache
    print(repr(linecache.getline(__file__, 2)), len(linecache.getlines(__file__)))
''', says=b"linecache")
case("tracebacklimit", "sys.tracebacklimit", '''
    import sys
    sys.tracebacklimit = 1
    def f(): g()
    def g(): 1 / 0
    f()
''', status=1, says=b"ZeroDivisionError")
case("excepthook", "an excepthook of the program", '''
    import sys
    sys.excepthook = lambda t, v, tb: print("hook", t.__name__, v, tb.tb_lineno)
    raise ValueError("x")
''', status=1, says=b"hook ValueError x 3")
case("excepthook_raises", "an excepthook that fails itself", '''
    import sys
    def hook(*args):
        raise TypeError("in the hook")
    sys.excepthook = hook
    raise ValueError("original")
''', status=1, says=b"Error in sys.excepthook")
case("stderr_replaced", "sys.stderr replaced, and None", '''
    import sys, io
    sys.stderr = None
    raise ValueError("goes nowhere or somewhere")
''', status=1)
case("unraisable_del", "an exception in __del__", '''
    class C:
        def __del__(self):
            raise ValueError("in del")
    C()
    print("goes on")
''', says=b"Exception ignored in")
case("unraisable_at_exit", "an exception in __del__ when the interpreter ends", '''
    class C:
        def __del__(self):
            raise ValueError("late")
    keep = C()
''', says=b"late")
case("unraisablehook", "an unraisablehook of the program", '''
    import sys
    sys.unraisablehook = lambda u: print("unraisable", u.exc_type.__name__, u.err_msg)
    class C:
        def __del__(self):
            raise ValueError("in del")
    C()
''', says=b"unraisable ValueError")
case("thread_exception", "an exception in a thread", '''
    import threading
    def work():
        raise ValueError("in a thread")
    t = threading.Thread(target=work, name="worker")
    t.start()
    t.join()
    print("main goes on")
''', says=b"in a thread")
case("thread_excepthook", "threading.excepthook", '''
    import threading
    threading.excepthook = lambda a: print("hook", a.exc_type.__name__, a.thread.name)
    t = threading.Thread(target=lambda: 1 / 0, name="worker")
    t.start()
    t.join()
''', says=b"hook ZeroDivisionError worker")
case("deprecation_main", "DeprecationWarning in __main__ is shown, elsewhere not", '''
    import warnings, sibling
    warnings.warn("from main", DeprecationWarning)
    sibling.f()
''', files={"sibling.py": "import warnings\ndef f():\n    warnings.warn('elsewhere', DeprecationWarning)\n"},
     says=b"from main")
case("warning_once", "a warning is shown once per line", '''
    import warnings
    for i in range(3):
        warnings.warn("again")
    warnings.simplefilter("error")
    warnings.warn("now an error")
''', status=1, says=b"now an error")
case("warning_registry", "__warningregistry__ and filters", '''
    import warnings
    warnings.warn("x", UserWarning)
    print(sorted(map(str, __warningregistry__)), len(warnings.filters))
    for f in warnings.filters:
        print(f)
''', says=b"UserWarning")
case("resource_warning", "ResourceWarning stays silent", '''
    def f():
        open(__file__)
    f()
    print("silent")
''', says=b"silent")
case("coroutine_warning", "a coroutine that was never awaited", '''
    async def f(): pass
    f()
    print("done")
''', says=b"never awaited")
case("interactive_names", "an uncaught exception sets sys.last_value when shown", '''
    import sys, atexit
    atexit.register(lambda: print(sys.last_type.__name__, sys.last_value))
    raise ValueError("kept")
''', status=1, says=b"ValueError kept")
case("memory_error", "MemoryError", "x = bytes(1 << 62)\n", status=1, says=b"MemoryError")
case("oserror", "OSError's text and file names", '''
    try:
        open("/nonexistent/x")
    except OSError as error:
        print(error, error.errno, error.filename)
    open(b"/nonexistent/\\xff")
''', status=1, says=b"No such file")
