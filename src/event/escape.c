/* SPDX-License-Identifier: Apache-2.0 */
#include "event/escape.h"

#define ESCAPED_MAX 8 /* bytes that one character can become; the longest is \\udXXX */

static const char digits[16] = "0123456789abcdef";

uint32_t text_unit(const struct text *text, size_t i)
{
    if (text->kind == VALUE_TEXT2)
        return ((const uint16_t *)text->data)[i];
    if (text->kind == VALUE_TEXT4)
        return ((const uint32_t *)text->data)[i];
    return ((const unsigned char *)text->data)[i];
}

struct text text_slice(const struct text *text, size_t from, size_t to)
{
    size_t unit = text->kind == VALUE_TEXT4 ? 4 : text->kind == VALUE_TEXT2 ? 2 : 1;

    return (struct text){(const char *)text->data + from * unit, to - from, text->kind};
}

static bool is_surrogate(uint32_t c)
{
    return c >= 0xd800 && c <= 0xdfff;
}

/* Bytes of the UTF-8 character at `s`, and the character; 0 if there is none. */
static size_t utf8_decode(const unsigned char *s, size_t len, uint32_t *ret)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n;
    uint32_t c = s[0];

    if (c < 0x80) {
        *ret = c;
        return 1;
    }
    n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || n > len)
        return 0;
    c &= 0x7fu >> n;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || is_surrogate(c))
        return 0;
    *ret = c;
    return n;
}

static bool bytes_are_utf8(const unsigned char *s, size_t len)
{
    size_t i = 0;

    while (i < len) {
        uint64_t word;
        uint32_t c;
        size_t n;

        if (len - i >= sizeof(word)) {
            memcpy(&word, s + i, sizeof(word));
            if (!(word & UINT64_C(0x8080808080808080))) {
                i += sizeof(word);
                continue;
            }
        }
        n = utf8_decode(s + i, len - i, &c);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t text_whole_characters(const struct text *text)
{
    const unsigned char *s = text->data;
    size_t start = text->len;

    if (text->kind != VALUE_UTF8 && text->kind != VALUE_BYTES)
        return text->len;
    while (start > 0 && text->len - start < 3 && (s[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0 || s[start - 1] < 0xc2 || s[start - 1] > 0xf4)
        return text->len;
    start--;
    return text->len - start < (s[start] >= 0xf0   ? 4u
                                : s[start] >= 0xe0 ? 3u
                                                   : 2u)
               ? start
               : text->len;
}

bool text_is_well_formed(const struct text *text)
{
    if (text->kind == VALUE_TEXT1)
        return true;
    if (text->kind == VALUE_TEXT2 || text->kind == VALUE_TEXT4) {
        for (size_t i = 0; i < text->len; i++) {
            if (is_surrogate(text_unit(text, i)))
                return false;
        }
        return true;
    }
    return bytes_are_utf8(text->data, text->len);
}

/* Controls, separators that some readers take for the end of a line, and marks that change the
 * direction of text or cannot be seen. */
static bool is_unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || c == 0xfffe || c == 0xffff;
}

static size_t put_hex4(char *p, uint32_t c)
{
    p[0] = '\\';
    p[1] = 'u';
    p[2] = digits[c >> 12 & 15];
    p[3] = digits[c >> 8 & 15];
    p[4] = digits[c >> 4 & 15];
    p[5] = digits[c & 15];
    return 6;
}

static size_t put_utf8(char *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (char)(0xc0 | c >> 6);
        p[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (char)(0xe0 | c >> 12);
        p[1] = (char)(0x80 | (c >> 6 & 0x3f));
        p[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    p[0] = (char)(0xf0 | c >> 18);
    p[1] = (char)(0x80 | (c >> 12 & 0x3f));
    p[2] = (char)(0x80 | (c >> 6 & 0x3f));
    p[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* One character, at most ESCAPED_MAX bytes. Numbers beyond Unicode cannot come from Python. */
static size_t put_character(char *p, uint32_t c, enum text_form form)
{
    if (c == '\\') {
        memcpy(p, "\\\\\\\\", 4);
        return form == TEXT_ESCAPED ? 4 : 2;
    }
    if (c == '"' || c == '\n' || c == '\r' || c == '\t') {
        p[0] = '\\';
        p[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : '"';
        return 2;
    }
    if (is_surrogate(c)) {
        p[0] = '\\';
        return 1 + put_hex4(p + 1, c);
    }
    if (is_unprintable(c))
        return put_hex4(p, c);
    return put_utf8(p, c > 0x10ffff ? 0xfffd : c);
}

static size_t put_invalid_byte(char *p, unsigned char byte)
{
    memcpy(p, "\\\\x", 3);
    p[3] = digits[byte >> 4];
    p[4] = digits[byte & 15];
    return 5;
}

/* The character at unit `i`: writes it at p, returns its length there; *ret_units says how many
 * units it took. */
static size_t put_next(char *p, const struct text *text, size_t i, enum text_form form,
                       size_t *ret_units)
{
    uint32_t c;

    *ret_units = 1;
    if (text->kind == VALUE_UTF8 || text->kind == VALUE_BYTES) {
        const unsigned char *s = text->data;
        size_t n = utf8_decode(s + i, text->len - i, &c);

        if (n == 0)
            return put_invalid_byte(p, s[i]);
        *ret_units = n;
        return put_character(p, c, form);
    }
    return put_character(p, text_unit(text, i), form);
}

char *text_escape(char *p, const char *end, const struct text *text, enum text_form form,
                  size_t *ret_used)
{
    bool narrow = text->kind != VALUE_TEXT2 && text->kind != VALUE_TEXT4;
    bool tail_tried = false;
    size_t i = 0;

    while (i < text->len) {
        char one[ESCAPED_MAX];
        size_t size, units;

        if (narrow && text->len - i >= TEXT_BLOCK && end - p >= TEXT_BLOCK) {
            text_block block = text_block_load((const unsigned char *)text->data + i);
            unsigned plain = text_block_prefix(text_block_special(block));

            text_block_store(p, block);
            p += plain;
            i += plain;
            if (plain > 0)
                continue;
        } else if (narrow && !tail_tried && (size_t)(end - p) >= text->len - i) {
            size_t tail = text->len - i;

            tail_tried = true;
            if (text_copy_plain_short(p, (const unsigned char *)text->data + i, tail)) {
                p += tail;
                i += tail;
                break;
            }
        }
        if (end - p >= ESCAPED_MAX) {
            p += put_next(p, text, i, form, &units);
            i += units;
            continue;
        }
        size = put_next(one, text, i, form, &units);
        if ((size_t)(end - p) < size)
            break;
        memcpy(p, one, size);
        p += size;
        i += units;
    }
    *ret_used = i;
    return p;
}
