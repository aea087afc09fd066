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

/* Bytes that need a closer look, as a mask of the comparison's kind. Signed: 0x80 and more is below
 * 0x20 as well. */
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

static inline bool text_block_any(text_block special)
{
    return _mm_movemask_epi8(special) != 0;
}

#else

#define TEXT_BLOCK 8
typedef uint64_t text_block;

static inline text_block text_block_load(const void *p)
{
    text_block block;

    memcpy(&block, p, sizeof(block));
    return block;
}

static inline void text_block_store(void *p, text_block block)
{
    memcpy(p, &block, sizeof(block));
}

static inline text_block text_block_is(text_block block, unsigned char c)
{
    text_block x = block ^ c * UINT64_C(0x0101010101010101);

    return (x - UINT64_C(0x0101010101010101)) & ~x;
}

/* The lowest marked byte is exact, those above it may be marked wrongly (the borrow of the
 * subtraction), which costs a closer look and nothing else. */
static inline text_block text_block_special(text_block block)
{
    text_block low = (block - UINT64_C(0x2020202020202020)) | block;

    return (low | text_block_is(block, '"') | text_block_is(block, '\\') |
            text_block_is(block, 0x7f)) &
           UINT64_C(0x8080808080808080);
}

static inline text_block text_block_or(text_block a, text_block b)
{
    return a | b;
}

static inline unsigned text_block_prefix(text_block special)
{
    return special ? (unsigned)__builtin_ctzll(special) / 8 : TEXT_BLOCK;
}

static inline bool text_block_any(text_block special)
{
    return special != 0;
}

#endif

/* Fewer bytes than a block: two loads of the next smaller size that overlap. */
static inline bool text_copy_plain_short(char *p, const unsigned char *s, size_t len)
{
    unsigned char block[TEXT_BLOCK];
    const size_t half = TEXT_BLOCK / 2;

    memset(block, ' ', sizeof(block));
    if (len >= half) {
        memcpy(block, s, half);
        memcpy(block + half, s + len - half, half);
        memcpy(p, s, half);
        memcpy(p + len - half, s + len - half, half);
    } else if (TEXT_BLOCK == 16 && len >= 4) {
        memcpy(block, s, 4);
        memcpy(block + 4, s + len - 4, 4);
        memcpy(p, s, 4);
        memcpy(p + len - 4, s + len - 4, 4);
    } else {
        for (size_t i = 0; i < len; i++) {
            block[i] = s[i];
            p[i] = (char)s[i];
        }
    }
    return !text_block_any(text_block_special(text_block_load(block)));
}

static inline bool text_copy_plain(char *p, const void *data, size_t len)
{
    const unsigned char *s = data;
    text_block block, special;
    size_t i;

    if (len < TEXT_BLOCK)
        return text_copy_plain_short(p, s, len);
    block = text_block_load(s + len - TEXT_BLOCK);
    text_block_store(p + len - TEXT_BLOCK, block);
    special = text_block_special(block);
    for (i = 0; i + TEXT_BLOCK < len; i += TEXT_BLOCK) {
        block = text_block_load(s + i);
        text_block_store(p + i, block);
        special = text_block_or(special, text_block_special(block));
    }
    return !text_block_any(special);
}

#endif
