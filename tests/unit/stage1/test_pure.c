/* SPDX-License-Identifier: Apache-2.0 */
/* fmt, location, env, guard, identity: tables of what goes in and what must come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stage1/env.h"
#include "stage1/fmt.h"
#include "stage1/guard.h"
#include "stage1/identity.h"
#include "stage1/location.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_text_fits_exactly(void **state)
{
    char buf[6];
    struct text t;

    (void)state;
    text_init(&t, buf, sizeof(buf));
    text_add(&t, "abc");
    text_add_number(&t, 42);
    assert_false(t.cut);
    assert_string_equal(buf, "abc42");
    text_add(&t, "");
    assert_false(t.cut);
    text_add(&t, "x");
    assert_true(t.cut);
    assert_string_equal(buf, "abc42");
}

static void test_text_cut_stays_cut(void **state)
{
    char buf[4];
    struct text t;

    (void)state;
    text_init(&t, buf, sizeof(buf));
    text_add(&t, "abcd");
    assert_true(t.cut);
    text_add(&t, "a");
    assert_string_equal(buf, "");
}

static void test_text_numbers_and_control_bytes(void **state)
{
    char buf[64];
    struct text t;

    (void)state;
    text_init(&t, buf, sizeof(buf));
    text_add_number(&t, 0);
    text_add(&t, " ");
    text_add_number(&t, UINT64_MAX);
    text_add_clean(&t, " a\nb\033c\177d\377");
    assert_string_equal(buf, "0 18446744073709551615 a?b?c?d\377");
}

static void test_location(void **state)
{
    static const struct {
        const char *path;
        enum location_verdict verdict;
        const char *prefix, *minor;
    } rows[] = {
        {"/usr/bin/spython3.11", LOCATION_OK, "/usr", "3.11"},
        {"/bin/spython3.8", LOCATION_OK, "", "3.8"},
        {"/opt/a-b_c/bin/spython3.14", LOCATION_OK, "/opt/a-b_c", "3.14"},
        {"/x/bin/spython3.1", LOCATION_OK, "/x", "3.1"},
        {"/bin/bin/spython3.9", LOCATION_OK, "/bin", "3.9"},
        {"/\377/bin/spython3.9", LOCATION_OK, "/\377", "3.9"},
        {"/usr/bin/spython", LOCATION_NOT_OURS, NULL, NULL},
        {"/usr/bin/spython3", LOCATION_NOT_OURS, NULL, NULL},
        {"/usr/bin/spython3.", LOCATION_NOT_OURS, NULL, NULL},
        {"/usr/bin/spython3.01", LOCATION_NOT_OURS, NULL, NULL},
        {"/usr/bin/spython3.111", LOCATION_NOT_OURS, NULL, NULL},
        {"/usr/bin/spython33.1", LOCATION_NOT_OURS, NULL, NULL},
        {"/usr/bin/spythonx.1", LOCATION_NOT_OURS, NULL, NULL},
        {"/usr/bin/python3.11", LOCATION_NOT_OURS, NULL, NULL},
        {"/usr/sbin/spython3.11", LOCATION_NOT_OURS, NULL, NULL},
        {"usr/bin/spython3.11", LOCATION_NOT_OURS, NULL, NULL},
        {"bin/spython3.11", LOCATION_NOT_OURS, NULL, NULL},
        {"3.11", LOCATION_NOT_OURS, NULL, NULL},
        {"", LOCATION_NOT_OURS, NULL, NULL},
        {"/usr/bin/spython3.11 (deleted)", LOCATION_DELETED, NULL, NULL},
        {"/a b/bin/spython3.11", LOCATION_MISREAD, NULL, NULL},
        {"/a:b/bin/spython3.11", LOCATION_MISREAD, NULL, NULL},
        {"/a;b/bin/spython3.11", LOCATION_MISREAD, NULL, NULL},
        {"/$LIB/bin/spython3.11", LOCATION_MISREAD, NULL, NULL},
        {"/a\nb/bin/spython3.11", LOCATION_MISREAD, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].path);
        char *exact = malloc(len + 1); /* so that a sanitizer sees one byte too far */
        struct location l;

        assert_non_null(exact);
        memcpy(exact, rows[i].path, len);
        assert_int_equal(location_parse(exact, len, &l), rows[i].verdict);
        if (rows[i].verdict == LOCATION_OK) {
            assert_string_equal(l.prefix, rows[i].prefix);
            assert_string_equal(l.minor, rows[i].minor);
        }
        free(exact);
    }
}

static void test_location_longest(void **state)
{
    static char path[LOCATION_PATH_MAX + 32];
    struct location l;
    const char *end = "/bin/spython3.11";

    (void)state;
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    memcpy(path + LOCATION_PATH_MAX - 1, end, strlen(end));
    assert_int_equal(location_parse(path, LOCATION_PATH_MAX - 1 + strlen(end), &l), LOCATION_OK);
    assert_int_equal(strlen(l.prefix), LOCATION_PATH_MAX - 1);
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    memcpy(path + LOCATION_PATH_MAX, end, strlen(end));
    assert_int_equal(location_parse(path, LOCATION_PATH_MAX + strlen(end), &l), LOCATION_NOT_OURS);
}

static void test_minor_of_hexversion(void **state)
{
    (void)state;
    assert_true(location_is_minor("3.11", 0x030b02f0));
    assert_true(location_is_minor("3.8", 0x030812f0));
    assert_false(location_is_minor("3.1", 0x030b02f0));
    assert_false(location_is_minor("3.11", 0x030c02f0));
    assert_false(location_is_minor("3.11", 0x020b02f0));
    assert_false(location_is_minor("3.11", 0));
    assert_false(location_is_minor("3.11", 0xffffffff));
}

static void test_env_names(void **state)
{
    static const char *const removed[] = {
        "LD_PRELOAD=x",
        "LD_=",
        "LD_X",
        "GLIBC_TUNABLES=",
        "GCONV_PATH=/x",
        "RES_OPTIONS=a",
        "OPENSSL_=1",
        "OPENSSL_CONF=1",
        "MALLOC_TRACE=/x",
        "NIS_PATH=",
        "RESOLV_MULTI=",
        "LOCPATH",
        "HES_DOMAIN=x",
        "LIBFFI_TMPDIR=/x",
        "GMON_OUT_PREFIX=x",
        "HOSTALIASES=x",
        "LOCALDOMAIN",
        "SPYTHON_HANDOVER=1:1,",
    };
    static const char *const kept[] = {
        "",
        "=",
        "=LD_PRELOAD=x",
        "LD=x",
        "LD-PRELOAD=x",
        "ld_preload=x",
        " LD_X=y",
        "PATH=x",
        "GLIBC_TUNABLE=",
        "GCONV_PATHS=x",
        "PYTHONPATH=x",
        "X=LD_PRELOAD=",
        "LOCPATH2=",
        "TZ=x",
        "SPYTHON_OTHER=1",
        "OPENSSL=1",
        "MALLOC_ARENA_MAX=1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(removed); i++)
        assert_true(env_is_removed(removed[i]));
    for (size_t i = 0; i < COUNT(kept); i++)
        assert_false(env_is_removed(kept[i]));
}

static void test_env_filter(void **state)
{
    const char *envp[] = {"A=1", "LD_B=2", "C=3", "LD_B=4", "GCONV_PATH", "D", NULL};
    const char *out[COUNT(envp)];
    char names[32];
    struct text removed;

    (void)state;
    text_init(&removed, names, sizeof(names));
    assert_int_equal(env_filter(envp, out, &removed), 3);
    assert_ptr_equal(out[0], envp[0]);
    assert_ptr_equal(out[1], envp[2]);
    assert_ptr_equal(out[2], envp[5]);
    assert_string_equal(names, "LD_B=LD_B=GCONV_PATH");
    assert_false(removed.cut);
    text_init(&removed, names, sizeof(names));
    assert_int_equal(env_filter(envp + 6, out, &removed), 0);
    assert_string_equal(names, "");
}

/* Whatever the room, the list is whole or ends in "=", and never longer than told. */
static void test_env_filter_cut(void **state)
{
    const char *envp[] = {"LD_AAAA=1", "LD_BB=2", "LD_CCC=3", NULL};
    static const char *const expected[] = {
        [7] = "=",
        [8] = "=",
        [9] = "LD_AAAA=",
        [14] = "LD_AAAA=",
        [15] = "LD_AAAA=LD_BB=",
        [21] = "LD_AAAA=LD_BB=",
        [22] = "LD_AAAA=LD_BB=LD_CCC",
    };

    (void)state;
    for (size_t cap = 2; cap < 30; cap++) {
        char *names = malloc(cap);
        const char *out[COUNT(envp)];
        struct text removed;

        assert_non_null(names);
        text_init(&removed, names, cap);
        assert_int_equal(env_filter(envp, out, &removed), 0);
        assert_int_equal(strlen(names), removed.len);
        assert_int_equal(removed.cut, names[removed.len - 1] == '=');
        if (cap < COUNT(expected) && expected[cap])
            assert_string_equal(names, expected[cap]);
        free(names);
    }
}

static void test_guard(void **state)
{
    static char buf[HANDOVER_ARGUMENT_MAX + 1], big[HANDOVER_ARGUMENT_MAX + 2];
    const char *argv[] = {"name", "-c", "x", NULL}, *out[COUNT(argv) + GUARD_EXTRA];

    (void)state;
    assert_ptr_equal(guard_build(3, argv, "execfn", out, buf), argv[1]);
    assert_ptr_equal(out[0], argv[0]);
    assert_string_equal(out[1], "-\001");
    assert_ptr_equal(out[2], argv[2]);
    assert_null(out[3]);

    assert_null(guard_build(1, argv, "execfn", out, buf));
    assert_string_equal(out[1], HANDOVER_GUARD);
    assert_null(out[2]);

    assert_null(guard_build(0, argv + 3, "execfn", out, buf));
    assert_string_equal(out[0], "execfn");
    assert_string_equal(out[1], HANDOVER_GUARD);
    assert_null(out[2]);

    argv[1] = "x";
    assert_null(guard_build(3, argv, "execfn", out, buf));
    assert_string_equal(out[1], HANDOVER_GUARD);
    assert_ptr_equal(out[2], argv[1]);
    assert_ptr_equal(out[3], argv[2]);
    assert_null(out[4]);

    memset(big, 'b', sizeof(big) - 1);
    argv[1] = big;
    assert_null(guard_build(3, argv, "execfn", out, buf));
    big[HANDOVER_ARGUMENT_MAX] = '\0';
    assert_ptr_equal(guard_build(3, argv, "execfn", out, buf), big);
    assert_int_equal(strlen(out[1]), HANDOVER_ARGUMENT_MAX);
}

static void test_file_trust(void **state)
{
    struct file_facts f = {.mode = 0100755, .uid = 0};

    (void)state;
    assert_int_equal(file_trust(&f, 1000), FILE_TRUSTED);
    f.uid = 1000;
    assert_int_equal(file_trust(&f, 1000), FILE_TRUSTED);
    assert_int_equal(file_trust(&f, 0), FILE_FOREIGN);
    assert_int_equal(file_trust(&f, 1001), FILE_FOREIGN);
    f.uid = 0;
    f.mode = 0100775;
    assert_int_equal(file_trust(&f, 0), FILE_GROUP_WRITABLE);
    f.mode = 0100757;
    assert_int_equal(file_trust(&f, 0), FILE_WRITABLE);
    f.mode = 0100777;
    assert_int_equal(file_trust(&f, 0), FILE_WRITABLE);
    f.uid = 5;
    assert_int_equal(file_trust(&f, 0), FILE_FOREIGN);
}

static struct interpreter_record valid_record(void)
{
    struct interpreter_record r = {.size = sizeof(r), .path_count = INTERPRETER_MAX_PATHS};

    memcpy(r.magic, INTERPRETER_MAGIC, sizeof(r.magic));
    return r;
}

static void test_record_is_valid(void **state)
{
    struct interpreter_record r = valid_record();

    (void)state;
    assert_true(record_is_valid(&r, sizeof(r)));
    assert_false(record_is_valid(&r, sizeof(r) - 1));
    assert_false(record_is_valid(&r, sizeof(r) + 1));
    assert_false(record_is_valid(&r, 0));
    for (size_t i = 0; i < sizeof(r.magic); i++) {
        r.magic[i] ^= 1;
        assert_false(record_is_valid(&r, sizeof(r)));
        r.magic[i] ^= 1;
    }
    r.size--;
    assert_false(record_is_valid(&r, sizeof(r)));
    r.size++;
    r.path_count++;
    assert_false(record_is_valid(&r, sizeof(r)));
    r.path_count--;
    assert_true(record_is_valid(&r, sizeof(r)));
}

static void test_record_texts_end(void **state)
{
    struct interpreter_record r = valid_record();
    char *ends[] = {&r.path[1023],     &r.prefix[1023],   &r.exec_prefix[1023], &r.stdlib[1023],
                    &r.platlibdir[63], &r.paths[0][1023], &r.paths[7][1023]};

    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        *ends[i] = 'x';
        assert_false(record_is_valid(&r, sizeof(r)));
        *ends[i] = '\0';
        assert_true(record_is_valid(&r, sizeof(r)));
    }
}

static void test_record_same_file(void **state)
{
    struct interpreter_record r = valid_record();
    struct file_facts f = {1, 2, 3, 4, 5, 6, 7, 0100755, 0};

    (void)state;
    r.dev = 1;
    r.ino = 2;
    r.file_size = 3;
    r.mtime_sec = 4;
    r.mtime_nsec = 5;
    r.ctime_sec = 6;
    r.ctime_nsec = 7;
    assert_true(record_is_same_file(&r, &f));
    for (size_t i = 0; i < 7; i++) {
        unsigned char *fact = (unsigned char *)&f + 8 * i; /* seven numbers of 8 bytes */

        *fact ^= 0x10;
        assert_false(record_is_same_file(&r, &f));
        *fact ^= 0x10;
    }
    assert_true(record_is_same_file(&r, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_fits_exactly),
        cmocka_unit_test(test_text_cut_stays_cut),
        cmocka_unit_test(test_text_numbers_and_control_bytes),
        cmocka_unit_test(test_location),
        cmocka_unit_test(test_location_longest),
        cmocka_unit_test(test_minor_of_hexversion),
        cmocka_unit_test(test_env_names),
        cmocka_unit_test(test_env_filter),
        cmocka_unit_test(test_env_filter_cut),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_file_trust),
        cmocka_unit_test(test_record_is_valid),
        cmocka_unit_test(test_record_texts_end),
        cmocka_unit_test(test_record_same_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
