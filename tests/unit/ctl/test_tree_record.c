/* SPDX-License-Identifier: Apache-2.0 */
/* RECORD files and the paths in them, which come from whoever built the package. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/tree.h"

#define MAX_ROWS 4

static void test_rows(void **state)
{
    static const struct {
        const char *text;
        const char *rows[MAX_ROWS];
        int end; /* what the last call gives */
    } cases[] = {
        {"", {NULL}, 0},
        {"\n\r\n\n", {NULL}, 0},
        {"a.py,sha256=x,1\n", {"a.py"}, 0},
        {"a.py,,", {"a.py"}, 0},
        {"a.py", {"a.py"}, 0},
        {"a.py,,\nb.py,,\r\n\nc.py,,\n", {"a.py", "b.py", "c.py"}, 0},
        {"\"a,b.py\",,\n", {"a,b.py"}, 0},
        {"\"a\"\"b.py\",,\n", {"a\"b.py"}, 0},
        {"\"a\nb.py\",,\nc\n", {"a\nb.py", "c"}, 0},
        {"a.py,\"x\ny\",1\nb.py,,\n", {"a.py", "b.py"}, 0},
        {",,\n", {""}, 0},
        {"\"\",,\n", {""}, 0},
        {"\"a.py,,\n", {NULL}, -EBADMSG},    /* the quote does not end */
        {"\"a\"b.py,,\n", {NULL}, -EBADMSG}, /* something behind it */
        {"a.py,\"x,1\n", {NULL}, -EBADMSG},  /* nor does this one */
        {"a.py,,\n\"b", {"a.py"}, -EBADMSG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *at = cases[i].text, *end = at + strlen(at);
        char out[64];
        int r;

        for (size_t row = 0; row < MAX_ROWS && cases[i].rows[row]; row++) {
            r = record_next(&at, end, out, sizeof(out));
            if (r != 1 || strcmp(out, cases[i].rows[row]) != 0)
                fail_msg("case %zu, row %zu: %d", i, row, r);
        }
        r = record_next(&at, end, out, sizeof(out));
        if (r != cases[i].end)
            fail_msg("case %zu: %d at the end", i, r);
    }
}

static void test_nul_and_size(void **state)
{
    const char nul[] = "a\0b,,\n";
    const char *at = nul;
    char out[5];

    (void)state;
    assert_int_equal(record_next(&at, nul + sizeof(nul) - 1, out, sizeof(out)), -EBADMSG);
    at = "abcd,,\n";
    assert_int_equal(record_next(&at, at + 7, out, sizeof(out)), 1);
    at = "abcde,,\n";
    assert_int_equal(record_next(&at, at + 8, out, sizeof(out)), -EBADMSG);
}

/* Cut at every length it ends, and gives no row that the whole has not, but for a last one. */
static void test_cut(void **state)
{
    static const char text[] = "a.py,sha256=x,1\n\"b,c.py\",\"y\",2\n";

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        const char *at = text;
        char out[64];
        int r, rows = 0;

        while ((r = record_next(&at, text + len, out, sizeof(out))) == 1) {
            assert_true(at <= text + len);
            assert_true(strncmp(rows == 0 ? "a.py" : "b,c.py", out, strlen(out)) == 0);
            assert_true(++rows <= 2);
        }
        assert_true(r == 0 || r == -EBADMSG);
    }
}

static void test_join(void **state)
{
    static const struct {
        const char *dir, *path, *result; /* NULL: refused */
    } cases[] = {
        {"", "a", "a"},
        {"a/b", "c", "a/b/c"},
        {"a/b", "../c", "a/c"},
        {"a/b", "../../c", "c"},
        {"a/b", "./c//d/.", "a/b/c/d"},
        {"a/b", "c/../d", "a/b/d"},
        {"a/b", "...", "a/b/..."},
        {"a/b", "..c", "a/b/..c"},
        {"a/b", "../../../c", NULL},
        {"a/b", "../../../a/b/c", NULL},
        {"", "..", NULL},
        {"a", "..", NULL}, /* the root itself is no file */
        {"a/b", "/c", NULL},
        {"", "", NULL},
    };
    char out[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool ok = path_join(cases[i].dir, cases[i].path, out);

        if (ok != (cases[i].result != NULL) || (ok && strcmp(out, cases[i].result) != 0))
            fail_msg("case %zu: %s", i, ok ? out : "refused");
    }
}

static void test_join_too_long(void **state)
{
    char path[PATH_MAX + 8], out[PATH_MAX];

    (void)state;
    memset(path, 'a', sizeof(path));
    path[PATH_MAX - 2] = '\0';
    assert_true(path_join("", path, out));
    path[PATH_MAX - 2] = 'a';
    path[PATH_MAX] = '\0';
    assert_false(path_join("", path, out));
}

static void test_path_files(void **state)
{
    static const struct {
        const char *text;
        bool runs;
    } cases[] = {
        {"", false},
        {"/somewhere\n", false},
        {"import os\n", true},
        {"import\tos", true},
        {"/a\nimport os", true},
        {"/a\rimport os", true},
        {"\xef\xbb\xbfimport os\n", true},
        {" import os\n", false},
        {"# import os\n", false},
        {"imports\n", false},
        {"import", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (tree_path_file_runs_code(cases[i].text, strlen(cases[i].text)) != cases[i].runs)
            fail_msg("case %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),          cmocka_unit_test(test_nul_and_size),
        cmocka_unit_test(test_cut),           cmocka_unit_test(test_join),
        cmocka_unit_test(test_join_too_long), cmocka_unit_test(test_path_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
