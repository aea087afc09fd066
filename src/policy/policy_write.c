/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writer of format 1. Tables have known sizes, so they are laid out first and filled in one pass;
 * the text grows behind them, each string in it only once.
 */
#include "policy/policy_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_format.h"

struct writer {
    uint8_t *data;
    size_t len, room;
    struct policy_header_v1 header;
    uint32_t used[POLICY_TABLE_MAX]; /* records written so far */
    uint32_t *slots;                 /* strings by hash: their offsets, 0 for none */
    size_t slot_count, slots_used;
    int failed; /* 0 or the first -errno */
};

static const size_t record_sizes[POLICY_TABLE_MAX] = {
    [POLICY_TABLE_SETTINGS] = sizeof(struct policy_settings_v1),
    [POLICY_TABLE_STRINGS] = sizeof(uint32_t),
    [POLICY_TABLE_PINS] = sizeof(struct policy_pin_v1),
    [POLICY_TABLE_SINKS] = sizeof(struct policy_sink_v1),
    [POLICY_TABLE_DENIALS] = sizeof(struct policy_denial_v1),
    [POLICY_TABLE_TEXT] = 1,
};

static void fail(struct writer *w, int code)
{
    if (!w->failed)
        w->failed = code;
}

static bool reserve(struct writer *w, size_t more)
{
    size_t room = w->room ? w->room : 4096;
    uint8_t *data;

    if (w->failed)
        return false;
    if (more > POLICY_MAX_SIZE - w->len) {
        fail(w, -EFBIG);
        return false;
    }
    while (room < w->len + more)
        room *= 2;
    if (room == w->room)
        return true;
    data = realloc(w->data, room);
    if (!data) {
        fail(w, -ENOMEM);
        return false;
    }
    w->data = data;
    w->room = room;
    return true;
}

static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h;
}

static uint32_t *find_slot(struct writer *w, const char *text)
{
    size_t at = hash(text) & (w->slot_count - 1);

    while (w->slots[at] && strcmp((char *)w->data + w->slots[at], text) != 0)
        at = (at + 1) & (w->slot_count - 1);
    return &w->slots[at];
}

static bool grow_slots(struct writer *w)
{
    uint32_t *old = w->slots;
    size_t old_count = w->slot_count;

    if (4 * (w->slots_used + 1) <= 3 * w->slot_count)
        return true;
    w->slot_count = old_count ? 2 * old_count : 256;
    w->slots = calloc(w->slot_count, sizeof(*w->slots));
    if (!w->slots) {
        w->slots = old;
        w->slot_count = old_count;
        fail(w, -ENOMEM);
        return false;
    }
    for (size_t i = 0; i < old_count; i++) {
        if (old[i])
            *find_slot(w, (char *)w->data + old[i]) = old[i];
    }
    free(old);
    return true;
}

/* Offset of a string, which is added to the text if it is not yet there. */
static uint32_t put_string(struct writer *w, const char *text)
{
    size_t size = strlen(text) + 1;
    uint32_t *slot;

    if (w->failed || !grow_slots(w))
        return 0;
    slot = find_slot(w, text);
    if (*slot)
        return *slot;
    if (!reserve(w, size))
        return 0;
    *slot = (uint32_t)w->len;
    w->slots_used++;
    memcpy(w->data + w->len, text, size);
    w->len += size;
    return *slot;
}

static void put_record(struct writer *w, enum policy_table_id id, const void *record)
{
    size_t at = w->header.tables[id].offset + w->used[id] * record_sizes[id];

    if (!w->failed)
        memcpy(w->data + at, record, record_sizes[id]);
    w->used[id]++;
}

static struct policy_slice begin_slice(const struct writer *w, enum policy_table_id id,
                                       uint32_t count)
{
    return (struct policy_slice){w->used[id], count};
}

static struct policy_slice put_strings(struct writer *w, struct policy_strings list)
{
    struct policy_slice slice = begin_slice(w, POLICY_TABLE_STRINGS, list.count);

    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t offset = put_string(w, list.items[i]);

        put_record(w, POLICY_TABLE_STRINGS, &offset);
    }
    return slice;
}

static struct policy_slice put_pins(struct writer *w, const struct policy_settings *s)
{
    struct policy_slice slice = begin_slice(w, POLICY_TABLE_PINS, s->env_pin_count);

    for (uint32_t i = 0; i < s->env_pin_count; i++) {
        struct policy_pin_v1 out = {0};

        out.name = put_string(w, s->env_pin[i].name);
        out.value = put_string(w, s->env_pin[i].value);

        put_record(w, POLICY_TABLE_PINS, &out);
    }
    return slice;
}

static struct policy_slice put_sinks(struct writer *w, const struct policy_settings *s)
{
    struct policy_slice slice = begin_slice(w, POLICY_TABLE_SINKS, s->sink_count);

    for (uint32_t i = 0; i < s->sink_count; i++) {
        const struct sink_config *in = &s->sinks[i];
        struct policy_sink_v1 out = {0};

        out.kind = in->kind;
        out.on_failure = in->on_failure;
        out.level = in->level;
        out.path = put_string(w, in->path);
        out.rotate_size = in->rotate_size;
        out.rotate_keep = in->rotate_keep;

        put_record(w, POLICY_TABLE_SINKS, &out);
    }
    return slice;
}

static struct policy_slice put_denials(struct writer *w, const struct policy_settings *s)
{
    struct policy_slice slice = begin_slice(w, POLICY_TABLE_DENIALS, s->denial_count);

    for (uint32_t i = 0; i < s->denial_count; i++) {
        const struct policy_denial *in = &s->denials[i];
        struct policy_denial_v1 out = {0};

        out.event = put_string(w, in->event);
        out.id = put_string(w, in->id);
        out.mode = in->mode;
        out.action = in->action;
        out.level = in->level;
        out.allow = put_strings(w, in->allow);

        put_record(w, POLICY_TABLE_DENIALS, &out);
    }
    return slice;
}

static void put_settings(struct writer *w, const struct policy_settings *s)
{
    struct policy_settings_v1 out = {0};

    out.app = put_string(w, s->app);
    out.profile = s->profile;
    out.match_uid = s->match_uid;
    out.match_script = put_string(w, s->match_script);
    out.match_venv = put_string(w, s->match_venv);
    out.entry = s->entry;
    out.venv = put_string(w, s->venv);
    out.host = put_string(w, s->host);
    out.stack_level = s->stack_level;
    out.stack_frames = s->stack_frames;
    out.source_max = s->source_max;
    out.entry_modules = put_strings(w, s->entry_modules);
    out.env_permit = put_strings(w, s->env_permit);
    out.redact = put_strings(w, s->redact);
    out.env_pin = put_pins(w, s);
    out.sinks = put_sinks(w, s);
    out.denials = put_denials(w, s);

    put_record(w, POLICY_TABLE_SETTINGS, &out);
}

static void lay_out(struct writer *w, const struct policy_write_input *input)
{
    uint64_t counts[POLICY_TABLE_MAX] = {0}, end;

    counts[POLICY_TABLE_SETTINGS] = input->settings_count;
    counts[POLICY_TABLE_STRINGS] = input->venvs.count;
    for (uint32_t i = 0; i < input->settings_count; i++) {
        const struct policy_settings *s = &input->settings[i];

        counts[POLICY_TABLE_STRINGS] +=
            (uint64_t)s->entry_modules.count + s->env_permit.count + s->redact.count;
        counts[POLICY_TABLE_PINS] += s->env_pin_count;
        counts[POLICY_TABLE_SINKS] += s->sink_count;
        counts[POLICY_TABLE_DENIALS] += s->denial_count;
        for (uint32_t j = 0; j < s->denial_count; j++)
            counts[POLICY_TABLE_STRINGS] += s->denials[j].allow.count;
    }
    w->header.header_size = sizeof(struct policy_envelope) + sizeof(w->header);
    end = w->header.header_size;
    for (unsigned i = 0; i < POLICY_TABLE_MAX; i++) {
        w->header.tables[i] = (struct policy_table){(uint32_t)end, (uint32_t)counts[i]};
        end += (counts[i] * record_sizes[i] + 7) / 8 * 8;
        if (end > POLICY_MAX_SIZE) {
            fail(w, -EFBIG);
            return;
        }
    }
    if (!reserve(w, end))
        return;
    memset(w->data, 0, end);
    w->len = end;
}

static void seal(struct writer *w)
{
    struct policy_envelope envelope = {.format = POLICY_FORMAT, .size = (uint32_t)w->len};
    struct policy_table *text = &w->header.tables[POLICY_TABLE_TEXT];

    text->count = (uint32_t)w->len - text->offset;
    w->header.checked = (uint32_t)w->len;
    memcpy(envelope.magic, POLICY_MAGIC, POLICY_MAGIC_SIZE);
    memcpy(w->data + sizeof(envelope), &w->header, sizeof(w->header));
    digest_sha256(w->data + sizeof(envelope), w->len - sizeof(envelope), envelope.digest);
    memcpy(w->data, &envelope, sizeof(envelope));
}

int policy_write(const struct policy_write_input *input, void **ret_data, size_t *ret_len,
                 struct err *err)
{
    struct writer w = {.header = {.serial = input->serial, .applied = input->applied}};

    lay_out(&w, input);
    for (uint32_t i = 0; i < input->settings_count && !w.failed; i++)
        put_settings(&w, &input->settings[i]);
    if (!w.failed)
        w.header.venvs = put_strings(&w, input->venvs);
    free(w.slots);
    if (w.failed) {
        free(w.data);
        return err_set(err, w.failed, "%s",
                       w.failed == -EFBIG ? "the policy is too large" : "out of memory");
    }
    seal(&w);
    *ret_data = w.data;
    *ret_len = w.len;
    return 0;
}
