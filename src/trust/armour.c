/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/armour.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_value(char c)
{
    const char *p = c ? strchr(digits, c) : NULL;

    return p ? (int)(p - digits) : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int base64_decode(const char *text, size_t len, uint8_t **ret, size_t *ret_len)
{
    uint8_t *out = malloc(len / 4 * 3 + 4);
    size_t at = 0, count = 0, padding = 0;
    unsigned bits = 0;

    if (!out)
        return -ENOMEM;
    for (size_t i = 0; i < len; i++) {
        int v = digit_value(text[i]);

        if (is_blank(text[i]))
            continue;
        if (text[i] == '=')
            padding++;
        if ((v < 0 && text[i] != '=') || (padding && v >= 0) || padding > 2)
            goto bad;
        bits = bits << 6 | (v < 0 ? 0u : (unsigned)v);
        if (++count % 4 == 0) {
            out[at++] = (uint8_t)(bits >> 16);
            out[at++] = (uint8_t)(bits >> 8);
            out[at++] = (uint8_t)bits;
            bits = 0;
        }
    }
    if (count % 4 != 0)
        goto bad;
    /* Bits that padding cuts off must be zero: one text for each value. */
    for (size_t i = 0; i < padding; i++)
        if (out[--at] != 0)
            goto bad;
    *ret = out;
    *ret_len = at;
    return 0;
bad:
    free(out);
    return -EBADMSG;
}

void base64_encode(const uint8_t *data, size_t len, bool padded, char *out)
{
    size_t at = 0;

    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned)data[i] << 16 | (i + 1 < len ? (unsigned)data[i + 1] << 8 : 0) |
                        (i + 2 < len ? data[i + 2] : 0);

        out[at++] = digits[bits >> 18 & 63];
        out[at++] = digits[bits >> 12 & 63];
        if (i + 1 < len || padded)
            out[at++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        if (i + 2 < len || padded)
            out[at++] = i + 2 < len ? digits[bits & 63] : '=';
    }
    out[at] = '\0';
}

static bool is_all_blank(const char *from, const char *to)
{
    while (from < to && is_blank(*from))
        from++;
    return from == to;
}

/* Behind the empty line that ends OpenPGP's header lines; NULL if there is none. */
static const char *skip_headers(const char *from, const char *end)
{
    while (from < end) {
        const char *line = memchr(from, '\n', (size_t)(end - from));

        if (!line)
            return NULL;
        if (is_all_blank(from, line))
            return line + 1;
        from = line + 1;
    }
    return NULL;
}

/* Where the checksum line begins, or `end`. */
static const char *find_checksum(const char *from, const char *end)
{
    const char *p = end;

    while (p > from && is_blank(p[-1]))
        p--;
    if (p - from >= 6 && p[-5] == '=' && (p[-6] == '\n' || p[-6] == '\r'))
        return p - 5;
    return end;
}

int armour_decode(const char *text, size_t len, const char *label, bool has_headers, uint8_t **ret,
                  size_t *ret_len)
{
    char begin[80], tail[80];
    const char *from, *to, *end = text + len;
    int n = snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
    int m = snprintf(tail, sizeof(tail), "-----END %s-----", label);

    if (n < 0 || (size_t)n >= sizeof(begin) || m < 0 || (size_t)m >= sizeof(tail))
        return -EINVAL;
    from = memmem(text, len, begin, (size_t)n);
    if (!from || !is_all_blank(text, from))
        return -EBADMSG;
    from += n;
    to = memmem(from, (size_t)(end - from), tail, (size_t)m);
    if (!to || !is_all_blank(to + m, end))
        return -EBADMSG;
    if (has_headers) {
        from = memchr(from, '\n', (size_t)(to - from)); /* the rest of the first line */
        from = from ? skip_headers(from + 1, to) : NULL;
        if (!from)
            return -EBADMSG;
        to = find_checksum(from, to);
    }
    return base64_decode(from, (size_t)(to - from), ret, ret_len);
}
