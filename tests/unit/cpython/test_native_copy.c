/* SPDX-License-Identifier: Apache-2.0 */
/* Copies in sealed memory: the bytes, the seals, when a copy is used again and when it must not be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpython/native_copy.h"

#define SIZE 100000

static char path[64];
static char bytes[SIZE];

static int make_file(struct stat *ret)
{
    int fd;

    strcpy(path, "/tmp/native-copy-XXXXXX"); /* NOLINT: of this size */
    fd = mkstemp(path);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + i / 256);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(fstat(fd, ret), 0);
    return fd;
}

static void test_copy(void **state)
{
    struct native_copy *copy, *again;
    struct stat st;
    int fd = make_file(&st), mine;
    char c = 'x';

    (void)state;
    copy = native_copy_get(fd, &st, path, SIZE);
    assert_non_null(copy);
    assert_memory_equal(copy->data, bytes, SIZE);
    assert_int_equal(copy->self.st_size, SIZE);
    assert_string_equal(copy->directory, "/tmp");
    assert_true(copy->fd >= 3);
    assert_int_equal(fcntl(copy->fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(copy->fd, F_GET_SEALS) & 15, 15);
    native_copy_release(copy);
    assert_int_equal(pwrite(copy->fd, &c, 1, 0), -1);
    assert_int_equal(errno, EPERM);
    mine = open(copy->path, O_RDWR | O_CLOEXEC);
    assert_true(mine < 0 || pwrite(mine, &c, 1, 0) < 0);
    if (mine >= 0)
        assert_int_equal(close(mine), 0);

    again = native_copy_get(fd, &st, "/elsewhere/name", SIZE);
    assert_ptr_equal(again, copy); /* the same file under another name */
    native_copy_release(again);
    (void)close(fd);
    (void)unlink(path);
}

static void test_changed_file(void **state)
{
    struct native_copy *copy, *again;
    struct stat st;
    int fd = make_file(&st);

    (void)state;
    copy = native_copy_get(fd, &st, path, SIZE);
    assert_non_null(copy);
    native_copy_release(copy);
    bytes[5] ^= 1;
    usleep(20000); /* file times are coarse */
    assert_int_equal(pwrite(fd, bytes + 5, 1, 5), 1);
    assert_int_equal(fstat(fd, &st), 0);
    again = native_copy_get(fd, &st, path, SIZE);
    assert_non_null(again);
    assert_ptr_not_equal(again, copy);
    assert_memory_equal(again->data, bytes, SIZE);
    native_copy_release(again);
    (void)close(fd);
    (void)unlink(path);
}

static void test_lost_descriptor(void **state)
{
    struct native_copy *copy, *again;
    struct stat st;
    int fd = make_file(&st), null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    copy = native_copy_get(fd, &st, path, SIZE);
    assert_non_null(copy);
    native_copy_release(copy);
    assert_int_equal(dup2(null, copy->fd), copy->fd);
    again = native_copy_get(fd, &st, path, SIZE);
    assert_non_null(again);
    assert_ptr_not_equal(again, copy);
    native_copy_release(again);
    (void)close(null);
    (void)close(fd);
    (void)unlink(path);
}

static void test_refused(void **state)
{
    struct stat st;
    int fd = make_file(&st);

    (void)state;
    assert_null(native_copy_get(fd, &st, path, SIZE - 1));
    assert_int_equal(errno, EFBIG);
    assert_int_equal(ftruncate(fd, SIZE / 2), 0); /* shorter than it was when it was looked at */
    assert_null(native_copy_get(fd, &st, path, SIZE));
    assert_int_equal(errno, ESTALE);
    (void)close(fd);
    (void)unlink(path);
}

static void test_needed_of_others(void **state)
{
    struct link_map map = {.l_name = path};
    char out[PATH_MAX];

    (void)state;
    assert_false(native_copy_find_needed(NULL, "x", out));
    assert_false(native_copy_find_needed(&map, "x", out));
}

static void test_too_many(void **state)
{
    struct stat st;
    int fd = make_file(&st), made = 0;

    (void)state;
    for (; made < 1000; made++) {
        struct native_copy *copy;

        st.st_ctim.tv_nsec = made; /* another state of the file each time */
        copy = native_copy_get(fd, &st, path, SIZE);
        if (!copy)
            break;
        native_copy_release(copy);
    }
    assert_int_equal(errno, ENOSPC);
    assert_in_range(made, 200, 256);
    (void)close(fd);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_changed_file),
        cmocka_unit_test(test_lost_descriptor),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_needed_of_others),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
