/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file sink when its descriptor or its file is taken away: each fault is really produced. The
 * account must be exact: what is not in the files is in the loss records, and nothing else.
 */
#include "sinks_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static const char *own_file(char *out, size_t cap)
{
    char link[64];
    ssize_t len;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", find_fd(below("log/spython-")));
    len = readlink(link, out, cap - 1);
    assert_true(len > 0);
    out[len] = '\0';
    return out;
}

static void assert_account(uint64_t total, uint64_t lost)
{
    assert_int_equal(missing(1, total), lost);
    assert_int_equal(seen.lost, lost);
    assert_int_equal(seen.records, total - lost);
    assert_int_equal(seen.twice + seen.order, 0);
    if (lost > 0) {
        assert_int_equal(seen.last - seen.first + 1, lost);
        assert_int_equal(missing(seen.first, seen.last), lost);
    }
}

static void test_closed_descriptor(void **state)
{
    struct log *log = open_file_log(below("log/"), SINK_FAILURE_STOP);
    int fd = find_fd(below("log/spython-"));

    (void)state;
    assert_int_equal(write_records(log, 1, 100), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(write(fd, "x", 1), -1); /* control */
    assert_int_equal(write_records(log, 101, 1000), 0);
    assert_int_equal(log_lost(log), 0);
    log_close(log);
    see_session(below("log/"), SESSION);
    assert_int_equal(seen.files, 2);
    assert_account(1000, 0);
}

/* All descriptors, as daemonizers do: the directory's one as well. */
static void test_closed_descriptors(void **state)
{
    struct log *log = open_file_log(below("log/"), SINK_FAILURE_STOP);
    unsigned before = 0;

    (void)state;
    assert_int_equal(write_records(log, 1, 100), 0);
    for (uint64_t i = 1; i < 10; i++) {
        for (int fd = 3; fd < 1024; fd++)
            (void)close(fd);
        assert_int_equal(write_records(log, i * 100 + 1, i * 100 + 100), 0);
        assert_true(before == 0 || count_fds() == before);
        before = count_fds();
    }
    assert_int_equal(log_lost(log), 0);
    log_close(log);
    see_session(below("log/"), SESSION);
    assert_account(1000, 0);
}

static uint64_t foreign_records(void)
{
    uint64_t n;

    see_file(below("foreign"), SESSION);
    n = seen.records;
    seen_clear();
    return n;
}

/* The program dups its own file over our number. Until the next check our records go there. */
static void replaced_descriptor(const char *path, bool with_others)
{
    struct log *log = open_file_log(path, SINK_FAILURE_COUNT), *other = NULL;
    int fd = find_fd(with_others ? path : below("log/spython-"));
    int foreign = open(below("foreign"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat st, ours;
    uint64_t stray;

    assert_int_equal(write_records(log, 1, 300), 0);
    if (with_others) {
        char text[300];

        other = open_session_log(path, SINK_FAILURE_STOP, OTHER_SESSION);
        for (uint64_t seq = 1; seq <= 200; seq++) {
            make_record(text, sizeof(text), OTHER_SESSION, 1, seq);
            assert_int_equal(log_write(other, LEVEL_LOW, seq, text, sizeof(text)), 0);
        }
    }
    assert_int_equal(dup2(foreign, fd), fd);
    assert_int_equal(write_records(log, 301, 1000), 0);
    /* The number is the program's now: it must have been left alone. */
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(fstat(foreign, &ours), 0);
    assert_int_equal(st.st_ino, ours.st_ino);
    stray = foreign_records();
    assert_in_range(stray, 1, INTERVAL); /* not 0: dup2 took effect */
    stray--;                             /* the last one was given again */
    assert_int_equal(log_lost(log), stray);
    log_close(log);
    if (with_others) {
        log_close(other);
        see_file(path, SESSION);
    } else {
        see_session(path, SESSION);
        assert_int_equal(seen.files, 2);
    }
    assert_account(1000, stray);
    assert_int_equal(seen.loss_records, 1);
    assert_int_equal(seen.error, ESTALE);
    close(fd);
    close(foreign);
}

static void test_replaced_descriptor(void **state)
{
    (void)state;
    replaced_descriptor(below("log/"), false);
}

static void test_replaced_descriptor_shared(void **state)
{
    (void)state;
    replaced_descriptor(below("log/all.jsonl"), true);
}

/* The program ends before the next look: the last one is at the end. */
static void test_replaced_descriptor_at_end(void **state)
{
    struct log *log = open_file_log(below("log/"), SINK_FAILURE_COUNT);
    int fd = find_fd(below("log/spython-"));
    int foreign = open(below("foreign"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_int_equal(write_records(log, 1, 20), 0);
    assert_int_equal(dup2(foreign, fd), fd);
    assert_int_equal(write_records(log, 21, 50), 0);
    assert_int_equal(log_lost(log), 0);
    log_close(log);
    assert_int_equal(foreign_records(), 30);
    see_session(below("log/"), SESSION);
    assert_account(50, 30);
    close(fd);
    close(foreign);
}

static void test_replaced_descriptor_stop(void **state)
{
    struct log *log = open_file_log(below("log/"), SINK_FAILURE_STOP);
    int fd = find_fd(below("log/spython-"));
    int foreign = open(below("foreign"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_int_equal(write_records(log, 1, 10), 0);
    assert_int_equal(dup2(foreign, fd), fd);
    assert_int_equal(write_records(log, 11, INTERVAL - 1), 0);
    assert_int_equal(write_records(log, INTERVAL, INTERVAL), -ESTALE);
    log_close(log);
    see_session(below("log/"), SESSION);
    assert_int_equal(seen.lost, INTERVAL - 11);
    assert_account(INTERVAL, INTERVAL - 11);
    close(fd);
    close(foreign);
}

/* A descriptor that cannot be written: found at once, nothing is lost. */
static void test_replaced_by_unwritable(void **state)
{
    struct log *log = open_file_log(below("log/"), SINK_FAILURE_STOP);
    int fd = find_fd(below("log/spython-"));
    int foreign = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(write_records(log, 1, 100), 0);
    assert_int_equal(dup2(foreign, fd), fd);
    assert_int_equal(write_records(log, 101, 1000), 0);
    log_close(log);
    see_session(below("log/"), SESSION);
    assert_account(1000, 0);
    close(fd);
    close(foreign);
}

/* O_APPEND taken away and the position moved: overwrites at most until the next check. */
static void test_append_taken_away(void **state)
{
    struct log *log = open_file_log(below("log/"), SINK_FAILURE_STOP);
    int fd = find_fd(below("log/spython-"));

    (void)state;
    assert_int_equal(write_records(log, 1, 300), 0);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(write_records(log, 301, 1000), 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
    log_close(log);
    see_session(below("log/"), SESSION);
    assert_int_equal(missing(513, 1000), 0);
    assert_in_range(missing(1, 300), 1, INTERVAL); /* control: it was possible */
}

/* Records that were in place at a check and were deleted with the file later are not lost by us;
 * those since the check are saved into the next file. */
static void test_deleted_file(void **state)
{
    struct log *log = open_file_log(below("log/"), SINK_FAILURE_STOP);
    char path[256];

    (void)state;
    assert_int_equal(write_records(log, 1, 300), 0);
    assert_int_equal(unlink(own_file(path, sizeof(path))), 0);
    assert_int_equal(write_records(log, 301, 1000), 0);
    assert_int_equal(log_lost(log), 0);
    log_close(log);
    see_session(below("log/"), SESSION);
    assert_int_equal(missing(1, INTERVAL), INTERVAL); /* control: the file is gone */
    assert_int_equal(missing(INTERVAL + 1, 1000), 0);
    assert_int_equal(seen.twice + seen.order + seen.pieces, 0);
}

/* The same with a shared file: each session saves its own records and no others. */
static void test_deleted_file_shared(void **state)
{
    struct log *one = open_file_log(below("log/all"), SINK_FAILURE_STOP);
    struct log *two = open_session_log(below("log/all"), SINK_FAILURE_STOP, OTHER_SESSION);
    char text[300];

    (void)state;
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        if (seq == 301)
            assert_int_equal(unlink(below("log/all")), 0);
        assert_int_equal(write_records(one, seq, seq), 0);
        make_record(text, sizeof(text), OTHER_SESSION, 1, seq);
        assert_int_equal(log_write(two, LEVEL_LOW, seq, text, sizeof(text)), 0);
    }
    assert_int_equal(log_lost(one) + log_lost(two), 0);
    log_close(one);
    log_close(two);
    for (unsigned i = 0; i < 2; i++) {
        seen_clear();
        see_file(below("log/all"), i ? SESSION : OTHER_SESSION);
        assert_int_equal(missing(1, INTERVAL), INTERVAL);
        assert_int_equal(missing(INTERVAL + 1, 1000), 0);
        assert_int_equal(seen.twice + seen.order + seen.pieces, 0);
    }
}

/* The whole directory: nothing can be saved until it is made again. */
static void test_deleted_directory(void **state)
{
    struct log *log = open_file_log(below("log/"), SINK_FAILURE_COUNT);
    char path[256];

    (void)state;
    assert_int_equal(write_records(log, 1, 300), 0);
    assert_int_equal(unlink(own_file(path, sizeof(path))), 0);
    assert_int_equal(rmdir(below("log")), 0);
    assert_int_equal(write_records(log, 301, 700), 0);
    assert_int_equal(log_lost(log), 700 - INTERVAL);
    assert_int_equal(mkdir(below("log"), 0700), 0);
    assert_int_equal(write_records(log, 701, 1000), 0);
    assert_int_equal(log_lost(log), 700 - INTERVAL);
    log_close(log);
    see_session(below("log/"), SESSION);
    assert_int_equal(missing(701, 1000), 0);
    assert_int_equal(missing(1, 700), 700);
    assert_int_equal(seen.loss_records, 1);
    assert_int_equal(seen.lost, 700 - INTERVAL);
    assert_int_equal(seen.first, INTERVAL + 1);
    assert_int_equal(seen.last, 700);
    assert_int_equal(seen.error, ENOENT);
}

static void test_renamed_file(void **state)
{
    struct log *log = open_file_log(below("log/"), SINK_FAILURE_STOP);
    char path[256];

    (void)state;
    assert_int_equal(write_records(log, 1, 300), 0);
    assert_int_equal(rename(own_file(path, sizeof(path)), below("moved")), 0);
    assert_int_equal(write_records(log, 301, 1000), 0);
    log_close(log);
    see_file(below("moved"), SESSION);
    assert_int_equal(seen.records, 512);
    see_session(below("log/"), SESSION);
    assert_int_equal(seen.files, 2);
    assert_account(1000, 0);
}

/* As logrotate does it: another file with the same name. */
static void test_renamed_file_shared(void **state)
{
    struct log *log = open_file_log(below("log/all"), SINK_FAILURE_STOP);

    (void)state;
    assert_int_equal(write_records(log, 1, 300), 0);
    assert_int_equal(rename(below("log/all"), below("log/all.1")), 0);
    close(open(below("log/all"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(write_records(log, 301, 1000), 0);
    log_close(log);
    see_file(below("log/all.1"), SESSION);
    assert_int_equal(seen.records, 512);
    see_file(below("log/all"), SESSION);
    assert_account(1000, 0);
}

/* Moved where no other file can be made: what is open is still better than nothing. */
static void test_renamed_and_no_other(void **state)
{
    struct log *log = open_file_log(below("log/all"), SINK_FAILURE_STOP);

    (void)state;
    assert_int_equal(write_records(log, 1, 300), 0);
    assert_int_equal(rename(below("log/all"), below("moved")), 0);
    assert_int_equal(symlink(below("victim"), below("log/all")), 0);
    assert_int_equal(write_records(log, 301, 2000), 0);
    assert_int_equal(log_lost(log), 0);
    log_close(log);
    assert_int_equal(access(below("victim"), F_OK), -1);
    see_file(below("moved"), SESSION);
    assert_account(2000, 0);
}

static int run_child(int (*body)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void limit_size(rlim_t size)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    (void)signal(SIGXFSZ, SIG_DFL);
}

static int control_limit(void)
{
    int fd = open(below("control"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char text[300] = "";

    limit_size(1000);
    for (unsigned i = 0; i < 10; i++)
        (void)!write(fd, text, sizeof(text));
    return 1;
}

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static const char *limit_path;

/* 4000 bytes are 13 records of 300 and a piece. The 14th record and all after it are lost until
 * the limit goes away. A SIGXFSZ that was waiting before is still waiting afterwards. */
static int body_limit(void)
{
    sigset_t xfsz, now;
    struct log *log;

    limit_size(4000);
    log = open_file_log(limit_path, SINK_FAILURE_COUNT);
    REQUIRE(write_records(log, 1, 50) == 0);
    sigemptyset(&xfsz);
    sigaddset(&xfsz, SIGXFSZ);
    sigprocmask(SIG_BLOCK, &xfsz, NULL);
    raise(SIGXFSZ);
    REQUIRE(write_records(log, 51, 60) == 0);
    sigpending(&now);
    REQUIRE(sigismember(&now, SIGXFSZ));
    signal(SIGXFSZ, SIG_IGN);
    sigpending(&now);
    REQUIRE(!sigismember(&now, SIGXFSZ));
    REQUIRE(write_records(log, 61, 70) == 0);
    sigpending(&now);
    REQUIRE(!sigismember(&now, SIGXFSZ));
    REQUIRE(log_lost(log) == 70 - 13);
    limit_size(RLIM_INFINITY);
    REQUIRE(write_records(log, 71, 100) == 0);
    REQUIRE(log_lost(log) == 70 - 13);
    log_close(log);
    return 0;
}

static void test_file_size_limit(void **state)
{
    int status = run_child(control_limit);

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    limit_path = below("log/");
    assert_int_equal(run_child(body_limit), 0);
    see_session(below("log/"), SESSION);
    assert_int_equal(seen.pieces, 1); /* the limit cut a record: really a partial write */
    assert_int_equal(seen.error, EFBIG);
    assert_int_equal(seen.loss_records, 1);
    assert_account(100, 70 - 13);
}

/* A limit that is worth a file: the session goes on in the next one, and nothing is lost. */
static int body_limit_next(void)
{
    struct log *log;

    limit_size(10100);
    log = open_file_log(limit_path, SINK_FAILURE_STOP);
    REQUIRE(write_records(log, 1, 100) == 0);
    REQUIRE(log_lost(log) == 0);
    log_close(log);
    return 0;
}

static void test_file_size_limit_next(void **state)
{
    (void)state;
    limit_path = below("log/");
    assert_int_equal(run_child(body_limit_next), 0);
    see_session(below("log/"), SESSION);
    assert_int_equal(seen.files, 4);
    assert_int_equal(seen.pieces, 3); /* of records that are whole in the next file */
    assert_int_equal(seen.loss_records, 0);
    assert_int_equal(missing(1, 100), 0);
}

static void test_file_size_limit_shared(void **state)
{
    (void)state;
    limit_path = below("log/all");
    assert_int_equal(run_child(body_limit), 0);
    see_file(below("log/all"), SESSION);
    assert_int_equal(seen.pieces, 1);
    assert_account(100, 70 - 13);
}

/* The sink alone, without the log that asks with an empty line whether it works again. */
static int body_torn(void)
{
    const struct sink_config config = {.kind = SINK_FILE, .path = limit_path};
    struct sink *sink;
    char text[300];

    limit_size(1000);
    REQUIRE(sink_file_ops.open(&config, SESSION, &sink, NULL) == 0);
    for (uint64_t seq = 1; seq <= 8; seq++) {
        make_record(text, sizeof(text), SESSION, 1, seq);
        if (seq == 6)
            limit_size(RLIM_INFINITY);
        REQUIRE(sink->ops->write(sink, text, sizeof(text)) == (seq == 4 || seq == 5 ? -EFBIG : 0));
    }
    REQUIRE(sink->ops->take_back(sink) == 0);
    sink->ops->close(sink);
    return 0;
}

static void test_torn_line(void **state)
{
    (void)state;
    limit_path = below("log/");
    assert_int_equal(run_child(body_torn), 0);
    see_session(below("log/"), SESSION);
    assert_int_equal(seen.pieces, 1);
    assert_int_equal(seen.records, 6);
    assert_int_equal(missing(6, 8), 0);
}

static int body_limit_stop(void)
{
    struct log *log;

    limit_size(1000);
    log = open_file_log(limit_path, SINK_FAILURE_STOP);
    REQUIRE(write_records(log, 1, 3) == 0);
    errno = 4711;
    REQUIRE(write_records(log, 4, 4) == -EFBIG);
    REQUIRE(errno == 4711);
    log_close(log);
    return 0;
}

static void test_file_size_limit_stop(void **state)
{
    (void)state;
    limit_path = below("log/");
    assert_int_equal(run_child(body_limit_stop), 0);
}

/* No number at 200 or above may be had: the sink takes what there is. */
static int body_few_descriptors(void)
{
    struct rlimit limit;
    struct log *log;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    log = open_file_log(limit_path, SINK_FAILURE_STOP);
    REQUIRE(write_records(log, 1, 300) == 0);
    REQUIRE(close(find_fd(below("log/spython-"))) == 0);
    REQUIRE(write_records(log, 301, 1000) == 0);
    log_close(log);
    return 0;
}

static void test_few_descriptors(void **state)
{
    (void)state;
    limit_path = below("log/");
    assert_int_equal(run_child(body_few_descriptors), 0);
    see_session(below("log/"), SESSION);
    assert_account(1000, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_closed_descriptor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_descriptor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_descriptor_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_descriptor_at_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_descriptor_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_by_unwritable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_taken_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted_file_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renamed_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renamed_file_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renamed_and_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_size_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_size_limit_next, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_size_limit_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_size_limit_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_few_descriptors, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
