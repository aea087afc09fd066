/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error: a negative errno and one line of text, owned by the caller, so that it works when
 * malloc does not. Functions below launcher/ and ctl/ fill it and never print or exit.
 */
#ifndef SPYTHON_BASE_ERR_H
#define SPYTHON_BASE_ERR_H

#define ERR_MESSAGE_MAX 1024

struct err {
    int code; /* negative errno; 0 means "no error" */
    char msg[ERR_MESSAGE_MAX];
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        0, ""                                                                                      \
    }

/*
 * Formats the message and stores `code`. Messages start in lower case, name the object in quotes
 * and have no trailing period. A message that is too long is cut. Returns `code`, so that
 * `return err_set(err, -EBADMSG, ...)` is one line. `err` may be NULL. Preserves errno.
 */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "text: " in front of the message that is already there. Returns err->code. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
