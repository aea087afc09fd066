/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoder of format 1. Tables are decoded whole, each once, into one block of memory whose size
 * follows from the header; settings then only point into them. So no file, however hostile, makes
 * the decoder allocate or run more than in proportion to the file's size.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_format.h"
#include "policy/policy_read.h"
#include "sinks/log.h"

struct decoder {
    const uint8_t *data;
    size_t len;
    struct policy_header_v1 header;

    /* Decoded tables, all in one block that begins with `settings`. */
    struct policy_settings *settings;
    struct policy_pin *pins;
    struct sink_config *sinks;
    struct policy_denial *denials;
    const char **strings;

    /* The first thing that is wrong; NULL: nothing yet. */
    const char *wrong;
};

static const size_t record_sizes[POLICY_TABLE_MAX] = {
    [POLICY_TABLE_SETTINGS] = sizeof(struct policy_settings_v1),
    [POLICY_TABLE_STRINGS] = sizeof(uint32_t),
    [POLICY_TABLE_PINS] = sizeof(struct policy_pin_v1),
    [POLICY_TABLE_SINKS] = sizeof(struct policy_sink_v1),
    [POLICY_TABLE_DENIALS] = sizeof(struct policy_denial_v1),
    [POLICY_TABLE_TEXT] = 1,
};

static void *wrong(struct decoder *d, const char *what)
{
    if (!d->wrong)
        d->wrong = what;
    return NULL;
}

static uint32_t count_of(const struct decoder *d, enum policy_table_id id)
{
    return d->header.tables[id].count;
}

static const void *record(const struct decoder *d, enum policy_table_id id, uint32_t index)
{
    return d->data + d->header.tables[id].offset + (size_t)index * record_sizes[id];
}

static void check_tables(struct decoder *d)
{
    const struct policy_table *text = &d->header.tables[POLICY_TABLE_TEXT];

    for (unsigned i = 0; i < POLICY_TABLE_MAX; i++) {
        const struct policy_table *t = &d->header.tables[i];
        uint64_t end = t->offset + (uint64_t)t->count * record_sizes[i];

        if (t->offset < d->header.header_size || end > d->len) {
            wrong(d, "a table lies outside");
            return;
        }
    }
    if (text->count == 0 || d->data[text->offset + text->count - 1] != '\0')
        wrong(d, "its text does not end");
    if (count_of(d, POLICY_TABLE_SETTINGS) == 0)
        wrong(d, "it has no settings");
}

static void check_header(struct decoder *d)
{
    size_t size = sizeof(struct policy_envelope) + sizeof(d->header);

    if (d->len < size) {
        wrong(d, "its header is cut off");
        return;
    }
    memcpy(&d->header, d->data + sizeof(struct policy_envelope), sizeof(d->header));
    if (d->header.header_size != size || d->header.checked != d->len ||
        d->header.reserved[0] != 0 || d->header.reserved[1] != 0)
        wrong(d, "its header is of another layout");
    else
        check_tables(d);
}

/* One block for all tables. Every kind of record is aligned like a pointer or weaker. */
static void *allocate_tables(struct decoder *d)
{
    size_t settings = count_of(d, POLICY_TABLE_SETTINGS) * sizeof(*d->settings);
    size_t pins = count_of(d, POLICY_TABLE_PINS) * sizeof(*d->pins);
    size_t sinks = count_of(d, POLICY_TABLE_SINKS) * sizeof(*d->sinks);
    size_t denials = count_of(d, POLICY_TABLE_DENIALS) * sizeof(*d->denials);
    size_t strings = count_of(d, POLICY_TABLE_STRINGS) * sizeof(*d->strings);
    char *block = malloc(settings + pins + sinks + denials + strings);

    if (!block)
        return NULL;
    d->settings = (void *)block;
    d->pins = (void *)(block + settings);
    d->sinks = (void *)(block + settings + pins);
    d->denials = (void *)(block + settings + pins + sinks);
    d->strings = (void *)(block + settings + pins + sinks + denials);
    return block;
}

/* A string that is not in the text, or an empty one where that is senseless, is an error. */
static const char *string(struct decoder *d, uint32_t offset, bool may_be_empty)
{
    const struct policy_table *text = &d->header.tables[POLICY_TABLE_TEXT];

    /* The text's last byte is a NUL, so every string that begins in it also ends in it. */
    if (offset < text->offset || offset - text->offset >= text->count)
        return wrong(d, "a string lies outside");
    if (!may_be_empty && d->data[offset] == '\0')
        return wrong(d, "a string is empty");
    return (const char *)d->data + offset;
}

static uint32_t number(struct decoder *d, uint32_t value, uint32_t max, const char *what)
{
    if (value > max)
        wrong(d, what);
    return value;
}

static bool check_slice(struct decoder *d, struct policy_slice slice, enum policy_table_id id)
{
    if ((uint64_t)slice.first + slice.count <= count_of(d, id))
        return true;
    wrong(d, "a list lies outside its table");
    return false;
}

static struct policy_strings strings(struct decoder *d, struct policy_slice slice)
{
    struct policy_strings ret = {NULL, 0};

    if (check_slice(d, slice, POLICY_TABLE_STRINGS)) {
        ret.items = d->strings + slice.first;
        ret.count = slice.count;
    }
    return ret;
}

static void decode_strings(struct decoder *d)
{
    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_STRINGS) && !d->wrong; i++) {
        uint32_t offset;

        memcpy(&offset, record(d, POLICY_TABLE_STRINGS, i), sizeof(offset));
        d->strings[i] = string(d, offset, true);
    }
}

static void decode_pins(struct decoder *d)
{
    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_PINS) && !d->wrong; i++) {
        struct policy_pin_v1 in;

        memcpy(&in, record(d, POLICY_TABLE_PINS, i), sizeof(in));
        d->pins[i].name = string(d, in.name, false);
        d->pins[i].value = string(d, in.value, true);
    }
}

static void decode_sinks(struct decoder *d)
{
    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_SINKS) && !d->wrong; i++) {
        struct policy_sink_v1 in;
        struct sink_config *out = &d->sinks[i];

        memcpy(&in, record(d, POLICY_TABLE_SINKS, i), sizeof(in));
        out->kind = number(d, in.kind, SINK_KIND_MAX - 1, "unknown kind of sink");
        out->on_failure = number(d, in.on_failure, SINK_FAILURE_COUNT, "unknown sink failure");
        out->level = number(d, in.level, LEVEL_INFORMATIONAL, "unknown level");
        out->path = string(d, in.path, in.kind != SINK_FILE);
        out->rotate_size = in.rotate_size;
        out->rotate_keep = in.rotate_keep;
        number(d, in.reserved, 0, "a reserved field is used");
    }
}

static void decode_denials(struct decoder *d)
{
    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_DENIALS) && !d->wrong; i++) {
        struct policy_denial_v1 in;
        struct policy_denial *out = &d->denials[i];

        memcpy(&in, record(d, POLICY_TABLE_DENIALS, i), sizeof(in));
        out->event = string(d, in.event, false);
        out->id = string(d, in.id, false);
        out->mode = number(d, in.mode, DENIAL_AUDIT, "unknown mode of a denial");
        out->action = number(d, in.action, DENIAL_KILL, "unknown action of a denial");
        out->level = number(d, in.level, LEVEL_INFORMATIONAL, "unknown level");
        out->allow = strings(d, in.allow);
    }
}

#define ENTRY_ALL                                                                                  \
    (ENTRY_COMMAND | ENTRY_STDIN | ENTRY_INTERACTIVE | ENTRY_DIRECTORY | ENTRY_ZIP |               \
     ENTRY_ANY_MODULE | ENTRY_USER_SITE | ENTRY_OPTIONS)

static void decode_lists(struct decoder *d, const struct policy_settings_v1 *in,
                         struct policy_settings *out)
{
    out->entry_modules = strings(d, in->entry_modules);
    out->env_permit = strings(d, in->env_permit);
    out->redact = strings(d, in->redact);
    if (!check_slice(d, in->env_pin, POLICY_TABLE_PINS) ||
        !check_slice(d, in->sinks, POLICY_TABLE_SINKS) ||
        !check_slice(d, in->denials, POLICY_TABLE_DENIALS))
        return;
    out->env_pin = d->pins + in->env_pin.first;
    out->env_pin_count = in->env_pin.count;
    out->sinks = d->sinks + in->sinks.first;
    out->sink_count = number(d, in->sinks.count, LOG_MAX_SINKS, "too many sinks");
    out->denials = d->denials + in->denials.first;
    out->denial_count = in->denials.count;
}

static void decode_settings(struct decoder *d, uint32_t index)
{
    bool is_host = index == 0;
    struct policy_settings_v1 in;
    struct policy_settings *out = &d->settings[index];

    memcpy(&in, record(d, POLICY_TABLE_SETTINGS, index), sizeof(in));
    *out = (struct policy_settings){
        .app = string(d, in.app, is_host),
        .profile = number(d, in.profile, PROFILE_MAX - 1, "unknown profile"),
        .match_script = string(d, in.match_script, true),
        .match_venv = string(d, in.match_venv, true),
        .match_uid = in.match_uid,
        .entry = in.entry,
        .venv = string(d, in.venv, true),
        .host = string(d, in.host, true),
        .stack_level = number(d, in.stack_level, LEVEL_INFORMATIONAL, "unknown level"),
        .stack_frames = number(d, in.stack_frames, RECORD_MAX_FRAMES, "too many frames"),
        .source_max = number(d, in.source_max, POLICY_MAX_SOURCE, "too much source text"),
    };
    if (in.entry & ~(uint32_t)ENTRY_ALL)
        wrong(d, "unknown kind of entry");
    if (in.match_uid < -1 || in.match_uid >= UINT32_MAX)
        wrong(d, "no such user id");
    decode_lists(d, &in, out);
    if (d->wrong)
        return;
    if (is_host == (out->match_script[0] || out->match_venv[0] || out->match_uid >= 0))
        wrong(d, is_host ? "the host's settings are for one app" : "an app matches everything");
    if (is_host && out->app[0])
        wrong(d, "the host's settings are missing");
}

int policy_decode_v1(const uint8_t *data, size_t len, const char *name, struct policy *ret,
                     struct err *err)
{
    struct decoder d = {.data = data, .len = len};
    void *arena = NULL;

    check_header(&d);
    if (!d.wrong) {
        arena = allocate_tables(&d);
        if (!arena)
            return err_set(err, -ENOMEM, "no memory for policy '%s'", name);
        decode_strings(&d);
        decode_pins(&d);
        decode_sinks(&d);
        decode_denials(&d);
        for (uint32_t i = 0; i < count_of(&d, POLICY_TABLE_SETTINGS) && !d.wrong; i++)
            decode_settings(&d, i);
        ret->venvs = strings(&d, d.header.venvs);
    }
    if (d.wrong) {
        free(arena);
        return err_set(err, -EBADMSG, "policy '%s' is damaged: %s (%s)", name, d.wrong,
                       POLICY_REPAIR);
    }
    ret->serial = d.header.serial;
    ret->applied = d.header.applied;
    ret->host = &d.settings[0];
    ret->apps = &d.settings[1];
    ret->app_count = count_of(&d, POLICY_TABLE_SETTINGS) - 1;
    ret->arena = arena;
    return 0;
}
