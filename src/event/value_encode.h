/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as JSON; the forms are described in docs/formats/record.md. Only for src/event/.
 */
#ifndef SPYTHON_EVENT_VALUE_ENCODE_H
#define SPYTHON_EVENT_VALUE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "event/catalogue.h"
#include "event/value.h"

/* What to do with a value that does not fit. */
enum value_fit {
    VALUE_FIT_WHOLE = 0, /* nothing of it */
    VALUE_FIT_CUT,       /* its beginning, marked as cut */
};

/*
 * Writes `value` between p and end. Returns the place behind it, or NULL if it does not fit (with
 * VALUE_FIT_CUT: if not even its beginning does); then what is at p means nothing.
 */
char *value_put(char *p, char *end, const struct value *value, enum redact redact,
                enum value_fit fit);

/*
 * A C string of unknown origin, at most `max` bytes of it, without quotes, as TEXT_ESCAPED. What
 * does not fit between p and end is left out, and the text then ends in U+2026. Returns the place
 * behind it; *ret_cut (may be NULL) is set to true if something was left out and not touched
 * otherwise.
 */
char *name_put(char *p, char *end, const char *name, size_t max, bool *ret_cut);

#endif
