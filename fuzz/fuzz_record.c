/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes -> a record with a tree of values -> record_encode(): one line of good JSON, not more than
 * the cap, and everything that is larger than the cap is marked.
 */
#include <stdlib.h>
#include <string.h>

#include "../tests/unit/event/json_check.h"
#include "event/record.h"

#define VALUES 128

struct input {
    const uint8_t *p, *end;
    struct value values[VALUES];
    unsigned used;
};

static uint64_t take(struct input *in, size_t size)
{
    uint64_t v = 0;

    for (size_t i = 0; i < size && in->p < in->end; i++)
        v = v << 8 | *in->p++;
    return v;
}

/* A copy of its own size, so that the sanitizer sees a byte too much. */
static void *take_data(struct input *in, size_t *size)
{
    size_t left = (size_t)(in->end - in->p);
    void *copy;

    *size = *size < left ? *size : left;
    copy = malloc(*size + 1);
    memcpy(copy, in->p, *size);
    in->p += *size;
    return copy;
}

static const char *take_name(struct input *in, size_t max)
{
    char *name = take_data(in, &max);

    name[max] = '\0';
    return name;
}

static const struct value *take_values(struct input *in, uint32_t *count, unsigned depth);

static void take_value(struct input *in, struct value *value, unsigned depth)
{
    size_t size;

    *value = (struct value){.kind = (uint8_t)(take(in, 1) % (VALUE_CODE + 1))};
    value->flags = (uint8_t)(take(in, 1) & (VALUE_CUT | VALUE_NEGATIVE | VALUE_SUBCLASS));
    if (value->flags & VALUE_CUT)
        value->full = take(in, 8);
    switch ((enum value_kind)value->kind) {
    case VALUE_NONE:
    case VALUE_BOOL:
    case VALUE_INT:
        value->i = (int64_t)take(in, take(in, 1) % 9);
        break;
    case VALUE_FLOAT:
        size = take(in, 8);
        memcpy(&value->d, &size, sizeof(value->d));
        break;
    case VALUE_TEXT1:
    case VALUE_UTF8:
    case VALUE_BYTES:
    case VALUE_BIG:
        size = take(in, 2) % (VALUE_MAX_TEXT + 1);
        value->text.data = take_data(in, &size);
        value->text.len = size;
        break;
    case VALUE_TEXT2:
    case VALUE_TEXT4:
        size = take(in, 2) % (VALUE_MAX_TEXT + 1) * 4;
        value->text.data = take_data(in, &size);
        value->text.len = size / (value->kind == VALUE_TEXT2 ? 2 : 4);
        break;
    case VALUE_LIST:
    case VALUE_MAP:
    case VALUE_CODE:
        value->count = (uint32_t)(take(in, 1) % 20);
        if (value->kind == VALUE_MAP)
            value->count *= 2;
        value->items = take_values(in, &value->count, depth + 1);
        if (value->kind == VALUE_MAP)
            value->count /= 2;
        break;
    case VALUE_OPAQUE:
        value->address = (const void *)(uintptr_t)take(in, 8);
        break;
    }
    if (value->flags & VALUE_SUBCLASS || value->kind == VALUE_OPAQUE)
        value->type_name = take_name(in, take(in, 1));
}

static const struct value *take_values(struct input *in, uint32_t *count, unsigned depth)
{
    struct value *first = &in->values[in->used];

    if (depth > 12 || *count > VALUES - in->used)
        *count = 0;
    in->used += *count;
    for (uint32_t i = 0; i < *count; i++)
        take_value(in, &first[i], depth);
    return first;
}

static void free_values(struct input *in)
{
    for (unsigned i = 0; i < in->used; i++) {
        struct value *value = &in->values[i];

        if ((value->kind >= VALUE_TEXT1 && value->kind <= VALUE_BYTES) || value->kind == VALUE_BIG)
            free((void *)(uintptr_t)value->text.data);
        free((void *)(uintptr_t)value->type_name);
    }
}

static void check(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char frame[] = "{\"file\":\"/a.py\",\"line\":1,\"func\":\"f\"}";
    static struct input in;
    struct record_place stack[RECORD_MAX_FRAMES];
    uint8_t redact[VALUE_MAX_ARGS];
    struct record_session session;
    struct record_clock clock = {0};
    struct record record = {0};
    const char *app, *host;
    uint32_t count;
    size_t cap, len;
    char *out;

    in.p = data;
    in.end = data + size;
    in.used = 0;
    cap = 1024 + take(&in, 2);
    record.time.tv_sec = (time_t)take(&in, take(&in, 1) % 9);
    record.time.tv_nsec = (long)take(&in, 4);
    record.seq = take(&in, 8);
    record.tid = (int64_t)take(&in, 4);
    record.noise = take(&in, 2);
    record.level = (enum level)take(&in, 1);
    record.verdict = (enum verdict)take(&in, 1);
    record.claimed = record.seq & 1;
    record.name = take_name(&in, take(&in, 2) % 512);
    record.event = (int)(take(&in, 1) % (catalogue_count + 1)) - 1;
    app = take_name(&in, take(&in, 1));
    host = take_name(&in, take(&in, 1));
    record.rule_count = (unsigned)take(&in, 1) % (RECORD_MAX_RULES + 1);
    for (unsigned i = 0; i < record.rule_count; i++)
        record.rules[i] = i % 2 ? host : app;
    record.at = record.in = (struct record_place){frame, sizeof(frame) - 1};
    record.stack = stack;
    record.stack_count = (unsigned)take(&in, 1) % (RECORD_MAX_FRAMES + 1);
    for (unsigned i = 0; i < record.stack_count; i++)
        stack[i] = record.at;
    for (unsigned i = 0; i < VALUE_MAX_ARGS; i++)
        redact[i] = (uint8_t)(take(&in, 1) % (REDACT_HIDE + 1));
    if (take(&in, 1) & 1)
        record.arg_redact = redact;
    record.source.present = take(&in, 1) & 1;
    record.source.text_known = take(&in, 1) & 1;
    if (record.source.text_known)
        take_value(&in, &in.values[in.used++], 1);
    record.source.text = in.values[0];
    if (record.source.text.kind < VALUE_TEXT1 || record.source.text.kind > VALUE_BYTES)
        record.source.text_known = false;
    count = (uint32_t)(take(&in, 1) % (VALUE_MAX_ARGS + 1));
    record.args = take_values(&in, &count, 0);
    record.arg_count = count;
    record.arg_total = take(&in, 1);

    record_session_encode(&session, record.seq, record.tid, app, host, (uint32_t)record.noise);
    out = malloc(cap);
    len = record_encode(&record, &session, &clock, out, cap);
    check(len > 0 && len <= cap && len <= RECORD_MAX);
    check(json_is_line(out, len));
    for (unsigned i = 0; i < count; i++) {
        len = record_value_encode(&record.args[i], (enum redact)redact[i], out, cap);
        check(len <= cap && (len == 0 || json_is_value(out, len)));
    }
    free(out);
    free_values(&in);
    free((void *)(uintptr_t)record.name);
    free((void *)(uintptr_t)app);
    free((void *)(uintptr_t)host);
    return 0;
}
