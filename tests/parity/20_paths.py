# SPDX-License-Identifier: Apache-2.0
# Where modules come from, and what sys says about the installation.
import os


def link(work, name, target):
    os.symlink(target, os.path.join(work, name))


SHOW_PATH = '''
    import sys
    print(sys.path)
    print(sys.path[0])
'''

case("absolute", "sys.path[0] for an absolute script", SHOW_PATH)
case("relative", "sys.path[0] for sub/prog.py", SHOW_PATH, file="sub/prog.py", invoke="sub/prog.py")
case("bare", "sys.path[0] and __file__ for a script typed without a directory", '''
    import sys
    print(repr(sys.path[0]), __file__, sys.argv)
''', invoke="prog.py")
case("dot", "sys.path[0] for ./prog.py", '''
    import sys
    print(repr(sys.path[0]), __file__, sys.argv)
''', invoke="./prog.py")
case("dotdot", "a path with .. and double slashes stays as typed", '''
    import sys
    print(repr(sys.path[0]), __file__, sys.argv)
''', file="a/prog.py", invoke="a/..//a/./prog.py")
case("symlink", "a symlinked script: sys.path[0] is where the target lies, __file__ is the link", '''
    import sys, sibling
    print(sys.path[0], __file__, sibling.__file__)
''', file="real/prog.py", files={"real/sibling.py": ""}, setup=lambda w: link(w, "link.py", "real/prog.py"),
     invoke="link.py")
case("symlink_chain", "a link to a link", '''
    import sys
    print(sys.path[0], __file__)
''', file="real/prog.py", invoke="b/two.py",
     setup=lambda w: (os.mkdir(os.path.join(w, "b")), link(w, "b/one.py", "../real/prog.py"),
                      link(w, "b/two.py", "one.py")))
case("symlinked_directory", "a script in a symlinked directory", '''
    import sys
    print(sys.path[0], __file__)
''', file="real/prog.py", invoke="alias/prog.py", setup=lambda w: link(w, "alias", "real"))
case("root_directory_cwd", "the working directory is not on the path", '''
    import sys, os
    os.chdir("/")
    print("" in sys.path, os.getcwd() in sys.path)
''', says=b"False False")
case("cwd_gone", "the working directory was removed", '''
    import sys, os
    try:
        print(os.getcwd())
    except OSError as error:
        print(error)
    print(sys.argv, sys.path[0], __file__)
''', shell='d=$PWD; mkdir gone && cd gone && rmdir "$d/gone" && exec "$@"', says=b"No such file")

case("prefixes", "sys.prefix, exec_prefix, base_prefix, base_exec_prefix, platlibdir", '''
    import sys
    for name in ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix", "platlibdir",
                 "pycache_prefix", "dont_write_bytecode", "_framework", "abiflags", "api_version"):
        print(name, repr(getattr(sys, name, None)))
''', says=b"base_prefix")
case("stdlib_dir", "sys._stdlib_dir and where os, site, encodings come from", '''
    import sys, os, site, encodings
    print(getattr(sys, "_stdlib_dir", None), os.__file__, site.__file__, encodings.__file__)
''')
case("base_executable", "sys._base_executable is an interpreter", '''
    import sys, os
    print(os.path.isabs(sys._base_executable), os.access(sys._base_executable, os.X_OK))
''', says=b"True True")
case("version", "sys.version, implementation, hexversion, copyright", '''
    import sys
    print(sys.version, sys.hexversion, sys.implementation, sys.copyright, sys.platform)
    import platform
    print(platform.python_version(), platform.python_build(), platform.python_compiler())
''')
case("flags", "sys.flags", '''
    import sys
    print(sys.flags)
''', differs=[(r"ignore_environment=\d", "ignore_environment=0",
               "standard decides itself which variables have effect"),
              (r"no_user_site=1", "no_user_site=0", "standard: no site-packages below HOME")])
case("xoptions", "sys._xoptions, sys.warnoptions", '''
    import sys
    print(sys._xoptions, sys.warnoptions)
''', says=b"{} []")
case("sysconfig", "sysconfig's paths and platform", '''
    import sysconfig
    print(sysconfig.get_platform(), sysconfig.get_python_version(), sysconfig.is_python_build())
    for name in sorted(sysconfig.get_paths()):
        print(name, sysconfig.get_path(name))
''')
case("sysconfig_vars", "the build's variables can be read", '''
    import sysconfig
    v = sysconfig.get_config_vars()
    print(len(v), v["VERSION"], v.get("EXT_SUFFIX"), v.get("SOABI"), v["prefix"], v["base"])
''')
case("site", "what site did: builtins, site-packages directories", '''
    import site, builtins
    print(site.getsitepackages(), site.PREFIXES)
    print([n for n in ("exit", "quit", "copyright", "credits", "license", "help") if hasattr(builtins, n)])
''', says=b"license")
case("user_site", "the user's own site-packages", '''
    import site
    print(site.ENABLE_USER_SITE)
''', differs=[(r"False", "True", "standard: no site-packages below HOME")])
case("modules", "the modules that are loaded when the script begins", '''
    import sys
    print(sorted(sys.modules))
''', says=b"__main__")
case("meta_path", "the importers", '''
    import sys
    print(sys.meta_path, [getattr(h, "__qualname__", h) for h in sys.path_hooks])
    print(sorted(p for p in sys.path_importer_cache if "lib-dynload" in p))
''', says=b"PathFinder")
case("builtin_module_names", "sys.builtin_module_names and stdlib names", '''
    import sys
    print(sys.builtin_module_names, sorted(getattr(sys, "stdlib_module_names", ())))
''')
case("hooks", "display hook, exception hook, tracers, audit: nothing of ours in sight", '''
    import sys
    print(sys.displayhook is sys.__displayhook__, sys.excepthook is sys.__excepthook__)
    print(sys.gettrace(), sys.getprofile(), sys.unraisablehook is sys.__unraisablehook__)
    print(sorted(n for n in vars(sys) if not n.startswith("_")))
''')
case("limits", "recursion limit, switch interval, integer text limit, hash info", '''
    import sys
    print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.hash_info, sys.float_repr_style)
    print(getattr(sys, "get_int_max_str_digits", lambda: None)())
''')
case("sibling", "a module beside the script, and its __pycache__", '''
    import sibling
    print(sibling.value, sibling.__file__, sibling.__cached__)
''', files={"sibling.py": "value = 7\n"}, says=b"__pycache__")
case("sibling_shadows", "a module beside the script shadows the standard library", '''
    import colorsys
    print(colorsys.mine)
''', files={"colorsys.py": "mine = True\n"}, says=b"True")
case("package", "a package with relative imports", '''
    import pack.inner
    print(pack.inner.answer, pack.__path__, pack.inner.__package__)
''', files={"pack/__init__.py": "", "pack/base.py": "answer = 42\n",
            "pack/inner.py": "from .base import answer\n"}, says=b"42")
case("namespace_package", "a package without __init__.py", '''
    import space.part
    print(space.__spec__.loader is None, list(space.__path__), space.part.__name__)
''', files={"space/part.py": ""})
case("relative_import_error", "a relative import in a script fails as it does", '''
    from . import sibling
''', files={"sibling.py": ""}, status=1, says=b"relative import")
case("import_error", "ModuleNotFoundError and ImportError", '''
    try:
        from os import nothing_such
    except ImportError as error:
        print(error)
    import nothing_such
''', status=1, says=b"No module named 'nothing_such'")
case("import_broken", "a module with a syntax error", '''
    import broken
''', files={"broken.py": "def f(:\n"}, status=1, says=b"SyntaxError")
case("import_raises", "a module that raises", '''
    import raises
''', files={"raises.py": "def f():\n    return 1 / 0\nf()\n"}, status=1, says=b"ZeroDivisionError")
case("stale_pyc", "a cached file older than its source is not used", '''
    import mod
    print(mod.x)
    import os, importlib
    with open(mod.__file__, "w") as f:
        f.write("x = 'second, longer'\\n")
    importlib.reload(mod)
    print(mod.x)
''', files={"mod.py": "x = 'first'\n"}, says=b"second")
case("sourceless", "a module that exists only as .pyc", '''
    import py_compile, os, importlib
    py_compile.compile("lone.py", cfile="lone.pyc", doraise=True)
    os.remove("lone.py")
    importlib.invalidate_caches()
    import lone
    print(lone.x, lone.__file__, type(lone.__loader__).__name__)
''', files={"lone.py": "x = 1\n"}, says=b"SourcelessFileLoader")
case("dont_write_bytecode", "sys.dont_write_bytecode is obeyed", '''
    import sys, os
    sys.dont_write_bytecode = True
    import sibling
    print(os.path.exists("__pycache__"))
''', files={"sibling.py": ""}, says=b"False")
case("zipimport", "a module from a zip file", '''
    import sys, zipfile
    with zipfile.ZipFile("lib.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(zipfile.ZipInfo("zipped.py"), "def f():\\n    raise ValueError('from the zip')\\n")
        z.writestr(zipfile.ZipInfo("zpack/__init__.py"), "import pkgutil\\ndata = pkgutil.get_data(__name__, 'd.txt')\\n")
        z.writestr(zipfile.ZipInfo("zpack/d.txt"), "data")
    sys.path.insert(0, "lib.zip")
    import zipped, zpack
    print(zipped.__file__, zpack.data, type(zipped.__loader__).__name__)
    zipped.f()
''', status=1, says=b"from the zip")
case("resources", "importlib.resources of a package beside the script", '''
    import importlib.resources as r
    print(r.files("pack").joinpath("data.txt").read_text())
''', files={"pack/__init__.py": "", "pack/data.txt": "the data\n"}, since="3.9", says=b"the data")
case("pkgutil", "pkgutil.iter_modules and get_data", '''
    import pkgutil, sys
    print(sorted(m.name for m in pkgutil.iter_modules([sys.path[0]])))
    print(pkgutil.get_data("pack", "data.txt"))
''', files={"pack/__init__.py": "", "pack/data.txt": "x", "prog2.py": ""}, says=b"prog2")
case("own_importer", "an importer of the program's own", '''
    import sys, importlib.abc, importlib.machinery
    class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
        def find_spec(self, name, path, target=None):
            if name == "virtual":
                return importlib.machinery.ModuleSpec(name, self)
        def create_module(self, spec):
            return None
        def exec_module(self, module):
            exec("x = 5", vars(module))
    sys.meta_path.insert(0, Finder())
    import virtual
    print(virtual.x, virtual.__spec__.origin)
''', says=b"5 None")
case("pth", "a .pth file added by the program", '''
    import site, sys
    site.addsitedir("extra")
    import from_pth
    print(sys.path[-1].endswith("more"), from_pth.x)
''', files={"extra/more.pth": "../more\nimport sys; sys.marked = 1\n", "more/from_pth.py": "x = 3\n"}, says=b"True 3")
case("run_path", "runpy.run_path of the script itself", '''
    import runpy
    if __name__ == "__main__":
        print(sorted(runpy.run_path(__file__, run_name="again")))
    else:
        print("as", __name__, __file__, __spec__)
''', says=b"as again")
case("run_module", "runpy.run_module of a module beside the script", '''
    import runpy, sys
    runpy.run_module("tool", run_name="__main__", alter_sys=True)
''', files={"tool.py": "import sys; print(__name__, __spec__.name, sys.argv)\n"}, says=b"tool")
