/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From texts to the inside of JSON strings. Records end up on terminals, so besides what JSON asks
 * for, control characters and those that reorder or hide text are escaped. Only for src/event/.
 */
#ifndef SPYTHON_EVENT_ESCAPE_H
#define SPYTHON_EVENT_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "event/value.h"

/* A piece of text: VALUE_TEXT1, VALUE_TEXT2, VALUE_TEXT4, or VALUE_UTF8 and VALUE_BYTES, which are
 * the same here. `len` in units of the kind. */
struct text {
    const void *data;
    size_t len;
    enum value_kind kind;
};

/* How a text can be told. */
enum text_form {
    TEXT_PLAIN = 0, /* as a JSON string */
    TEXT_ESCAPED,   /* backslashes doubled, lone surrogates as \udXXX, invalid bytes as \xNN; then
                     * as a JSON string */
};

/* Whether the text has neither lone surrogates nor bytes that are not UTF-8. */
bool text_is_well_formed(const struct text *text);

/*
 * Writes as many whole characters of `text` as fit between p and end. Returns the place behind the
 * last; *ret_used says how many units they are.
 */
char *text_escape(char *p, const char *end, const struct text *text, enum text_form form,
                  size_t *ret_used);

/* Units without a UTF-8 character at the end of which only the beginning is there; for text that
 * was cut at a number of bytes. */
size_t text_whole_characters(const struct text *text);

/* Code point number `i`, for text that is looked into; a byte of the byte kinds. */
uint32_t text_unit(const struct text *text, size_t i);

/* Units [from, to) of a text. */
struct text text_slice(const struct text *text, size_t from, size_t to);

/*
 * Copies `len` bytes and tells whether they are all ASCII that needs no escaping; if not, what is
 * at `p` means nothing. The usual case of nearly all texts, therefore inline and without branches
 * on single bytes.
 */
static inline bool text_copy_plain(char *p, const void *data, size_t len);

/* Eight bytes at once. The high bit of each byte of the result marks one that needs a closer look;
 * the lowest mark is exact, those above it may be wrong (the borrow of the subtractions), which
 * costs a closer look and nothing else. */
static inline uint64_t text_word_is(uint64_t word, unsigned char c)
{
    uint64_t x = word ^ c * UINT64_C(0x0101010101010101);

    return (x - UINT64_C(0x0101010101010101)) & ~x;
}

static inline uint64_t text_word_special(uint64_t word)
{
    uint64_t low = (word - UINT64_C(0x2020202020202020)) | word;

    return (low | text_word_is(word, '"') | text_word_is(word, '\\') | text_word_is(word, 0x7f)) &
           UINT64_C(0x8080808080808080);
}

static inline uint64_t text_word_load(const void *p, size_t size)
{
    uint64_t word = 0;

    memcpy(&word, p, size);
    return word;
}

#if defined(__SSE2__)

#define TEXT_BLOCK 16
typedef __m128i text_block;

static inline text_block text_block_load(const void *p)
{
    return _mm_loadu_si128(p);
}

static inline void text_block_store(void *p, text_block block)
{
    _mm_storeu_si128(p, block);
}

/* The comparison is signed: 0x80 and more is below 0x20 as well. */
static inline text_block text_block_special(text_block block)
{
    text_block low = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
    text_block quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    text_block backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    text_block delete = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));

    return _mm_or_si128(_mm_or_si128(low, quote), _mm_or_si128(backslash, delete));
}

static inline text_block text_block_or(text_block a, text_block b)
{
    return _mm_or_si128(a, b);
}

/* How many bytes stand before the first special one. */
static inline unsigned text_block_prefix(text_block special)
{
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(special) | 1u << TEXT_BLOCK);
}

#else

#define TEXT_BLOCK 8
typedef uint64_t text_block;

static inline text_block text_block_load(const void *p)
{
    return text_word_load(p, TEXT_BLOCK);
}

static inline void text_block_store(void *p, text_block block)
{
    memcpy(p, &block, sizeof(block));
}

static inline text_block text_block_special(text_block block)
{
    return text_word_special(block);
}

static inline text_block text_block_or(text_block a, text_block b)
{
    return a | b;
}

static inline unsigned text_block_prefix(text_block special)
{
    return special ? (unsigned)__builtin_ctzll(special) / 8 : TEXT_BLOCK;
}

#endif

/* Fewer bytes than a block: two loads of the next smaller size that overlap. */
static inline bool text_copy_plain_short(char *p, const unsigned char *s, size_t len)
{
    uint64_t first, last;

    if (len >= 8) {
        first = text_word_load(s, 8);
        last = text_word_load(s + len - 8, 8);
        memcpy(p, &first, 8);
        memcpy(p + len - 8, &last, 8);
        return !(text_word_special(first) | text_word_special(last));
    }
    if (len >= 4) {
        first = text_word_load(s, 4);
        last = text_word_load(s + len - 4, 4);
        memcpy(p, &first, 4);
        memcpy(p + len - 4, &last, 4);
        return !text_word_special(first | last << 32);
    }
    if (len == 0)
        return true;
    p[0] = (char)s[0];
    p[len / 2] = (char)s[len / 2];
    p[len - 1] = (char)s[len - 1];
    first = (uint64_t)s[0] | (uint64_t)s[len / 2] << 8 | (uint64_t)s[len - 1] << 16;
    return !text_word_special(first | UINT64_C(0x2020202020000000));
}

static inline bool text_copy_plain(char *p, const void *data, size_t len)
{
    const unsigned char *s = data;
    text_block block, special;

    if (len < TEXT_BLOCK)
        return text_copy_plain_short(p, s, len);
    block = text_block_load(s + len - TEXT_BLOCK);
    text_block_store(p + len - TEXT_BLOCK, block);
    special = text_block_special(block);
    for (size_t i = 0; i + TEXT_BLOCK < len; i += TEXT_BLOCK) {
        block = text_block_load(s + i);
        text_block_store(p + i, block);
        special = text_block_or(special, text_block_special(block));
    }
    return text_block_prefix(special) == TEXT_BLOCK;
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "text_word_special() and text_block_prefix() want the first byte in the lowest place"
#endif

#endif
