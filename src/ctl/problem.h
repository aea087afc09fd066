/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with something, and what to do about it: an err with a second half. */
#ifndef SPYTHON_CTL_PROBLEM_H
#define SPYTHON_CTL_PROBLEM_H

#include "base/err.h"

/* Exit statuses of spythonctl; man/spythonctl.1 explains them. */
#define CTL_OK 0
#define CTL_NEGATIVE 1
#define CTL_USAGE 64
#define CTL_BADSIGNATURE 65
#define CTL_NOINPUT 66
#define CTL_CANTCREAT 73
#define CTL_IOERR 74
#define CTL_NOPERM 77
#define CTL_UNUSABLE 78

/* Zeroed: no problem. `err.msg` is said about an object that the caller knows, and does not begin
 * with its name. */
struct problem {
    struct err err;
    char todo[ERR_MESSAGE_MAX];
};

/* Negative errno values by what they lead to; see problem_status(). */
#define UNFIT (-ENOEXEC) /* looked at, and not what is needed */

/* Sets what is wrong, with the negative errno `code`, and advice that fits most errors of that
 * code. Returns `code`. */
int problem_set(struct problem *problem, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets better advice. Returns the code that was set before. */
int problem_todo(struct problem *problem, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes over an err of another module, with advice that fits its code. Returns its code. */
int problem_from_err(struct problem *problem, const struct err *err);

/* The exit status that a problem leads to. */
int problem_status(const struct problem *problem);

/* Prints `spythonctl: OBJECT: WHAT (TODO)` to stderr and returns problem_status(). */
int problem_report(const char *object, const struct problem *problem);

#endif
