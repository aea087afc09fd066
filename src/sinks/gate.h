/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor that many threads write to without a lock, and that one thread, which holds the
 * sink's mutex, can take away from them and then knows that none of them is still using it. Private
 * to src/sinks/.
 */
#ifndef SPYTHON_SINKS_GATE_H
#define SPYTHON_SINKS_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One word, so that it is read and changed as one:
 *   bits  0-15  records written since the owner asked last
 *   bits 16-31  writers that are inside
 *   bits 32-47  descriptor; GATE_CLOSED: none
 *   bits 48-63  generation; changes with every new file
 */
struct gate {
    _Atomic uint64_t state;
};

#define GATE_CLOSED 0xffffu
#define GATE_WRITER ((uint64_t)1 << 16)
#define GATE_FD_SHIFT 32
#define GATE_GENERATION_SHIFT 48

struct gate_pass {
    int fd; /* -1: the gate is closed; do not leave */
    unsigned generation;
};

static inline struct gate_pass gate_pass_of(uint64_t state)
{
    unsigned fd = (unsigned)(state >> GATE_FD_SHIFT) & 0xffff;

    return (struct gate_pass){.fd = fd == GATE_CLOSED ? -1 : (int)fd,
                              .generation = (unsigned)(state >> GATE_GENERATION_SHIFT)};
}

/* A writer begins. */
static inline struct gate_pass gate_enter(struct gate *gate)
{
    struct gate_pass pass = gate_pass_of(atomic_fetch_add(&gate->state, GATE_WRITER));

    if (pass.fd < 0)
        (void)atomic_fetch_sub(&gate->state, GATE_WRITER);
    return pass;
}

/* A writer ends; `records` (0 or 1) were written. Returns how many are counted now, and the
 * generation they are counted in: not the pass's if the owner lost patience with this writer. */
static inline unsigned gate_leave(struct gate *gate, unsigned records, unsigned *ret_generation)
{
    uint64_t now = atomic_fetch_add(&gate->state, records - GATE_WRITER) + records - GATE_WRITER;

    *ret_generation = gate_pass_of(now).generation;
    return (unsigned)(now & 0xffff);
}

/* What follows is for the holder of the mutex. */

/*
 * Lets nobody in any more and waits for those inside, for a moment or, if `patient`, for a tenth of
 * a second. Adds the records counted to *count. Returns how many are still inside: so many records
 * may be in the file without being counted.
 */
unsigned gate_close(struct gate *gate, bool patient, uint64_t *count);

/* Lets writers in. `renew`: this is another file. The count must have been taken. */
void gate_open(struct gate *gate, int fd, bool renew);

/* As if nobody had ever been inside. For the child of a fork: the writers are the parent's. */
void gate_reset(struct gate *gate);

#endif
