/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the sinks share: a directory of their own, records that can be recognised, and
 * a reader that says which of them arrived whole. Each test process has one set of it.
 */
#ifndef SPYTHON_TESTS_SINKS_TEST_H
#define SPYTHON_TESTS_SINKS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unavailable.h"
#include "sinks/log.h"

#define SESSION "c0ffee0123456789"
#define OTHER_SESSION "feedface01234567"
#define INTERVAL 256 /* records after which a sink looks at its file, see docs/sinks.md */
#define SEQ_MAX 400000

/* A fresh directory; the path ends in "/". remove_dir() empties it, directories below included. */
extern char dir[64];
void make_dir(void);
void remove_dir(void);

/* A path below dir, in one of a few static buffers. */
const char *below(const char *name);

/* Writes the text of record `seq` of `session` by thread `tid`, `size` bytes in all (at least 128).
 */
size_t make_record(char *out, size_t size, const char *session, unsigned tid, uint64_t seq);

/* Gives records first..last (300 bytes each) to the log, at level low. Returns the last error. */
int write_records(struct log *log, uint64_t first, uint64_t last);

/* log_loss_encoder that makes `{"loss":"SINK",...}`. */
size_t encode_loss(void *ctx, const char *sink, uint64_t lost, uint64_t first, uint64_t last,
                   int error, char *out, size_t cap);

/* Opens a log with one file sink at `path`; fails the test if it cannot. */
struct log *open_session_log(const char *path, enum sink_failure on_failure, const char *session);
struct log *open_file_log(const char *path, enum sink_failure on_failure); /* of SESSION */

/* What was read back. */
struct seen {
    unsigned files;
    uint64_t records; /* whole lines that are records */
    uint64_t twice;   /* of these, such as were there already */
    uint64_t pieces;  /* lines that are neither records nor losses */
    uint64_t loss_records;
    uint64_t lost, first, last;  /* sum; of the last loss record */
    int error;                   /* of the last loss record */
    uint64_t order;              /* records that came before an earlier one of their thread */
    unsigned char here[SEQ_MAX]; /* how often, by seq */
};
extern struct seen seen;

/* Reads a file, or all files of a session in the order they were written. Adds to `seen`. */
void seen_clear(void);
void see_file(const char *path, const char *session);
void see_session(const char *directory, const char *session);

/* Number of records first..last that `seen` does not hold. */
uint64_t missing(uint64_t first, uint64_t last);

/* The highest descriptor of this process on a file whose name begins with `prefix`; -1: none. */
int find_fd(const char *prefix);
unsigned count_fds(void);

#endif
