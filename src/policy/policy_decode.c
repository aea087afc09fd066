/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoder of formats 1 and 2, which differ by the tables that 2 has more. Tables are decoded whole,
 * each once, into one block of memory whose size follows from the header; settings then only point
 * into them. So no file, however hostile, makes the decoder allocate or run more than in proportion
 * to the file's size.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_format.h"
#include "policy/policy_read.h"
#include "sinks/log.h"

struct decoder {
    const uint8_t *data; /* the checked part */
    size_t len;
    uint64_t whole;        /* size of the file, with the blocks behind that part */
    const uint8_t *blocks; /* the whole file; NULL: nobody will look into manifests */
    unsigned table_count;
    struct policy_header header;
    struct policy_table tables[POLICY_TABLE_MAX]; /* those that the format lacks are empty */
    struct policy_header_end end;

    /* Decoded tables, all in one block that begins with `settings`. */
    struct policy_settings *settings;
    struct policy_pin *pins;
    struct sink_config *sinks;
    struct policy_denial *denials;
    const char **strings;
    struct trust_root *roots;
    struct manifest_index *manifests;
    const struct manifest_index **uses;
    struct policy_hook *hooks;
    _Atomic uint8_t *seen;

    /* The first thing that is wrong; NULL: nothing yet. */
    const char *wrong;
};

const size_t policy_record_sizes[POLICY_TABLE_MAX] = {
    [POLICY_TABLE_SETTINGS] = sizeof(struct policy_settings_v1),
    [POLICY_TABLE_STRINGS] = sizeof(uint32_t),
    [POLICY_TABLE_PINS] = sizeof(struct policy_pin_v1),
    [POLICY_TABLE_SINKS] = sizeof(struct policy_sink_v1),
    [POLICY_TABLE_DENIALS] = sizeof(struct policy_denial_v1),
    [POLICY_TABLE_TEXT] = 1,
    [POLICY_TABLE_VERIFY] = sizeof(struct policy_verify_v2),
    [POLICY_TABLE_ROOTS] = sizeof(struct policy_root_v2),
    [POLICY_TABLE_USES] = sizeof(uint32_t),
    [POLICY_TABLE_MANIFESTS] = sizeof(struct policy_manifest_v2),
    [POLICY_TABLE_DIGESTS] = DIGEST_SIZE,
    [POLICY_TABLE_HOOKS] = sizeof(struct policy_hook_v2),
};

static void *wrong(struct decoder *d, const char *what)
{
    if (!d->wrong)
        d->wrong = what;
    return NULL;
}

static uint32_t count_of(const struct decoder *d, enum policy_table_id id)
{
    return d->tables[id].count;
}

static const void *record(const struct decoder *d, enum policy_table_id id, uint32_t index)
{
    return d->data + d->tables[id].offset + (size_t)index * policy_record_sizes[id];
}

static void check_tables(struct decoder *d)
{
    const struct policy_table *text = &d->tables[POLICY_TABLE_TEXT];

    for (unsigned i = 0; i < d->table_count; i++) {
        const struct policy_table *t = &d->tables[i];
        uint64_t end = t->offset + (uint64_t)t->count * policy_record_sizes[i];

        if (t->offset < d->header.header_size || end > d->len) {
            wrong(d, "a table lies outside");
            return;
        }
    }
    if (text->count == 0 || d->data[text->offset + text->count - 1] != '\0')
        wrong(d, "its text does not end");
    if (count_of(d, POLICY_TABLE_SETTINGS) == 0)
        wrong(d, "it has no settings");
    if (d->table_count == POLICY_TABLE_MAX &&
        count_of(d, POLICY_TABLE_VERIFY) != count_of(d, POLICY_TABLE_SETTINGS))
        wrong(d, "its settings do not say which code may run");
}

static void check_header(struct decoder *d)
{
    size_t size = POLICY_HEADER_SIZE(d->table_count), at = sizeof(struct policy_envelope);

    if (d->len < size) {
        wrong(d, "its header is cut off");
        return;
    }
    memcpy(&d->header, d->data + at, sizeof(d->header));
    at += sizeof(d->header);
    memcpy(d->tables, d->data + at, d->table_count * sizeof(d->tables[0]));
    at += d->table_count * sizeof(d->tables[0]);
    memcpy(&d->end, d->data + at, sizeof(d->end));
    if (d->header.header_size != size || d->header.checked != d->len || d->end.reserved[0] != 0 ||
        d->end.reserved[1] != 0)
        wrong(d, "its header is of another layout");
    else
        check_tables(d);
}

/* Bits for all blocks of all manifests, one run after the other. */
static size_t seen_size(const struct decoder *d)
{
    size_t size = 0;

    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_MANIFESTS); i++) {
        struct policy_manifest_v2 in;

        memcpy(&in, record(d, POLICY_TABLE_MANIFESTS, i), sizeof(in));
        /* A count that is out of bounds is refused later; here it must not ask for memory. */
        if (in.block_count <= POLICY_MAX_BLOCKS / MANIFEST_BLOCK)
            size += manifest_index_seen_size(in.block_count);
    }
    return size;
}

/* One block for all tables. Every kind of record is aligned like a pointer or weaker. */
static void *allocate_tables(struct decoder *d)
{
    size_t sizes[] = {
        count_of(d, POLICY_TABLE_SETTINGS) * sizeof(*d->settings),
        count_of(d, POLICY_TABLE_PINS) * sizeof(*d->pins),
        count_of(d, POLICY_TABLE_SINKS) * sizeof(*d->sinks),
        count_of(d, POLICY_TABLE_DENIALS) * sizeof(*d->denials),
        count_of(d, POLICY_TABLE_STRINGS) * sizeof(*d->strings),
        count_of(d, POLICY_TABLE_ROOTS) * sizeof(*d->roots),
        count_of(d, POLICY_TABLE_MANIFESTS) * sizeof(*d->manifests),
        count_of(d, POLICY_TABLE_USES) * sizeof(const struct manifest_index *),
        count_of(d, POLICY_TABLE_HOOKS) * sizeof(*d->hooks),
        seen_size(d),
    };
    void *parts[sizeof(sizes) / sizeof(sizes[0])];
    size_t total = 0;
    char *block;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        total += sizes[i];
    block = calloc(1, total);
    if (!block)
        return NULL;
    total = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        parts[i] = block + total;
        total += sizes[i];
    }
    d->settings = parts[0];
    d->pins = parts[1];
    d->sinks = parts[2];
    d->denials = parts[3];
    d->strings = parts[4];
    d->roots = parts[5];
    d->manifests = parts[6];
    d->uses = parts[7];
    d->hooks = parts[8];
    d->seen = parts[9];
    return block;
}

/* A string that is not in the text, or an empty one where that is senseless, is an error. */
static const char *string(struct decoder *d, uint32_t offset, bool may_be_empty)
{
    const struct policy_table *text = &d->tables[POLICY_TABLE_TEXT];

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

static void decode_manifests(struct decoder *d)
{
    _Atomic uint8_t *seen = d->seen;

    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_MANIFESTS) && !d->wrong; i++) {
        struct policy_manifest_v2 in;
        struct manifest_index *out = &d->manifests[i];
        uint64_t pages, end;

        memcpy(&in, record(d, POLICY_TABLE_MANIFESTS, i), sizeof(in));
        out->name = string(d, in.name, false);
        out->serial = in.serial;
        out->entry_count = in.entry_count;
        out->block_count = number(d, in.block_count, POLICY_MAX_BLOCKS / MANIFEST_BLOCK,
                                  "a manifest is too large");
        if (d->wrong || !check_slice(d, in.digests, POLICY_TABLE_DIGESTS))
            return;
        pages = manifest_index_pages(in.block_count);
        end = in.blocks + (in.block_count + pages) * MANIFEST_BLOCK;
        if (in.block_count == 0 || in.digests.count != pages || in.reserved != 0 ||
            in.blocks < d->len || in.blocks % POLICY_BLOCK_ALIGN != 0 || in.blocks > d->whole ||
            end > d->whole) {
            wrong(d, "a manifest lies outside");
            return;
        }
        out->blocks = d->blocks ? d->blocks + in.blocks : NULL;
        out->roots = record(d, POLICY_TABLE_DIGESTS, in.digests.first);
        out->root_count = in.digests.count;
        out->seen = seen;
        seen += manifest_index_seen_size(in.block_count);
    }
}

static void decode_uses(struct decoder *d)
{
    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_USES) && !d->wrong; i++) {
        uint32_t index;

        memcpy(&index, record(d, POLICY_TABLE_USES, i), sizeof(index));
        if (index >= count_of(d, POLICY_TABLE_MANIFESTS))
            wrong(d, "a manifest is missing");
        else
            d->uses[i] = &d->manifests[index];
    }
}

#define VERIFIERS_ALL (TRUST_BIT(TRUST_VERIFIER_MAX) - 1)

static void decode_roots(struct decoder *d)
{
    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_ROOTS) && !d->wrong; i++) {
        struct policy_root_v2 in;
        struct trust_root *out = &d->roots[i];
        struct policy_strings labels;

        memcpy(&in, record(d, POLICY_TABLE_ROOTS, i), sizeof(in));
        out->path = string(d, in.path, true);
        out->all = in.all;
        out->any = in.any;
        if ((in.all | in.any) & ~(uint32_t)VERIFIERS_ALL)
            wrong(d, "unknown verifier");
        labels = strings(d, in.labels);
        out->labels = labels.items;
        out->label_count = labels.count;
        if (!check_slice(d, in.uses, POLICY_TABLE_USES))
            return;
        out->manifests = d->uses + in.uses.first;
        out->manifest_count = in.uses.count;
    }
}

static void decode_hooks(struct decoder *d)
{
    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_HOOKS) && !d->wrong; i++) {
        struct policy_hook_v2 in;

        memcpy(&in, record(d, POLICY_TABLE_HOOKS, i), sizeof(in));
        d->hooks[i].path = string(d, in.path, false);
        memcpy(d->hooks[i].digest, in.digest, DIGEST_SIZE);
        if (i > 0 && !d->wrong && strcmp(d->hooks[i - 1].path, d->hooks[i].path) >= 0)
            wrong(d, "start-up hooks are not in order");
    }
}

/* Format 1 knows nothing of it: as before, nothing is checked. */
static void decode_verify(struct decoder *d, uint32_t index, struct policy_verify *out)
{
    static const struct trust_root nothing = {.path = ""};
    struct policy_verify_v2 in;

    if (d->table_count < POLICY_TABLE_MAX) {
        *out = (struct policy_verify){.mode = VERIFY_OFF,
                                      .native = VERIFY_OFF,
                                      .hooks = VERIFY_OFF,
                                      .trust = {.elsewhere = &nothing}};
        return;
    }
    memcpy(&in, record(d, POLICY_TABLE_VERIFY, index), sizeof(in));
    out->mode = number(d, in.mode, VERIFY_OFF, "unknown mode of verification");
    out->native = number(d, in.native, VERIFY_OFF, "unknown mode of verification");
    out->hooks = number(d, in.hooks, VERIFY_OFF, "unknown mode of verification");
    out->copy_max = in.copy_max;
    out->fresh_digests = number(d, in.fresh_digests, 1, "unknown way to get digests");
    if (!check_slice(d, in.roots, POLICY_TABLE_ROOTS))
        return;
    if (in.elsewhere >= count_of(d, POLICY_TABLE_ROOTS)) {
        wrong(d, "a list lies outside its table");
        return;
    }
    out->trust.elsewhere = &d->roots[in.elsewhere];
    out->trust.roots = d->roots + in.roots.first;
    out->trust.root_count = in.roots.count;
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
    decode_verify(d, index, &out->verify);
    if (d->wrong)
        return;
    if (is_host == (out->match_script[0] || out->match_venv[0] || out->match_uid >= 0))
        wrong(d, is_host ? "the host's settings are for one app" : "an app matches everything");
    if (is_host && out->app[0])
        wrong(d, "the host's settings are missing");
}

static void decode_tables(struct decoder *d)
{
    decode_strings(d);
    decode_pins(d);
    decode_sinks(d);
    decode_denials(d);
    decode_manifests(d);
    decode_uses(d);
    decode_roots(d);
    decode_hooks(d);
    for (uint32_t i = 0; i < count_of(d, POLICY_TABLE_SETTINGS) && !d->wrong; i++)
        decode_settings(d, i);
}

int policy_decode(const struct policy_file *file, uint32_t format, const char *name,
                  struct policy *ret, struct err *err)
{
    struct decoder d = {
        .data = file->data,
        .len = file->checked,
        .whole = file->size,
        .blocks = file->blocks,
        .table_count = format == 1 ? POLICY_TABLE_V1_MAX : POLICY_TABLE_MAX,
    };
    void *arena = NULL;

    check_header(&d);
    if (!d.wrong) {
        arena = allocate_tables(&d);
        if (!arena)
            return err_set(err, -ENOMEM, "no memory for policy '%s'", name);
        decode_tables(&d);
        ret->venvs = strings(&d, d.end.venvs);
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
    ret->manifests = d.manifests;
    ret->manifest_count = count_of(&d, POLICY_TABLE_MANIFESTS);
    ret->hooks = d.hooks;
    ret->hook_count = count_of(&d, POLICY_TABLE_HOOKS);
    ret->arena = arena;
    return 0;
}
