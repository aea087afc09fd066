/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a file sink lost its descriptor or its file: which of the records since the last check
 * arrived, and saving those of a deleted file. Private to src/sinks/.
 */
#ifndef SPYTHON_SINKS_FILE_RECOVER_H
#define SPYTHON_SINKS_FILE_RECOVER_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Counts the whole lines of `from` that end after offset `start`; with `session` (a shared file)
 * only those of records of that session. If `to` >= 0 they are also written there, and only what
 * was written counts. Allocates a block; counts 0 if that fails. Does not preserve errno.
 */
uint64_t file_recover_tail(int from, off_t start, const char *session, int to);

#endif
