/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who can change a file? What spython obeys (policy, interpreter, core, adopted venv) must be
 * changeable only by root or by one named owner: that of the spython executable.
 */
#ifndef SPYTHON_BASE_OWNER_H
#define SPYTHON_BASE_OWNER_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

/* What is wrong with who may change something. */
enum owner_flaw {
    OWNER_SOUND = 0,
    OWNER_FOREIGN,   /* belongs neither to root nor to `owner` */
    OWNER_GROUP,     /* its group may write, or whom an access control list names: the list's mask
                      * shows in the place of the group's bits */
    OWNER_EVERYBODY, /* everybody may write */
};

enum owner_flaw owner_find_flaw(const struct stat *st, uid_t owner);

/* The same for a directory: one that others may write is sound if it is sticky and `below`, the
 * owner of the entry in question, is root or `owner`. */
enum owner_flaw owner_find_directory_flaw(const struct stat *st, uid_t owner, uid_t below);

/*
 * Checks one opened file: owner is root or `owner`, and neither group nor others can write it.
 * `name` is only for the message. Returns 0 or -EPERM.
 */
int owner_check_stat(const struct stat *st, uid_t owner, const char *name, struct err *err);

/*
 * Checks every directory from the one that holds `path` up to "/". `path` is absolute and its
 * directories are resolved first, so symlinks on the way do not hide a writable place. A directory
 * that others can write passes only if it is sticky and the entry below it belongs to root or
 * `owner` (then nobody else can rename or remove that entry). Returns 0, -EPERM, or -errno of the
 * failing look-up.
 */
int owner_check_chain(const char *path, uid_t owner, struct err *err);

#endif
