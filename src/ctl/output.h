/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What spythonctl prints. File names and command lines come from others: nothing of theirs reaches
 * a terminal unescaped. Out of memory ends the program here, since there is nothing to undo.
 */
#ifndef SPYTHON_CTL_OUTPUT_H
#define SPYTHON_CTL_OUTPUT_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* `text` with control characters (C0, DEL, C1) and bytes that are not UTF-8 as \xHH. Valid until
 * the eighth call after this one; not thread-safe. */
const char *safe(const char *text);

/* The same for `len` bytes, malloc'ed. With `for_json` control characters stay, since JSON has its
 * own escapes, and a text that is valid UTF-8 is copied as it is. */
char *out_escape(const char *text, size_t len, bool for_json);

/* A JSON string of any bytes. */
json_t *json_text(const char *text);

/* The string member `key`, or "" if there is none. */
const char *json_member(const json_t *object, const char *key);

enum tone {
    TONE_PLAIN = 0,
    TONE_GOOD,
    TONE_WARN,
    TONE_BAD,
    TONE_STRONG,
};

/* Prints `text` to stdout in at least `width` columns, coloured only on a terminal without
 * NO_COLOR. */
void out_word(enum tone tone, const char *text, int width);

/* Prints `value` indented to stdout and drops it. */
void out_json(json_t *value);

/* They end the program with status 78 when memory is short. */
void *must_alloc(size_t size); /* zeroed */
void *must_grow(void *p, size_t size);
char *must_copy(const char *text);
char *must_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *must_vformat(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

#endif
