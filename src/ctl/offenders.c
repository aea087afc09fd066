/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for files that somebody else could change; see files.h. */
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/owner.h"
#include "ctl/files.h"
#include "ctl/output.h"

void offenders_done(struct offenders *offenders)
{
    for (size_t i = 0; i < OFFENDERS_SHOWN; i++)
        free(offenders->shown[i]);
    *offenders = (struct offenders){0};
}

static void add(struct offenders *offenders, const char *text)
{
    if (offenders->count < OFFENDERS_SHOWN)
        offenders->shown[offenders->count] = must_copy(text);
    offenders->count++;
}

static void look(struct offenders *offenders, const char *path, const struct stat *link,
                 uid_t owner)
{
    struct err err = ERR_INIT;
    char real[PATH_MAX];
    struct stat st;

    if (!S_ISLNK(link->st_mode)) {
        if (owner_check_stat(link, owner, path, &err) < 0)
            add(offenders, err.msg);
        return;
    }
    /* The mode of a link means nothing; who can replace it is its directory's matter. */
    if (link->st_uid != 0 && link->st_uid != owner) {
        (void)err_set(&err, -EPERM, "'%s' is owned by uid %u, not by root or the owner of spython",
                      path, (unsigned)link->st_uid);
        add(offenders, err.msg);
    } else if (realpath(path, real) && stat(real, &st) == 0 &&
               (owner_check_stat(&st, owner, real, &err) < 0 ||
                owner_check_chain(real, owner, &err) < 0)) {
        add(offenders, err.msg);
    }
}

void offenders_look_at(struct offenders *offenders, const char *path, uid_t owner)
{
    struct stat st;

    if (lstat(path, &st) == 0)
        look(offenders, path, &st, owner);
    else if (errno != ENOENT && errno != ENOTDIR)
        add(offenders, path);
}

void offenders_look_above(struct offenders *offenders, const char *path, uid_t owner)
{
    struct err err = ERR_INIT;

    if (owner_check_chain(path, owner, &err) < 0)
        add(offenders, err.msg);
}

void offenders_walk(struct offenders *offenders, const char *path, uid_t owner)
{
    char real[PATH_MAX];
    char *roots[] = {real, NULL};
    struct err err = ERR_INIT;
    FTS *tree;

    if (!realpath(path, real)) {
        if (errno != ENOENT)
            add(offenders, path);
        return;
    }
    tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; tree && (entry = fts_read(tree)) != NULL;) {
        switch (entry->fts_info) {
        case FTS_DP:
            break;
        case FTS_DNR: /* what cannot be looked at cannot be vouched for */
        case FTS_ERR:
        case FTS_NS:
            (void)err_set(&err, -EPERM, "cannot look at '%s': %s", entry->fts_path,
                          strerror(entry->fts_errno));
            add(offenders, err.msg);
            break;
        default:
            look(offenders, entry->fts_path, entry->fts_statp, owner);
        }
    }
    if (tree)
        (void)fts_close(tree);
    else
        add(offenders, path);
}

int offenders_problem(const struct offenders *offenders, struct problem *problem)
{
    char text[ERR_MESSAGE_MAX];
    size_t at = 0;

    if (offenders->count == 0)
        return 0;
    text[0] = '\0';
    for (size_t i = 0; i < offenders->count && i < OFFENDERS_SHOWN && at < sizeof(text); i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? "; " : "",
                               offenders->shown[i]);
    if (offenders->count == 1)
        problem_set(problem, -EPERM, "%s", text);
    else
        problem_set(problem, -EPERM, "%zu files could be changed by others: %.800s%s",
                    offenders->count, text, offenders->count > OFFENDERS_SHOWN ? "; ..." : "");
    return problem_todo(problem, "chown them to root or to the owner of spython, and chmod go-w");
}
