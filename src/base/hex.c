/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#include <errno.h>

static const char digits_lower[16] = "0123456789abcdef";

void hex_encode(const void *data, size_t len, char *out)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits_lower[p[i] >> 4];
        out[2 * i + 1] = digits_lower[p[i] & 15];
    }
    out[2 * len] = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(const char *text, size_t len, void *out)
{
    unsigned char *p = out;

    for (size_t i = 0; i < len; i++) {
        int high = digit_value(text[2 * i]);
        int low = high < 0 ? -1 : digit_value(text[2 * i + 1]);

        if (low < 0)
            return -EINVAL;
        p[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}

void hex_put_u64(uint64_t v, unsigned digits, char *out)
{
    while (digits > 0) {
        digits--;
        out[digits] = digits_lower[v & 15];
        v >>= 4;
    }
}
