/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a file sink lost its descriptor or its file: which of the records since the last check
 * arrived, and saving those of a deleted file. Private to src/sinks/.
 */
#ifndef SPYTHON_SINKS_FILE_RECOVER_H
#define SPYTHON_SINKS_FILE_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file_recover {
    int from;            /* the file, open for reading */
    off_t start;         /* lines that end after this offset */
    const char *session; /* shared file: only records of this session; NULL: all lines */
    int to;              /* write them there, and count only what was written; -1: only count */
    const char *record;  /* is this one among them? NULL: does not matter */
    size_t record_len;

    uint64_t lines;
    bool record_found;
};

/* Counts lines, see above. Allocates a block; finds nothing if that fails. Does not preserve
 * errno. */
void file_recover_tail(struct file_recover *recover);

#endif
