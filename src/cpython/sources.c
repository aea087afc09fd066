/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/sources.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 1024 /* a power of two */

struct slot {
    uint64_t code_id; /* 0: empty */
    struct source_id source;
};

/* A lock, because interpreters with a GIL of their own compile at the same time. Dynamic code is
 * rare enough, and nothing runs under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *slots; /* made when the first dynamic code is compiled */

void sources_keep(uint64_t code_id, const struct source_id *source)
{
    if (!code_id)
        return;
    pthread_mutex_lock(&lock);
    if (!slots)
        slots = calloc(SLOTS, sizeof(*slots));
    if (slots) {
        struct slot *slot = &slots[code_id & (SLOTS - 1)];

        slot->code_id = code_id;
        slot->source = *source;
    }
    pthread_mutex_unlock(&lock);
}

bool sources_find(uint64_t code_id, struct source_id *ret)
{
    bool found = false;

    pthread_mutex_lock(&lock);
    if (slots && code_id && slots[code_id & (SLOTS - 1)].code_id == code_id) {
        *ret = slots[code_id & (SLOTS - 1)].source;
        found = true;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void sources_after_fork(void)
{
    pthread_mutex_init(&lock, NULL);
}
