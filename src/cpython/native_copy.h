/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of shared objects in sealed memory, for files that others can change: the bytes that are
 * judged are then the bytes that the dynamic linker maps. Used under the linker's lock only, so by
 * one thread at a time. No Python object comes in here.
 */
#ifndef SPYTHON_CPYTHON_NATIVE_COPY_H
#define SPYTHON_CPYTHON_NATIVE_COPY_H

#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct native_copy {
    struct stat of;   /* the file */
    struct stat self; /* the copy */
    int fd;
    char path[32];            /* "/proc/self/fd/N" */
    char directory[PATH_MAX]; /* of the file, for $ORIGIN; "" for the root */
    const void *data;         /* mapped until native_copy_release() */
};

/*
 * The copy of an open file: one that was made before, if the file has not changed since, or a new
 * one. NULL with errno: EFBIG (more than `max` bytes), ESTALE (it changed meanwhile, or the program
 * has closed the copy), ENOSPC (too many), ENOMEM, or of the failing call. `real` is the file's
 * path. Copies last as long as the process.
 */
struct native_copy *native_copy_get(int fd, const struct stat *st, const char *real, size_t max);

/* Unmaps the data. */
void native_copy_release(struct native_copy *copy);

/*
 * The dynamic linker takes $ORIGIN in an object's RUNPATH for the directory of the name under which
 * it was opened, which for a copy is that of descriptors. So what a copy needs is looked up here,
 * as its file would have it. Returns whether it was found; then `out` has its path.
 */
bool native_copy_find_needed(const struct link_map *requester, const char *name,
                             char out[PATH_MAX]);

#endif
