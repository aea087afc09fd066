/* SPDX-License-Identifier: Apache-2.0 */
/* Writing numbers and fixed pieces, without a NUL and without a check: the caller has the room. */
#ifndef SPYTHON_EVENT_NUMBER_H
#define SPYTHON_EVENT_NUMBER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NUMBER_MAX_U64 20 /* digits of UINT64_MAX; INT64_MIN has as many with its sign */
#define NUMBER_MAX_DOUBLE 32

/* Copies a string literal. */
#define PUT_LITERAL(p, literal)                                                                    \
    ((char *)memcpy((p), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

extern const char number_pairs[201]; /* "00" "01" ... "99" */

static inline void put_pair(char *p, unsigned value)
{
    memcpy(p, number_pairs + 2 * value, 2);
}

static inline unsigned decimal_digits(uint64_t v)
{
    static const uint64_t powers[NUMBER_MAX_U64 + 1] = {
        0,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
        10000000000000000000u,
    };
    /* log10(2) is nearly 1233 / 4096 */
    unsigned digits = (64 - (unsigned)__builtin_clzll(v | 1)) * 1233 >> 12;

    return digits + (v >= powers[digits]);
}

static inline char *put_u64(char *p, uint64_t v)
{
    unsigned digits;
    char *end, *q;

    if (v < 10) {
        *p = (char)('0' + v);
        return p + 1;
    }
    digits = decimal_digits(v);
    end = q = p + digits;
    while (v >= 100) {
        q -= 2;
        put_pair(q, (unsigned)(v % 100));
        v /= 100;
    }
    if (v >= 10)
        put_pair(p, (unsigned)v);
    else
        *p = (char)('0' + v);
    return end;
}

static inline char *put_i64(char *p, int64_t v)
{
    if (v < 0) {
        *p++ = '-';
        return put_u64(p, -(uint64_t)v);
    }
    return put_u64(p, (uint64_t)v);
}

/*
 * A finite number as JSON that reads back as the same double and never looks like an integer, in at
 * most NUMBER_MAX_DOUBLE bytes. Does not depend on the locale.
 */
char *put_double(char *p, double d);

/* "0x1f", "-0x1f" of `len` little endian bytes: at most 2 * len + 4 bytes. */
char *put_hex(char *p, const unsigned char *magnitude, size_t len, int negative);

#endif
