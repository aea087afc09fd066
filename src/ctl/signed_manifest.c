/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/signed_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/output.h"

static const char *const suffixes[] = {".sig", ".p7s", ".asc"};

char *trust_path(const struct ctl *ctl, const char *fmt, ...)
{
    va_list ap;
    char *rest, *path;

    va_start(ap, fmt);
    rest = must_vformat(fmt, ap);
    va_end(ap);
    path = must_format("%s/trust.d%s%s", ctl->etc, rest[0] ? "/" : "", rest);
    free(rest);
    return path;
}

int trust_read(const struct ctl *ctl, struct trust_store *ret, struct problem *problem)
{
    CLEANUP_FREE char *dir = trust_path(ctl, "%s", "");
    struct offenders offenders = {0};
    struct err err = ERR_INIT;
    int r;

    *ret = (struct trust_store){0};
    offenders_look_above(&offenders, dir, ctl->owner);
    offenders_walk(&offenders, dir, ctl->owner);
    r = offenders_problem(&offenders, problem);
    offenders_done(&offenders);
    if (r < 0)
        return access(dir, F_OK) < 0 && errno == ENOENT ? 0 : r; /* absent: an empty store */
    r = trust_store_load(dir, ret, &err);
    if (r < 0) {
        problem_set(problem, r, "trust.d: %.900s", err.msg);
        return problem_todo(problem, "mend or remove this file");
    }
    return 0;
}

int trust_make_directory(const struct ctl *ctl, const char *name, struct problem *problem)
{
    CLEANUP_FREE char *outer = trust_path(ctl, "%s", "");
    CLEANUP_FREE char *inner = trust_path(ctl, "%s", name);

    if ((mkdir(outer, 0755) < 0 && errno != EEXIST) || (mkdir(inner, 0755) < 0 && errno != EEXIST))
        return problem_set(problem, -errno, "cannot make '%s': %s", inner, strerror(errno));
    return 0;
}

int trust_note(const struct ctl *ctl, struct problem *problem, const char *fmt, ...)
{
    CLEANUP_FREE char *path = trust_path(ctl, "history");
    CLEANUP_FD int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    CLEANUP_FREE char *what = NULL, *line = NULL;
    time_t now = time(NULL);
    char date[32] = "";
    struct tm tm;
    va_list ap;
    int r;

    if (fd < 0)
        return problem_set(problem, -errno, "cannot open '%s': %s", path, strerror(errno));
    va_start(ap, fmt);
    what = must_vformat(fmt, ap);
    va_end(ap);
    if (gmtime_r(&now, &tm))
        (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    line = must_format("%s uid=%u %s\n", date, (unsigned)getuid(), safe(what));
    r = fd_write_all(fd, line, strlen(line), NULL);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r < 0)
        return problem_set(problem, r, "cannot write '%s': %s", path, strerror(-r));
    return 0;
}

/* malloc'ed name of the one signature beside a manifest. */
static int find_signature(const char *path, char **ret, struct problem *problem)
{
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        CLEANUP_FREE char *found = must_format("%s%s", path, suffixes[i]);

        if (access(found, F_OK) < 0)
            continue;
        if (*ret) {
            problem_set(problem, UNFIT, "has more than one signature beside it");
            return problem_todo(problem, "leave only the one that counts");
        }
        *ret = STEAL(found);
    }
    if (*ret)
        return 0;
    problem_set(problem, -ENOKEY, "has no signature beside it (.sig, .p7s or .asc)");
    return problem_todo(problem, "copy the signature there too");
}

static int check_signature(const struct trust_store *store, const char *path, const char *sig_path,
                           struct signed_manifest *ret, struct problem *problem)
{
    CLEANUP_FREE char *found = NULL;
    struct err err = ERR_INIT;
    int r;

    if (!sig_path) {
        r = find_signature(path, &found, problem);
        if (r < 0)
            return r;
        sig_path = found;
    }
    r = file_read(sig_path, SIGNATURE_MAX_SIZE, &ret->sig, &ret->sig_len, problem);
    if (r == 0)
        r = signature_check(store, ret->data, ret->len, ret->sig, ret->sig_len, SIGNATURE_PURPOSE,
                            &ret->signature, &err);
    else
        return r;
    if (r < 0) {
        /* A damaged signature is no damaged installation. */
        err.code = r == -EBADMSG ? -EKEYREJECTED : r;
        (void)err_prefix(&err, "its signature");
        return problem_from_err(problem, &err);
    }
    return 0;
}

int signed_manifest_read(const struct trust_store *store, const char *path, const char *sig_path,
                         struct signed_manifest *ret, struct problem *problem)
{
    struct err err = ERR_INIT;
    const char *name = strrchr(path, '/');
    int r;

    *ret = (struct signed_manifest){0};
    r = file_read(path, MANIFEST_MAX_SIZE, &ret->data, &ret->len, problem);
    /* The signature first: nobody's bytes are parsed. */
    if (r == 0 && store)
        r = check_signature(store, path, sig_path, ret, problem);
    if (r == 0 && (r = manifest_parse(ret->data, ret->len, name ? name + 1 : path, &ret->manifest,
                                      &err)) < 0) {
        problem_set(problem, r == -EBADMSG ? UNFIT : r, "%s", err.msg);
        problem_todo(problem, "get it again from whoever signed it, or sign the tree again");
        r = problem->err.code;
    }
    if (r < 0)
        signed_manifest_done(ret);
    return r;
}

void signed_manifest_done(struct signed_manifest *manifest)
{
    manifest_done(&manifest->manifest);
    free(manifest->data);
    free(manifest->sig);
    *manifest = (struct signed_manifest){0};
}
