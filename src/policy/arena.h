/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one compilation, freed as a whole. Running out of memory is remembered: callers may
 * give up quietly and leave it to policy_compile() to ask arena_failed() once.
 */
#ifndef SPYTHON_POLICY_ARENA_H
#define SPYTHON_POLICY_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used, size; /* of the newest block */
    bool failed;
};

/* Zeroed memory for `count` things of `size` bytes, aligned for any type; NULL if there is none. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);

/* A NUL-terminated copy of `len` bytes; NULL if there is no memory. */
char *arena_text(struct arena *arena, const char *text, size_t len);

char *arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void arena_done(struct arena *arena);

#define ARENA_NEW(arena, count, type) ((type *)arena_alloc((arena), (count), sizeof(type)))

#endif
