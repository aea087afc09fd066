/* SPDX-License-Identifier: Apache-2.0 */
/* Values written down shortly, and the two questions all tests of the encoder ask. */
#ifndef SPYTHON_TESTS_EVENT_TEST_H
#define SPYTHON_TESTS_EVENT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/record.h"
#include "json_check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline struct value data_value(enum value_kind kind, const void *data, size_t len)
{
    return (struct value){.kind = (uint8_t)kind, .text = {data, len}};
}

static inline struct value text_value(const char *text)
{
    return data_value(VALUE_TEXT1, text, strlen(text));
}

static inline struct value int_value(int64_t i)
{
    return (struct value){.kind = VALUE_INT, .i = i};
}

static inline struct value none_value(void)
{
    return (struct value){.kind = VALUE_NONE};
}

static inline struct value list_value(const struct value *items, uint32_t count)
{
    return (struct value){.kind = VALUE_LIST, .count = count, .items = items};
}

static inline struct value map_value(const struct value *items, uint32_t pairs)
{
    return (struct value){.kind = VALUE_MAP, .count = pairs, .items = items};
}

static inline struct value cut_value(struct value value, uint64_t full)
{
    value.flags |= VALUE_CUT;
    value.full = full;
    return value;
}

static inline struct value subclass_value(struct value value, const char *type_name)
{
    value.flags |= VALUE_SUBCLASS;
    value.type_name = type_name;
    return value;
}

/* A reproducible source of numbers, the same on every machine. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Encodes into a block of exactly `cap` bytes, so that sanitizers and valgrind see a byte too much.
 */
static inline size_t encode_exact(const struct value *value, enum redact redact, char *out,
                                  size_t cap)
{
    char *block = malloc(cap ? cap : 1);
    size_t len;

    assert_non_null(block);
    len = record_value_encode(value, redact, block, cap);
    assert_true(len <= cap);
    memcpy(out, block, len);
    free(block);
    return len;
}

/* The value becomes `expected`, and where there is too little room, nothing at all. */
static inline void assert_encodes_redacted(struct value value, enum redact redact,
                                           const char *expected)
{
    static char out[RECORD_MAX], small[RECORD_MAX];
    size_t len = record_value_encode(&value, redact, out, sizeof(out) - 1);

    out[len] = '\0';
    assert_string_equal(out, expected);
    assert_true(json_is_value(out, len));
    for (size_t cap = 0; cap < len + 400; cap++) {
        size_t n = encode_exact(&value, redact, small, cap);

        assert_true(n == 0 || (n == len && memcmp(small, out, len) == 0));
        assert_true(n == len || cap < len + 400 - 1);
    }
}

static inline void assert_encodes(struct value value, const char *expected)
{
    assert_encodes_redacted(value, REDACT_NO, expected);
}

#endif
