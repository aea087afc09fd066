/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as JSON. A function named put_X writes at p, never at or behind end, and returns the place
 * behind what it wrote, or NULL if that does not fit; a caller that gets NULL starts over or gives
 * up. Sizes are checked once for a group of fixed pieces.
 */
#include "event/value_encode.h"

#include <math.h>

#include "event/escape.h"
#include "event/number.h"
#include "event/redact.h"

#define DEPTH_MAX 8       /* more than VALUE_MAX_DEPTH, and little enough for small stacks */
#define TYPE_NAME_MAX 128 /* bytes of a type's name */
#define TYPE_ENCODED_MAX 256

/* Everything about one value that is the same on all ways through this file. */
struct put {
    const struct value *value;
    enum redact redact;
    enum value_fit fit;
    unsigned depth;
};

static char *put_nested(char *p, char *end, const struct put *put);

static bool has_room(const char *p, const char *end, size_t size)
{
    return (size_t)(end - p) >= size;
}

char *name_put(char *p, char *end, const char *name, size_t max, bool *ret_cut)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    const size_t mark = sizeof(ellipsis) - 1;
    struct text text = {name, strnlen(name, max + 1), VALUE_UTF8};
    bool cut = text.len > max;
    size_t used = 0;
    char *q;

    text.len -= cut;
    if (cut)
        text.len = text_whole_characters(&text);
    if (!cut && has_room(p, end, text.len) && text_copy_plain(p, name, text.len))
        return p + text.len;
    if (!cut) {
        q = text_escape(p, end, &text, TEXT_ESCAPED, &used);
        if (used == text.len)
            return q;
    }
    if (ret_cut)
        *ret_cut = true;
    if (!has_room(p, end, mark))
        return p;
    p = text_escape(p, end - mark, &text, TEXT_ESCAPED, &used);
    return PUT_LITERAL(p, "\xe2\x80\xa6");
}

/* Keeps the large frames of rare forms out of put_nested(). */
#define RARE __attribute__((noinline))

/* What stands at the end of an object: its type, full length and whether it was cut. */
struct tail {
    char text[TYPE_ENCODED_MAX + 64];
    size_t len;
};

static char *put_type(char *p, char *end, const struct value *value)
{
    p = PUT_LITERAL(p, ",\"type\":\"");
    p = name_put(p, end, value->type_name ? value->type_name : "?", TYPE_NAME_MAX, NULL);
    return PUT_LITERAL(p, "\"");
}

static void tail_make(struct tail *tail, const struct value *value, bool cut, uint64_t length)
{
    char *p = tail->text;

    if (value->flags & VALUE_SUBCLASS)
        p = put_type(p, p + TYPE_ENCODED_MAX, value);
    if (cut) {
        p = PUT_LITERAL(p, ",\"length\":");
        p = put_u64(p, length);
        p = PUT_LITERAL(p, ",\"cut\":true");
    }
    *p++ = '}';
    tail->len = (size_t)(p - tail->text);
}

static char *put_tail(char *p, const struct tail *tail)
{
    memcpy(p, tail->text, tail->len);
    return p + tail->len;
}

/* {"redacted":true,"length":N} or with the type of an object. */
static RARE char *put_redacted(char *p, char *end, const struct value *value)
{
    if (!has_room(p, end, 64 + TYPE_ENCODED_MAX))
        return NULL;
    p = PUT_LITERAL(p, "{\"redacted\":true");
    switch ((enum value_kind)value->kind) {
    case VALUE_TEXT1:
    case VALUE_TEXT2:
    case VALUE_TEXT4:
    case VALUE_UTF8:
    case VALUE_BYTES:
        p = PUT_LITERAL(p, ",\"length\":");
        p = put_u64(p, value->flags & VALUE_CUT ? value->full : value->text.len);
        break;
    case VALUE_LIST:
    case VALUE_MAP:
        p = PUT_LITERAL(p, ",\"length\":");
        p = put_u64(p, value->flags & VALUE_CUT ? value->full : value->count);
        break;
    case VALUE_OPAQUE:
        p = put_type(p, p + TYPE_ENCODED_MAX, value);
        break;
    case VALUE_NONE:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_BIG:
    case VALUE_FLOAT:
    case VALUE_CODE:
        break;
    }
    return PUT_LITERAL(p, "}");
}

/* The inside of the string; *ret_whole says whether all of it was written. */
static char *put_text_body(char *p, char *end, const struct text *text, enum text_form form,
                           const struct put *put, bool *ret_whole)
{
    size_t used;

    if (put->redact == REDACT_URL || put->redact == REDACT_HOST) {
        const struct redact_url how = {put->redact == REDACT_HOST, put->value->flags & VALUE_CUT};

        return redact_put_url(p, end, text, form, &how, ret_whole);
    }
    p = text_escape(p, end, text, form, &used);
    *ret_whole = used == text->len;
    return p;
}

/* {"text":"...","type":"...","length":N,"cut":true} */
static RARE char *put_text_object(char *p, char *end, const struct text *text, enum text_form form,
                                  const struct put *put)
{
    const struct value *value = put->value;
    bool is_cut = value->flags & VALUE_CUT, whole;
    struct tail tail;

    for (;;) {
        char *q = p;

        tail_make(&tail, value, is_cut, value->flags & VALUE_CUT ? value->full : value->text.len);
        if (!has_room(p, end, sizeof("{\"escaped\":\"\"") + tail.len))
            return NULL;
        if (value->kind == VALUE_BYTES || (value->kind == VALUE_UTF8 && form == TEXT_ESCAPED))
            q = PUT_LITERAL(q, "{\"bytes\":\"");
        else if (form == TEXT_ESCAPED)
            q = PUT_LITERAL(q, "{\"escaped\":\"");
        else
            q = PUT_LITERAL(q, "{\"text\":\"");
        q = put_text_body(q, end - tail.len - 1, text, form, put, &whole);
        *q++ = '"';
        if (whole || is_cut)
            return whole || put->fit == VALUE_FIT_CUT ? put_tail(q, &tail) : NULL;
        if (put->fit == VALUE_FIT_WHOLE)
            return NULL;
        is_cut = true;
    }
}

static char *put_text(char *p, char *end, const struct put *put)
{
    const struct value *value = put->value;
    struct text text = {value->text.data, value->text.len, (enum value_kind)value->kind};
    enum text_form form = TEXT_PLAIN;
    bool whole;
    char *q;

    if (value->kind == VALUE_UTF8 && value->flags & VALUE_CUT)
        text.len = text_whole_characters(&text);
    if (value->kind == VALUE_BYTES || !text_is_well_formed(&text))
        form = TEXT_ESCAPED;
    if (form == TEXT_PLAIN && !(value->flags & (VALUE_CUT | VALUE_SUBCLASS))) {
        if (!has_room(p, end, 2))
            return NULL;
        q = put_text_body(p + 1, end - 1, &text, form, put, &whole);
        if (whole) {
            *p = '"';
            *q = '"';
            return q + 1;
        }
        if (put->fit == VALUE_FIT_WHOLE)
            return NULL;
    }
    return put_text_object(p, end, &text, form, put);
}

/* {"int":"-0x1f...","type":"..."} */
static RARE char *put_integer_object(char *p, char *end, const struct value *value)
{
    bool is_cut = false, negative = value->flags & VALUE_NEGATIVE;
    uint64_t small = value->i < 0 ? -(uint64_t)value->i : (uint64_t)value->i;
    const unsigned char *magnitude = (const unsigned char *)&small;
    size_t len = sizeof(small);
    struct tail tail;

    if (value->kind == VALUE_BIG) {
        magnitude = value->text.data;
        len = value->text.len < VALUE_MAX_BIG ? value->text.len : VALUE_MAX_BIG;
        is_cut = value->flags & VALUE_CUT || len < value->text.len;
    } else {
        negative = value->i < 0;
    }
    tail_make(&tail, value, is_cut, value->flags & VALUE_CUT ? value->full : value->text.len);
    if (!has_room(p, end, sizeof("{\"int\":\"\"") + 2 * len + 4 + tail.len))
        return NULL;
    p = PUT_LITERAL(p, "{\"int\":\"");
    p = put_hex(p, magnitude, len, negative);
    p -= len == 0 && is_cut; /* nothing of the digits is known: "0x" */
    *p++ = '"';
    return put_tail(p, &tail);
}

static char *put_integer(char *p, char *end, const struct value *value)
{
    if (value->kind == VALUE_BIG || value->flags & VALUE_SUBCLASS)
        return put_integer_object(p, end, value);
    return has_room(p, end, NUMBER_MAX_U64) ? put_i64(p, value->i) : NULL;
}

static RARE char *put_float(char *p, char *end, const struct value *value)
{
    bool wrapped = value->flags & VALUE_SUBCLASS || !isfinite(value->d);
    struct tail tail;

    if (!wrapped)
        return has_room(p, end, NUMBER_MAX_DOUBLE) ? put_double(p, value->d) : NULL;
    tail_make(&tail, value, false, 0);
    if (!has_room(p, end, sizeof("{\"float\":\"\"") + NUMBER_MAX_DOUBLE + tail.len))
        return NULL;
    p = PUT_LITERAL(p, "{\"float\":\"");
    if (isnan(value->d))
        p = PUT_LITERAL(p, "nan");
    else if (isinf(value->d))
        p = value->d < 0 ? PUT_LITERAL(p, "-inf") : PUT_LITERAL(p, "inf");
    else
        p = put_double(p, value->d);
    *p++ = '"';
    return put_tail(p, &tail);
}

static RARE char *put_opaque(char *p, char *end, const struct value *value)
{
    uint64_t address = (uintptr_t)value->address;

    if (!has_room(p, end, TYPE_ENCODED_MAX + 48))
        return NULL;
    p = PUT_LITERAL(p, "{\"type\":\"");
    p = name_put(p, p + TYPE_ENCODED_MAX, value->type_name ? value->type_name : "?", TYPE_NAME_MAX,
                 NULL);
    p = PUT_LITERAL(p, "\",\"id\":\"");
    p = put_hex(p, (const unsigned char *)&address, sizeof(address), 0);
    return PUT_LITERAL(p, "\"}");
}

static RARE char *put_code(char *p, char *end, const struct put *put)
{
    static const char keys[3][11] = {"{\"name\":", ",\"file\":", ",\"line\":"};

    if (!has_room(p, end, sizeof("{\"code\":{}}")))
        return NULL;
    p = PUT_LITERAL(p, "{\"code\":");
    for (unsigned i = 0; i < 3; i++) {
        struct value none = {.kind = VALUE_NONE};
        struct put item = {i < put->value->count ? &put->value->items[i] : &none, REDACT_NO,
                           put->fit, put->depth + 1};

        if (!has_room(p, end, 8 + 2))
            return NULL;
        memcpy(p, keys[i], 8);
        p = put_nested(p + 8, end - 2, &item);
        if (!p)
            return NULL;
    }
    return PUT_LITERAL(p, "}}");
}

/* One item of a list, or one pair of a map. */
static char *put_item(char *p, char *end, const struct put *list, unsigned i, enum value_fit fit)
{
    struct put item = {NULL, list->redact, fit, list->depth + 1};

    if (list->value->kind == VALUE_LIST) {
        item.value = &list->value->items[i];
        return list->redact == REDACT_ENV ? redact_put_env_name(p, end, item.value)
                                          : put_nested(p, end, &item);
    }
    item.value = &list->value->items[2 * i];
    if (list->redact == REDACT_ENV) {
        item.redact = REDACT_NO;
        return put_nested(p, end, &item);
    }
    if (!has_room(p, end, 3))
        return NULL;
    *p = '[';
    p = put_nested(p + 1, end - 2, &item);
    if (!p)
        return NULL;
    *p++ = ',';
    item.value++;
    p = put_nested(p, end - 1, &item);
    if (!p)
        return NULL;
    *p = ']';
    return p + 1;
}

/* As many items as fit; *ret_whole says whether these are all. With VALUE_FIT_CUT the last one may
 * be cut itself. */
static char *put_items(char *p, char *end, const struct put *list, bool *ret_whole)
{
    unsigned count = list->depth < DEPTH_MAX ? list->value->count : 0;

    *ret_whole = count == list->value->count;
    for (unsigned i = 0; i < count; i++) {
        char *q = p;

        if (!has_room(q, end, 2)) {
            *ret_whole = false;
            return p;
        }
        *q = ',';
        q += i > 0;
        q = put_item(q, end, list, i, VALUE_FIT_WHOLE);
        if (!q) {
            *ret_whole = false;
            if (list->fit == VALUE_FIT_CUT && has_room(p, end, 2))
                q = put_item(p + (i > 0), end, list, i, VALUE_FIT_CUT);
            return q ? q : p;
        }
        p = q;
    }
    return p;
}

/* [..] or {"items":[..],...}, {"map":[..],...}, {"names":[..],"redacted":true,...} */
static RARE char *put_list(char *p, char *end, const struct put *put)
{
    const struct value *value = put->value;
    bool plain = value->kind == VALUE_LIST && put->redact != REDACT_ENV &&
                 !(value->flags & (VALUE_CUT | VALUE_SUBCLASS));
    bool is_cut = value->flags & VALUE_CUT, whole;
    struct tail tail;
    char *q;

    if (plain) {
        if (!has_room(p, end, 2))
            return NULL;
        q = put_items(p + 1, end - 1, put, &whole);
        if (whole) {
            *p = '[';
            *q = ']';
            return q + 1;
        }
        if (put->fit == VALUE_FIT_WHOLE && put->depth < DEPTH_MAX)
            return NULL;
        is_cut = true;
    }
    for (;;) {
        tail_make(&tail, value, is_cut, value->flags & VALUE_CUT ? value->full : value->count);
        if (!has_room(p, end, sizeof("{\"names\":[],\"redacted\":true") + tail.len))
            return NULL;
        if (put->redact == REDACT_ENV)
            q = PUT_LITERAL(p, "{\"names\":[");
        else if (value->kind == VALUE_MAP)
            q = PUT_LITERAL(p, "{\"map\":[");
        else
            q = PUT_LITERAL(p, "{\"items\":[");
        q = put_items(q, end - tail.len - sizeof("],\"redacted\":true"), put, &whole);
        if (!whole && !is_cut) {
            if (put->fit == VALUE_FIT_WHOLE && put->depth < DEPTH_MAX)
                return NULL;
            is_cut = true;
            continue;
        }
        if (!whole && put->fit == VALUE_FIT_WHOLE && put->depth < DEPTH_MAX)
            return NULL;
        *q++ = ']';
        if (put->redact == REDACT_ENV)
            q = PUT_LITERAL(q, ",\"redacted\":true");
        return put_tail(q, &tail);
    }
}

/* Values that the redaction does not let through; false if it does. */
static bool is_withheld(const struct put *put)
{
    bool text = put->value->kind >= VALUE_TEXT1 && put->value->kind <= VALUE_BYTES;

    switch (put->redact) {
    case REDACT_SECRET:
    case REDACT_HIDE:
        return put->value->kind != VALUE_NONE;
    case REDACT_CODE:
    case REDACT_ENV:
        return text;
    case REDACT_NO:
    case REDACT_URL:
    case REDACT_HOST:
        break;
    }
    return false;
}

static char *put_nested(char *p, char *end, const struct put *put)
{
    const struct value *value = put->value;

    if (end < p)
        return NULL;
    if (put->redact != REDACT_NO && is_withheld(put))
        return put_redacted(p, end, value);
    switch ((enum value_kind)value->kind) {
    case VALUE_NONE:
        return has_room(p, end, 4) ? PUT_LITERAL(p, "null") : NULL;
    case VALUE_BOOL:
        if (!has_room(p, end, 5))
            return NULL;
        return value->i ? PUT_LITERAL(p, "true") : PUT_LITERAL(p, "false");
    case VALUE_INT:
    case VALUE_BIG:
        return put_integer(p, end, value);
    case VALUE_FLOAT:
        return put_float(p, end, value);
    case VALUE_TEXT1:
    case VALUE_TEXT2:
    case VALUE_TEXT4:
    case VALUE_UTF8:
    case VALUE_BYTES:
        return put_text(p, end, put);
    case VALUE_LIST:
    case VALUE_MAP:
        return put_list(p, end, put);
    case VALUE_CODE:
        return put_code(p, end, put);
    case VALUE_OPAQUE:
        break;
    }
    return put_opaque(p, end, value);
}

char *value_put(char *p, char *end, const struct value *value, enum redact redact,
                enum value_fit fit)
{
    struct put put = {value, redact, fit, 0};

    return put_nested(p, end, &put);
}
