/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing that others chose reaches a terminal unescaped, and JSON takes any bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/output.h"
#include "ctl/problem.h"

static void test_terminal(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"a b\\c", "a b\\c"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8d", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8d"},
        {"\033[31mred", "\\x1b[31mred"},
        {"two\nlines\ttab", "two\\x0alines\\x09tab"},
        {"del\x7f", "del\\x7f"},
        {"c1\xc2\x9b", "c1\\xc2\\x9b"},                        /* CSI as one character */
        {"rtl\xe2\x80\xae", "rtl\\xe2\\x80\\xae"},             /* right-to-left override */
        {"bad\xff\xc3", "bad\\xff\\xc3"},                      /* no UTF-8; cut at the end */
        {"\xc0\xaf\xed\xa0\x80", "\\xc0\\xaf\\xed\\xa0\\x80"}, /* overlong; surrogate */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(safe(cases[i].text), cases[i].expected);
}

static void test_json_text(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"valid \\ \n", "valid \\ \n"}, /* JSON has its own escapes */
        {"in\\valid\xff", "in\\\\valid\\xff"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *value = json_text(cases[i].text);

        assert_string_equal(json_string_value(value), cases[i].expected);
        json_decref(value);
    }
}

static void test_all_bytes(void **state)
{
    char text[3] = {0};

    (void)state;
    for (unsigned i = 1; i < 256; i++)
        for (unsigned j = 1; j < 256; j++) {
            json_t *value;

            text[0] = (char)i;
            text[1] = (char)j;
            for (const char *p = safe(text); *p; p++)
                assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
            value = json_text(text);
            assert_true(json_is_string(value));
            json_decref(value);
        }
}

static void test_statuses(void **state)
{
    static const struct {
        int code, status;
    } cases[] = {{0, CTL_OK},
                 {UNFIT, CTL_NEGATIVE},
                 {-EPERM, CTL_NOPERM},
                 {-EACCES, CTL_NOPERM},
                 {-ENOENT, CTL_NOINPUT},
                 {-EROFS, CTL_CANTCREAT},
                 {-EBUSY, CTL_CANTCREAT},
                 {-EBADMSG, CTL_UNUSABLE},
                 {-EIO, CTL_UNUSABLE}};
    struct problem problem = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        problem_set(&problem, cases[i].code, "x");
        assert_int_equal(problem_status(&problem), cases[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_json_text),
        cmocka_unit_test(test_all_bytes),
        cmocka_unit_test(test_statuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
