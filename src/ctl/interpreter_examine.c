/* SPDX-License-Identifier: Apache-2.0 */
/* From the path an administrator gave to a whole record: all checks in the order in which their
 * messages help most. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/owner.h"
#include "ctl/interpreter.h"
#include "ctl/output.h"
#include "ctl/venv.h"

/* A copy of python3 in a virtual environment finds its library only through pyvenv.cfg. */
static int refuse_venv_copy(const char *real, struct problem *problem)
{
    CLEANUP_FREE char *beside = must_copy(real), *above = NULL, *home = NULL;
    struct problem ignored = {0};

    *strrchr(beside, '/') = '\0';
    above = must_format("%s/../pyvenv.cfg", beside);
    beside = must_grow(beside, strlen(beside) + sizeof("/pyvenv.cfg"));
    memcpy(beside + strlen(beside), "/pyvenv.cfg", sizeof("/pyvenv.cfg"));
    if (access(beside, F_OK) < 0 && access(above, F_OK) < 0)
        return 0;
    problem_set(problem, UNFIT, "is a virtual environment's own copy of python3");
    home = venv_home(access(beside, F_OK) == 0 ? beside : above, &ignored);
    if (home)
        return problem_todo(problem, "register its base in '%s', then `spythonctl venv adopt`",
                            home);
    return problem_todo(problem, "register its base, then `spythonctl venv adopt`");
}

/* The cores of this prefix, for a message: "3.11, 3.12". */
static char *list_cores(const struct ctl *ctl)
{
    struct interpreter *all;
    size_t count = interpreter_all(ctl, &all);
    char *text = must_copy("");

    for (size_t i = 0; i < count; i++) {
        char *longer = must_format("%s%s%s", text, text[0] ? ", " : "", all[i].minor);

        free(text);
        text = longer;
    }
    free(all);
    return text;
}

static int require_core(const struct ctl *ctl, const struct interpreter_record *record,
                        struct problem *problem)
{
    unsigned major = record->version_hex >> 24, minor = record->version_hex >> 16 & 255;
    CLEANUP_FREE char *core = ctl_path(ctl, "libexec/spython/%u.%u/core.so", major, minor);
    CLEANUP_FREE char *cores = NULL;

    if (access(core, F_OK) == 0)
        return 0;
    cores = list_cores(ctl);
    problem_set(problem, UNFIT, "is Python %u.%u, for which there is no core here", major, minor);
    if (cores[0])
        return problem_todo(problem,
                            "build spython with the headers of Python %u.%u, or register "
                            "one of: %s",
                            major, minor, cores);
    return problem_todo(problem, "build spython with the headers of Python %u.%u", major, minor);
}

static void note_identity(struct interpreter_record *record, const struct stat *st)
{
    memcpy(record->magic, INTERPRETER_MAGIC, sizeof(record->magic));
    record->size = sizeof(*record);
    record->dev = st->st_dev;
    record->ino = st->st_ino;
    record->file_size = (uint64_t)st->st_size;
    record->mtime_sec = st->st_mtim.tv_sec;
    record->mtime_nsec = st->st_mtim.tv_nsec;
    record->ctime_sec = st->st_ctim.tv_sec;
    record->ctime_nsec = st->st_ctim.tv_nsec;
}

static int open_interpreter(const char *real, struct stat *st, struct problem *problem)
{
    int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

    if (fd >= 0 && fstat(fd, st) == 0)
        return fd;
    problem_set(problem, -errno, "cannot open it: %s", strerror(errno));
    fd_close(fd);
    return problem->err.code;
}

static int check_owner(const struct ctl *ctl, const char *real, const struct stat *st,
                       struct problem *problem)
{
    struct err err = ERR_INIT;

    if (owner_check_stat(st, ctl->owner, real, &err) < 0 ||
        owner_check_chain(real, ctl->owner, &err) < 0)
        return problem_from_err(problem, &err);
    return 0;
}

int interpreter_examine(const struct ctl *ctl, const char *path, struct interpreter_record *record,
                        struct problem *problem)
{
    CLEANUP_FD int fd = -1;
    char real[PATH_MAX];
    struct stat st;
    int r;

    memset(record, 0, sizeof(*record));
    if (!realpath(path, real)) {
        problem_set(problem, -errno, "cannot resolve it: %s", strerror(errno));
        return problem_todo(problem, "name an installed python3");
    }
    if (strlen(real) >= sizeof(record->path)) {
        problem_set(problem, UNFIT, "its path is longer than %zu bytes", sizeof(record->path) - 1);
        return problem_todo(problem, "install it to a shorter path");
    }
    fd = open_interpreter(real, &st, problem);
    if (fd < 0)
        return fd;
    if ((r = interpreter_inspect_file(fd, &st, problem)) < 0 ||
        (r = refuse_venv_copy(real, problem)) < 0 ||
        (r = check_owner(ctl, real, &st, problem)) < 0 ||
        (r = interpreter_ask(fd, &st, real, record, problem)) < 0 ||
        (r = require_core(ctl, record, problem)) < 0)
        return r;
    r = digest_sha256_fd(fd, record->sha256);
    if (r < 0)
        return problem_set(problem, r, "cannot read it: %s", strerror(-r));
    note_identity(record, &st);
    memcpy(record->path, real, strlen(real) + 1);
    return 0;
}
