/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads and many forks at once: every line whole, every thread's order kept. */
#include "sinks_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define PER_THREAD 20000
#define TOTAL ((uint64_t)THREADS * PER_THREAD)
#define FORKS 200

static int setup(void **state)
{
    (void)state;
    make_dir();
    (void)mkdir(below("log"), 0700);
    seen_clear();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_dir();
    return 0;
}

static struct log *shared_log;
static const char *shared_session = SESSION;
static _Atomic uint64_t next_seq;
static _Atomic unsigned next_tid;
static _Atomic bool stop;
static _Atomic unsigned running;

/* Odd sizes: some records are longer than a page. */
static void *write_many(void *arg)
{
    uint64_t count = *(const uint64_t *)arg;
    unsigned tid = atomic_fetch_add(&next_tid, 1) % 60;
    char text[6000];

    for (uint64_t i = 0; i < count && !atomic_load(&stop); i++) {
        uint64_t seq = atomic_fetch_add(&next_seq, 1) + 1;
        size_t size = i % 100 == 0 ? sizeof(text) : 150 + seq % 200;

        make_record(text, size, shared_session, tid, seq);
        if (log_write(shared_log, LEVEL_LOW, seq, text, size) < 0)
            break;
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void start_threads(pthread_t *threads, uint64_t *count)
{
    atomic_store(&next_seq, 0);
    atomic_store(&next_tid, 0);
    atomic_store(&stop, false);
    atomic_store(&running, THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, count), 0);
}

static void join_threads(pthread_t *threads)
{
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void parallel(const char *path, uint64_t rotate_size)
{
    const struct sink_config config = {
        .kind = SINK_FILE, .level = LEVEL_INFORMATIONAL, .path = path, .rotate_size = rotate_size};
    uint64_t count = PER_THREAD;
    pthread_t threads[THREADS];

    assert_int_equal(log_open(&config, 1, SESSION, encode_loss, NULL, &shared_log, NULL), 0);
    start_threads(threads, &count);
    join_threads(threads);
    assert_int_equal(log_lost(shared_log), 0);
    log_close(shared_log);
}

static void assert_all(void)
{
    assert_int_equal(seen.records, TOTAL);
    assert_int_equal(missing(1, TOTAL), 0);
    assert_int_equal(seen.pieces + seen.twice + seen.order + seen.loss_records, 0);
}

static void test_threads(void **state)
{
    (void)state;
    parallel(below("log/"), 0);
    see_session(below("log/"), SESSION);
    assert_int_equal(seen.files, 1);
    assert_all();
}

static void test_threads_shared(void **state)
{
    (void)state;
    parallel(below("log/all"), 0);
    see_file(below("log/all"), SESSION);
    assert_all();
}

static void test_threads_rotation(void **state)
{
    (void)state;
    parallel(below("log/"), 300000);
    see_session(below("log/"), SESSION);
    assert_in_range(seen.files, 100, 500);
    assert_all();
}

static void pause_ms(long ms)
{
    struct timespec ts = {0, ms * 1000000};

    (void)nanosleep(&ts, NULL);
}

/* While 8 threads write, the descriptor is closed again and again, and right behind it the program
 * opens files of its own, which must not get a single byte. */
static void test_threads_and_closing(void **state)
{
    uint64_t count = PER_THREAD;
    pthread_t threads[THREADS];
    unsigned closed = 0;
    struct stat st;

    (void)state;
    shared_log = open_file_log(below("log/"), SINK_FAILURE_STOP);
    start_threads(threads, &count);
    while (atomic_load(&running) > 0) {
        int fd = find_fd(below("log/spython-"));

        if (fd >= 200 && syscall(SYS_close, fd) == 0) { /* unseen by the thread sanitizer */
            int own = open(below("own"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

            closed++;
            pause_ms(2);
            close(own);
        }
        pause_ms(5);
    }
    join_threads(threads);
    assert_true(closed > 5);
    assert_int_equal(log_lost(shared_log), 0);
    log_close(shared_log);
    assert_int_equal(stat(below("own"), &st), 0);
    assert_int_equal(st.st_size, 0);
    see_session(below("log/"), SESSION);
    assert_int_equal(missing(1, TOTAL), 0);
    assert_int_equal(seen.pieces + seen.order + seen.twice, 0);
}

/* While 8 threads write, files are renamed away: all records are in one file or another. */
static void test_threads_and_renaming(void **state)
{
    uint64_t count = PER_THREAD;
    pthread_t threads[THREADS];
    unsigned moved = 0;

    (void)state;
    shared_log = open_file_log(below("log/all"), SINK_FAILURE_STOP);
    start_threads(threads, &count);
    while (atomic_load(&running) > 0) {
        char name[32];

        (void)snprintf(name, sizeof(name), "old.%u", moved);
        moved += rename(below("log/all"), below(name)) == 0;
        pause_ms(5);
    }
    join_threads(threads);
    assert_int_equal(log_lost(shared_log), 0);
    log_close(shared_log);
    for (unsigned i = 0; i < moved; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "old.%u", i);
        see_file(below(name), SESSION);
    }
    if (access(below("log/all"), F_OK) == 0)
        see_file(below("log/all"), SESSION);
    assert_in_range(seen.files, 5, 100000);
    assert_int_equal(missing(1, TOTAL), 0);
    assert_int_equal(seen.pieces + seen.twice, 0);
}

/* Returns how many records went astray; 0 if dup2() happened to come just before a check. */
static uint64_t replace_once(void)
{
    uint64_t count = PER_THREAD, stray, lost;
    pthread_t threads[THREADS];
    int fd, foreign = open(below("foreign"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    shared_log = open_file_log(below("log/"), SINK_FAILURE_COUNT);
    start_threads(threads, &count);
    pause_ms(20);
    fd = find_fd(below("log/spython-"));
    assert_int_equal(syscall(SYS_dup3, foreign, fd, O_CLOEXEC), fd);
    join_threads(threads);
    close(fd);
    close(foreign);
    lost = log_lost(shared_log);
    log_close(shared_log); /* may find more, if there was no check after dup3 */
    seen_clear();
    see_file(below("foreign"), SESSION);
    stray = seen.records;
    assert_in_range(stray, 0, INTERVAL + THREADS);
    seen_clear();
    see_session(below("log/"), SESSION);
    assert_true(seen.lost >= lost);
    lost = seen.lost;
    assert_int_equal(missing(1, TOTAL), lost);
    assert_true(stray == lost || stray == lost + 1); /* the last one was given again */
    assert_int_equal(seen.pieces, 0);
    assert_in_range(seen.twice, 0, 1); /* the one that found out */
    return stray;
}

/* While 8 threads write, the program puts a file of its own over our number. What is lost is
 * exactly what it got. */
static void test_threads_and_replacing(void **state)
{
    for (unsigned i = 0; i < 20; i++) {
        if (replace_once() > 0)
            return;
        (void)teardown(state);
        (void)setup(state);
    }
    fail();
}

static void child_name(char *out, unsigned i)
{
    (void)snprintf(out, 17, "%016x", 0xabc000u + i);
}

#define LEAKED 2

/* In the child of a fork: only async-signal-safe things, and what is under test. */
static int child(unsigned i, bool shared)
{
    char session[17], text[300];
    int result = 0;

    child_name(session, i);
    log_after_fork(shared_log, session);
    if (!shared && find_fd(below("log/spython-")) >= 0)
        result = LEAKED; /* the parent's descriptor */
    for (uint64_t seq = 1; seq <= 50; seq++) {
        make_record(text, sizeof(text), session, 1, seq);
        if (log_write(shared_log, LEVEL_LOW, seq, text, sizeof(text)) < 0)
            return 3;
    }
    return log_lost(shared_log) > 0 ? 4 : result;
}

/* 200 children of a process in which 8 threads write and change files all the time. */
static void forks(const char *path, bool shared, uint64_t rotate_size)
{
    const struct sink_config config = {
        .kind = SINK_FILE, .level = LEVEL_INFORMATIONAL, .path = path, .rotate_size = rotate_size};
    uint64_t count = 1u << 30;
    pthread_t threads[THREADS];
    pid_t pids[FORKS];
    unsigned leaked = 0;

    assert_int_equal(log_open(&config, 1, SESSION, encode_loss, NULL, &shared_log, NULL), 0);
    start_threads(threads, &count);
    for (unsigned i = 0; i < FORKS; i++) {
        log_before_fork(shared_log);
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(child(i, shared));
        log_after_fork_parent(shared_log);
        assert_true(pids[i] >= 0);
        if (atomic_load(&next_seq) > SEQ_MAX / 2)
            atomic_store(&stop, true);
    }
    atomic_store(&stop, true);
    join_threads(threads);
    for (unsigned i = 0; i < FORKS; i++) {
        int status;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        leaked += WIFEXITED(status) && WEXITSTATUS(status) == LEAKED;
        assert_true(WIFEXITED(status) && (WEXITSTATUS(status) & ~LEAKED) == 0);
    }
    assert_int_equal(leaked, 0);
    assert_int_equal(log_lost(shared_log), 0);
    log_close(shared_log);
}

static void forks_in_directory(uint64_t rotate_size)
{
    forks(below("log/"), false, rotate_size);
    see_session(below("log/"), SESSION);
    assert_int_equal(missing(1, atomic_load(&next_seq)), 0);
    assert_int_equal(seen.pieces + seen.twice, 0);
    for (unsigned i = 0; i < FORKS; i++) {
        char session[17];

        child_name(session, i);
        seen_clear();
        see_session(below("log/"), session);
        assert_int_equal(seen.files, 1);
        assert_int_equal(seen.records, 50);
        assert_int_equal(seen.pieces + seen.order, 0);
    }
}

static void test_forks(void **state)
{
    (void)state;
    forks_in_directory(0);
}

static void test_forks_and_rotation(void **state)
{
    (void)state;
    forks_in_directory(100000);
}

static void test_forks_shared(void **state)
{
    (void)state;
    forks(below("log/all"), true, 0);
    see_file(below("log/all"), SESSION);
    assert_int_equal(missing(1, atomic_load(&next_seq)), 0);
    for (unsigned i = 0; i < FORKS; i += 10) {
        char session[17];

        child_name(session, i);
        seen_clear();
        see_file(below("log/all"), session);
        assert_int_equal(seen.records, 50);
        assert_int_equal(seen.pieces + seen.order, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_and_closing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_and_renaming, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_and_replacing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forks_and_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forks_shared, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
