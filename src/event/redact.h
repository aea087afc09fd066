/* SPDX-License-Identifier: Apache-2.0 */
/* The redactions that look into a text. Only for src/event/. */
#ifndef SPYTHON_EVENT_REDACT_H
#define SPYTHON_EVENT_REDACT_H

#include <stdbool.h>

#include "event/escape.h"
#include "event/value.h"

/*
 * Like text_escape(), with the password of every "//user:password@" replaced by "***". `cut` says
 * that the text goes on behind what is here: then a password may end out of sight. *ret_whole says
 * whether everything was written.
 */
char *redact_put_url(char *p, const char *end, const struct text *text, enum text_form form,
                     bool cut, bool *ret_whole);

/* The name of "NAME=VALUE" as a value, `{"redacted":true,...}` for what has not that form. Returns
 * the place behind it or NULL if it does not fit. */
char *redact_put_env_name(char *p, char *end, const struct value *value);

#endif
