/* SPDX-License-Identifier: Apache-2.0 */
/* A usual record, to change one thing of. */
#ifndef SPYTHON_TESTS_RECORD_TEST_H
#define SPYTHON_TESTS_RECORD_TEST_H

#include "event_test.h"

#define AT_JSON "{\"file\":\"/srv/app.py\",\"line\":88,\"func\":\"f\"}"
#define HEAD                                                                                       \
    "{\"v\":1,\"ts\":\"2026-11-22T20:03:36.123456789Z\",\"seq\":42,"                               \
    "\"session\":\"c0ffee0123456789\",\"pid\":711,\"tid\":712,"                                    \
    "\"app\":\"shop\",\"host\":\"web-17\",\"uid\":1001,"
#define OUTCOME "\"level\":\"informational\",\"verdict\":\"allow\",\"noise\":7"
#define ID ",\"id\":\"c0ffee0123456789-42\""

static struct record_session test_session;
static struct record_clock test_clock;

static inline int setup_session(void **state)
{
    (void)state;
    record_session_encode(&test_session, 0xc0ffee0123456789, 711, "shop", "web-17", 1001);
    return 0;
}

static inline struct record usual_record(const char *name)
{
    return (struct record){
        .time = {1795377816, 123456789},
        .seq = 42,
        .tid = 712,
        .noise = 7,
        .name = name,
        .event = catalogue_find(name),
        .level = LEVEL_INFORMATIONAL,
        .verdict = VERDICT_ALLOW,
    };
}

/* Encodes into a block of exactly `cap` bytes; the line is good JSON. */
static inline size_t encode_record(const struct record *record, char *out, size_t cap)
{
    char *block = malloc(cap);
    size_t len;

    assert_non_null(block);
    len = record_encode(record, &test_session, &test_clock, block, cap);
    assert_true(len > 0 && len <= cap && len <= RECORD_MAX);
    memcpy(out, block, len);
    free(block);
    out[len] = '\0';
    if (!json_is_line(out, len))
        fail_msg("not one line of JSON: %.300s", out);
    return len;
}

#endif
