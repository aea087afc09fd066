/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc shows of a process, as text: which core and policy it maps, what it runs, where it
 * logs. The lines are as Linux writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/sessions.h"

#define MAP(inode, path) "7f00-7f10 r--p 00000000 08:01 " inode "                 " path "\n"
#define CORE MAP("11", "/opt/s/libexec/spython/3.11/core.so")
#define POLICY "/opt/s/etc/spython/policy.bin"

static const struct stat in_force = {.st_ino = 77};
static const struct session_paths with_policy = {"/opt/s/libexec/spython", POLICY, &in_force};
static const struct session_paths without_policy = {"/opt/s/libexec/spython", POLICY, NULL};

static void test_maps(void **state)
{
    static const struct {
        const char *maps;
        const struct session_paths *paths;
        bool is_session;
        enum session_policy policy;
    } cases[] = {
        {CORE MAP("77", POLICY), &with_policy, true, SESSION_POLICY_CURRENT},
        {CORE MAP("76", POLICY ".1"), &with_policy, true, SESSION_POLICY_STALE},
        {CORE MAP("76", POLICY " (deleted)"), &with_policy, true, SESSION_POLICY_STALE},
        {CORE MAP("99", POLICY), &with_policy, true, SESSION_POLICY_CURRENT}, /* overlay */
        {CORE MAP("77", POLICY) MAP("76", POLICY " (deleted)"), &with_policy, true,
         SESSION_POLICY_STALE},
        {CORE MAP("76", POLICY ".1") MAP("77", POLICY), &with_policy, true, SESSION_POLICY_STALE},
        {CORE MAP("77", POLICY), &without_policy, true, SESSION_POLICY_STALE},
        {CORE, &with_policy, true, SESSION_POLICY_BUILT_IN},
        {CORE MAP("77", "/opt/s/etc/spython/policy.binary"), &with_policy, true,
         SESSION_POLICY_BUILT_IN},
        {MAP("77", POLICY), &with_policy, false, 0}, /* spythonctl itself */
        {MAP("11", "/home/x/opt/s/libexec/spython/3.11/core.so"), &with_policy, false, 0},
        {MAP("11", "/opt/s/libexec/spython/3.11/core.so.old"), &with_policy, false, 0},
        {MAP("11", "/opt/s/libexec/spython/x/core.so"), &with_policy, false, 0},
        {MAP("11", "/opt/s/libexec/spython/../core.so"), &with_policy, false, 0},
        {"", &with_policy, false, 0},
        {"garbage\n\n7f00 r\n7f00-7f10 rw-p 00000000 00:00 0 \n", &with_policy, false, 0},
        {"7f00-7f10 rw-p 00000000 00:00 0      [heap]\n", &with_policy, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct session session = {0};

        assert_int_equal(session_read_maps(cases[i].maps, cases[i].paths, &session),
                         cases[i].is_session);
        if (!cases[i].is_session)
            continue;
        assert_int_equal(session.policy, cases[i].policy);
        assert_string_equal(session.minor, "3.11");
        assert_false(session.core_replaced);
    }
}

static void test_replaced_core(void **state)
{
    struct session session = {0};

    (void)state;
    assert_true(session_read_maps(MAP("11", "/opt/s/libexec/spython/3.13/core.so (deleted)"),
                                  &without_policy, &session));
    assert_true(session.core_replaced);
    assert_string_equal(session.minor, "3.13");
}

static void test_script(void **state)
{
    static const struct {
        const char *argv[6];
        const char *script;
    } cases[] = {
        {{"spython", "app.py", "-m"}, "app.py"},
        {{"spython", "-B", "-I", "/srv/app.py"}, "/srv/app.py"},
        {{"spython", "-m", "http.server", "80"}, "-m http.server"},
        {{"spython", "-mhttp.server"}, "-m http.server"},
        {{"spython", "-Bm", "venv"}, "-m venv"},
        {{"spython", "-c", "print(1)"}, "-c"},
        {{"spython", "-W", "error", "a.py"}, "a.py"},
        {{"spython", "-Xutf8", "a.py"}, "a.py"},
        {{"spython", "-"}, "-"},
        {{"spython", "-m"}, "-m "},
        {{"spython", "-W"}, ""},
        {{"spython"}, ""},
        {{NULL}, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *script = session_script((char *const *)(uintptr_t)cases[i].argv);

        assert_string_equal(script, cases[i].script);
        free(script);
    }
}

static void test_log_names(void **state)
{
    static const struct {
        const char *path, *id;
    } cases[] = {
        {"/var/log/spython/spython-20261122-711-c0ffee0123456789.jsonl", "c0ffee0123456789"},
        {"spython-x-c0ffee0123456789.jsonl", "c0ffee0123456789"},
        {"spython-x-c0ffee0123456789.jsonl (deleted)", "c0ffee0123456789"},
        {"/x/spython-x-c0ffee0123456789.12.jsonl", "c0ffee0123456789"},
        {"/x/spython-x-c0ffee0123456789..jsonl", NULL},
        {"/x/spython-x-c0ffee0123456789a.jsonl", NULL},
        {"/x/spython-c0ffee0123456789.jsonl", "c0ffee0123456789"},
        {"/x/spython-x-C0FFEE0123456789.jsonl", NULL},
        {"/x/spython-x-c0ffee012345678.jsonl", NULL},
        {"/x/other-x-c0ffee0123456789.jsonl", NULL},
        {"/x/spython-x-c0ffee0123456789.json", NULL},
        {"socket:[1]", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[RECORD_SESSION_DIGITS + 1];

        assert_int_equal(session_of_log(cases[i].path, id), cases[i].id != NULL);
        if (cases[i].id)
            assert_string_equal(id, cases[i].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_replaced_core),
        cmocka_unit_test(test_script),
        cmocka_unit_test(test_log_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
