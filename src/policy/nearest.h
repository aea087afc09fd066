/* SPDX-License-Identifier: Apache-2.0 */
/* Which known word was meant? For hints. */
#ifndef SPYTHON_POLICY_NEAREST_H
#define SPYTHON_POLICY_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/* Number of single-letter insertions, deletions, changes and swaps of neighbours between two words,
 * compared without regard to case; NEAREST_FAR for words longer than NEAREST_MAX. */
#define NEAREST_MAX 63
#define NEAREST_FAR 1000u
unsigned nearest_distance(const char *a, const char *b);

/* Looks through words one by one. `best` is NULL as long as none is near enough to be meant. */
struct nearest {
    const char *word;
    const char *best;
    unsigned distance;
};
void nearest_try(struct nearest *nearest, const char *candidate);

#endif
