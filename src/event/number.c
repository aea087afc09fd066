/* SPDX-License-Identifier: Apache-2.0 */
#include "event/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char number_pairs[201] = "0001020304050607080910111213141516171819"
                               "2021222324252627282930313233343536373839"
                               "4041424344454647484950515253545556575859"
                               "6061626364656667686970717273747576777879"
                               "8081828384858687888990919293949596979899";

/* The radix character is whatever setlocale() made it, perhaps several bytes. */
static char *put_normalized(char *p, const char *text)
{
    const char *number = "0123456789+-e";
    const char *whole = p;

    for (; *text; text++) {
        if (strchr(number, *text)) {
            *p++ = *text;
        } else if (!memchr(whole, '.', (size_t)(p - whole))) {
            *p++ = '.';
        }
    }
    if (!memchr(whole, '.', (size_t)(p - whole)) && !memchr(whole, 'e', (size_t)(p - whole)))
        p = PUT_LITERAL(p, ".0");
    return p;
}

char *put_double(char *p, double d)
{
    char text[64];

    /* Times and sizes are often whole numbers; these need no decimal arithmetic. */
    if (d > -1e15 && d < 1e15 && d == (double)(int64_t)d && (d != 0.0 || !signbit(d))) {
        p = put_i64(p, (int64_t)d);
        return PUT_LITERAL(p, ".0");
    }
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*g", precision, d); /* 24 bytes and the radix */
        if (precision == 17 || strtod(text, NULL) == d)
            break;
    }
    return put_normalized(p, text);
}

char *put_hex(char *p, const unsigned char *magnitude, size_t len, int negative)
{
    static const char digits[16] = "0123456789abcdef";

    while (len > 0 && magnitude[len - 1] == 0)
        len--;
    if (negative)
        *p++ = '-';
    p = PUT_LITERAL(p, "0x");
    if (len == 0) {
        *p = '0';
        return p + 1;
    }
    if (magnitude[len - 1] >= 16)
        *p++ = digits[magnitude[len - 1] >> 4];
    *p++ = digits[magnitude[len - 1] & 15];
    while (--len > 0) {
        *p++ = digits[magnitude[len - 1] >> 4];
        *p++ = digits[magnitude[len - 1] & 15];
    }
    return p;
}
