/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May the dynamic linker map this file? Judged as policy's `verify.native` says, recorded as
 * spython.native. One at a time: under the linker's lock, or before there are other threads. May be
 * called with or without the GIL, and before the interpreter has any thread; no Python object comes
 * in here.
 */
#ifndef SPYTHON_CPYTHON_NATIVE_JUDGE_H
#define SPYTHON_CPYTHON_NATIVE_JUDGE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "cpython/native_path.h"
#include "cpython/recorder.h"
#include "policy/policy.h"

enum native_outcome {
    NATIVE_REFUSED = 0, /* in audit as well: the caller lets it pass then */
    NATIVE_ALLOWED,
    NATIVE_NOTHING, /* there is no object that the linker could map; nothing is recorded */
};

enum native_moment {
    NATIVE_SEARCHED = 0, /* the linker is about to open it */
    NATIVE_AT_START,     /* it was mapped before the core was there */
    NATIVE_MAPPED,       /* it is mapped, although it was never asked for under this name */
};

struct native_question {
    const char *name;      /* to be opened */
    const char *requester; /* path of the object that wants it; "" for the program, NULL: unknown */
    enum native_moment moment;
};

struct native_answer {
    enum native_outcome outcome;
    const char *use; /* the name to open instead; good until the next question */
    bool pinned;     /* others can change what that name leads to: only `pin` may be behind it */
    struct stat pin;
    int pin_fd;       /* keeps that file's number its own; the caller closes it */
    uint64_t seq;     /* of the record */
    char reason[512]; /* NATIVE_REFUSED: one line for the developer */
};

void native_judge(const struct policy_verify *policy, const struct native_question *question,
                  struct native_answer *ret);

/* Writes that something was mapped that must not be, and why; the caller ends the process. */
void native_record_breach(const char *name, const char *reason);

#endif
