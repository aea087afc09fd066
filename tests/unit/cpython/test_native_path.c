/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a shared object: real directories and links, as whoever runs the tests. */
#include "cpython/native_path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char top[] = "/var/tmp/native-path-XXXXXX";
static struct native_walk walk;

static const char *in_top(const char *name)
{
    static char path[4][PATH_MAX];
    static unsigned next;
    char *out = path[next++ & 3];

    assert_true(snprintf(out, PATH_MAX, "%s/%s", top, name) < PATH_MAX);
    return out;
}

static void make_directory(const char *name, mode_t mode)
{
    assert_int_equal(mkdir(in_top(name), 0755), 0);
    assert_int_equal(chmod(in_top(name), mode), 0);
}

static void make_link(const char *target, const char *name)
{
    assert_int_equal(symlink(target, in_top(name)), 0);
}

static int set_up(void **state)
{
    int fd;

    (void)state;
    assert_non_null(mkdtemp(top));
    assert_int_equal(chmod(top, 0755), 0);
    make_directory("a", 0755);
    make_directory("a/b", 0755);
    make_directory("open", 0777);
    make_directory("open/d", 0755);
    fd = open(in_top("a/b/f"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    (void)close(fd);
    fd = open(in_top("open/f"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    (void)close(fd);
    make_link("b/f", "a/relative");
    make_link(in_top("a/b/f"), "absolute");
    make_link("../a/b/f", "open/f2");
    make_link("loop", "loop");
    make_link("/proc/self/cwd", "through-proc");
    make_link("a/../a/b", "dots");
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"dots",     "through-proc", "loop",       "open/f2",
                                        "absolute", "open/f",       "a/relative", "a/b/f"};
    static const char *const directories[] = {"open/d", "open", "a/b", "a"};

    (void)state;
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        (void)unlink(in_top(files[i]));
    for (unsigned i = 0; i < 4; i++)
        (void)rmdir(in_top(directories[i]));
    return rmdir(top);
}

static void walk_to(const char *name, const char *target)
{
    struct stat st;

    assert_int_equal(stat(in_top(target), &st), 0);
    native_path_walk(name, getuid(), &st, &walk);
}

static void test_walk(void **state)
{
    static const struct {
        const char *name, *target;
        enum native_way way;
        const char *real, *at;
    } cases[] = {
        {"a/b/f", "a/b/f", NATIVE_WAY_GUARDED, "a/b/f", NULL},
        {"a//b/./f", "a/b/f", NATIVE_WAY_GUARDED, "a/b/f", NULL},
        {"a/b/../b/f", "a/b/f", NATIVE_WAY_GUARDED, "a/b/f", NULL},
        {"a/relative", "a/b/f", NATIVE_WAY_GUARDED, "a/b/f", NULL},
        {"absolute", "a/b/f", NATIVE_WAY_GUARDED, "a/b/f", NULL},
        {"dots/f", "a/b/f", NATIVE_WAY_GUARDED, "a/b/f", NULL},
        {"open/f", "open/f", NATIVE_WAY_CHANGEABLE, "open/f", "open"},
        {"open/f2", "a/b/f", NATIVE_WAY_CHANGEABLE, "a/b/f", "open"},
        {"open/../a/b/f", "a/b/f", NATIVE_WAY_GUARDED, "a/b/f",
         NULL}, /* of "open", only its name */
        {"open/d/../../a/b/f", "a/b/f", NATIVE_WAY_CHANGEABLE, "a/b/f", "open"},
        {"a/b/f", "open/f", NATIVE_WAY_LOST, NULL, NULL}, /* another file by now */
        {"a/b/none", "a/b/f", NATIVE_WAY_LOST, NULL, NULL},
        {"loop", "a/b/f", NATIVE_WAY_LOST, NULL, NULL},
        {"through-proc/x", "a/b/f", NATIVE_WAY_FORBIDDEN, NULL, NULL},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        walk_to(in_top(cases[i].name), cases[i].target);
        if (walk.way != cases[i].way)
            fail_msg("%s: way %d", cases[i].name, (int)walk.way);
        if (cases[i].real)
            assert_string_equal(walk.real, in_top(cases[i].real));
        if (cases[i].at)
            assert_string_equal(walk.at, in_top(cases[i].at));
    }
}

static void test_forbidden(void **state)
{
    static const char *const names[] = {
        "/proc/self/fd/3",       "/dev/shm/x", "/sys/x", "/./proc/1/root",
        "/tmp/../proc/self/exe", "/proc",      "/dev"};

    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        walk_to(names[i], "a/b/f");
        assert_int_equal(walk.way, NATIVE_WAY_FORBIDDEN);
    }
    walk_to("/procession/x", "a/b/f");
    assert_int_equal(walk.way, NATIVE_WAY_LOST);
}

static void test_too_long(void **state)
{
    static char name[2 * PATH_MAX];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[0] = '/';
    walk_to(name, "a/b/f");
    assert_int_equal(walk.way, NATIVE_WAY_LOST);
    name[0] = 'x';
    walk_to(name, "a/b/f");
    assert_int_equal(walk.way, NATIVE_WAY_LOST);
}

static void test_tokens(void **state)
{
    static const char *const with[] = {"$ORIGIN/x", "/a/${LIB}/x", "/$x/$PLATFORM", "$ORIGINAL"};
    static const char *const without[] = {"", "$", "${", "${ORIGIN", "$origin", "/a/b", "$ LIB"};

    (void)state;
    for (unsigned i = 0; i < sizeof(with) / sizeof(with[0]); i++)
        assert_true(native_path_has_token(with[i]));
    for (unsigned i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        assert_false(native_path_has_token(without[i]));
}

static void test_search(void **state)
{
    char out[PATH_MAX], list[PATH_MAX];

    (void)state;
    assert_true(native_path_search("$ORIGIN/b", in_top("a"), "f", out));
    assert_string_equal(out, in_top("a/b/f"));
    assert_true(native_path_search("/none:${ORIGIN}/../open", in_top("a"), "f", out));
    assert_string_equal(out, in_top("a/../open/f"));
    (void)snprintf(list, sizeof(list), "$LIB:%s", in_top("open"));
    assert_true(native_path_search(list, "/none", "f", out));
    assert_false(native_path_search("$ORIGIN", in_top("a"), "f", out));
    assert_false(native_path_search("$ORIGIN/$LIB", in_top("a"), "f", out));
    assert_false(native_path_search("", "/none", "no such file", out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),     cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_search),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
