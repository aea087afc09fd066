/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded text in a buffer of the caller's: never overflows, and says when something was left out.
 */
#ifndef SPYTHON_STAGE1_FMT_H
#define SPYTHON_STAGE1_FMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* always NUL-terminated */
    size_t cap; /* with the NUL, at least 1 */
    size_t len;
    bool cut; /* something did not fit; nothing is added any more */
};

/* Starts an empty text. `cap` is at least 1. */
void text_init(struct text *t, char *data, size_t cap);

/* Adds all of it or, if it does not fit, nothing, and sets `cut`. */
void text_add_bytes(struct text *t, const char *data, size_t len);
void text_add(struct text *t, const char *s);
void text_add_number(struct text *t, uint64_t v);

/* As text_add(), but control bytes become '?', and what does not fit is left out: for messages. */
void text_add_clean(struct text *t, const char *s);

#endif
