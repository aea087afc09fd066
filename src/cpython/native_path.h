/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to a shared object. The dynamic linker opens by name what was judged under that name, so
 * what counts is whether anybody can make the name mean something else in between: every directory
 * that is passed, those of symbolic links included. No Python object comes in here.
 */
#ifndef SPYTHON_CPYTHON_NATIVE_PATH_H
#define SPYTHON_CPYTHON_NATIVE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum native_way {
    NATIVE_WAY_FORBIDDEN = 0, /* leads through a procfs, or below /dev or /sys: open descriptors and
                               * shared memory, which are whatever the program makes of them */
    NATIVE_WAY_LOST,          /* cannot be walked, or leads to another file by now */
    NATIVE_WAY_CHANGEABLE,    /* others than root and owner can change it, or the file */
    NATIVE_WAY_GUARDED,
};

struct native_walk {
    enum native_way way;
    char real[PATH_MAX]; /* absolute, without symbolic links; as far as it went */
    char at[PATH_MAX];   /* NATIVE_WAY_CHANGEABLE: the directory or file that others can change */
    char rest[2][PATH_MAX];
};

/* Walks from "/" (or the working directory, walked itself) to the file `st`, which is open. Sets
 * everything in *ret. Allocates nothing. */
void native_path_walk(const char *name, uid_t owner, const struct stat *st,
                      struct native_walk *ret);

/* Whether the dynamic linker would expand something in this name: $ORIGIN, $LIB, $PLATFORM. */
bool native_path_has_token(const char *name);

/*
 * Finds a library in a list of directories as DT_RUNPATH has it (separated by ":", an empty one is
 * the working directory), with $ORIGIN standing for `origin`. Directories with other tokens are
 * passed over. Returns whether one has it; then `out` has the whole path.
 */
bool native_path_search(const char *list, const char *origin, const char *name, char out[PATH_MAX]);

#endif
