/* SPDX-License-Identifier: Apache-2.0 */
/* The router: levels, failure modes, accounts, and the stderr and null sinks behind it. */
#include "sinks_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)dprintf(report_fd, "%s:%d: %s\n", __FILE__, __LINE__, #condition);               \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int report_fd = 2; /* where a child whose stderr is under test complains */

static int setup(void **state)
{
    (void)state;
    make_dir();
    seen_clear();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_dir();
    return 0;
}

static void test_levels(void **state)
{
    const struct sink_config configs[3] = {
        {.kind = SINK_FILE, .level = LEVEL_INFORMATIONAL, .path = below("all")},
        {.kind = SINK_FILE, .level = LEVEL_MEDIUM, .path = below("medium")},
        {.kind = SINK_NULL, .level = LEVEL_CRITICAL},
    };
    struct log *log;
    char text[300];

    (void)state;
    assert_int_equal(log_open(configs, 3, SESSION, encode_loss, NULL, &log, NULL), 0);
    for (unsigned level = 0; level < LEVEL_MAX; level++) {
        make_record(text, sizeof(text), SESSION, 1, level);
        assert_int_equal(log_write(log, (enum level)level, level, text, sizeof(text)), 0);
    }
    assert_int_equal(log_lost(log), 0);
    log_close(log);
    see_file(below("all"), SESSION);
    assert_int_equal(seen.records, LEVEL_MAX);
    seen_clear();
    see_file(below("medium"), SESSION);
    assert_int_equal(seen.records, 3);
    assert_int_equal(missing(LEVEL_CRITICAL, LEVEL_MEDIUM), 0);
}

static void test_bad_arguments(void **state)
{
    struct sink_config configs[LOG_MAX_SINKS + 1] = {{.kind = SINK_NULL}};
    struct err err = ERR_INIT;
    struct log *log = NULL;

    (void)state;
    assert_int_equal(log_open(configs, LOG_MAX_SINKS + 1, SESSION, NULL, NULL, &log, &err), -E2BIG);
    configs[0].kind = SINK_KIND_MAX;
    assert_int_equal(log_open(configs, 1, SESSION, NULL, NULL, &log, &err), -EINVAL);
    configs[0].kind = SINK_FILE;
    configs[0].path = below("none/x");
    assert_int_equal(log_open(configs, 1, SESSION, NULL, NULL, &log, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "sink 'file': "));
    assert_null(log);
    assert_int_equal(log_open(NULL, 0, SESSION, NULL, NULL, &log, &err), 0);
    assert_int_equal(log_write(log, LEVEL_CRITICAL, 1, "{}\n", 3), 0);
    log_close(log);
    log_close(NULL);
    for (unsigned kind = 0; kind < SINK_KIND_MAX; kind++)
        assert_non_null(sink_ops_of((enum sink_kind)kind)->name);
}

static void sleep_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&ts, &ts) < 0)
        continue;
}

/* A sink that could not be opened: counted, tried again after a second, and told. */
static void test_closed_sink(void **state)
{
    const struct sink_config configs[2] = {
        {.kind = SINK_FILE,
         .on_failure = SINK_FAILURE_COUNT,
         .level = LEVEL_INFORMATIONAL,
         .path = below("later/")},
        {.kind = SINK_FILE, .level = LEVEL_INFORMATIONAL, .path = below("works")},
    };
    unsigned encoded = 0;
    struct log *log;

    (void)state;
    assert_int_equal(log_open(configs, 2, SESSION, encode_loss, &encoded, &log, NULL), 0);
    errno = 4711;
    assert_int_equal(write_records(log, 1, 10), 0);
    assert_int_equal(errno, 4711);
    assert_int_equal(log_lost(log), 10);
    assert_int_equal(mkdir(below("later"), 0700), 0);
    assert_int_equal(write_records(log, 11, 20), 0);
    assert_int_equal(log_lost(log), 20); /* not tried again so soon */
    assert_int_equal(rmdir(below("later")), 0);
    sleep_ms(2100);
    errno = 4711;
    assert_int_equal(write_records(log, 21, 21), 0); /* tried in vain */
    assert_int_equal(errno, 4711);
    assert_int_equal(mkdir(below("later"), 0700), 0);
    sleep_ms(2100);
    assert_int_equal(write_records(log, 22, 30), 0);
    assert_int_equal(log_lost(log), 21);
    assert_int_equal(encoded, 1);
    log_close(log);
    see_file(below("works"), SESSION);
    assert_int_equal(seen.records, 30);
    seen_clear();
    see_session(below("later/"), SESSION);
    assert_int_equal(missing(1, 30), 21);
    assert_int_equal(missing(22, 30), 0);
    assert_int_equal(seen.lost, 21);
    assert_int_equal(seen.first, 1);
    assert_int_equal(seen.last, 21);
    assert_int_equal(seen.error, ENOENT);
}

/* What is still open at the end is told then. */
static void test_told_at_close(void **state)
{
    const struct sink_config config = {.kind = SINK_FILE,
                                       .on_failure = SINK_FAILURE_COUNT,
                                       .level = LEVEL_INFORMATIONAL,
                                       .path = below("later/")};
    struct log *log;

    (void)state;
    assert_int_equal(log_open(&config, 1, SESSION, encode_loss, NULL, &log, NULL), 0);
    assert_int_equal(write_records(log, 1, 10), 0);
    assert_int_equal(mkdir(below("later"), 0700), 0);
    log_close(log);
    see_session(below("later/"), SESSION);
    assert_int_equal(seen.lost, 10);
    assert_int_equal(seen.records, 0);
}

static void test_after_fork_counts_anew(void **state)
{
    const struct sink_config config = {.kind = SINK_FILE,
                                       .on_failure = SINK_FAILURE_COUNT,
                                       .level = LEVEL_INFORMATIONAL,
                                       .path = below("later/")};
    struct log *log;

    (void)state;
    assert_int_equal(log_open(&config, 1, SESSION, encode_loss, NULL, &log, NULL), 0);
    assert_int_equal(write_records(log, 1, 10), 0);
    assert_int_equal(mkdir(below("later"), 0700), 0);
    log_after_fork(log, OTHER_SESSION);
    assert_int_equal(log_lost(log), 0);
    assert_int_equal(write_records(log, 11, 20), 0);
    assert_int_equal(log_lost(log), 0);
    log_close(log);
    see_session(below("later/"), OTHER_SESSION);
    assert_int_equal(seen.files, 1);
    assert_int_equal(seen.loss_records, 0);
}

/* --- stderr: always in a child, because descriptor 2 is the thing under test. --- */

static struct log *open_stderr_log(enum sink_failure on_failure)
{
    const struct sink_config config = {
        .kind = SINK_STDERR, .on_failure = on_failure, .level = LEVEL_INFORMATIONAL};
    struct log *log = NULL;

    return log_open(&config, 1, SESSION, encode_loss, NULL, &log, NULL) == 0 ? log : NULL;
}

static int run_child(int (*body)(int fd), int fd)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        report_fd = fcntl(2, F_DUPFD_CLOEXEC, 500);
        (void)signal(SIGPIPE, SIG_DFL);
        if (fd >= 0)
            (void)dup2(fd, 2);
        _exit(body(fd));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int body_plain(int fd)
{
    struct log *log = open_stderr_log(SINK_FAILURE_STOP);

    REQUIRE(log);
    close(2);
    REQUIRE(open("/dev/null", O_WRONLY | O_CLOEXEC) == 2 || fd == 2);
    REQUIRE(write_records(log, 1, 600) == 0); /* to what 2 was at the start */
    close(find_fd(below("err")));             /* now there is no way back to it */
    REQUIRE(write_records(log, 601, 700) == -EBADF);
    log_close(log);
    return 0;
}

static int body_closed(int fd)
{
    struct log *log = open_stderr_log(SINK_FAILURE_STOP);

    REQUIRE(log);
    REQUIRE(write_records(log, 1, 100) == 0);
    for (fd = 3; fd < 400; fd++)
        (void)close(fd);
    REQUIRE(write_records(log, 101, 600) == 0); /* 2 is still what it was */
    REQUIRE(log_lost(log) == 0);
    log_close(log);
    return 0;
}

static void test_stderr(void **state)
{
    int fd = open(below("err"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    (void)state;
    assert_int_equal(run_child(body_closed, fd), 0);
    see_file(below("err"), SESSION);
    assert_int_equal(seen.records, 600);
    assert_int_equal(ftruncate(fd, 0), 0);
    seen_clear();
    close(fd);
    fd = open(below("err"), O_RDWR | O_CREAT | O_APPEND, 0600);
    assert_int_equal(run_child(body_plain, fd), 0);
    see_file(below("err"), SESSION);
    close(fd);
    assert_int_equal(seen.records, 600);
}

static int body_replaced(int fd)
{
    struct log *log = open_stderr_log(SINK_FAILURE_COUNT);
    int foreign = open(below("foreign"), O_RDWR | O_CREAT | O_CLOEXEC, 0600), high;

    (void)close(fd);
    high = find_fd(below("err"));
    REQUIRE(high >= 200);
    REQUIRE(write_records(log, 1, 300) == 0);
    REQUIRE(dup2(foreign, high) == high);
    REQUIRE(write_records(log, 301, 1000) == 0);
    REQUIRE(log_lost(log) > 0 && log_lost(log) <= INTERVAL);
    log_close(log);
    return 0;
}

static void test_stderr_replaced(void **state)
{
    int fd = open(below("err"), O_RDWR | O_CREAT | O_APPEND, 0600);
    uint64_t stray;

    (void)state;
    assert_int_equal(run_child(body_replaced, fd), 0);
    close(fd);
    see_file(below("foreign"), SESSION);
    stray = seen.records;
    assert_in_range(stray, 1, INTERVAL);
    seen_clear();
    see_file(below("err"), SESSION);
    assert_int_equal(missing(1, 1000), stray);
    assert_int_equal(missing(seen.first, seen.last), stray);
    assert_int_equal(seen.loss_records, 1);
    assert_in_range(seen.lost, stray, INTERVAL); /* an upper bound: nobody can read a terminal */
}

static int control_broken_pipe(int fd)
{
    (void)!write(fd, "x", 1);
    return 0;
}

static int body_broken_pipe(int fd)
{
    struct log *log = open_stderr_log(SINK_FAILURE_COUNT);
    sigset_t waiting;

    (void)fd;
    REQUIRE(log);
    REQUIRE(write_records(log, 1, 10) == 0);
    REQUIRE(log_lost(log) == 10);
    sigpending(&waiting);
    REQUIRE(!sigismember(&waiting, SIGPIPE));
    log_close(log);
    log = open_stderr_log(SINK_FAILURE_STOP);
    REQUIRE(write_records(log, 1, 1) == -EPIPE);
    log_close(log);
    return 0;
}

static void test_stderr_broken_pipe(void **state)
{
    int ends[2], status;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    status = run_child(control_broken_pipe, ends[1]);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    assert_int_equal(run_child(body_broken_pipe, ends[1]), 0);
    close(ends[1]);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[0]);
    status = run_child(control_broken_pipe, ends[1]);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    assert_int_equal(run_child(body_broken_pipe, ends[1]), 0);
    close(ends[1]);
}

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int full_reader; /* reading end of the pipe or socket under test */

static void drain(const char *path)
{
    int out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct pollfd p = {.fd = full_reader, .events = POLLIN};
    char block[4096];

    while (poll(&p, 1, 0) == 1) {
        ssize_t n = read(full_reader, block, sizeof(block));

        if (n <= 0)
            break;
        (void)!write(out, block, (size_t)n);
    }
    close(out);
}

/* Nobody reads: one record waits for a second, those after it do not; then somebody reads. */
static int body_full(int fd)
{
    struct log *log = open_stderr_log(SINK_FAILURE_COUNT);
    uint64_t n = 0, lost, start;
    int flags = fcntl(2, F_GETFL);

    (void)fd;
    REQUIRE(log);
    start = now_ms();
    while (log_lost(log) == 0 && n < 5000)
        write_records(log, n + 1, n + 1), n++;
    REQUIRE(log_lost(log) == 1);
    REQUIRE(now_ms() - start >= 900 && now_ms() - start < 3000);
    start = now_ms();
    write_records(log, n + 1, n + 50);
    n += 50;
    REQUIRE(now_ms() - start < 900);
    lost = log_lost(log);
    REQUIRE(lost == 51);
    drain(below("read"));
    write_records(log, n + 1, n + 10);
    n += 10;
    REQUIRE(log_lost(log) == lost);
    REQUIRE(fcntl(2, F_GETFL) == flags); /* it is the program's: left as it was */
    log_close(log);
    drain(below("read"));
    (void)seen_clear();
    see_file(below("read"), SESSION);
    REQUIRE(missing(1, n) == lost);
    REQUIRE(seen.lost == lost && seen.loss_records == 1);
    REQUIRE(seen.error == EAGAIN);
    REQUIRE(missing(seen.first, seen.last) == lost);
    REQUIRE(seen.last - seen.first + 1 == lost);
    return 0;
}

static void full(int reader, int writer)
{
    full_reader = reader;
    assert_int_equal(run_child(body_full, writer), 0);
    close(reader);
    close(writer);
    (void)unlink(below("read"));
}

static void test_stderr_full(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    full(ends[0], ends[1]);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    full(ends[0], ends[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    full(ends[0], ends[1]);
}

#define LONG_RECORDS 200

/* Records of 20000 bytes through a pipe of one page with a slow reader, from two threads. */
static void *write_long(void *arg)
{
    static _Atomic unsigned threads;
    struct log *log = arg;
    unsigned tid = ++threads;
    char *text = malloc(20000);

    for (uint64_t i = 0; text && i < LONG_RECORDS; i++) {
        uint64_t seq = i * 2 + tid;

        make_record(text, 20000, SESSION, tid, seq);
        (void)log_write(log, LEVEL_LOW, seq, text, 20000);
    }
    free(text);
    return NULL;
}

static int body_long(int fd)
{
    struct log *log = open_stderr_log(SINK_FAILURE_STOP);
    pthread_t threads[2];

    (void)fd;
    for (unsigned i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, write_long, log) == 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    REQUIRE(log_lost(log) == 0);
    log_close(log);
    return 0;
}

static void *slow_reader(void *arg)
{
    int out = open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char block[1777];
    ssize_t n;

    while ((n = read(full_reader, block, sizeof(block))) > 0)
        (void)!write(out, block, (size_t)n);
    close(out);
    return NULL;
}

static void test_stderr_long_records(void **state)
{
    char path[256];
    pthread_t reader;
    int ends[2];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s", below("read"));
    for (unsigned nonblock = 0; nonblock < 2; nonblock++) {
        assert_int_equal(pipe2(ends, O_CLOEXEC | (nonblock ? O_NONBLOCK : 0)), 0);
        assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
        assert_int_equal(fcntl(ends[0], F_SETFL, 0), 0);
        full_reader = ends[0];
        assert_int_equal(pthread_create(&reader, NULL, slow_reader, path), 0);
        assert_int_equal(run_child(body_long, ends[1]), 0);
        close(ends[1]);
        pthread_join(reader, NULL);
        close(ends[0]);
        seen_clear();
        see_file(path, SESSION);
        assert_int_equal(seen.records, 2 * LONG_RECORDS);
        assert_int_equal(seen.pieces + seen.twice + seen.order, 0);
        (void)unlink(path);
    }
}

/* ENOSPC without any mount. */
static int body_no_space(int fd)
{
    struct log *log = open_stderr_log(SINK_FAILURE_COUNT);
    unsigned encoded = 0;

    (void)fd;
    REQUIRE(log);
    errno = 4711;
    REQUIRE(write_records(log, 1, 100) == 0);
    REQUIRE(errno == 4711);
    REQUIRE(log_lost(log) == 100);
    REQUIRE(encoded == 0);
    log_close(log);
    log = open_stderr_log(SINK_FAILURE_STOP);
    REQUIRE(write_records(log, 1, 1) == -ENOSPC);
    log_close(log);
    return 0;
}

static void test_stderr_no_space(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(run_child(body_no_space, fd), 0);
    close(fd);
}

static int body_closed_at_start(int fd)
{
    (void)fd;
    close(2);
    REQUIRE(open_stderr_log(SINK_FAILURE_STOP) == NULL);
    return 0;
}

static void test_stderr_closed_at_start(void **state)
{
    (void)state;
    assert_int_equal(run_child(body_closed_at_start, -1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_sink, setup, teardown),
        cmocka_unit_test_setup_teardown(test_told_at_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_after_fork_counts_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stderr, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stderr_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stderr_broken_pipe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stderr_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stderr_long_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stderr_no_space, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stderr_closed_at_start, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
