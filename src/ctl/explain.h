/* SPDX-License-Identifier: Apache-2.0 */
/* Why was this refused? One record in words, and the smallest change that would allow it. */
#ifndef SPYTHON_CTL_EXPLAIN_H
#define SPYTHON_CTL_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl/problem.h"

/* Whether `id` looks like a record's: 16 hexadecimal digits, "-", a number. */
bool explain_is_id(const char *id);

/*
 * Finds the record `id` in `log` (a file), or, if `log` is NULL, in the files of its session below
 * the directories `places`. Returns 0 and a new reference; -ENOENT: it is not there; -EINVAL: no
 * such id can be; other -errno. With a problem set.
 */
int explain_find(const char *id, const char *log, const char *const *places, size_t place_count,
                 json_t **ret, struct problem *problem);

/* A text value of a record as people read it: plain strings, {"bytes":...}, {"text":...} and the
 * like. "" if it is none. Malloc'ed, safe for terminals. */
char *explain_text(const json_t *value);

/* The smallest change that would allow what the record refuses (or would have); malloc'ed, NULL if
 * nothing was refused. */
char *explain_advice(const json_t *record);

/* Prints all of it to stdout. */
void explain_print(const json_t *record);

#endif
