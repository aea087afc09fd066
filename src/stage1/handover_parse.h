/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the value of SPYTHON_HANDOVER (handover.h). Hosted: for the core. */
#ifndef SPYTHON_STAGE1_HANDOVER_PARSE_H
#define SPYTHON_STAGE1_HANDOVER_PARSE_H

#include <stdbool.h>
#include <stddef.h>

/* A piece of the value: not NUL-terminated, holds no NUL, any other byte is possible. */
struct handover_text {
    const char *data;
    size_t len;
};

enum handover_guard {
    HANDOVER_GUARD_NONE = 0, /* not a parsed handover */
    HANDOVER_GUARD_REPLACED, /* put first_argument back into argv[1] */
    HANDOVER_GUARD_INSERTED, /* take argv[1] out */
};

struct handover {
    struct handover_text minor;          /* "3.11" */
    struct handover_text prefix;         /* "" for / */
    struct handover_text executable;     /* prefix + "/bin/spython" + minor */
    struct handover_text execfn;         /* may be relative or empty; not to be trusted */
    struct handover_text first_argument; /* at least 2 bytes if the guard replaced it, else empty */
    struct handover_text removed;        /* names separated by "=": see handover_next_removed() */
    bool removed_cut;                    /* there were more names than could be told */
    bool second_pass;
    enum handover_guard guard;
};

/*
 * Parses `len` bytes at `value`, which need no NUL behind them. Fills *ret with pieces that point
 * into `value` and live as long as it does. Returns 0, or -EBADMSG on anything that the first stage
 * would not have written; then *ret is all zero. Allocates nothing, any thread.
 */
int handover_parse(const char *value, size_t len, struct handover *ret);

/*
 * Gives the next name of a removed variable. *at is 0 at the first call and is the function's own.
 * False at the end.
 */
bool handover_next_removed(const struct handover *handover, size_t *at, struct handover_text *ret);

#endif
