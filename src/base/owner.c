/* SPDX-License-Identifier: Apache-2.0 */
#include "base/owner.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_trusted_uid(uid_t uid, uid_t owner)
{
    return uid == 0 || uid == owner;
}

enum owner_flaw owner_find_flaw(const struct stat *st, uid_t owner)
{
    if (!is_trusted_uid(st->st_uid, owner))
        return OWNER_FOREIGN;
    if (st->st_mode & S_IWOTH)
        return OWNER_EVERYBODY;
    return st->st_mode & S_IWGRP ? OWNER_GROUP : OWNER_SOUND;
}

enum owner_flaw owner_find_directory_flaw(const struct stat *st, uid_t owner, uid_t below)
{
    enum owner_flaw flaw = owner_find_flaw(st, owner);

    if (flaw != OWNER_FOREIGN && st->st_mode & S_ISVTX && is_trusted_uid(below, owner))
        return OWNER_SOUND;
    return flaw;
}

int owner_check_stat(const struct stat *st, uid_t owner, const char *name, struct err *err)
{
    enum owner_flaw flaw = owner_find_flaw(st, owner);

    if (flaw == OWNER_FOREIGN)
        return err_set(err, -EPERM, "'%s': is owned by uid %u, not by root or the owner of spython",
                       name, (unsigned)st->st_uid);
    if (flaw != OWNER_SOUND)
        return err_set(err, -EPERM, "'%s': can be written by %s", name,
                       flaw == OWNER_EVERYBODY ? "everybody" : "its group");
    return 0;
}

/* One directory of the chain; `below` is the owner of the entry on the way down from it. */
static int check_directory(const char *path, uid_t owner, uid_t below, uid_t *ret_uid,
                           struct err *err)
{
    enum owner_flaw flaw;
    struct stat st;

    if (lstat(path, &st) < 0)
        return err_set(err, -errno, "cannot look at '%s': %s", path, strerror(errno));
    flaw = owner_find_directory_flaw(&st, owner, below);
    if (flaw == OWNER_FOREIGN)
        return err_set(err, -EPERM,
                       "directory '%s': is owned by uid %u, not by root or the owner of spython",
                       path, (unsigned)st.st_uid);
    if (flaw != OWNER_SOUND)
        return err_set(err, -EPERM, "directory '%s': can be written by others", path);
    *ret_uid = st.st_uid;
    return 0;
}

int owner_check_chain(const char *path, uid_t owner, struct err *err)
{
    char parent[PATH_MAX], real[PATH_MAX];
    const char *slash;
    struct stat st;
    uid_t below;

    slash = strrchr(path, '/');
    if (path[0] != '/' || (size_t)(slash - path) >= sizeof(parent))
        return err_set(err, -EINVAL, "'%s' is not an absolute path", path);
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    if (!realpath(parent[0] ? parent : "/", real))
        return err_set(err, -errno, "cannot resolve '%s': %s", parent, strerror(errno));
    if (lstat(path, &st) < 0)
        return err_set(err, -errno, "cannot look at '%s': %s", path, strerror(errno));
    below = st.st_uid;
    for (;;) {
        int r = check_directory(real[0] ? real : "/", owner, below, &below, err);
        char *end;

        if (r < 0)
            return r;
        if (real[0] == '\0' || (real[0] == '/' && real[1] == '\0'))
            return 0;
        end = strrchr(real, '/');
        *end = '\0';
    }
}
