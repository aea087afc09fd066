/* SPDX-License-Identifier: Apache-2.0 */
/* Files that spython obeys are replaced whole, and others' write permission is found. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "ctl/files.h"

static char dir[PATH_MAX];

static const char *at(const char *name)
{
    static char path[4][PATH_MAX + 64];
    static unsigned next;

    next = (next + 1) % 4;
    (void)snprintf(path[next], sizeof(path[next]), "%s/%s", dir, name);
    return path[next];
}

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/spython-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* fails if a test left a temporary file behind */
}

static void test_replace(void **state)
{
    struct problem problem = {0};
    mode_t mask = umask(0077);
    char *text;
    size_t len;
    struct stat st;

    (void)state;
    assert_int_equal(file_replace(at("f"), "one", 3, &problem), 0);
    assert_int_equal(file_replace(at("f"), "", 0, &problem), 0);
    assert_int_equal(file_replace(at("f"), "other", 5, &problem), 0);
    umask(mask);
    assert_int_equal(stat(at("f"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(file_read(at("f"), 5, &text, &len, &problem), 0);
    assert_string_equal(text, "other");
    free(text);
    assert_int_equal(file_read(at("f"), 4, &text, &len, &problem), -EFBIG);
    assert_int_equal(file_read(at("absent"), 4, &text, &len, &problem), -ENOENT);
    assert_int_equal(file_read(dir, 4, &text, &len, &problem), UNFIT);
    assert_int_equal(file_replace(at("no/f"), "x", 1, &problem), -ENOENT);
    assert_int_equal(unlink(at("f")), 0);
}

/* The new file replaces a link; it does not write through it. */
static void test_replace_link(void **state)
{
    struct problem problem = {0};
    struct stat st;

    (void)state;
    assert_int_equal(symlink("victim", at("f")), 0);
    assert_int_equal(file_replace(at("f"), "x", 1, &problem), 0);
    assert_int_equal(lstat(at("victim"), &st), -1);
    assert_int_equal(lstat(at("f"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(unlink(at("f")), 0);
}

static void test_link(void **state)
{
    struct problem problem = {0};
    char target[16];

    (void)state;
    assert_int_equal(file_link("one", at("l"), &problem), 0);
    assert_int_equal(file_link("two", at("l"), &problem), 0);
    assert_int_equal(readlink(at("l"), target, sizeof(target)), 3);
    assert_memory_equal(target, "two", 3);
    assert_int_equal(file_unlink_link(at("l"), "one", &problem), 0); /* not that link: stays */
    assert_int_equal(readlink(at("l"), target, sizeof(target)), 3);
    assert_int_equal(file_unlink_link(at("l"), "two", &problem), 0);
    assert_int_equal(readlink(at("l"), target, sizeof(target)), -1);
    assert_int_equal(file_unlink_link(at("l"), NULL, &problem), 0);

    assert_int_equal(file_replace(at("f"), "x", 1, &problem), 0);
    assert_int_equal(file_link("one", at("f"), &problem), -EEXIST);
    assert_int_equal(file_unlink_link(at("f"), NULL, &problem), 0);
    assert_int_equal(unlink(at("f")), 0); /* still there */
}

static size_t offenders_in(const char *path)
{
    struct offenders offenders = {0};
    struct problem problem = {0};
    size_t count;

    offenders_walk(&offenders, path, getuid());
    count = offenders.count;
    assert_int_equal(offenders_problem(&offenders, &problem), count ? -EPERM : 0);
    offenders_done(&offenders);
    return count;
}

static void test_offenders(void **state)
{
    struct problem problem = {0};

    (void)state;
    assert_int_equal(mkdir(at("d"), 0755), 0);
    assert_int_equal(file_replace(at("d/f"), "x", 1, &problem), 0);
    assert_int_equal(symlink("f", at("d/l")), 0);
    assert_int_equal(symlink("nowhere", at("d/dangling")), 0);
    assert_int_equal(offenders_in(at("d")), 0); /* the control */
    assert_int_equal(offenders_in(at("absent")), 0);
    assert_int_equal(chmod(at("d/f"), 0664), 0);
    assert_int_equal(offenders_in(at("d")), 2); /* itself, and through the link */
    assert_int_equal(unlink(at("d/l")), 0);
    assert_int_equal(offenders_in(at("d")), 1);
    assert_int_equal(chmod(at("d/f"), 0644), 0);
    assert_int_equal(chmod(at("d"), 0757), 0);
    assert_int_equal(offenders_in(at("d")), 1);
    assert_int_equal(chmod(at("d"), 0755), 0);
    if (getuid() == 0) {
        assert_int_equal(chown(at("d/f"), 65534, 65534), 0);
        assert_int_equal(offenders_in(at("d")), 1);
        assert_int_equal(lchown(at("d/dangling"), 65534, 65534), 0);
        assert_int_equal(offenders_in(at("d")), 2);
    }
    assert_int_equal(unlink(at("d/f")), 0);
    assert_int_equal(unlink(at("d/dangling")), 0);
    assert_int_equal(rmdir(at("d")), 0);
}

static void test_many_offenders(void **state)
{
    struct offenders offenders = {0};
    struct problem problem = {0};
    char name[16];

    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "f%d", i);
        assert_int_equal(file_replace(at(name), "x", 1, &problem), 0);
        assert_int_equal(chmod(at(name), 0666), 0);
    }
    offenders_walk(&offenders, dir, getuid());
    assert_int_equal(offenders.count, 20);
    assert_int_equal(offenders_problem(&offenders, &problem), -EPERM);
    assert_memory_equal(problem.err.msg, "20 files", 8);
    offenders_done(&offenders);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "f%d", i);
        assert_int_equal(unlink(at(name)), 0);
    }
}

static void test_lock(void **state)
{
    struct problem problem = {0};
    struct stat st;
    int fd = file_lock(at("lock"), &problem);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* nobody else can take it */
    fd_close(fd);
    fd = file_lock(at("lock"), &problem);
    assert_true(fd >= 0);
    fd_close(fd);
    assert_int_equal(unlink(at("lock")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace),        cmocka_unit_test(test_replace_link),
        cmocka_unit_test(test_link),           cmocka_unit_test(test_offenders),
        cmocka_unit_test(test_many_offenders), cmocka_unit_test(test_lock),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
