/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a file sink's file is: its directory, its name, and whether an open descriptor is still the
 * file of that name. Private to src/sinks/. Nothing here locks or allocates; all of it works in the
 * child of a fork.
 */
#ifndef SPYTHON_SINKS_FILE_PLACE_H
#define SPYTHON_SINKS_FILE_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

struct file_id {
    dev_t dev;
    ino_t ino;
};

enum file_state {
    FILE_GONE = 0, /* the descriptor is closed */
    FILE_FOREIGN,  /* the number is somebody else's now */
    FILE_DELETED,  /* ours, but without a name anywhere */
    FILE_MOVED,    /* ours, but the path names another file or none */
    FILE_HERE,
};

struct file_place {
    const char *path; /* as configured, absolute, borrowed */
    bool shared;      /* one file for all sessions; else a directory */
    int dir_fd;       /* O_PATH: keeps working after chroot(2) and when the path moves */
    struct file_id dir_id;
    char stem[NAME_MAX + 1]; /* shared: the file's name; else the name without its end */
    char name[NAME_MAX + 1]; /* of the file that was opened last */
    uint32_t number;         /* of that file in its session, from 1 */
};

/* Opens the directory. Returns 0, or -errno with a message; then nothing is open. */
int file_place_init(struct file_place *place, const char *path, struct err *err);

/* Names the files that follow after `session`, this process and this moment. */
void file_place_begin(struct file_place *place, const char *session);

/*
 * Opens the next file of the session, or the shared file. Returns 0, a descriptor (at least
 * PUT_FD_MIN if possible) and its identity, or -errno; then `place` is as before.
 */
int file_place_open(struct file_place *place, int *ret_fd, struct file_id *ret_id);

/* Compares `fd` with what was opened. *ret_size is written for FILE_HERE, MOVED and DELETED. */
enum file_state file_place_look(struct file_place *place, int fd, const struct file_id *id,
                                off_t *ret_size);

/* Opens the current file for reading by its name, if it is still `id`. Returns 0 or -errno. */
int file_place_read(struct file_place *place, const struct file_id *id, int *ret_fd);

/* Removes the file of the session that is one too many when `keep` full ones may stay. */
void file_place_prune(struct file_place *place, uint32_t keep);

/* Shared file: gives it another name (PATH.1 and so on) so that the next open makes a new one.
 * Whoever holds the lock does it. Returns 0, or -errno: somebody else does, or did, or it failed.
 */
int file_place_retire(struct file_place *place, int fd, const struct file_id *id, uint32_t keep);

/* True if `fd` is open and is the file `id`. */
bool file_place_is(int fd, const struct file_id *id);

void file_place_done(struct file_place *place);

#endif
