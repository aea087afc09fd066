/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes records for check_schema.py: random values with their input beside them, so that a reader
 * in another language can decode them and compare; every event; records cut at many caps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "event/record.h"

#define TEXT_MAX 60

static struct record_session session;
static struct record_clock record_clock;
static char out[RECORD_MAX];
static uint64_t state = 88172645463325252;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void write_record(struct record *record, size_t cap)
{
    static uint64_t seq;
    size_t len;

    record->seq = seq++;
    record->time = (struct timespec){1795377816, 123456789};
    record->tid = 712;
    record->verdict = VERDICT_ALLOW;
    len = record_encode(record, &session, &record_clock, out, cap);
    if (fwrite(out, 1, len, stdout) != len)
        abort();
}

static void write_value(const char *kind, struct value value, const void *input, size_t size)
{
    static const char *const names[] = {"kind", "input", "value"};
    char hex[2 * 4 * TEXT_MAX + 1];
    struct value args[3] = {{.kind = VALUE_UTF8, .text = {kind, strlen(kind)}},
                            {.kind = VALUE_UTF8, .text = {hex, 2 * size}},
                            value};
    struct record record = {.name = "test.value",
                            .event = CATALOGUE_UNKNOWN,
                            .args = args,
                            .arg_count = 3,
                            .arg_names = names,
                            .level = LEVEL_LOW};

    hex_encode(input, size, hex);
    write_record(&record, sizeof(out));
}

static uint32_t random_unit(uint32_t limit)
{
    uint64_t r = next_random();

    switch (r % 8) {
    case 0:
        return (uint32_t)(r >> 8) % 0x30;
    case 1:
        return '\\';
    case 2:
        return (uint32_t)(r >> 8) % limit;
    case 3:
        return (0xd800 + (uint32_t)(r >> 8) % 0x800) % limit;
    case 4:
        return "ux0123abd"[(r >> 8) % 9]; /* what follows a backslash in our forms */
    default:
        return (uint32_t)(r >> 8) % 0x100;
    }
}

static void write_texts(void)
{
    uint8_t bytes[TEXT_MAX];
    uint16_t units[TEXT_MAX];
    uint32_t points[TEXT_MAX];
    size_t len = next_random() % (TEXT_MAX + 1);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)random_unit(0x100);
        units[i] = (uint16_t)random_unit(0x10000);
        points[i] = random_unit(0x110000);
    }
    write_value("text1", (struct value){.kind = VALUE_TEXT1, .text = {bytes, len}}, bytes, len);
    write_value("text2", (struct value){.kind = VALUE_TEXT2, .text = {units, len}}, units, 2 * len);
    write_value("text4", (struct value){.kind = VALUE_TEXT4, .text = {points, len}}, points,
                4 * len);
    write_value("bytes", (struct value){.kind = VALUE_BYTES, .text = {bytes, len}}, bytes, len);
    if (len > 3)
        memcpy(bytes, "\xe2\x82\xac", 3);
    write_value("utf8", (struct value){.kind = VALUE_UTF8, .text = {bytes, len}}, bytes, len);
}

static void write_numbers(void)
{
    uint8_t magnitude[20];
    struct value value = {.kind = VALUE_BIG, .text = {magnitude, 1 + next_random() % 20}};
    int64_t i = (int64_t)(next_random() >> next_random() % 64);
    uint64_t bits = next_random();

    for (size_t k = 0; k < sizeof(magnitude); k++)
        magnitude[k] = (uint8_t)next_random();
    if (i & 1) {
        value.flags = VALUE_NEGATIVE;
        i = -i;
    }
    write_value(i & 1 ? "negative" : "big", value, magnitude, value.text.len);
    write_value("int", (struct value){.kind = VALUE_INT, .i = i}, &i, sizeof(i));
    value = (struct value){.kind = VALUE_FLOAT};
    memcpy(&value.d, &bits, sizeof(bits));
    write_value("float", value, &bits, sizeof(bits));
}

/* One of everything, for every event, at several caps. */
static void write_events(void)
{
    static const char place[] = "{\"file\":\"/a.py\",\"line\":1,\"func\":\"f\",\"approved\":true}";
    static char text[VALUE_MAX_TEXT];
    static const size_t caps[] = {1024, 1300, 2000, 3000, 9000, RECORD_MAX};
    struct value small[3] = {{.kind = VALUE_BYTES, .text = {"K=V", 3}},
                             {.kind = VALUE_TEXT1, .text = {"f", 1}},
                             {.kind = VALUE_INT, .i = 3}};
    struct value args[12] = {
        {.kind = VALUE_TEXT1, .text = {text, sizeof(text)}},
        {.kind = VALUE_LIST, .count = 3, .items = small},
        {.kind = VALUE_MAP, .count = 1, .items = small},
        {.kind = VALUE_OPAQUE, .type_name = "a.B"},
        {.kind = VALUE_NONE},
        {.kind = VALUE_CODE, .count = 3, .items = small},
        {.kind = VALUE_LIST, .flags = VALUE_SUBCLASS, .count = 3, .items = small, .type_name = "P"},
        {.kind = VALUE_TEXT1, .flags = VALUE_SUBCLASS, .text = {"x", 1}, .type_name = "S"},
        {.kind = VALUE_BIG, .flags = VALUE_CUT, .full = 900, .text = {"", 0}},
        {.kind = VALUE_MAP, .flags = VALUE_CUT, .full = 90, .count = 1, .items = small},
        {.kind = VALUE_BOOL, .i = 1},
        {.kind = VALUE_INT, .flags = VALUE_SUBCLASS, .i = -5, .type_name = "E"},
    };
    struct record_place stack[2] = {{place, sizeof(place) - 1}, {place, sizeof(place) - 1}};

    memset(text, 'x', sizeof(text));
    for (unsigned i = 0; i < catalogue_count; i++) {
        struct record record = {.name = catalogue[i].name,
                                .event = (int)i,
                                .args = args + i % 4,
                                .arg_count = 8,
                                .at = stack[0],
                                .in = stack[1],
                                .stack = stack,
                                .stack_count = 2,
                                .level = (enum level)(i % LEVEL_MAX),
                                .claimed = i % 2,
                                .rules = {"one", "two"},
                                .rule_count = i % 3};

        if (catalogue[i].raiser == RAISER_SELF)
            continue; /* these have arguments of certain kinds */
        record.source = (struct record_source){
            .present = i % 2, .text_known = i % 4 == 1, .length = 5000, .text = args[0]};
        memset(record.source.sha256, 'a', 64);
        write_record(&record, caps[i % 6]);
    }
}

int main(void)
{
    record_session_encode(&session, 0xc0ffee0123456789, 711, "shop", "web-17", 1001);
    for (int round = 0; round < 60; round++) {
        write_texts();
        write_numbers();
    }
    write_events();
    return fflush(stdout) == 0 ? 0 : 1;
}
