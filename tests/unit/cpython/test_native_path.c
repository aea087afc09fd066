/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to a shared object. Each row of the walks begins in a tree that is sound, and lays one
 * way to the same file; the sound ways among them are the control of the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpython/native_path.h"

#define STRANGER 65534

static char top[64];
static struct native_walk walk;

static const char *in_top(const char *name)
{
    static char path[8][256];
    static unsigned next;
    char *p = path[next++ % 8];

    (void)snprintf(p, sizeof(path[0]), "%s/%s", top, name);
    return p;
}

static void put_file(const char *name)
{
    int fd = open(in_top(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static void put_dir(const char *name, mode_t mode)
{
    assert_int_equal(mkdir(in_top(name), 0755), 0);
    assert_int_equal(chmod(in_top(name), mode), 0);
}

static void put_link(const char *target, const char *name)
{
    assert_int_equal(symlink(target, in_top(name)), 0);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(top, "/tmp/native-path-XXXXXX"); /* NOLINT: of this size */
    umask(022);
    if (geteuid() != 0 || !mkdtemp(top) || chmod(top, 0755) < 0)
        return -1;
    put_dir("a", 0755);
    put_dir("a/b", 0755);
    put_dir("open", 0777);
    put_dir("sticky", 01777);
    put_dir("group", 0775);
    put_file("a/b/lib.so");
    put_file("a/b/other.so");
    put_link("lib.so", "a/b/link");
    put_link(in_top("a/b/lib.so"), "a/absolute");
    put_link("../a/b/./lib.so", "a/dots");
    put_link("b", "a/dir");
    put_link("absolute", "a/twice");
    put_link("../a/b/lib.so", "open/link");
    put_link("../a/b/lib.so", "sticky/link");
    put_link("../a/b/lib.so", "sticky/foreign");
    assert_int_equal(lchown(in_top("sticky/foreign"), STRANGER, STRANGER), 0);
    put_link("../open/link", "a/by-open");
    put_link("../open/../a/b/lib.so", "a/through-open");
    put_link("loop", "a/loop");
    put_link("/proc/self/fd/9", "a/descriptor");
    put_link("/dev/shm", "a/shm");
    put_dir("foreign", 0755);
    assert_int_equal(chown(in_top("foreign"), STRANGER, STRANGER), 0);
    put_link("../a/b/lib.so", "foreign/link");
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", top);
    return system(command) == 0 ? 0 : -1; /* NOLINT(cert-env33-c): a name of our own */
}

static enum native_way way_to(const char *path)
{
    struct stat st;

    assert_int_equal(stat(in_top("a/b/lib.so"), &st), 0);
    memset(&walk, 0xa5, sizeof(walk));
    native_path_walk(path, 0, &st, &walk);
    return walk.way;
}

static void test_ways(void **state)
{
    static const struct {
        const char *name;
        enum native_way way;
        const char *at; /* what others can change */
    } rows[] = {
        {"a/b/lib.so", NATIVE_WAY_GUARDED, NULL},
        {"a//b/./lib.so", NATIVE_WAY_GUARDED, NULL},
        {"a/b/../b/lib.so", NATIVE_WAY_GUARDED, NULL},
        {"a/b/link", NATIVE_WAY_GUARDED, NULL},
        {"a/absolute", NATIVE_WAY_GUARDED, NULL},
        {"a/dots", NATIVE_WAY_GUARDED, NULL},
        {"a/dir/lib.so", NATIVE_WAY_GUARDED, NULL},
        {"a/twice", NATIVE_WAY_GUARDED, NULL},
        {"sticky/link", NATIVE_WAY_GUARDED, NULL},
        {"sticky/foreign", NATIVE_WAY_CHANGEABLE, "sticky"},
        {"open/link", NATIVE_WAY_CHANGEABLE, "open"},
        {"open/../a/b/lib.so", NATIVE_WAY_GUARDED, NULL}, /* nobody can change what ".." means */
        {"a/by-open", NATIVE_WAY_CHANGEABLE, "open"},
        {"a/through-open", NATIVE_WAY_GUARDED, NULL},
        {"foreign/link", NATIVE_WAY_CHANGEABLE, "foreign"},
        {"a/loop", NATIVE_WAY_LOST, NULL},
        {"a/b/other.so", NATIVE_WAY_LOST, NULL},
        {"a/b", NATIVE_WAY_LOST, NULL},
        {"a/nothing", NATIVE_WAY_LOST, NULL},
        {"a/descriptor", NATIVE_WAY_FORBIDDEN, NULL},
        {"a/shm/lib.so", NATIVE_WAY_FORBIDDEN, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum native_way way = way_to(in_top(rows[i].name));

        if (way != rows[i].way)
            fail_msg("%s: way %d, not %d", rows[i].name, way, rows[i].way);
        if (way == NATIVE_WAY_GUARDED || way == NATIVE_WAY_CHANGEABLE)
            assert_string_equal(walk.real, in_top("a/b/lib.so"));
        if (rows[i].at)
            assert_string_equal(walk.at, in_top(rows[i].at));
    }
}

static void test_absolute_places(void **state)
{
    static const char *const forbidden[] = {
        "/proc/self/fd/3",  "/dev/shm/x", "//dev/shm/x", "/./proc/1/root/x",
        "/tmp/../proc/1/x", "/sys/x",     "/proc",       "/dev/fd/3"};

    (void)state;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        if (way_to(forbidden[i]) != NATIVE_WAY_FORBIDDEN)
            fail_msg("%s: way %d", forbidden[i], walk.way);
    assert_int_equal(way_to("/process"), NATIVE_WAY_LOST);
    assert_int_equal(way_to("/"), NATIVE_WAY_LOST);
}

static void test_relative(void **state)
{
    (void)state;
    assert_int_equal(chdir(in_top("a")), 0);
    assert_int_equal(way_to("b/lib.so"), NATIVE_WAY_GUARDED);
    assert_string_equal(walk.real, in_top("a/b/lib.so"));
    assert_int_equal(way_to("./dots"), NATIVE_WAY_GUARDED);
    assert_int_equal(way_to("../open/link"), NATIVE_WAY_CHANGEABLE);
    assert_int_equal(chdir(in_top("open")), 0);
    assert_int_equal(way_to("./link"), NATIVE_WAY_CHANGEABLE);
    assert_int_equal(chdir("/proc/self"), 0);
    assert_int_equal(way_to("./fd/0"), NATIVE_WAY_FORBIDDEN);
    assert_int_equal(chdir("/"), 0);
}

static void test_the_file_itself(void **state)
{
    const char *file = in_top("a/b/lib.so");

    (void)state;
    assert_int_equal(way_to(file), NATIVE_WAY_GUARDED);
    assert_int_equal(chmod(file, 0775), 0);
    assert_int_equal(way_to(file), NATIVE_WAY_CHANGEABLE);
    assert_string_equal(walk.at, file);
    assert_int_equal(chmod(file, 0757), 0);
    assert_int_equal(way_to(file), NATIVE_WAY_CHANGEABLE);
    assert_int_equal(chmod(file, 0755), 0);
    assert_int_equal(chown(file, STRANGER, 0), 0);
    assert_int_equal(way_to(file), NATIVE_WAY_CHANGEABLE);
    assert_int_equal(chown(file, 0, 0), 0);
    assert_int_equal(way_to(file), NATIVE_WAY_GUARDED);
}

static void test_owner(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(stat(in_top("a/b/lib.so"), &st), 0);
    native_path_walk(in_top("foreign/link"), STRANGER, &st, &walk);
    assert_int_equal(walk.way, NATIVE_WAY_GUARDED);
    native_path_walk(in_top("foreign/link"), STRANGER - 1, &st, &walk);
    assert_int_equal(walk.way, NATIVE_WAY_CHANGEABLE);
}

static void test_long_names(void **state)
{
    char name[PATH_MAX + 64];

    (void)state;
    memset(name, '/', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(way_to(name), NATIVE_WAY_LOST);
    memset(name + 1, 'x', sizeof(name) - 2);
    assert_int_equal(way_to(name), NATIVE_WAY_LOST);
    assert_int_equal(way_to(name + 1), NATIVE_WAY_LOST);
}

/* A procfs that is mounted elsewhere has links of the same kind. */
static void test_another_procfs(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    put_dir("mnt", 0755);
    pid = fork();
    if (pid == 0) {
        char link[64];
        int fd = open(in_top("a/b/lib.so"), O_RDONLY | O_CLOEXEC);

        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("proc", in_top("mnt"), "proc", 0, NULL) < 0)
            _exit(2);
        (void)snprintf(link, sizeof(link), "mnt/self/fd/%d", fd);
        _exit(way_to(in_top(link)) == NATIVE_WAY_FORBIDDEN ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        skip();
    assert_int_equal(status, 0);
}

static void test_tokens(void **state)
{
    static const char *const with[] = {"$ORIGIN/x",     "${ORIGIN}/x", "a/$LIB/b",
                                       "a/${PLATFORM}", "$ORIGINx",    "$x$LIB"};
    static const char *const without[] = {"",         "a",   "$",       "$origin/x", "$ORIGI",
                                          "${ORIGIN", "a$b", "${LIBX}", "$$",        "{ORIGIN}"};

    (void)state;
    for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
        assert_true(native_path_has_token(with[i]));
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        assert_false(native_path_has_token(without[i]));
}

static void test_search(void **state)
{
    char out[PATH_MAX], list[1024], huge[3 * PATH_MAX];
    const char *b = in_top("a/b");

    (void)state;
    assert_true(native_path_search("$ORIGIN", b, "lib.so", out));
    assert_string_equal(out, in_top("a/b/lib.so"));
    assert_true(native_path_search("${ORIGIN}/../b", b, "lib.so", out));
    assert_true(native_path_search("/nowhere:$ORIGIN/x:$LIB/y:$ORIGIN/../b", b, "lib.so", out));
    (void)snprintf(list, sizeof(list), "%s:%s", in_top("open"), b);
    assert_true(native_path_search(list, "/nowhere", "lib.so", out));
    assert_false(native_path_search("$ORIGIN", b, "none.so", out));
    assert_false(native_path_search("$ORIGIN/$LIB", b, "lib.so", out));
    assert_false(native_path_search("x$ORIGIN", b, "lib.so", out));
    assert_false(native_path_search("$ORIGI", b, "lib.so", out));
    assert_false(native_path_search("", b, "lib.so", out)); /* the working directory */
    assert_int_equal(chdir(b), 0);
    assert_true(native_path_search("", "/", "lib.so", out));
    assert_true(native_path_search("/nowhere:", "/", "lib.so", out));
    assert_int_equal(chdir("/"), 0);
    memset(huge, 'h', sizeof(huge));
    huge[sizeof(huge) - 1] = '\0';
    assert_false(native_path_search(huge, b, "lib.so", out));
    assert_false(native_path_search("$ORIGIN", huge, "lib.so", out));
    (void)snprintf(huge + 2 * PATH_MAX, PATH_MAX, ":%s", b);
    assert_true(native_path_search(huge, b, "lib.so", out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test_setup_teardown(test_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_absolute_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_relative, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_file_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_procfs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_search, set_up, tear_down),
    };

    if (geteuid() != 0)
        return 77; /* makes files of several owners */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
