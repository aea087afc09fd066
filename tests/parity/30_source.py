# SPDX-License-Identifier: Apache-2.0
# How the bytes of a script become a program, and how python3 complains when they do not.

# CPython 3.8 to 3.11 let some NUL bytes pass and later ones none; to spython a file that holds one is
# binary garbage in every version, and nothing of it runs.
NUL = (66, b"NUL", "a file with NUL bytes is no script: refused before anything runs")

case("utf8", "UTF-8 without a cookie", "s = 'ä€😀'\nprint(ascii(s), s)\n", says="ä€😀".encode())
case("bom", "UTF-8 with a byte order mark", b"\xef\xbb\xbfprint(ascii('\xc3\xa4'))\n", says=b"\\xe4")
case("bom_and_cookie", "a mark and a cookie that agree", b"\xef\xbb\xbf# coding: utf-8\nprint(ascii('\xc3\xa4'))\n",
     says=b"\\xe4")
case("bom_and_other_cookie", "a mark and a cookie that disagree", b"\xef\xbb\xbf# coding: latin-1\nprint(1)\n", status=1,
     says=b"SyntaxError")
case("latin1", "a latin-1 cookie", b"# -*- coding: latin-1 -*-\nprint(ascii('\xe4'))\nraise ValueError('\xe4')\n", status=1,
     says=b"\\xe4")
case("cookie_line_2", "a cookie in line 2, behind a #! line", b"#!/usr/bin/python3\n# vim: set fileencoding=cp1252 :\n"
     b"print(ascii('\x80'))\n", says=b"u20ac")
case("cookie_line_3", "a cookie in line 3 is none", b"#\n#\n# coding: latin-1\nprint('\xe4')\n", status=1, says=b"SyntaxError")
case("cookie_after_code", "a cookie in line 2 after code is none", b"x = 1\n# coding: latin-1\nprint(ascii('\xe4'))\n", status=None)
case("bad_cookie", "an unknown encoding", b"# coding: no-such-thing\nprint(1)\n", status=1, says=b"no-such-thing")
case("cookie_rot13", "an encoding that is no text encoding", b"# coding: rot13\nprint(1)\n", status=1, says=b"SyntaxError")
case("cookie_utf7", "an encoding with state", b"# coding: utf-7\nprint('+AOQ-')\n")
case("cookie_shift_jis", "a multibyte encoding", "# coding: shift_jis\nprint(ascii('日本'))\n".encode("shift_jis"), says=b"u65e5")
case("cookie_ascii", "ascii, and a byte that is not", b"# coding: ascii\nprint(1)\nx = '\xe4'\n", status=1, says=b"SyntaxError")
case("utf16", "a UTF-16 byte order mark", "print(1)\n".encode("utf-16"), status=1, says=b"SyntaxError", refused=NUL)
case("bad_utf8_first_line", "an invalid byte in line 1", b"x = '\xff'\n", status=1, says=b"SyntaxError")
case("bad_utf8_later", "an invalid byte behind code: nothing runs", b"print('ran')\n" + b"y = 1\n" * 2000 + b"x = '\xff'\n",
     status=1, says=b"SyntaxError")
case("bad_utf8_comment", "an invalid byte in a comment", b"print(1)\n# \xff\nprint(2)\n", status=1, says=b"SyntaxError")
case("truncated_utf8", "a sequence that the end of the file cuts", b"print(1)\n# \xe2\x82", status=1, says=b"SyntaxError")
case("nul", "a NUL byte in code", b"print(1)\nx = 1 \0 + 2\n", status=None, refused=NUL)
case("nul_in_string", "a NUL byte in a string", b"x = 'a\0b'\nprint(len(x))\n", status=None, refused=NUL)
case("nul_first", "a NUL byte at the start", b"\0print(1)\n", status=None, refused=NUL)
case("nul_in_comment", "a NUL byte in a comment", b"# \0\nprint(1)\n", status=None, refused=NUL)
case("crlf", "CR LF line ends", b"x = '''a\r\nb'''\r\nprint(repr(x))\r\nraise ValueError(1)\r\n", status=1, says=b"'a\\nb'")
case("cr", "lone CR line ends", b"print(1)\rprint(2)\r", status=None)
case("mixed_newlines", "CR LF and LF mixed", b"print(1)\r\nprint(2)\nif 1:\r\n    print(3)\n", says=b"3")
case("form_feed", "form feeds", b"print(1)\n\x0c\ndef f():\n    \x0creturn 2\nprint(f())\n", status=None)
case("control_z", "a control-Z at the end", b"print(1)\n\x1a", status=1, says=b"SyntaxError")
case("no_final_newline", "no newline at the end", b"if 1:\n    print('last')", says=b"last")
case("no_final_newline_comment", "a comment without newline behind a block", b"if 1:\n    print('last')\n  # odd", says=b"last")
case("backslash_end", "a backslash as the last byte", b"x = 1 + \\", status=1, says=b"SyntaxError")
case("blank_lines", "nothing but blank lines", b"\n\n   \n\t\n")
case("tabs", "tabs alone", b"if 1:\n\tif 1:\n\t\tprint('tabs')\n", says=b"tabs")
case("tabs_and_spaces", "tabs and spaces that do not agree", b"if 1:\n        x = 1\n\ty = 2\n", status=1, says=b"TabError")
case("nbsp", "a no-break space between words", "x =\u00a01\n", status=1, says=b"SyntaxError")
case("identifiers", "identifiers beyond ASCII, normalised", "ﬁn = 1\nπ = 3\nprint(fin, π)\n", says=b"1 3")
case("syntax_first_line", "an error in line 1", "x = = 1\n", status=1, says=b"SyntaxError")
case("syntax_last_line", "an error in the last line, without a newline", b"x = 1\ny = (x", status=1, says=b"SyntaxError")
case("syntax_long_line", "an error deep in a line of 3,000 characters", "x = [" + "1, " * 1000 + "= 2]\n", status=1, says=b"SyntaxError")
case("syntax_multi_line", "an error in an expression over many lines", '''
    value = f(1,
              2,
              3 4,
              5)
''', status=1, says=b"SyntaxError")
case("syntax_unicode_caret", "the caret under wide characters", "x = '日本' + + + )\n", status=1, says=b"SyntaxError")
case("syntax_tab_line", "an error in a line with tabs", b"if 1:\n\tx = = 2\n", status=1, says=b"SyntaxError")
case("syntax_latin1_line", "an error in a line that is not UTF-8", b"# coding: latin-1\nx = '\xe4\xf6' = = 1\n", status=1, says=b"SyntaxError")
case("syntax_bom_line_1", "an error in line 1 behind a byte order mark", b"\xef\xbb\xbfx = = 1\n", status=1, says=b"SyntaxError")
case("syntax_crlf_line", "an error in a line that ends in CR LF", b"x = 1\r\ny = = 1\r\n", status=1, says=b"SyntaxError")
case("syntax_compile_stage", "errors found by the compiler, not the parser", "def f():\n    return 1\nreturn 2\n", status=1,
     says=b"outside function")
case("syntax_nonlocal", "nonlocal at module level", "nonlocal x\n", status=1, says=b"nonlocal")
case("syntax_await", "await outside a function", "await x\n", status=1, says=b"SyntaxError")
case("syntax_old_print", "the print statement", "print 'x'\n", status=1, says=b"parentheses")
case("syntax_deep_nesting", "parentheses nested 300 deep", "x = " + "(" * 300 + ")" * 300 + "\n", status=1)
case("indent_expected", "a block that is missing", "def f():\nx = 1\n", status=1, says=b"IndentationError")
case("indent_unexpected", "an indent too many", "x = 1\n    y = 2\n", status=1, says=b"IndentationError")
case("indent_mismatch", "a dedent to nowhere", b"if 1:\n        x = 1\n    y = 2\n", status=1, says=b"IndentationError")
case("unterminated", "a string that does not end", "x = 'abc\ny = 1\n", status=1, says=b"SyntaxError")
case("unterminated_triple", "a triple-quoted string that does not end", 'x = """abc\n' + "line\n" * 50, status=1, says=b"SyntaxError")
case("unclosed_bracket", "a bracket that is never closed", "x = [1,\n     2\nprint(x)\n", status=1, says=b"SyntaxError")
case("bad_escape", "a warning for an invalid escape", b"x = '\\d'\nprint(x)\n")
case("is_literal", "a SyntaxWarning for `is 1`", "x = 1\nprint(x is 1)\n", says=b"SyntaxWarning")
case("future_annotations", "from __future__ import annotations", '''
    from __future__ import annotations
    def f(x: Undefined) -> Nothing: pass
    print(f.__annotations__)
''', says=b"Undefined")
case("future_inherited", "exec inherits the script's future statements", '''
    from __future__ import annotations
    exec("def g(x: Undefined): pass")
    print(g.__annotations__)
''', says=b"Undefined")
case("future_late", "a future statement too late", "x = 1\nfrom __future__ import annotations\n", status=1, says=b"SyntaxError")
case("future_unknown", "a future statement of no such feature", "from __future__ import no_such\n", status=1, says=b"SyntaxError")
case("match_statement", "match", '''
    match [1, 2]:
        case [a, b]:
            print("pair", a, b)
''', since="3.10", says=b"pair")
case("walrus_fstrings", "f-strings and :=", '''
    print(f"{(n := 10)!r:>5} {n=}")
''', says=b"n=10")
case("shebang", "a #! line of an odd kind", "#!/usr/bin/env -S python3 -X nothing\nprint(1)\n", says=b"1")
case("polyglot", "a shell script that is also Python", b"#!/bin/sh\n''''exec false # '''\nprint('python')\n", says=b"python")
