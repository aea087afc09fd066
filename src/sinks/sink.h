/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where records go. A sink takes whole encoded records (`{...}\n`) and never formats or reads
 * them. One file per kind of sink behind `struct sink_ops`; log.h routes records to the sinks of a
 * policy. All functions may be called with or without the GIL, from any thread; a sink locks for
 * itself where a single write(2) does not do.
 */
#ifndef SPYTHON_SINKS_SINK_H
#define SPYTHON_SINKS_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "event/catalogue.h"

enum sink_kind {
    SINK_NULL = 0,
    SINK_STDERR,
    SINK_FILE,
    SINK_KIND_MAX,
};

/* What to do when a sink does not take a record. */
enum sink_failure {
    SINK_FAILURE_STOP = 0, /* end the program with exit status 74 */
    SINK_FAILURE_COUNT,    /* count it; spython.loss tells as soon as the sink works again */
};

/* As policy says it; all pointers stay valid for the life of the process. */
struct sink_config {
    enum sink_kind kind;
    enum sink_failure on_failure;
    enum level level;     /* records up to this level (LEVEL_INFORMATIONAL: all) */
    const char *path;     /* file: directory if it ends in "/", then one file per session in it;
                           * otherwise one file that all sessions append to */
    uint64_t rotate_size; /* file: begin another one past this many bytes; 0: never */
    uint32_t rotate_keep; /* file: how many full ones of this session stay; 0: all */
};

struct sink;

struct sink_ops {
    const char *name; /* as written in spython.yaml */

    /* Opens. `session` names the session (16 hexadecimal digits). Returns 0 and a sink that close
     * frees, or -errno with a message. */
    int (*open)(const struct sink_config *config, const char *session, struct sink **ret,
                struct err *err);

    /* Takes one record. Returns 0 when every byte was accepted by the kernel, or -errno when not
     * all were. Must not allocate on the usual path, block for ever, or change errno. */
    int (*write)(struct sink *sink, const char *data, size_t len);

    /* Asked after write() failed, and before close(): looks whether all is in its place, and says
     * how many records that write() had accepted did not reach theirs, as was found only now (the
     * descriptor had been replaced, the file removed). At most this many; the answer starts again
     * at zero. write() returning -ESTALE means: this is all that is wrong, give that record again.
     * NULL: such a thing cannot be. Thread-safe. */
    uint64_t (*take_back)(struct sink *sink);

    /* Around a fork, in the parent: lets no fork fall into the middle of a change of files, and
     * goes on. Either may be NULL. The caller sees to it that only one thread at a time forks. */
    void (*before_fork)(struct sink *sink);
    void (*after_fork_parent)(struct sink *sink);

    /* In the child of a fork, before its first record: lets go of what belongs to the parent and
     * begins the child's session. Nothing of the parent's locks may be relied on. */
    void (*after_fork)(struct sink *sink, const char *session);

    /* Flushes and frees. NULL is allowed. */
    void (*close)(struct sink *sink);
};

/* First member of every sink's own structure. */
struct sink {
    const struct sink_ops *ops;
};

extern const struct sink_ops sink_null_ops;
extern const struct sink_ops sink_stderr_ops;
extern const struct sink_ops sink_file_ops;

/* The operations of a kind; never NULL for a valid kind. */
const struct sink_ops *sink_ops_of(enum sink_kind kind);

#endif
