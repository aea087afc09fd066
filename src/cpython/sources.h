/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which source text a code object was compiled from, for the `exec` that may come much later.
 * Bounded: what is forgotten is told without its text's digest.
 */
#ifndef SPYTHON_CPYTHON_SOURCES_H
#define SPYTHON_CPYTHON_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

struct source_id {
    char sha256[65];
    uint64_t length;
};

/* `code_id` is a code mark's id (code_marks.h). Any thread. Without memory nothing is kept. */
void sources_keep(uint64_t code_id, const struct source_id *source);

/* Whether the source of this code object is known; fills *ret. */
bool sources_find(uint64_t code_id, struct source_id *ret);

/* In the child of a fork: another thread may have held the lock. */
void sources_after_fork(void);

#endif
