/* SPDX-License-Identifier: Apache-2.0 */
/* The file sink when nothing goes wrong, and against files that somebody planted. */
#include "sinks_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static void only_name(char *out, size_t cap)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    unsigned n = 0;

    while ((entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(out, cap, "%s", entry->d_name);
        n++;
    }
    closedir(d);
    assert_int_equal(n, 1);
}

static void test_session_file(void **state)
{
    char name[300], before[32], after[32], pattern[128];
    time_t now = time(NULL);
    struct log *log;
    struct stat st;
    regex_t regex;
    int fd;

    (void)state;
    (void)strftime(before, sizeof(before), "%Y%m%dT%H%M%S", gmtime(&now));
    log = open_file_log(dir, SINK_FAILURE_STOP);
    now = time(NULL);
    (void)strftime(after, sizeof(after), "%Y%m%dT%H%M%S", gmtime(&now));
    only_name(name, sizeof(name));
    (void)snprintf(pattern, sizeof(pattern), "^spython-[0-9]{8}T[0-9]{6}-%d-" SESSION "\\.jsonl$",
                   (int)getpid());
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    assert_int_equal(regexec(&regex, name, 0, NULL, 0), 0);
    regfree(&regex);
    assert_true(strncmp(name + 8, before, 15) >= 0 && strncmp(name + 8, after, 15) <= 0);
    assert_int_equal(stat(below(name), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    fd = find_fd(below("spython-"));
    assert_in_range(fd, 200, 100000);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_WRONLY | O_APPEND);

    assert_int_equal(write_records(log, 1, 1000), 0);
    log_close(log);
    assert_int_equal(find_fd(dir), -1);
    assert_int_equal(stat(below(name), &st), 0);
    assert_int_equal(st.st_size, 1000 * 300); /* nothing but the records */
    see_session(dir, SESSION);
    assert_int_equal(seen.records, 1000);
    assert_int_equal(seen.pieces + seen.twice + seen.order + seen.loss_records, 0);
}

static void test_shared_file(void **state)
{
    struct log *one, *two;
    struct stat st;
    char text[300];

    (void)state;
    one = open_file_log(below("all.jsonl"), SINK_FAILURE_STOP);
    two = open_session_log(below("all.jsonl"), SINK_FAILURE_STOP, OTHER_SESSION);
    for (uint64_t seq = 1; seq <= 500; seq++) {
        assert_int_equal(write_records(one, seq, seq), 0);
        make_record(text, sizeof(text), OTHER_SESSION, 1, seq);
        assert_int_equal(log_write(two, LEVEL_LOW, seq, text, sizeof(text)), 0);
    }
    log_close(one);
    log_close(two);
    assert_int_equal(stat(below("all.jsonl"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 1000 * 301); /* a newline before each record */
    see_file(below("all.jsonl"), SESSION);
    assert_int_equal(seen.records, 500);
    see_file(below("all.jsonl"), OTHER_SESSION);
    assert_int_equal(seen.records, 1000);
    assert_int_equal(seen.pieces, 0);
}

/* A writer that was killed left a piece; the next record is a line of its own all the same. */
static void test_shared_after_torn(void **state)
{
    int fd = open(below("all.jsonl"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct log *log;

    (void)state;
    assert_int_equal(write(fd, "{\"v\":1,\"sess", 12), 12);
    close(fd);
    log = open_file_log(below("all.jsonl"), SINK_FAILURE_STOP);
    assert_int_equal(write_records(log, 1, 3), 0);
    log_close(log);
    see_file(below("all.jsonl"), SESSION);
    assert_int_equal(seen.records, 3);
    assert_int_equal(seen.pieces, 1);
}

static int try_open(const char *path)
{
    const struct sink_config config = {.kind = SINK_FILE, .path = path};
    struct err err = ERR_INIT;
    struct log *log = NULL;
    int r = log_open(&config, 1, SESSION, NULL, NULL, &log, &err);

    if (r == 0)
        log_close(log);
    else
        assert_non_null(strstr(err.msg, path));
    return r;
}

static void test_planted_link_in_directory(void **state)
{
    time_t now = time(NULL);
    struct log *log;
    char name[128];
    struct stat st;

    (void)state;
    mkdir(below("log"), 0700);
    for (time_t t = now; t < now + 5; t++) {
        size_t len = strftime(name, sizeof(name), "log/spython-%Y%m%dT%H%M%S", gmtime(&t));

        (void)snprintf(name + len, sizeof(name) - len, "-%d-" SESSION ".jsonl", (int)getpid());
        assert_int_equal(symlink(below("victim"), below(name)), 0);
    }
    /* Control: an open that follows links makes the victim. */
    close(open(below(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(stat(below("victim"), &st), 0);
    assert_int_equal(unlink(below("victim")), 0);

    log = open_file_log(below("log/"), SINK_FAILURE_STOP);
    assert_int_equal(write_records(log, 1, 10), 0);
    assert_true(time(NULL) < now + 5);
    log_close(log);
    assert_int_equal(stat(below("victim"), &st), -1);
    for (time_t t = now; t < now + 5; t++) {
        size_t len = strftime(name, sizeof(name), "log/spython-%Y%m%dT%H%M%S", gmtime(&t));

        (void)snprintf(name + len, sizeof(name) - len, "-%d-" SESSION ".jsonl", (int)getpid());
        assert_int_equal(unlink(below(name)), 0);
    }
    see_session(below("log/"), SESSION);
    assert_int_equal(seen.files, 1); /* ….2.jsonl */
    assert_int_equal(seen.records, 10);
}

static void test_refused_places(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(mkdir(below("real"), 0700), 0);
    assert_int_equal(symlink(below("real"), below("link")), 0);
    assert_int_equal(symlink(below("victim"), below("file")), 0);
    assert_int_equal(mkfifo(below("fifo"), 0600), 0);
    assert_int_equal(try_open(below("real/")), 0); /* controls */
    assert_int_equal(try_open(below("real/file")), 0);
    assert_int_equal(try_open(below("link/file")), 0); /* links above are the administrator's */
    assert_true(try_open(below("link/")) < 0);
    assert_true(try_open(below("link//")) < 0);
    assert_int_equal(try_open(below("file")), -ELOOP);
    assert_int_equal(stat(below("victim"), &st), -1);
    assert_int_equal(try_open(below("fifo")), -ENXIO);
    assert_int_equal(try_open("/dev/null"), -EINVAL);
    assert_int_equal(try_open(below("none/file")), -ENOENT);
    assert_int_equal(try_open(below("none/")), -ENOENT);
    assert_int_equal(try_open("relative/"), -EINVAL);
    assert_int_equal(try_open(""), -EINVAL);
}

static void test_rotation(void **state)
{
    struct sink_config config = {.kind = SINK_FILE, .path = dir, .rotate_size = 30000};
    struct log *log;

    (void)state;
    config.level = LEVEL_INFORMATIONAL;
    assert_int_equal(log_open(&config, 1, SESSION, NULL, NULL, &log, NULL), 0);
    assert_int_equal(write_records(log, 1, 1000), 0);
    log_close(log);
    see_session(dir, SESSION);
    assert_int_equal(seen.files, 11); /* the last one is still empty */
    assert_int_equal(seen.records, 1000);
    assert_int_equal(seen.order + seen.pieces, 0);

    remove_dir();
    make_dir();
    seen_clear();
    config.rotate_keep = 2;
    assert_int_equal(log_open(&config, 1, SESSION, NULL, NULL, &log, NULL), 0);
    assert_int_equal(write_records(log, 1, 1050), 0);
    log_close(log);
    see_session(dir, SESSION);
    assert_int_equal(seen.files, 3);
    assert_int_equal(seen.records, 250);
    assert_int_equal(missing(801, 1050), 0);
}

static void test_rotation_shared(void **state)
{
    struct sink_config config = {
        .kind = SINK_FILE, .level = LEVEL_INFORMATIONAL, .rotate_size = 60000};
    struct log *one, *two;
    char text[300];

    (void)state;
    config.path = below("all.jsonl");
    assert_int_equal(log_open(&config, 1, SESSION, NULL, NULL, &one, NULL), 0);
    assert_int_equal(log_open(&config, 1, OTHER_SESSION, NULL, NULL, &two, NULL), 0);
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        assert_int_equal(write_records(one, seq, seq), 0);
        make_record(text, sizeof(text), OTHER_SESSION, 1, seq);
        assert_int_equal(log_write(two, LEVEL_LOW, seq, text, sizeof(text)), 0);
    }
    assert_int_equal(log_lost(one) + log_lost(two), 0);
    log_close(one);
    log_close(two);
    see_file(below("all.jsonl"), SESSION);
    for (unsigned i = 1; access(below("all.jsonl.1"), F_OK) == 0 && i < 20; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "all.jsonl.%u", i);
        if (access(below(name), F_OK) == 0)
            see_file(below(name), SESSION);
    }
    assert_in_range(seen.files, 3, 15);
    assert_int_equal(seen.records, 1000);
    assert_int_equal(missing(1, 1000) + seen.twice + seen.pieces, 0);
}

static void test_rotation_shared_keep(void **state)
{
    struct sink_config config = {
        .kind = SINK_FILE, .level = LEVEL_INFORMATIONAL, .rotate_size = 30000, .rotate_keep = 2};
    struct log *log;

    (void)state;
    config.path = below("all.jsonl");
    assert_int_equal(log_open(&config, 1, SESSION, NULL, NULL, &log, NULL), 0);
    assert_int_equal(write_records(log, 1, 1050), 0);
    log_close(log);
    see_file(below("all.jsonl.2"), SESSION);
    see_file(below("all.jsonl.1"), SESSION);
    see_file(below("all.jsonl"), SESSION);
    assert_int_equal(access(below("all.jsonl.3"), F_OK), -1);
    assert_true(seen.here[1050] == 1 && seen.here[1] == 0);
    assert_int_equal(missing(1050 - seen.records + 1, 1050), 0);
}

static const char *const sessions[4] = {"000000000000000a", "000000000000000b", "000000000000000c",
                                        "000000000000000d"};

static int write_session(const struct sink_config *config, const char *session)
{
    struct log *log;
    char text[300];

    if (log_open(config, 1, session, encode_loss, NULL, &log, NULL) < 0)
        return 1;
    for (uint64_t seq = 1; seq <= 5000; seq++) {
        make_record(text, sizeof(text), session, 1, seq);
        if (log_write(log, LEVEL_LOW, seq, text, sizeof(text)) < 0)
            return 2;
    }
    if (log_lost(log) > 0)
        return 3;
    log_close(log);
    return 0;
}

/* Four processes write to one file, and whoever finds it full gives it another name. */
static void test_rotation_processes(void **state)
{
    struct sink_config config = {
        .kind = SINK_FILE, .level = LEVEL_INFORMATIONAL, .rotate_size = 200000};
    unsigned files = 1;

    (void)state;
    config.path = below("all.jsonl");
    for (unsigned i = 0; i < 4; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
            _exit(write_session(&config, sessions[i]));
    }
    for (unsigned i = 0; i < 4; i++) {
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        seen_clear();
        see_file(below("all.jsonl"), sessions[i]);
        for (files = 1; files < 200; files++) {
            char name[32];

            (void)snprintf(name, sizeof(name), "all.jsonl.%u", files);
            if (access(below(name), F_OK) < 0)
                break;
            see_file(below(name), sessions[i]);
        }
        assert_int_equal(seen.records, 5000);
        assert_int_equal(missing(1, 5000) + seen.twice + seen.pieces, 0);
    }
    assert_in_range(files, 8, 40); /* 6 MB in files of 200 kB and what comes until the next check */
}

/* Nothing that is opened at start is looked for again by its path, if the program changes root. */
static void test_chroot(void **state)
{
    struct log *log;
    int status;
    pid_t pid;

    (void)state;
    need_root();
    assert_int_equal(mkdir(below("jail"), 0700), 0);
    assert_int_equal(mkdir(below("log"), 0700), 0);
    pid = fork();
    if (pid == 0) {
        log = open_file_log(below("log/"), SINK_FAILURE_STOP);
        if (chroot(below("jail")) < 0 || chdir("/") < 0)
            _exit(2);
        if (open(below("log/"), O_RDONLY | O_CLOEXEC) >= 0)
            _exit(3);                       /* control: the path is out of reach */
        log_after_fork(log, OTHER_SESSION); /* a new file, by the directory's descriptor */
        if (write_records(log, 1, 1000) < 0 || log_lost(log) > 0)
            _exit(4);
        log_close(log);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    see_session(below("log/"), OTHER_SESSION);
    assert_int_equal(seen.files, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_session_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shared_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shared_after_torn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_planted_link_in_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_shared_keep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_processes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chroot, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
