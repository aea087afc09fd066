/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record: one event plus time, sequence number, process, Python location, verdict and rules, as
 * one JSON object on one line. The format is docs/formats/record.md; its schema is
 * docs/formats/record.schema.json. Encoding is pure: no system call, no allocation, no lock.
 */
#ifndef SPYTHON_EVENT_RECORD_H
#define SPYTHON_EVENT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "event/catalogue.h"
#include "event/value.h"

#define RECORD_VERSION 1
#define RECORD_MAX 65536         /* bytes of one encoded record, newlines included */
#define RECORD_SESSION_DIGITS 16 /* lower-case hexadecimal */
#define RECORD_MAX_FRAMES 16
#define RECORD_MAX_RULES 8

enum verdict {
    VERDICT_DENY = 0,
    VERDICT_KILL,
    VERDICT_WOULD_DENY,
    VERDICT_ALLOW,
    VERDICT_MAX,
};

const char *verdict_name(enum verdict verdict); /* "deny", "kill", "would-deny", "allow" */

/* What all records of one session have in common. Made once, and again after fork. */
struct record_session {
    char id[RECORD_SESSION_DIGITS + 1];
    /* Encoded once by record_session_encode(): `"session":"...","pid":N` and
     * `"app":"...","host":"...","uid":N` with all escaping done. */
    char head[64];
    uint16_t head_len;
    char identity[640];
    uint16_t identity_len;
};

/* Fills head and identity from plain values. `app` may be "" (then no "app" member). Values that do
 * not fit are cut at a character border. `session_id` seeds `id`. */
void record_session_encode(struct record_session *session, uint64_t session_id, int64_t pid,
                           const char *app, const char *host, uint32_t uid);

/* A place in Python code. Texts as in struct value (kinds VALUE_TEXT*, VALUE_UTF8). */
struct record_frame {
    struct value file;
    struct value func;
    int32_t line;    /* 0: not known */
    int8_t approved; /* 1, 0, or -1: not told */
};

/* A frame that was encoded before: `{"file":...,"line":...,"func":...}` by record_frame_encode().
 */
struct record_place {
    const char *json;
    uint32_t len; /* 0: the record has no such member */
};

/* Source text of dynamic code (compile, exec). */
struct record_source {
    bool present;
    bool text_known;   /* false: only digest and length are told (seen before in this process) */
    char sha256[65];   /* hexadecimal */
    uint64_t length;   /* bytes of the whole source */
    struct value text; /* cut to the cap */
};

struct record {
    struct timespec time; /* CLOCK_REALTIME */
    uint64_t seq;
    int64_t tid;
    uint64_t noise;   /* running count of counted events */
    const char *name; /* of the event, NUL-terminated, arbitrary bytes */
    int event;        /* catalogue index or CATALOGUE_UNKNOWN */
    bool claimed;     /* raised through sys.audit() by code outside the standard library */
    const struct value *args;
    unsigned arg_count;
    uint64_t arg_total;           /* more than arg_count: the rest was cut */
    const char *const *arg_names; /* NULL: from the catalogue; else arg_count names */
    const uint8_t *arg_redact;    /* NULL: from the catalogue; else arg_count enum redact */
    struct record_place at, in;
    const struct record_place *stack;
    unsigned stack_count;
    struct record_source source;
    enum level level;
    enum verdict verdict;
    const char *rules[RECORD_MAX_RULES];
    unsigned rule_count;
    const char *extra; /* more members, encoded, each with its comma in front; NULL: none */
    size_t extra_len;
};

/* Per-thread state of the encoder: the second that was formatted last. Starts zeroed. */
struct record_clock {
    time_t second;
    char text[20]; /* "2026-11-22T20:03:36" */
};

/*
 * Encodes `record` as `{...}\n` into `out`. Always succeeds if cap >= 1024: what does not fit is
 * left out from the end of args, stack and source text, and `"cut":true` says so; the result is
 * always one valid JSON line. Returns the number of bytes.
 */
size_t record_encode(const struct record *record, const struct record_session *session,
                     struct record_clock *clock, char *out, size_t cap);

/* Encodes one frame as a JSON object (see struct record_place). Returns the number of bytes, 0 if
 * it does not fit. */
size_t record_frame_encode(const struct record_frame *frame, char *out, size_t cap);

/* Encodes one value as a JSON value. Returns the number of bytes, 0 if it does not fit. For
 * spython.* records and for tests. */
size_t record_value_encode(const struct value *value, enum redact redact, char *out, size_t cap);

#endif
