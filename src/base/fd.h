/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors: closing, whole reads and writes, moving out of the program's way. */
#ifndef SPYTHON_BASE_FD_H
#define SPYTHON_BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Closes `fd` if it is >= 0. Preserves errno; a close error has no consequence for readers. */
void fd_close(int fd);

/*
 * Writes all `len` bytes, restarting after EINTR and partial writes. Returns 0, or -errno; then
 * *ret_written (may be NULL) says how many bytes went out, which can be more than none.
 */
int fd_write_all(int fd, const void *data, size_t len, size_t *ret_written);

/*
 * Reads a regular file to its end into a malloc'ed block with a NUL behind it (not counted).
 * Returns 0, -errno of the failing call, -EFBIG if it holds more than `max` bytes, -ENOMEM.
 * The caller frees *ret_data.
 */
int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_len);

/*
 * Moves `fd` to the lowest free number that is at least `min`, close-on-exec, and closes the old
 * one. Programs and daemonizers close and reuse low numbers. Returns the new number; if none is
 * free up there (RLIMIT_NOFILE) the old number, now close-on-exec. -errno if neither worked, then
 * `fd` is closed.
 */
int fd_move_high(int fd, int min);

#endif
