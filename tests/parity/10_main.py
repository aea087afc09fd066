# SPDX-License-Identifier: Apache-2.0
# What __main__ looks like, from inside and to those who look at it.

case("attributes", "__file__, __name__, __spec__, __package__, __cached__, __doc__ of __main__", '''
    """the doc string"""
    for name in ("__name__", "__file__", "__spec__", "__package__", "__cached__", "__doc__"):
        print(name, repr(globals().get(name, "missing")))
''', says=b"__name__ '__main__'")

case("loader", "__loader__ is a SourceFileLoader that names the script and can give its source", '''
    print(type(__loader__).__name__, __loader__.name, __loader__.path)
    print(__loader__.get_source("__main__"))
    print(__loader__.get_filename("__main__"))
''', says=b"SourceFileLoader")

case("builtins", "__builtins__ is the module", '''
    print(type(__builtins__).__name__, __builtins__.__name__)
''', says=b"module builtins")

case("annotations", "__annotations__ collects those of the script", '''
    x: int = 1
    y: "str"
    print(__annotations__)
''', status=None)

case("globals", "the names in globals() before the first statement, in order", '''
    print(list(globals()))
    print(sorted(globals()))
''', says=b"__builtins__")

case("module_object", "sys.modules['__main__'] is the module that runs, with the same dictionary", '''
    import sys
    import __main__
    print(sys.modules["__main__"] is __main__, vars(__main__) is globals(), repr(__main__))
''', says=b"True True")

case("at_exit", "atexit sees __main__ as python3 leaves it: __file__ and __cached__ are gone", '''
    import atexit, __main__
    def show():
        print(hasattr(__main__, "__file__"), hasattr(__main__, "__cached__"), __main__.__name__)
        print(sorted(vars(__main__)))
    atexit.register(show)
''', says=b"__main__")

case("idiom", "if __name__ == '__main__' holds", '''
    if __name__ == "__main__":
        print("main")
''', says=b"main")

case("import_main_by_name", "the script imported by its own name is a second module", '''
    import sys
    print("running as", __name__, __file__)
    if __name__ == "__main__":
        import prog
        print(prog is sys.modules["__main__"], prog.__spec__.name, prog.__loader__ is __loader__)
''', says=b"running as prog")

case("code_object", "co_filename, co_name, co_firstlineno and flags of the script's code", '''
    import sys
    code = sys._getframe().f_code
    print(code.co_filename, code.co_name, code.co_firstlineno, code.co_flags)
    print(sys._getframe().f_back)
    def f(): pass
    print(f.__code__.co_filename, f.__module__, f.__qualname__)
''', says=b"<module>")

case("find_spec_main", "importlib.util.find_spec('__main__') fails as it does", '''
    import importlib.util
    try:
        print(importlib.util.find_spec("__main__"))
    except ValueError as error:
        print(type(error), error)
''', says=b"__spec__")

case("argv", "sys.argv as typed", '''
    import sys
    print(sys.argv)
''', args=["a", "", "b c", "--flag", "-c", "-"], says=b"'b c'")

case("argv_like_options", "options behind the script belong to the script", '''
    import sys
    print(sys.argv[1:], sys.flags.optimize, sys.flags.inspect)
''', args=["-O", "-i", "-m", "-V", "-h", "--help", "--version", "--spython"], says=b"--spython")

case("argv_bytes", "arguments that are not UTF-8 become surrogates", '''
    import sys, os
    print(ascii(sys.argv[1:]), [os.fsencode(a) for a in sys.argv[1:]])
''', args=[b"\xff\xfe", "ä".encode(), b"\x01 x", b"a\nb"], says=b"udcff")

case("orig_argv", "sys.orig_argv after the first entry", '''
    import sys
    print(sys.orig_argv[1:], len(sys.orig_argv))
''', args=["x", "-y"], since="3.10", says=b"'-y'")

case("many_arguments", "5,000 arguments of 20 bytes", '''
    import sys, hashlib
    print(len(sys.argv), hashlib.sha256(repr(sys.argv[1:]).encode()).hexdigest())
''', args=["argument-number-%04d" % n for n in range(5000)], says=b"5001 ")

case("cmdline", "/proc/self/cmdline holds what was typed, with spython in the place of python3", '''
    print(open("/proc/self/cmdline", "rb").read().split(b"\\0"))
''', args=["one", "", "three four"], says=b"three four")

case("cmdline_short_argument", "the same with a first argument of one byte", '''
    print(open("/proc/self/cmdline", "rb").read().split(b"\\0"))
''', file="p", invoke="p", says=b"b'p'",
     differs=[(r"(b'', )+b''\]", "b'']", "one byte is too short for the guard that the first stage puts "
               "in its place: the title then ends in empty strings")])

case("comm", "the name that ps shows", '''
    print(open("/proc/self/comm").read())
''', differs=[(r"\A(spython[0-9.]*|python)\n", "python3\n",
               "ps shows the name of the file that was executed")],
    mask=[(r"\Apython3?[0-9.]*\n", "python3\n", "python3, python3.11: whatever it is called")])

case("exe", "sys.executable names an interpreter that runs a script", '''
    import sys, subprocess, os
    print(os.path.isabs(sys.executable), os.access(sys.executable, os.X_OK), sys.executable)
    print(subprocess.run([sys.executable, "child.py", "x"], capture_output=True, text=True))
''', files={"child.py": "import sys; print('child', sys.argv, __name__)\n"}, says=b"child")

case("empty", "an empty script", b"")

case("only_comment", "a script of one comment without a newline", b"# nothing")

case("long_name", "a script whose name has 200 characters", '''
    import sys
    print(len(__file__) > 200, sys.argv[0] == __file__)
''', file="n" * 200 + ".py", says=b"True True")

case("no_suffix", "a script without .py", '''
    import sys
    print(__file__, type(__loader__).__name__)
    raise ValueError("shown with its line")
''', file="program", status=1, says=b"shown with its line")

case("other_suffix", "a script called x.txt", '''
    print(__file__, __loader__.path)
''', file="x.txt")

case("hidden", "a script called .py", "print(__file__)\n", file=".py")

case("unicode_name", "a script with a name in UTF-8", '''
    import sys
    print(ascii(__file__), ascii(sys.argv[0]))
    raise ValueError("x")
''', file="prögram-日本.py", status=1)

case("newline_name", "a script with a newline in its name", '''
    print(ascii(__file__))
    raise ValueError("x")
''', file="a\nb.py", status=1)

case("surrogate_name", "a script whose name is not UTF-8", '''
    import sys
    print(ascii(__file__), ascii(sys.argv[0]), ascii(sys.path[0])[-5:])
    raise ValueError("x")
''', file=b"x\xff.py", status=1, says=b"udcff")

case("surrogate_directory", "a script in a directory whose name is not UTF-8", '''
    import sys, sibling
    print(ascii(__file__), ascii(sys.path[0]), ascii(sibling.__file__))
''', file=b"d\xff/x.py", files={b"d\xff/sibling.py": ""}, says=b"udcff")

case("dash_name", "a script whose name begins with a dash, typed with ./", '''
    print(__file__)
''', file="-c.py", invoke="./-c.py")

case("space_name", "a script with spaces in its name", '''
    print(repr(__file__))
''', file=" a b .py", invoke=" a b .py", says=b"a b")

case("self_modified", "a script that rewrites itself while it runs goes on with what was read", '''
    import sys
    with open(__file__, "w") as f:
        f.write("print('the other one')\\n" * 50)
    print("the first one")
    raise ValueError("the traceback shows what is in the file now")
''', status=1, says=b"the first one")

case("self_deleted", "a script that deletes itself", '''
    import os
    os.remove(__file__)
    print("still here")
    def f():
        raise ValueError("no source to show")
    f()
''', status=1, says=b"still here")

case("self_read", "a script can read itself, also as data behind its code", '''
    import os
    data = open(__file__).read()
    print(len(data), data.count("\\n"), os.path.getsize(__file__))
''')

case("large", "a script of 20,000 lines", b"x = 0\n" + b"x += 1\n" * 20000 + b"print(x)\n", says=b"20000")

case("long_line", "a script with a line of a megabyte", b"x = '" + b"a" * 1000000 + b"'\nprint(len(x))\n",
     says=b"1000000")
