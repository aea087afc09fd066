/* SPDX-License-Identifier: Apache-2.0 */
/* The state of what ends by itself: durations, and a file that is whole or refused. */
#include <errno.h>
#include <fcntl.h>
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

#include "ctl/pending.h"

static struct ctl ctl;
static char file[PATH_MAX + 16];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(ctl.etc, sizeof(ctl.etc), "/tmp/spython-test-XXXXXX");
    ctl.owner = getuid();
    if (!mkdtemp(ctl.etc))
        return -1;
    (void)snprintf(file, sizeof(file), "%s/.off", ctl.etc);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    (void)unlink(file);
    return rmdir(ctl.etc);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* 0: refused */
    } cases[] = {
        {"1s", 1},        {"90s", 90},
        {"10m", 600},     {"2h", 7200},
        {"168h", 604800}, {"604800s", 604800},
        {"", 0},          {"s", 0},
        {"0s", 0},        {"-1s", 0},
        {"+1s", 0},       {" 1s", 0},
        {"1", 0},         {"1d", 0},
        {"1ss", 0},       {"169h", 0},
        {"604801s", 0},   {"1s ", 0},
        {"0x1s", 0},      {"1.5h", 0},
        {"10081m", 0},    {"99999999999999999999s", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got = 0;

        assert_int_equal(pending_parse_duration(cases[i].text, &got),
                         cases[i].seconds ? 0 : -EINVAL);
        assert_int_equal(got, cases[i].seconds * 1000);
    }
}

static struct pending sample(void)
{
    struct pending p = {.kind = PENDING_OFF, .deadline = 1795000000123, .pid = 42, .serial = 7};

    memset(p.digest, 'a', sizeof(p.digest) - 1);
    (void)snprintf(p.app, sizeof(p.app), "shop");
    memset(p.reason, 'r', sizeof(p.reason) - 1);
    return p;
}

static void test_round_trip(void **state)
{
    struct pending in = sample(), out;
    struct problem problem = {0};
    struct stat st;

    (void)state;
    assert_int_equal(pending_read(&ctl, PENDING_OFF, &out, &problem), -ENOENT);
    assert_int_equal(pending_write(&ctl, &in, &problem), 0);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(pending_read(&ctl, PENDING_OFF, &out, &problem), 0);
    assert_memory_equal(&in, &out, sizeof(in));
    pending_clear(&ctl, PENDING_OFF);
    assert_int_equal(pending_read(&ctl, PENDING_OFF, &out, &problem), -ENOENT);
    assert_int_equal(stat(file, &st), 0); /* kept, so that the next one needs no room */
    assert_int_equal(st.st_size, 1024);
}

static void put(const char *text, size_t len)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(close(fd), 0);
}

static void test_cut_at_every_length(void **state)
{
    struct pending in = sample(), out;
    struct problem problem = {0};
    char text[1024];
    size_t end = 0;
    int fd;

    (void)state;
    assert_int_equal(pending_write(&ctl, &in, &problem), 0);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof(text)), sizeof(text));
    (void)close(fd);
    for (size_t i = 0; i + 5 <= sizeof(text); i++)
        if (memcmp(text + i, "\nend\n", 5) == 0)
            end = i + 4;
    assert_true(end > 100);
    put(text, end); /* the control: all of it but padding */
    assert_int_equal(pending_read(&ctl, PENDING_OFF, &out, &problem), 0);
    for (size_t len = 1; len < end; len++) {
        put(text, len);
        assert_int_equal(pending_read(&ctl, PENDING_OFF, &out, &problem), -EBADMSG);
    }
}

static void test_strangers_are_refused(void **state)
{
    struct pending in = sample(), out;
    struct problem problem = {0};

    (void)state;
    assert_int_equal(pending_write(&ctl, &in, &problem), 0);
    assert_int_equal(chmod(file, 0666), 0);
    assert_int_equal(pending_read(&ctl, PENDING_OFF, &out, &problem), -EPERM);
    assert_int_equal(chmod(file, 0600), 0);
    assert_int_equal(pending_read(&ctl, PENDING_OFF, &out, &problem), 0); /* the control */
    (void)unlink(file);
    assert_int_equal(symlink("/etc/hostname", file), 0);
    assert_int_equal(pending_read(&ctl, PENDING_OFF, &out, &problem), -ELOOP);
    assert_true(pending_write(&ctl, &in, &problem) < 0);
    (void)unlink(file);
    assert_int_equal(mkfifo(file, 0600), 0);
    assert_int_equal(pending_read(&ctl, PENDING_OFF, &out, &problem), -EPERM);
    (void)unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cut_at_every_length),
        cmocka_unit_test(test_strangers_are_refused),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
