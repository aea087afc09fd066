/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: all sinks of one process, and the account of what each of them lost. One per process;
 * the core owns it. Nothing is dropped silently: what a sink did not take is counted, and as soon
 * as that sink takes records again it gets a `spython.loss` record in front of the next one.
 */
#ifndef SPYTHON_SINKS_LOG_H
#define SPYTHON_SINKS_LOG_H

#include "sinks/sink.h"

#define LOG_MAX_SINKS 8

struct log;

/* Writes one spython.loss record: called under the log's own care, when `sink_name` works again
 * after `lost` records with sequence numbers first..last were not taken because of `error` (errno).
 * Encodes into out, returns its size. The core supplies it, because only the core knows time and
 * sequence numbers. */
typedef size_t (*log_loss_encoder)(void *ctx, const char *sink_name, uint64_t lost, uint64_t first,
                                   uint64_t last, int error, char *out, size_t cap);

/*
 * Opens every sink of `configs`. A sink that cannot be opened and says SINK_FAILURE_STOP fails the
 * call; one that says SINK_FAILURE_COUNT is kept closed, its records are counted as lost, and
 * opening is tried again from time to time (at most once a second). Returns 0, or -errno with a
 * message; then *ret is not written. `encoder` may be NULL (then losses are only counted).
 */
int log_open(const struct sink_config *configs, unsigned count, const char *session,
             log_loss_encoder encoder, void *ctx, struct log **ret, struct err *err);

/*
 * Gives one record to every sink whose level admits it. Returns 0, or the -errno of the first sink
 * that failed and says SINK_FAILURE_STOP (the caller then ends the process with status 74).
 * Thread-safe without a lock on the usual path. Preserves errno.
 */
int log_write(struct log *log, enum level level, uint64_t seq, const char *data, size_t len);

/* Records that at least one sink did not take, since log_open or fork. */
uint64_t log_lost(const struct log *log);

/* In the parent, before and after a fork: see sink_ops.before_fork. Waits for a fifth of a second
 * at most; a fork is never refused. One thread at a time. NULL is allowed. */
void log_before_fork(struct log *log);
void log_after_fork_parent(struct log *log);

/* In the child of a fork: see sink_ops.after_fork. Loss counts start again at zero. */
void log_after_fork(struct log *log, const char *session);

/* Looks whether every record is where it was written to, and tells the losses that were not told
 * yet. At the end of a process that other threads may still be writing in: nothing is freed.
 * Thread-safe. NULL is allowed. */
void log_settle(struct log *log);

/* Closes all sinks and frees. NULL is allowed. */
void log_close(struct log *log);

#endif
