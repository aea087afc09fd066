/* SPDX-License-Identifier: Apache-2.0 */
/* What is registered in PREFIX/libexec/spython, and whether it is still true. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/hex.h"
#include "base/owner.h"
#include "ctl/files.h"
#include "ctl/interpreter.h"
#include "ctl/object_file.h"
#include "ctl/output.h"
#include "stage1/object_note.h"

#ifndef SPYTHON_VERSION
#error "compile with -DSPYTHON_VERSION=\"1.2.3\""
#endif

const char *interpreter_state_name(enum interpreter_state state)
{
    static const char *const names[INTERPRETER_STATE_MAX] = {
        [INTERPRETER_UNUSABLE] = "unusable",    [INTERPRETER_OK] = "ok",
        [INTERPRETER_COPIED] = "copied",        [INTERPRETER_REPLACED] = "replaced",
        [INTERPRETER_MISSING] = "missing",      [INTERPRETER_UNTRUSTED] = "untrusted",
        [INTERPRETER_INCOMPLETE] = "incomplete"};

    return names[state];
}

bool is_minor(const char *text)
{
    size_t len = strlen(text);

    return len >= 3 && len < MINOR_SIZE && text[0] == '3' && text[1] == '.' &&
           strspn(text + 2, "0123456789") == len - 2 && text[2] != '0';
}

void interpreter_version(uint32_t hex, char out[24])
{
    static const char *const levels[16] = {[0xa] = "a", [0xb] = "b", [0xc] = "rc"};
    const char *level = levels[hex >> 4 & 15];
    int n = snprintf(out, 24, "%u.%u.%u", hex >> 24, hex >> 16 & 255, hex >> 8 & 255);

    if (level && n > 0)
        (void)snprintf(out + n, 24 - (size_t)n, "%s%u", level, hex & 15);
}

static bool is_terminated(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

static bool is_sound(const struct interpreter_record *record)
{
    bool sound = memcmp(record->magic, INTERPRETER_MAGIC, sizeof(record->magic)) == 0 &&
                 record->size == sizeof(*record) && record->path_count <= INTERPRETER_MAX_PATHS &&
                 is_terminated(record->path, sizeof(record->path)) &&
                 is_terminated(record->prefix, sizeof(record->prefix)) &&
                 is_terminated(record->exec_prefix, sizeof(record->exec_prefix)) &&
                 is_terminated(record->stdlib, sizeof(record->stdlib)) &&
                 is_terminated(record->platlibdir, sizeof(record->platlibdir));

    for (size_t i = 0; i < INTERPRETER_MAX_PATHS; i++)
        sound = sound && is_terminated(record->paths[i], sizeof(record->paths[i]));
    return sound;
}

int interpreter_read(const struct ctl *ctl, const char *minor, struct interpreter_record *record,
                     struct problem *problem)
{
    CLEANUP_FREE char *path = ctl_path(ctl, "libexec/spython/%s/interpreter", minor);
    CLEANUP_FREE char *data = NULL;
    size_t len = 0;
    int r = file_read(path, sizeof(*record) + 1, &data, &len, problem);

    if (r == -ENOENT) {
        problem_set(problem, -ENOENT, "no interpreter is registered");
        return problem_todo(problem, "spythonctl interpreter add PATH");
    }
    if (r == 0 && len == sizeof(*record)) {
        memcpy(record, data, len);
        if (is_sound(record))
            return 0;
    }
    if (r < 0 && r != -EFBIG)
        return r;
    problem_set(problem, -EBADMSG, "its record is damaged or from another version of spython");
    return problem_todo(problem, "spythonctl interpreter add PATH");
}

/* Sets state and problem; for the ends of the checks below. `todo` may be NULL. */
static int conclude(struct interpreter *interpreter, enum interpreter_state state, int code,
                    const char *what, const char *todo)
{
    interpreter->state = state;
    problem_set(&interpreter->problem, code, "%s", what);
    return todo ? problem_todo(&interpreter->problem, "%s", todo) : code;
}

static bool is_same_file(const struct stat *st, const struct interpreter_record *record)
{
    return (uint64_t)st->st_dev == record->dev && st->st_ino == record->ino &&
           (uint64_t)st->st_size == record->file_size && st->st_mtim.tv_sec == record->mtime_sec &&
           st->st_mtim.tv_nsec == record->mtime_nsec && st->st_ctim.tv_sec == record->ctime_sec &&
           st->st_ctim.tv_nsec == record->ctime_nsec;
}

/* The interpreter's file: there, nobody else's, the same. Negative only if it cannot be used. */
static int check_file(const struct ctl *ctl, struct interpreter *in)
{
    const char *path = in->record.path;
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    uint8_t digest[DIGEST_SIZE];
    struct err err = ERR_INIT;
    struct stat st;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return conclude(in, INTERPRETER_MISSING, -ENOENT, "the interpreter is not there any more",
                        "install it again, or register another: spythonctl interpreter add PATH");
    if (fd < 0 && errno == ELOOP)
        return conclude(in, INTERPRETER_UNUSABLE, -ELOOP, "the interpreter is a link now",
                        "register what it leads to: spythonctl interpreter add PATH");
    if (fd < 0 || fstat(fd, &st) < 0)
        return conclude(in, INTERPRETER_UNUSABLE, -errno, strerror(errno), NULL);
    if (owner_check_stat(&st, ctl->owner, path, &err) < 0 ||
        owner_check_chain(path, ctl->owner, &err) < 0) {
        in->state = INTERPRETER_UNTRUSTED;
        return problem_from_err(&in->problem, &err);
    }
    if (interpreter_inspect_file(fd, &st, &in->problem) < 0) {
        in->state = INTERPRETER_UNUSABLE;
        return in->problem.err.code;
    }
    if (is_same_file(&st, &in->record)) {
        in->state = INTERPRETER_OK;
        return 0;
    }
    if ((uint64_t)st.st_size != in->record.file_size || digest_sha256_fd(fd, digest) < 0 ||
        memcmp(digest, in->record.sha256, DIGEST_SIZE) != 0)
        return conclude(in, INTERPRETER_REPLACED, -EBADMSG,
                        "the interpreter is not the one that was registered",
                        "if it was upgraded, register it again: spythonctl interpreter add PATH");
    (void)conclude(in, INTERPRETER_COPIED, -ESTALE, "the interpreter is a copy: starts are slower",
                   "spythonctl interpreter add PATH refreshes the record");
    return 0;
}

/* One part of the installation: there, and nobody else's. */
static int check_part(const struct ctl *ctl, struct interpreter *in, const char *path,
                      const char *missing, const char *todo)
{
    struct err err = ERR_INIT;
    struct stat st;

    if (stat(path, &st) < 0)
        return conclude(in, INTERPRETER_INCOMPLETE, -ENOENT, missing, todo);
    if (owner_check_stat(&st, ctl->owner, path, &err) < 0 ||
        owner_check_chain(path, ctl->owner, &err) < 0) {
        in->state = INTERPRETER_UNTRUSTED;
        return problem_from_err(&in->problem, &err);
    }
    return 0;
}

/* A shared object of ours: the one that the first stage takes for this minor and release. */
static int check_object(const struct ctl *ctl, struct interpreter *in, const char *path,
                        const char *missing, uint32_t note, const char *expected)
{
    int r = check_part(ctl, in, path, missing, "install spython again");

    if (r == 0 && (r = object_file_check(path, note, expected, &in->problem)) < 0)
        in->state = INTERPRETER_INCOMPLETE;
    return r;
}

static int check_parts(const struct ctl *ctl, struct interpreter *in)
{
    CLEANUP_FREE char *core = ctl_path(ctl, "libexec/spython/%s/core.so", in->minor);
    CLEANUP_FREE char *audit = ctl_path(ctl, "libexec/spython/%s/audit.so", in->minor);
    CLEANUP_FREE char *program = ctl_path(ctl, "bin/spython%s", in->minor);
    CLEANUP_FREE char *record = ctl_path(ctl, "libexec/spython/%s/interpreter", in->minor);
    CLEANUP_FREE char *link = ctl_path(ctl, "libexec/spython/%s/python", in->minor);
    char target[PATH_MAX];
    ssize_t n;
    int r;

    if ((r = check_object(ctl, in, core, "its core is missing", NOTE_MINOR, in->minor)) < 0 ||
        (r = check_object(ctl, in, audit, "its audit object is missing", NOTE_RELEASE,
                          SPYTHON_VERSION)) < 0 ||
        (r = check_part(ctl, in, program, "bin/spythonX.Y is missing for it",
                        "install spython again")) < 0 ||
        (r = check_part(ctl, in, record, "its record is missing", NULL)) < 0 ||
        (r = check_part(ctl, in, in->record.stdlib, "its standard library is missing",
                        "install Python's library again, or register another interpreter")) < 0)
        return r;
    n = readlink(link, target, sizeof(target) - 1);
    target[n < 0 ? 0 : n] = '\0';
    if (strcmp(target, in->record.path) != 0)
        return conclude(in, INTERPRETER_INCOMPLETE, -ENOENT,
                        "the link libexec/spython/X.Y/python does not name the interpreter",
                        "spythonctl interpreter add PATH makes it again");
    return 0;
}

void interpreter_check(const struct ctl *ctl, struct interpreter *in)
{
    int r = interpreter_read(ctl, in->minor, &in->record, &in->problem);

    in->is_registered = r != -ENOENT;
    in->state = INTERPRETER_UNUSABLE;
    if (r < 0)
        return;
    if (check_file(ctl, in) == 0)
        (void)check_parts(ctl, in); /* the verdict is in `in` */
}

int interpreter_need(const struct ctl *ctl, const char *minor, const char *directory,
                     struct interpreter *ret, struct problem *problem)
{
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->minor, sizeof(ret->minor), "%s", minor);
    interpreter_check(ctl, ret);
    if (!ret->is_registered) {
        problem_set(problem, UNFIT, "needs Python %s, for which no interpreter is registered",
                    minor);
        return problem_todo(problem, "spythonctl interpreter add %s/python%s", directory, minor);
    }
    if (ret->state == INTERPRETER_OK || ret->state == INTERPRETER_COPIED)
        return 0;
    problem_set(problem, UNFIT, "the interpreter of Python %s is %s", minor,
                interpreter_state_name(ret->state));
    return problem_todo(problem, "see spythonctl interpreter check");
}

static int by_minor(const void *a, const void *b)
{
    const struct interpreter *left = a, *right = b;
    long difference = strtol(left->minor + 2, NULL, 10) - strtol(right->minor + 2, NULL, 10);

    return difference < 0 ? -1 : difference > 0;
}

static void find_default(const struct ctl *ctl, char out[MINOR_SIZE])
{
    CLEANUP_FREE char *path = ctl_path(ctl, "bin/spython");
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    const char *slash;

    out[0] = '\0';
    if (n < 0)
        return;
    target[n] = '\0';
    slash = strrchr(target, '/');
    slash = slash ? slash + 1 : target;
    if (strncmp(slash, "spython", 7) == 0 && is_minor(slash + 7))
        (void)snprintf(out, MINOR_SIZE, "%s", slash + 7);
}

size_t interpreter_all(const struct ctl *ctl, struct interpreter **ret)
{
    CLEANUP_FREE char *path = ctl_path(ctl, "libexec/spython");
    DIR *dir = opendir(path);
    struct interpreter *all = NULL;
    char by_default[MINOR_SIZE];
    size_t count = 0;

    find_default(ctl, by_default);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        CLEANUP_FREE char *core = NULL;
        struct interpreter *in;

        if (!is_minor(entry->d_name))
            continue;
        all = must_grow(all, (count + 1) * sizeof(*all));
        in = &all[count];
        memset(in, 0, sizeof(*in));
        (void)snprintf(in->minor, sizeof(in->minor), "%.7s", entry->d_name);
        core = ctl_path(ctl, "libexec/spython/%s/core.so", in->minor);
        in->has_core = access(core, F_OK) == 0;
        in->is_default = strcmp(in->minor, by_default) == 0;
        interpreter_check(ctl, in);
        if (in->has_core || in->is_registered)
            count++;
    }
    if (dir)
        (void)closedir(dir);
    if (count > 0)
        qsort(all, count, sizeof(*all), by_minor);
    *ret = all;
    return count;
}

json_t *interpreter_json(const struct interpreter *in)
{
    json_t *object = json_object();
    char version[24], digest[DIGEST_HEX_SIZE];

    json_object_set_new(object, "minor", json_text(in->minor));
    json_object_set_new(object, "core", json_boolean(in->has_core));
    json_object_set_new(object, "default", json_boolean(in->is_default));
    json_object_set_new(
        object, "state",
        json_text(in->is_registered ? interpreter_state_name(in->state) : "not registered"));
    if (in->record.path[0]) {
        interpreter_version(in->record.version_hex, version);
        hex_encode(in->record.sha256, DIGEST_SIZE, digest);
        json_object_set_new(object, "version", json_text(version));
        json_object_set_new(object, "path", json_text(in->record.path));
        json_object_set_new(object, "prefix", json_text(in->record.prefix));
        json_object_set_new(object, "stdlib", json_text(in->record.stdlib));
        json_object_set_new(object, "sha256", json_text(digest));
        json_object_set_new(object, "debug", json_boolean(in->record.debug_build));
    }
    if (in->is_registered && in->state != INTERPRETER_OK) {
        json_object_set_new(object, "problem", json_text(in->problem.err.msg));
        json_object_set_new(object, "todo", json_text(in->problem.todo));
    }
    return object;
}
