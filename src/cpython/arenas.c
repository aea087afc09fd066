/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/arenas.h"

#include <sys/mman.h>

#include "base/prefault.h"
#include "cpython/compat.h"

static void *get_arena(void *ctx, size_t size)
{
    void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)ctx;
    if (arena == MAP_FAILED)
        return NULL;
    prefault(arena, size / 2);
    return arena;
}

static void give_arena_back(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    (void)munmap(arena, size);
}

void arenas_init(void)
{
    PyObjectArenaAllocator allocator = {.alloc = get_arena, .free = give_arena_back};

    PyObject_SetArenaAllocator(&allocator);
}
