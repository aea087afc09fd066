/* SPDX-License-Identifier: Apache-2.0 */
/* The redactions that look into a text. Only for src/event/. */
#ifndef SPYTHON_EVENT_REDACT_H
#define SPYTHON_EVENT_REDACT_H

#include <stdbool.h>

#include "event/escape.h"
#include "event/value.h"

struct redact_url {
    bool is_host; /* the text is a host, so it may begin with "user:password@" */
    bool is_cut;  /* the text goes on behind what is here: a password may end out of sight */
};

/* Like text_escape(), with the password of every "//user:password@" replaced by "***". *ret_whole
 * says whether everything was written. */
char *redact_put_url(char *p, const char *end, const struct text *text, enum text_form form,
                     const struct redact_url *how, bool *ret_whole);

/* The name of "NAME=VALUE" as a value, `{"redacted":true,...}` for what has not that form. Returns
 * the place behind it or NULL if it does not fit. */
char *redact_put_env_name(char *p, char *end, const struct value *value);

#endif
