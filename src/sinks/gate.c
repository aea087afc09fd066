/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/gate.h"

#include <sched.h>
#include <time.h>

#define COUNT_MASK ((uint64_t)0xffff)
#define WRITERS_MASK (COUNT_MASK << 16)
#define FD_MASK (COUNT_MASK << GATE_FD_SHIFT)
#define GENERATION_ONE ((uint64_t)1 << GATE_GENERATION_SHIFT)

#define MOMENT_YIELDS 64
#define PATIENCE_NS 100000000

static int64_t now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

unsigned gate_close(struct gate *gate, bool patient, uint64_t *count)
{
    uint64_t state = atomic_fetch_or(&gate->state, FD_MASK);
    int64_t deadline = 0;

    for (unsigned yields = 0; state & WRITERS_MASK; yields++) {
        if (yields == MOMENT_YIELDS) {
            if (!patient)
                break;
            deadline = now_ns() + PATIENCE_NS;
        } else if (deadline && now_ns() > deadline) {
            break; /* stuck in write(2), or its thread was cancelled there */
        }
        (void)sched_yield();
        state = atomic_load(&gate->state);
    }
    *count += atomic_fetch_and(&gate->state, ~COUNT_MASK) & COUNT_MASK;
    return (unsigned)((state & WRITERS_MASK) >> 16);
}

void gate_open(struct gate *gate, int fd, bool renew)
{
    uint64_t number = fd < 0 ? GATE_CLOSED : (uint64_t)fd, old = atomic_load(&gate->state), new;

    do {
        new = (old & ~FD_MASK) | number << GATE_FD_SHIFT;
        if (renew)
            new += GENERATION_ONE;
    } while (!atomic_compare_exchange_weak(&gate->state, &old, new));
}

void gate_reset(struct gate *gate)
{
    uint64_t state = atomic_load(&gate->state);

    atomic_store(&gate->state, (state & ~(COUNT_MASK | WRITERS_MASK)) | FD_MASK);
}
