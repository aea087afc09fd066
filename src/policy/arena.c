/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK 16384
#define ARENA_ALIGN (_Alignof(max_align_t))

struct arena_block {
    struct arena_block *next;
    _Alignas(max_align_t) char data[];
};

static void *fail(struct arena *arena)
{
    arena->failed = true;
    return NULL;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    struct arena_block *block;
    size_t bytes;
    void *p;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return fail(arena);
    bytes = (bytes + ARENA_ALIGN) / ARENA_ALIGN * ARENA_ALIGN; /* none becomes one unit */
    if (bytes > arena->size - arena->used) {
        size_t room = bytes > ARENA_BLOCK ? bytes : ARENA_BLOCK;

        block = malloc(sizeof(*block) + room);
        if (!block)
            return fail(arena);
        block->next = arena->blocks;
        arena->blocks = block;
        arena->size = room;
        arena->used = 0;
    }
    p = arena->blocks->data + arena->used;
    arena->used += bytes;
    memset(p, 0, bytes);
    return p;
}

char *arena_text(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1, 1);

    if (copy)
        memcpy(copy, text, len);
    return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0)
        return fail(arena);
    text = arena_alloc(arena, (size_t)len + 1, 1);
    if (!text)
        return NULL;
    va_start(ap, fmt);
    (void)vsnprintf(text, (size_t)len + 1, fmt, ap); /* the size was just measured */
    va_end(ap);
    return text;
}

void arena_done(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
    memset(arena, 0, sizeof(*arena));
}
