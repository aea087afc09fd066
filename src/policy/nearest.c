/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/nearest.h"

#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

unsigned nearest_distance(const char *a, const char *b)
{
    unsigned rows[3][NEAREST_MAX + 1] = {{0}}; /* of the matrix: i - 2, i - 1, i, in turn */
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > NEAREST_MAX || b_len > NEAREST_MAX)
        return NEAREST_FAR;
    for (unsigned j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);

            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]) &&
                above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
        }
    }
    return rows[a_len % 3][b_len];
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    unsigned distance = nearest_distance(nearest->word, candidate);
    unsigned allowed = (unsigned)strlen(nearest->word) / 3;

    if (distance > (allowed > 1 ? allowed : 1) || distance >= strlen(candidate))
        return;
    if (!nearest->best || distance < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}
