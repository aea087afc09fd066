/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system that is full, and that has room again later: a tmpfs of 64 KiB of our own. Needs
 * root; exits with 77 without, or fails if SPYTHON_MUST_WORK=1.
 */
#include "sinks_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int setup(void **state)
{
    (void)state;
    make_dir();
    assert_int_equal(mkdir(below("small"), 0700), 0);
    if (mount("tmpfs", below("small"), "tmpfs", 0, "size=64k") < 0)
        fail_msg("mount: %s", strerror(errno));
    seen_clear();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)umount2(below("small"), MNT_DETACH);
    remove_dir();
    return 0;
}

/* Takes up `pages` of the 16; returns the descriptor. */
static int make_filler(unsigned pages)
{
    static const char page[4096];
    int fd = open(below("small/filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    for (unsigned i = 0; i < pages; i++)
        assert_int_equal(write(fd, page, sizeof(page)), sizeof(page));
    return fd;
}

static void no_space(const char *path, bool shared)
{
    struct log *log = open_file_log(path, SINK_FAILURE_COUNT);
    int filler = make_filler(12);
    uint64_t lost, n = 0;

    errno = 4711;
    for (unsigned round = 0; round < 3; round++) {
        uint64_t before = log_lost(log);

        while (log_lost(log) == before && n < 1000)
            write_records(log, n + 1, n + 1), n++;
        assert_int_equal(log_lost(log), before + 1);
        write_records(log, n + 1, n + 40);
        n += 40;
        assert_int_equal(log_lost(log), before + 41);
        assert_int_equal(ftruncate(filler, (2 - (off_t)round) * 4 * 4096), 0);
        lost = log_lost(log);
        write_records(log, n + 1, n + 5);
        n += 5;
        assert_int_equal(log_lost(log), lost);
    }
    assert_int_equal(errno, 4711);
    log_close(log);
    close(filler);
    if (shared)
        see_file(path, SESSION);
    else
        see_session(path, SESSION);
    assert_int_equal(seen.files, 1);
    assert_int_equal(missing(1, n), lost);
    assert_int_equal(seen.lost, lost);
    assert_int_equal(seen.loss_records, 3);
    assert_int_equal(seen.error, ENOSPC);
    assert_int_equal(seen.twice + seen.order, 0);
    assert_in_range(seen.pieces, 1, 3); /* really partial writes */
    assert_int_equal(seen.last - seen.first + 1, 41);
    assert_int_equal(missing(seen.first, seen.last), 41);
}

static void test_no_space(void **state)
{
    (void)state;
    no_space(below("small/"), false);
}

static void test_no_space_shared(void **state)
{
    (void)state;
    no_space(below("small/all"), true);
}

static void test_no_space_stop(void **state)
{
    struct log *log = open_file_log(below("small/"), SINK_FAILURE_STOP);
    uint64_t n = 1;
    int r = 0;

    (void)state;
    close(make_filler(15));
    while (r == 0 && n < 1000)
        r = write_records(log, n, n), n++;
    assert_int_equal(r, -ENOSPC);
    log_close(log);
}

static struct log *shared_log;
static _Atomic uint64_t next_seq;
static _Atomic unsigned next_tid;

static void *write_many(void *arg)
{
    unsigned tid = atomic_fetch_add(&next_tid, 1);
    char text[300];

    (void)arg;
    for (unsigned i = 0; i < 400; i++) {
        uint64_t seq = atomic_fetch_add(&next_seq, 1) + 1;
        struct timespec pause = {0, 100000};

        make_record(text, sizeof(text), SESSION, tid, seq);
        (void)log_write(shared_log, LEVEL_LOW, seq, text, sizeof(text));
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Room comes and goes under four threads: what is missing is what was said to be lost. */
static void test_no_space_threads(void **state)
{
    const struct sink_config config = {.kind = SINK_FILE,
                                       .on_failure = SINK_FAILURE_COUNT,
                                       .level = LEVEL_INFORMATIONAL,
                                       .path = below("small/")};
    unsigned encoded = 0, failed;
    pthread_t threads[4];
    uint64_t lost;
    int filler;

    (void)state;
    (void)umount2(below("small"), MNT_DETACH);
    assert_int_equal(mount("tmpfs", below("small"), "tmpfs", 0, "size=1m"), 0);
    assert_int_equal(log_open(&config, 1, SESSION, encode_loss, &encoded, &shared_log, NULL), 0);
    filler = make_filler(255);
    /* After the first torn record every line begins with a newline; before it, a record of another
     * thread could come right behind the piece (docs/sinks.md). */
    while (log_lost(shared_log) == 0)
        write_records(shared_log, next_seq + 1, next_seq + 1), next_seq++;
    assert_int_equal(ftruncate(filler, 0), 0);
    (void)lseek(filler, 0, SEEK_SET);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, NULL), 0);
    for (unsigned i = 0; i < 20; i++) {
        struct timespec pause = {0, 3000000};

        (void)fallocate(filler, 0, 0, 256 * 4096); /* as much as there is */
        while (write(filler, "x", 1) == 1 && lseek(filler, 4095, SEEK_CUR) > 0)
            continue;
        (void)nanosleep(&pause, NULL);
        assert_int_equal(ftruncate(filler, 0), 0);
        (void)lseek(filler, 0, SEEK_SET);
        (void)nanosleep(&pause, NULL);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    close(filler);
    lost = log_lost(shared_log);
    log_close(shared_log);
    see_session(below("small/"), SESSION);
    /* Loss records for which there was no room either count as lost; they are not of our numbers.
     */
    failed = encoded - (unsigned)seen.loss_records;
    assert_true(lost > 0);
    assert_int_equal(missing(1, next_seq) + failed, lost);
    assert_int_equal(seen.lost, lost);
    assert_int_equal(seen.twice + seen.order, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_space, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_space_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_space_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_space_threads, setup, teardown),
    };
    char probe[] = "/tmp/spython-sinks-XXXXXX";
    int r;

    if (!mkdtemp(probe))
        return 1;
    r = mount("tmpfs", probe, "tmpfs", 0, "size=64k") < 0 ? errno : 0;
    if (r == 0)
        (void)umount2(probe, MNT_DETACH);
    (void)rmdir(probe);
    if (r != 0) {
        fprintf(stderr, "a small tmpfs cannot be mounted: %s\n", strerror(r));
        return must_work() ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
