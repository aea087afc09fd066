/* SPDX-License-Identifier: Apache-2.0 */
/* Asks an interpreter where its library is: one run in an empty environment, bounded in time and
 * output. It only gets this far after the checks of interpreter_file.c and of its owner. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/interpreter.h"
#include "ctl/output.h"

#define ANSWER_MAX 65536
#define ANSWER_SECONDS 30

/* Every answer ends in a NUL, which no path can hold; fsencode gives back the bytes. os is imported
 * last because sys alone has most answers. */
static const char question[] =
    "import sys, os\n"
    "answers = [sys.implementation.name, str(sys.hexversion), getattr(sys, 'abiflags', ''),\n"
    "           str(int(hasattr(sys, 'gettotalrefcount'))), sys.prefix, sys.base_prefix,\n"
    "           sys.base_exec_prefix,\n"
    "           getattr(sys, '_stdlib_dir', None) or os.path.dirname(os.__file__),\n"
    "           getattr(sys, 'platlibdir', '')] + sys.path\n"
    "os.write(1, b''.join(os.fsencode(a) + b'\\0' for a in answers))\n";

enum answer {
    ANSWER_IMPLEMENTATION = 0,
    ANSWER_HEXVERSION,
    ANSWER_ABIFLAGS,
    ANSWER_DEBUG,
    ANSWER_PREFIX,
    ANSWER_BASE_PREFIX,
    ANSWER_BASE_EXEC_PREFIX,
    ANSWER_STDLIB,
    ANSWER_PLATLIBDIR,
    ANSWER_PATHS,
    ANSWER_COUNT_MAX = ANSWER_PATHS + INTERPRETER_MAX_PATHS,
};

/* In the child: becomes the file's owner if we are root, since root must not run what another user
 * may have made. Only async-signal-safe calls. */
static void run_interpreter(int fd, const struct stat *st, const char *path, int out,
                            int complaints)
{
    char *const argv[] = {(char *)(uintptr_t)path,     (char *)(uintptr_t) "-I",
                          (char *)(uintptr_t) "-S",    (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)question, NULL};
    char *const envp[] = {NULL};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (geteuid() == 0 && st->st_uid != 0 &&
        (setgroups(0, NULL) < 0 || setresgid(st->st_gid, st->st_gid, st->st_gid) < 0 ||
         setresuid(st->st_uid, st->st_uid, st->st_uid) < 0 || geteuid() == 0))
        _exit(127);
    if (null < 0 || chdir("/") < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
        dup2(complaints, 2) < 0)
        _exit(127);
    (void)fexecve(fd, argv, envp);
    dprintf(2, "cannot run it: %s", strerror(errno));
    _exit(127);
}

static long milliseconds_left(const struct timespec *end)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
}

/* Reads until the end, ANSWER_MAX bytes, or ANSWER_SECONDS. */
static int read_answer(int fd, char *data, size_t *ret_len)
{
    struct timespec end;
    size_t len = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &end); /* cannot fail for this clock */
    end.tv_sec += ANSWER_SECONDS;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        long left = milliseconds_left(&end);
        ssize_t n;

        if (left <= 0)
            return -ETIMEDOUT;
        if (poll(&ready, 1, (int)left) < 0 && errno != EINTR)
            return -errno;
        if (!ready.revents)
            continue;
        n = read(fd, data + len, ANSWER_MAX - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
        if (len == ANSWER_MAX)
            return -EFBIG;
    }
    *ret_len = len;
    return 0;
}

/* The last line of what the interpreter complained about: Python puts the reason there. */
static void last_line(int fd, char out[256])
{
    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    char *line;

    out[0] = '\0';
    if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_all(fd, ANSWER_MAX, &text, &len) < 0)
        return;
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    line = strrchr(text, '\n');
    (void)snprintf(out, 256, "%s", line ? line + 1 : text);
}

static int describe_failure(int r, int status, int complaints, struct problem *problem)
{
    char line[256];

    last_line(complaints, line);
    if (r == -ETIMEDOUT)
        problem_set(problem, UNFIT, "did not answer within %d seconds", ANSWER_SECONDS);
    else if (r < 0)
        problem_set(problem, r, "cannot read its answer: %s", strerror(-r));
    else if (WIFSIGNALED(status))
        problem_set(problem, UNFIT, "died by signal %d when asked for its version: %s",
                    WTERMSIG(status), line);
    else
        problem_set(problem, UNFIT, "failed when asked for its version: %s", line);
    return problem_todo(problem,
                        "make it work with -I -S in an empty environment, or name another python3");
}

static int run_and_read(int fd, const struct stat *st, const char *path, char *answer,
                        size_t *ret_len, struct problem *problem)
{
    CLEANUP_FD int complaints = memfd_create("complaints", MFD_CLOEXEC);
    int ends[2], status = 0, r;
    pid_t pid;

    if (complaints < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return problem_set(problem, -errno, "cannot prepare to run it: %s", strerror(errno));
    pid = fork();
    if (pid == 0)
        run_interpreter(fd, st, path, ends[1], complaints);
    r = pid < 0 ? -errno : 0;
    fd_close(ends[1]);
    if (pid > 0) {
        r = read_answer(ends[0], answer, ret_len);
        if (r < 0)
            (void)kill(pid, SIGKILL); /* our own child, not yet waited for */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    fd_close(ends[0]);
    if (r < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return describe_failure(r, status, complaints, problem);
    return 0;
}

static int copy_answer(char *out, size_t size, const char *answer, const char *name,
                       struct problem *problem)
{
    size_t len = strlen(answer);

    if (len >= size) {
        problem_set(problem, UNFIT, "its %s is longer than %zu bytes", name, size - 1);
        return problem_todo(problem, "install it to a shorter path");
    }
    memcpy(out, answer, len + 1); /* the rest of the record is zero */
    return 0;
}

static int check_kind(char *const *answers, struct problem *problem)
{
    if (strcmp(answers[ANSWER_IMPLEMENTATION], "cpython") != 0) {
        problem_set(problem, UNFIT, "is %s, not CPython", answers[ANSWER_IMPLEMENTATION]);
        return problem_todo(problem, "register a CPython: audit hooks are its own");
    }
    if (strchr(answers[ANSWER_ABIFLAGS], 't')) {
        problem_set(problem, UNFIT, "is a free-threaded build");
        return problem_todo(problem, "register the build with the global interpreter lock");
    }
    if (strcmp(answers[ANSWER_PREFIX], answers[ANSWER_BASE_PREFIX]) != 0) {
        problem_set(problem, UNFIT, "belongs to the virtual environment '%s'",
                    answers[ANSWER_PREFIX]);
        return problem_todo(problem, "register its base below '%s', then `spythonctl venv adopt`",
                            answers[ANSWER_BASE_PREFIX]);
    }
    return 0;
}

static int fill_record(char *const *answers, size_t count, struct interpreter_record *record,
                       struct problem *problem)
{
    int r = check_kind(answers, problem);

    if (r < 0)
        return r;
    record->version_hex = (uint32_t)strtoul(answers[ANSWER_HEXVERSION], NULL, 10);
    record->debug_build = answers[ANSWER_DEBUG][0] == '1';
    record->path_count = (uint32_t)(count - ANSWER_PATHS);
    if ((r = copy_answer(record->prefix, sizeof(record->prefix), answers[ANSWER_BASE_PREFIX],
                         "sys.base_prefix", problem)) < 0 ||
        (r = copy_answer(record->exec_prefix, sizeof(record->exec_prefix),
                         answers[ANSWER_BASE_EXEC_PREFIX], "sys.base_exec_prefix", problem)) < 0 ||
        (r = copy_answer(record->stdlib, sizeof(record->stdlib), answers[ANSWER_STDLIB],
                         "standard library's path", problem)) < 0 ||
        (r = copy_answer(record->platlibdir, sizeof(record->platlibdir), answers[ANSWER_PLATLIBDIR],
                         "sys.platlibdir", problem)) < 0)
        return r;
    for (size_t i = ANSWER_PATHS; i < count && r == 0; i++)
        r = copy_answer(record->paths[i - ANSWER_PATHS], sizeof(record->paths[0]), answers[i],
                        "sys.path", problem);
    return r;
}

int interpreter_ask(int fd, const struct stat *st, const char *path,
                    struct interpreter_record *record, struct problem *problem)
{
    CLEANUP_FREE char *data = must_alloc(ANSWER_MAX + 1);
    char *answers[ANSWER_COUNT_MAX];
    size_t len = 0, count = 0;
    int r = run_and_read(fd, st, path, data, &len, problem);

    if (r < 0)
        return r;
    for (char *p = data; p < data + len; p += strlen(p) + 1) {
        if (count == ANSWER_COUNT_MAX) {
            problem_set(problem, UNFIT, "its sys.path has more than %d entries",
                        INTERPRETER_MAX_PATHS);
            return problem_todo(problem, "register a python3 with the usual search path");
        }
        answers[count++] = p;
    }
    if (len == 0 || data[len - 1] != '\0' || count < ANSWER_PATHS)
        return problem_set(problem, UNFIT, "gave no sensible answer about itself");
    return fill_record(answers, count, record, problem);
}
