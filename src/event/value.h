/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain values: what an audit event's arguments are outside src/cpython/. A value only borrows the
 * memory it points to; it is valid while the hook that made it runs. No Python type appears here.
 */
#ifndef SPYTHON_EVENT_VALUE_H
#define SPYTHON_EVENT_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
    VALUE_OPAQUE = 0, /* an object of which only type and address are told */
    VALUE_NONE,
    VALUE_BOOL,  /* i: 0 or 1 */
    VALUE_INT,   /* i */
    VALUE_BIG,   /* data: magnitude, little endian bytes; VALUE_NEGATIVE may be set */
    VALUE_FLOAT, /* d */
    VALUE_TEXT1, /* data/len: code points of 1 byte each (Latin-1) */
    VALUE_TEXT2, /* code points of 2 bytes each, host order, may hold lone surrogates */
    VALUE_TEXT4, /* code points of 4 bytes each */
    VALUE_UTF8,  /* text that is known to be UTF-8 or should be treated as such */
    VALUE_BYTES,
    VALUE_LIST, /* items/count: a list or tuple */
    VALUE_MAP,  /* items/count: count pairs, 2*count values, key before value */
    VALUE_CODE, /* items/count == 3: name, file, first line */
};

enum value_flag {
    VALUE_CUT = 1,      /* holds less than the object did; `full` says how much there was */
    VALUE_NEGATIVE = 2, /* VALUE_BIG */
    VALUE_SUBCLASS = 4, /* of a user's subclass; type_name is its name */
    VALUE_ASCII = 8,    /* VALUE_TEXT1 and every code point is below 128 */
};

struct value {
    uint8_t kind;   /* enum value_kind */
    uint8_t flags;  /* enum value_flag */
    uint32_t count; /* items of a list, pairs of a map */
    uint64_t full;  /* with VALUE_CUT: code points, bytes, items or pairs before the cut */
    union {
        int64_t i;
        double d;
        struct {
            const void *data;
            size_t len; /* in code points for text, in bytes otherwise */
        } text;
        const struct value *items;
        const void *address; /* VALUE_OPAQUE */
    };
    const char *type_name; /* VALUE_OPAQUE, VALUE_SUBCLASS: NUL-terminated, arbitrary bytes */
};

/* Caps of conversion (src/cpython/values.c) and of the encoder; README of the record format,
 * docs/formats/record.md, gives the reasons. */
#define VALUE_MAX_ARGS 24   /* arguments of one event */
#define VALUE_MAX_ITEMS 64  /* of one list or map */
#define VALUE_MAX_TOTAL 512 /* values of one event, all levels together */
#define VALUE_MAX_DEPTH 3   /* lists in lists */
#define VALUE_MAX_TEXT 4096 /* code points or bytes of one text */
#define VALUE_MAX_BIG 128   /* bytes of one big integer's magnitude */

#endif
