/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record as one line of JSON. First it is settled what fits (struct plan), then everything is
 * written from left to right without looking back. Fixed pieces are copied in blocks of a fixed
 * size that may reach past their end; TAIL_ROOM includes the room for that.
 */
#include "event/record.h"

#include "base/hex.h"
#include "event/catalogue_table.h"
#include "event/escape.h"
#include "event/number.h"
#include "event/value_encode.h"

#define CAP_MIN 1024
#define EVENT_NAME_MAX 256    /* bytes of an event's name */
#define IDENTITY_TEXT_MAX 256 /* encoded bytes of app, and of host */
#define RULE_MAX 256          /* encoded bytes of a rule's id */

/* `}` of args, args_total, and behind all optional members: level, verdict, claimed, noise, cut,
 * id, the end, and a block that reaches past the end. */
#define ARGS_TOTAL_ROOM 40
#define TAIL_ROOM (ARGS_TOTAL_ROOM + 48 + 15 + 30 + 11 + 48 + 2 + 64)

/* Which of the optional members fit. Those with the best evidence come first in put_plan(). */
struct plan {
    bool rules, at, in, extra, source, source_text;
    unsigned stack_count;
    bool cut;
    char *args_end;   /* nothing of args reaches here */
    char *source_end; /* nothing of source reaches here */
};

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICT_MAX] = {
        [VERDICT_DENY] = "deny",
        [VERDICT_KILL] = "kill",
        [VERDICT_WOULD_DENY] = "would-deny",
        [VERDICT_ALLOW] = "allow",
    };

    return (unsigned)verdict < VERDICT_MAX ? names[verdict] : "deny";
}

void record_session_encode(struct record_session *session, uint64_t session_id, int64_t pid,
                           const char *app, const char *host, uint32_t uid)
{
    char *p = session->head;

    hex_put_u64(session_id, RECORD_SESSION_DIGITS, session->id);
    session->id[RECORD_SESSION_DIGITS] = '\0';
    p = PUT_LITERAL(p, "\"session\":\"");
    memcpy(p, session->id, RECORD_SESSION_DIGITS);
    p = PUT_LITERAL(p + RECORD_SESSION_DIGITS, "\",\"pid\":");
    p = put_i64(p, pid);
    session->head_len = (uint16_t)(p - session->head);

    p = session->identity;
    if (app && *app) {
        p = PUT_LITERAL(p, "\"app\":\"");
        p = name_put(p, p + IDENTITY_TEXT_MAX, app, IDENTITY_TEXT_MAX, NULL);
        p = PUT_LITERAL(p, "\",");
    }
    p = PUT_LITERAL(p, "\"host\":\"");
    p = name_put(p, p + IDENTITY_TEXT_MAX, host ? host : "", IDENTITY_TEXT_MAX, NULL);
    p = PUT_LITERAL(p, "\",\"uid\":");
    p = put_u64(p, uid);
    session->identity_len = (uint16_t)(p - session->identity);
}

/* "2026-11-22T20:03:36". gmtime_r() takes a lock and reads files. */
static void clock_format(struct record_clock *clock, time_t second)
{
    const int64_t last = 253402300799; /* end of the year 9999 */
    int64_t t = second < 0 ? 0 : second > last ? last : second;
    int64_t days = t / 86400 + 719468; /* from 0000-03-01 */
    unsigned rest = (unsigned)(t % 86400);
    unsigned era = (unsigned)(days / 146097);
    unsigned day = (unsigned)(days % 146097);
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    unsigned month;
    char *p = clock->text;

    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    put_pair(p, year / 100);
    put_pair(p + 2, year % 100);
    p[4] = '-';
    put_pair(p + 5, month);
    p[7] = '-';
    put_pair(p + 8, day + 1);
    p[10] = 'T';
    put_pair(p + 11, rest / 3600);
    p[13] = ':';
    put_pair(p + 14, rest / 60 % 60);
    p[16] = ':';
    put_pair(p + 17, rest % 60);
    p[19] = '\0';
    clock->second = second;
}

static inline char *put_nanoseconds(char *p, long nsec)
{
    unsigned n = (unsigned long)nsec < 1000000000 ? (unsigned)nsec : 999999999;

    p[0] = (char)('0' + n / 100000000);
    put_pair(p + 1, n / 1000000 % 100);
    put_pair(p + 3, n / 10000 % 100);
    put_pair(p + 5, n / 100 % 100);
    put_pair(p + 7, n % 100);
    return p + 9;
}

/* {"v":1 ... "uid":N; *ret_seq is where the digits of the sequence number are. */
static inline char *put_head(char *p, const struct record *record,
                             const struct record_session *session, struct record_clock *clock,
                             char **ret_seq)
{
    if (clock->second != record->time.tv_sec || clock->text[0] == '\0')
        clock_format(clock, record->time.tv_sec);
    p = PUT_LITERAL(p, "{\"v\":1,\"ts\":\"");
    memcpy(p, clock->text, 19);
    p[19] = '.';
    p = put_nanoseconds(p + 20, record->time.tv_nsec);
    p = PUT_LITERAL(p, "Z\",\"seq\":");
    *ret_seq = p;
    p = put_u64(p, record->seq);
    *p++ = ',';
    memcpy(p, session->head, sizeof(session->head));
    p += session->head_len;
    p = PUT_LITERAL(p, ",\"tid\":");
    p = put_i64(p, record->tid);
    *p++ = ',';
    for (size_t i = 0; i < session->identity_len; i += 32)
        memcpy(p + i, session->identity + i, 32);
    return p + session->identity_len;
}

static bool plan_take(struct plan *plan, size_t *room, size_t size)
{
    if (size > *room) {
        plan->cut = true;
        return false;
    }
    *room -= size;
    return true;
}

/* One rule's id with its quotes; `out` has RULE_MAX + 2 bytes. */
static size_t rule_encode(char *out, const char *rule)
{
    char *p = out;

    *p++ = '"';
    p = name_put(p, out + 1 + RULE_MAX, rule ? rule : "", RULE_MAX, NULL);
    *p++ = '"';
    return (size_t)(p - out);
}

static size_t rules_size(const struct record *record)
{
    size_t size = sizeof(",\"rules\":[]");
    char one[RULE_MAX + 2];

    for (unsigned i = 0; i < record->rule_count; i++)
        size += rule_encode(one, record->rules[i]) + 1;
    return size;
}

/* Divides the bytes from `p` to `end` among the members whose size is known; args get the rest. */
static void plan_make(struct plan *plan, const struct record *record, char *p, char *end)
{
    size_t room = (size_t)(end - p), share;

    plan->source_end = end + ARGS_TOTAL_ROOM;
    if (record->rule_count > 0) {
        size_t size = rules_size(record);

        plan->rules = plan_take(plan, &room, size);
        plan->source_end -= plan->rules ? size : 0;
    }
    if (record->at.len > 0)
        plan->at = plan_take(plan, &room, record->at.len + sizeof(",\"at\":"));
    if (record->in.len > 0)
        plan->in = plan_take(plan, &room, record->in.len + sizeof(",\"in\":"));
    if (record->extra && record->extra_len > 0) {
        plan->extra = plan_take(plan, &room, record->extra_len);
        plan->source_end -= plan->extra ? record->extra_len : 0;
    }
    if (record->source.present)
        plan->source = plan_take(plan, &room, 160);
    if (record->stack_count > 0) {
        size_t size = sizeof(",\"stack\":[]");

        share = room / 2;
        while (plan->stack_count < record->stack_count &&
               size + record->stack[plan->stack_count].len + 1 <= share)
            size += record->stack[plan->stack_count++].len + 1;
        if (plan->stack_count < record->stack_count)
            plan->cut = true;
        if (plan->stack_count > 0)
            room -= size;
    }
    /* Program text gets what args leave, but args leave it some. */
    if (plan->source && record->source.text_known) {
        share = record->source.text.text.len + record->source.text.text.len / 4 + 64;
        plan->source_text = true;
        room -= share < room / 2 ? share : room / 2;
    }
    plan->args_end = p + room;
}

/* The key of argument `i`, with its colon; NULL if it does not fit. */
static char *put_key(char *p, char *end, const struct record *record, unsigned i)
{
    const char *name = record->arg_names && i < record->arg_count ? record->arg_names[i] : NULL;
    bool cut = false;

    if (end - p < NUMBER_MAX_U64 + 8)
        return NULL;
    *p++ = '"';
    if (name) {
        p = name_put(p, end - 2, name, EVENT_NAME_MAX, &cut);
        if (cut)
            return NULL;
    } else {
        p = PUT_LITERAL(p, "arg");
        p = put_u64(p, i);
    }
    return PUT_LITERAL(p, "\":");
}

static enum redact arg_redact(const struct record *record, const struct catalogue_entry *entry,
                              unsigned i)
{
    if (record->arg_redact)
        return (enum redact)record->arg_redact[i];
    return entry && i < entry->arg_count ? (enum redact)entry->arg_redact[i] : REDACT_NO;
}

/* An argument of REDACT_HIDE that is a list is not there at all. */
static bool is_hidden(const struct value *value, enum redact redact)
{
    return redact == REDACT_HIDE && (value->kind == VALUE_LIST || value->kind == VALUE_MAP);
}

/* Members of args, without braces. Returns the place behind them. */
static char *put_args(char *p, const struct record *record, struct plan *plan,
                      unsigned *ret_left_out)
{
    bool known = record->event >= 0 && (unsigned)record->event < catalogue_count;
    const struct catalogue_entry *entry = known ? &catalogue[record->event] : NULL;
    const struct catalogue_key *keys =
        known ? &catalogue_keys[catalogue_fragments[record->event].first_key] : NULL;
    unsigned key_count = known && !record->arg_names ? entry->arg_count : 0;
    char *end = plan->args_end;
    bool first = true;

    for (unsigned i = 0; i < record->arg_count; i++) {
        const struct value *value = &record->args[i];
        enum redact redact = arg_redact(record, entry, i);
        char *start = p, *q;

        if (redact == REDACT_HIDE && is_hidden(value, redact))
            continue;
        if (end - p < (ptrdiff_t)sizeof(struct catalogue_key) + 2) {
            *ret_left_out = record->arg_count - i;
            return p;
        }
        *p = ',';
        p += !first;
        if (i < key_count) {
            memcpy(p, &keys[i], sizeof(keys[i])); /* .text and a byte too many */
            p += keys[i].len;
        } else {
            p = put_key(p, end, record, i);
        }
        if (p && value->kind == VALUE_TEXT1 && redact == REDACT_NO &&
            !(value->flags & (VALUE_CUT | VALUE_SUBCLASS)) &&
            (size_t)(end - p) >= value->text.len + 2 &&
            text_copy_plain(p + 1, value->text.data, value->text.len)) {
            *p = '"';
            p += value->text.len + 1;
            *p++ = '"';
            first = false;
            continue;
        }
        q = p ? value_put(p, end, value, redact, VALUE_FIT_WHOLE) : NULL;
        if (!q) {
            plan->cut = true;
            q = p ? value_put(p, end, value, redact, VALUE_FIT_CUT) : NULL;
        }
        if (!q) {
            *ret_left_out = record->arg_count - i;
            return start;
        }
        p = q;
        first = false;
    }
    return p;
}

static char *put_event(char *p, char *end, const struct record *record, bool *ret_cut)
{
    if (record->event >= 0 && (unsigned)record->event < catalogue_count) {
        const struct catalogue_fragment *fragment = &catalogue_fragments[record->event];

        memcpy(p, fragment->text, sizeof(fragment->text));
        return p + fragment->len;
    }
    p = PUT_LITERAL(p, ",\"event\":\"");
    p = name_put(p, end - sizeof("\",\"args\":{"), record->name ? record->name : "", EVENT_NAME_MAX,
                 ret_cut);
    return PUT_LITERAL(p, "\",\"args\":{");
}

static inline char *put_place(char *p, const struct record_place *place)
{
    memcpy(p, place->json, place->len);
    return p + place->len;
}

static char *put_stack(char *p, const struct record *record, unsigned count)
{
    p = PUT_LITERAL(p, ",\"stack\":");
    for (unsigned i = 0; i < count; i++) {
        *p++ = i ? ',' : '[';
        p = put_place(p, &record->stack[i]);
    }
    *p++ = ']';
    return p;
}

static char *put_source(char *p, const struct record_source *source, struct plan *plan)
{
    char *end = plan->source_end, *q;

    p = PUT_LITERAL(p, ",\"source\":{\"sha256\":\"");
    p = name_put(p, p + 64, source->sha256, 64, NULL);
    p = PUT_LITERAL(p, "\",\"length\":");
    p = put_u64(p, source->length);
    if (plan->source_text) {
        q = NULL;
        if (end - p > (ptrdiff_t)sizeof(",\"text\":") + 1) {
            char *start = PUT_LITERAL(p, ",\"text\":");

            q = value_put(start, end - 1, &source->text, REDACT_NO, VALUE_FIT_WHOLE);
            if (!q) {
                plan->cut = true;
                q = value_put(start, end - 1, &source->text, REDACT_NO, VALUE_FIT_CUT);
            }
        }
        plan->cut = plan->cut || !q;
        p = q ? q : p;
    }
    *p++ = '}';
    return p;
}

static char *put_rules(char *p, const struct record *record)
{
    p = PUT_LITERAL(p, ",\"rules\":");
    for (unsigned i = 0; i < record->rule_count; i++) {
        *p++ = i ? ',' : '[';
        p += rule_encode(p, record->rules[i]);
    }
    *p++ = ']';
    return p;
}

/* `,"level":"high","verdict":"deny"` */
static inline char *put_outcome(char *p, const struct record *record)
{
    static const struct {
        char text[64];
        uint8_t len;
    } outcomes[LEVEL_MAX][VERDICT_MAX] = {
#define OUTCOME(text) {text, sizeof(text) - 1}
#define OUTCOMES(level)                                                                            \
    {                                                                                              \
        [VERDICT_DENY] = OUTCOME(",\"level\":\"" level "\",\"verdict\":\"deny\""),                 \
        [VERDICT_KILL] = OUTCOME(",\"level\":\"" level "\",\"verdict\":\"kill\""),                 \
        [VERDICT_WOULD_DENY] = OUTCOME(",\"level\":\"" level "\",\"verdict\":\"would-deny\""),     \
        [VERDICT_ALLOW] = OUTCOME(",\"level\":\"" level "\",\"verdict\":\"allow\""),               \
    }
        [LEVEL_CRITICAL] = OUTCOMES("critical"),
        [LEVEL_HIGH] = OUTCOMES("high"),
        [LEVEL_MEDIUM] = OUTCOMES("medium"),
        [LEVEL_LOW] = OUTCOMES("low"),
        [LEVEL_INFORMATIONAL] = OUTCOMES("informational"),
        [LEVEL_NOISE] = OUTCOMES("noise"),
#undef OUTCOMES
#undef OUTCOME
    };
    unsigned level = (unsigned)record->level < LEVEL_MAX ? record->level : LEVEL_CRITICAL;
    unsigned verdict = (unsigned)record->verdict < VERDICT_MAX ? record->verdict : VERDICT_DENY;

    memcpy(p, outcomes[level][verdict].text, sizeof(outcomes[0][0].text));
    return p + outcomes[level][verdict].len;
}

/* From level to the end of the line. */
static inline char *put_end(char *p, const struct record *record,
                            const struct record_session *session, const char *seq,
                            const struct plan *plan)
{
    p = put_outcome(p, record);
    if (record->claimed)
        p = PUT_LITERAL(p, ",\"claimed\":true");
    p = PUT_LITERAL(p, ",\"noise\":");
    p = put_u64(p, record->noise);
    if (plan->rules)
        p = put_rules(p, record);
    if (plan->cut)
        p = PUT_LITERAL(p, ",\"cut\":true");
    p = PUT_LITERAL(p, ",\"id\":\"");
    memcpy(p, session->id, RECORD_SESSION_DIGITS);
    p += RECORD_SESSION_DIGITS;
    *p++ = '-';
    memcpy(p, seq, NUMBER_MAX_U64);
    p += decimal_digits(record->seq);
    *p++ = '"';
    if (plan->extra) {
        memcpy(p, record->extra, record->extra_len);
        p += record->extra_len;
    }
    return PUT_LITERAL(p, "}\n");
}

size_t record_encode(const struct record *record, const struct record_session *session,
                     struct record_clock *clock, char *out, size_t cap)
{
    struct plan plan = {0};
    unsigned left_out = 0;
    char *p = out, *seq, *end;
    uint64_t total;

    if (cap < CAP_MIN)
        return 0;
    end = out + (cap < RECORD_MAX ? cap : RECORD_MAX) - TAIL_ROOM;
    p = put_head(p, record, session, clock, &seq);
    p = put_event(p, end, record, &plan.cut);
    plan_make(&plan, record, p, end);
    p = put_args(p, record, &plan, &left_out);
    *p++ = '}';
    total = record->arg_total > record->arg_count ? record->arg_total : record->arg_count;
    if (left_out > 0 || total > record->arg_count) {
        plan.cut = true;
        p = PUT_LITERAL(p, ",\"args_total\":");
        p = put_u64(p, total);
    }
    if (plan.at)
        p = put_place(PUT_LITERAL(p, ",\"at\":"), &record->at);
    if (plan.in)
        p = put_place(PUT_LITERAL(p, ",\"in\":"), &record->in);
    if (plan.stack_count > 0)
        p = put_stack(p, record, plan.stack_count);
    if (plan.source)
        p = put_source(p, &record->source, &plan);
    p = put_end(p, record, session, seq, &plan);
    return (size_t)(p - out);
}

size_t record_frame_encode(const struct record_frame *frame, char *out, size_t cap)
{
    char *end = out + cap, *p;

    if (cap < 128)
        return 0;
    end -= sizeof(",\"line\":,\"func\":,\"approved\":false}") + NUMBER_MAX_U64;
    p = PUT_LITERAL(out, "{\"file\":");
    p = value_put(p, end, &frame->file, REDACT_NO, VALUE_FIT_WHOLE);
    if (!p)
        return 0;
    if (frame->line > 0) {
        p = PUT_LITERAL(p, ",\"line\":");
        p = put_u64(p, (uint64_t)frame->line);
    }
    p = PUT_LITERAL(p, ",\"func\":");
    p = value_put(p, end, &frame->func, REDACT_NO, VALUE_FIT_WHOLE);
    if (!p)
        return 0;
    if (frame->approved >= 0)
        p = frame->approved ? PUT_LITERAL(p, ",\"approved\":true")
                            : PUT_LITERAL(p, ",\"approved\":false");
    *p++ = '}';
    return (size_t)(p - out);
}

size_t record_value_encode(const struct value *value, enum redact redact, char *out, size_t cap)
{
    char *end = value_put(out, out + cap, value, redact, VALUE_FIT_WHOLE);

    return end ? (size_t)(end - out) : 0;
}
