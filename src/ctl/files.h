/* SPDX-License-Identifier: Apache-2.0 */
/* Files that spython obeys: replaced whole or not at all, and only where nobody else can write. */
#ifndef SPYTHON_CTL_FILES_H
#define SPYTHON_CTL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ctl/problem.h"

/* Writes `data` to a new file beside `path`, brings it to disk and renames it to `path`: a reader
 * sees the old contents or the new ones. Mode is 0644 whatever the umask. Returns 0 or -errno. */
int file_replace(const char *path, const void *data, size_t len, struct problem *problem);

/* Makes `path` a symbolic link to `target` in the same way. Something else than a symbolic link
 * that is already there is left alone: -EEXIST. */
int file_link(const char *target, const char *path, struct problem *problem);

/* Removes `path` if it is a symbolic link to `target` (any target if NULL). Absent is fine. */
int file_unlink_link(const char *path, const char *target, struct problem *problem);

/* Reads a regular file to its end, NUL behind it. -ENOENT if there is none; -EFBIG. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct problem *problem);

/* Takes the prefix's lock for changes to the policy, waiting at most ten seconds. Returns a
 * descriptor whose close gives the lock back, or -errno (-EBUSY: somebody else has it). */
int file_lock(const char *path, struct problem *problem);

/* Brings renames in the directory of `path` to disk. */
int file_sync_directory(const char *path, struct problem *problem);

/* Files that somebody else than root or the owner could change. */
#define OFFENDERS_SHOWN 5
struct offenders {
    size_t count;
    char *shown[OFFENDERS_SHOWN]; /* one text each; owned */
};

void offenders_done(struct offenders *offenders);

/* Checks one file or directory itself, and through a symbolic link what it leads to with the
 * directories above that. Absent is fine. */
void offenders_look_at(struct offenders *offenders, const char *path, uid_t owner);

/* Checks everything below `path`, without following links to directories. Absent is fine. */
void offenders_walk(struct offenders *offenders, const char *path, uid_t owner);

/* Checks the directories above `path`. */
void offenders_look_above(struct offenders *offenders, const char *path, uid_t owner);

/* -EPERM with the first offenders in the text; 0 if there are none. */
int offenders_problem(const struct offenders *offenders, struct problem *problem);

#endif
