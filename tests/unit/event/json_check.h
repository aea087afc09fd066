/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader of JSON for tests and the fuzzer: RFC 8259, and what records promise on top of
 * it: UTF-8 without surrogates, no control character and no U+007F as it is, no escape for a
 * surrogate, no member twice. Written apart from the encoder so that both cannot be wrong in the
 * same way.
 */
#ifndef SPYTHON_TESTS_JSON_CHECK_H
#define SPYTHON_TESTS_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_DEPTH_MAX 64
#define JSON_MEMBERS_MAX 128

struct json_reader {
    const unsigned char *p, *end;
    unsigned depth;
};

static inline bool json_value(struct json_reader *r);

static inline bool json_is(struct json_reader *r, unsigned char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static inline bool json_word(struct json_reader *r, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
        return false;
    r->p += len;
    return true;
}

static inline bool json_hex4(struct json_reader *r, unsigned *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c;

        if (r->p == r->end)
            return false;
        c = *r->p++;
        if (c >= '0' && c <= '9')
            *ret = *ret << 4 | (c - '0');
        else if (c >= 'a' && c <= 'f')
            *ret = *ret << 4 | (c - 'a' + 10u);
        else
            return false;
    }
    return true;
}

/* One character beyond ASCII, by the table of RFC 3629 section 4. */
static inline bool json_utf8(struct json_reader *r)
{
    unsigned char c = *r->p++, low = 0x80, high = 0xbf;
    int more;

    if (c >= 0xc2 && c <= 0xdf) {
        more = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        more = 2;
        low = c == 0xe0 ? 0xa0 : 0x80;
        high = c == 0xed ? 0x9f : 0xbf;
    } else if (c >= 0xf0 && c <= 0xf4) {
        more = 3;
        low = c == 0xf0 ? 0x90 : 0x80;
        high = c == 0xf4 ? 0x8f : 0xbf;
    } else {
        return false;
    }
    if (c == 0xc2 && r->p < r->end && *r->p < 0xa0)
        return false; /* C1 controls */
    if (c == 0xe2 && r->end - r->p >= 2 && r->p[0] == 0x80 && (r->p[1] == 0xa8 || r->p[1] == 0xa9))
        return false; /* U+2028, U+2029 */
    for (; more > 0; more--) {
        if (r->p == r->end || *r->p < low || *r->p > high)
            return false;
        r->p++;
        low = 0x80;
        high = 0xbf;
    }
    return true;
}

static inline bool json_string(struct json_reader *r)
{
    if (!json_is(r, '"'))
        return false;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p == '\\') {
            unsigned code;

            r->p++;
            if (r->p == r->end || !*r->p || !strchr("\"\\nrtu", *r->p))
                return false;
            if (*r->p++ == 'u' && (!json_hex4(r, &code) || (code >= 0xd800 && code <= 0xdfff)))
                return false;
        } else if (*r->p >= 0x80) {
            if (!json_utf8(r))
                return false;
        } else if (*r->p < 0x20 || *r->p == 0x7f) {
            return false;
        } else {
            r->p++;
        }
    }
    return json_is(r, '"');
}

static inline bool json_digits(struct json_reader *r)
{
    const unsigned char *start = r->p;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return r->p > start;
}

static inline bool json_number(struct json_reader *r)
{
    (void)json_is(r, '-');
    if (!json_is(r, '0') && !json_digits(r))
        return false;
    if (r->p[-1] == '0' && r->p < r->end && *r->p >= '0' && *r->p <= '9')
        return false;
    if (json_is(r, '.') && !json_digits(r))
        return false;
    if (json_is(r, 'e')) {
        if (!json_is(r, '+'))
            (void)json_is(r, '-');
        return json_digits(r);
    }
    return true;
}

static inline bool json_object(struct json_reader *r)
{
    struct {
        const unsigned char *p;
        size_t len;
    } seen[JSON_MEMBERS_MAX];
    unsigned count = 0;

    if (!json_is(r, '{') || ++r->depth > JSON_DEPTH_MAX)
        return false;
    if (!json_is(r, '}')) {
        do {
            const unsigned char *start = r->p;

            if (count == JSON_MEMBERS_MAX || !json_string(r))
                return false;
            for (unsigned i = 0; i < count; i++) {
                if (seen[i].len == (size_t)(r->p - start) &&
                    memcmp(seen[i].p, start, seen[i].len) == 0)
                    return false;
            }
            seen[count].p = start;
            seen[count++].len = (size_t)(r->p - start);
            if (!json_is(r, ':') || !json_value(r))
                return false;
        } while (json_is(r, ','));
        if (!json_is(r, '}'))
            return false;
    }
    r->depth--;
    return true;
}

static inline bool json_array(struct json_reader *r)
{
    if (!json_is(r, '[') || ++r->depth > JSON_DEPTH_MAX)
        return false;
    if (!json_is(r, ']')) {
        do {
            if (!json_value(r))
                return false;
        } while (json_is(r, ','));
        if (!json_is(r, ']'))
            return false;
    }
    r->depth--;
    return true;
}

static inline bool json_value(struct json_reader *r)
{
    if (r->p == r->end)
        return false;
    switch (*r->p) {
    case '{':
        return json_object(r);
    case '[':
        return json_array(r);
    case '"':
        return json_string(r);
    case 't':
        return json_word(r, "true");
    case 'f':
        return json_word(r, "false");
    case 'n':
        return json_word(r, "null");
    default:
        return json_number(r);
    }
}

/* Exactly one value, no white space around or in it. */
static inline bool json_is_value(const char *text, size_t len)
{
    struct json_reader r = {(const unsigned char *)text, (const unsigned char *)text + len, 0};

    return json_value(&r) && r.p == r.end;
}

/* One object on one line, with its newline. */
static inline bool json_is_line(const char *text, size_t len)
{
    return len > 3 && text[0] == '{' && text[len - 1] == '\n' && !memchr(text, '\n', len - 1) &&
           json_is_value(text, len - 1);
}

#endif
