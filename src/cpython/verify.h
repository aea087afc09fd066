/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May these bytes run? What the gate and the launcher have opened and read is judged here as policy
 * says, recorded, and only then handed out or refused. No Python object comes in here; may be
 * called with or without the GIL.
 */
#ifndef SPYTHON_CPYTHON_VERIFY_H
#define SPYTHON_CPYTHON_VERIFY_H

#include <stddef.h>
#include <sys/stat.h>

#include "cpython/recorder.h"
#include "trust/hook_name.h"
#include "trust/trust.h"

#define RULE_CODE "spython-unapproved-code"

/* A file that was opened to be executed. */
struct verify_file {
    struct value name;     /* as it was asked for */
    const char *real_path; /* what was opened, if that is known; NULL: the kernel is asked */
    bool sealed_first;     /* by verify_opened() */
    int fd;                /* -1: it could not be opened, see `error` */
    struct stat st;
    const void *data; /* all of it */
    size_t len;
    enum trust_kind kind;
    enum hook_form hook; /* by the name that it is asked for under */
    int error;           /* errno; 0: it was read */
    const char *unknown; /* why nobody can say where the bytes come from; then fd is -1. NULL: it is
                          * known */
};

struct verify_verdict {
    enum verdict verdict;
    uint64_t seq;     /* of the record that says so */
    char reason[640]; /* one line for the developer; "" if there is nothing to say */
};

/* What a file is, from its name and its beginning. */
enum trust_kind verify_kind(const char *path, const void *data, size_t len);

/* Looks at a file that was opened, before it is read: whether the kernel guards its bytes already.
 * `real_path`, fd and st are set. Not calling it costs time, no safety. With or without the GIL. */
void verify_opened(struct verify_file *file);

/*
 * Judges, and writes spython.open_code and, for a file that runs code at start-up,
 * spython.startup_hook. `record` holds the places in Python code that ask for it (places_fill), or
 * none; the rest of it is overwritten.
 */
void verify_code(const struct verify_file *file, struct record *record, struct verify_verdict *ret);

#endif
