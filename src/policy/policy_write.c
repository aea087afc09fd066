/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writer of format 2. Tables have known sizes, so they are laid out first and filled in one pass;
 * the text grows behind them, each string in it only once. Blocks of manifests come last.
 */
#include "policy/policy_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_format.h"

struct writer {
    uint8_t *data;
    size_t len, room;
    struct policy_header header;
    struct policy_table tables[POLICY_TABLE_MAX];
    struct policy_header_end end;
    uint64_t blocks;                 /* of manifests, behind the checked part */
    uint32_t used[POLICY_TABLE_MAX]; /* records written so far */
    uint32_t *slots;                 /* strings by hash: their offsets, 0 for none */
    size_t slot_count, slots_used;
    int failed; /* 0 or the first -errno */
};

/* Where tables lie: the text, which grows, is the last. */
static const enum policy_table_id layout[POLICY_TABLE_MAX] = {
    POLICY_TABLE_SETTINGS,  POLICY_TABLE_STRINGS, POLICY_TABLE_PINS,  POLICY_TABLE_SINKS,
    POLICY_TABLE_DENIALS,   POLICY_TABLE_VERIFY,  POLICY_TABLE_ROOTS, POLICY_TABLE_USES,
    POLICY_TABLE_MANIFESTS, POLICY_TABLE_DIGESTS, POLICY_TABLE_HOOKS, POLICY_TABLE_TEXT,
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
    size_t at = w->tables[id].offset + w->used[id] * policy_record_sizes[id];

    if (!w->failed)
        memcpy(w->data + at, record, policy_record_sizes[id]);
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

static uint32_t index_of(const struct policy_write_input *input, const struct manifest_index *index)
{
    return (uint32_t)(index - input->manifests);
}

/* Returns the root's index. */
static uint32_t put_root(struct writer *w, const struct policy_write_input *input,
                         const struct trust_root *root)
{
    uint32_t index = w->used[POLICY_TABLE_ROOTS];
    struct policy_root_v2 out = {0};

    out.path = put_string(w, root->path);
    out.all = root->all;
    out.any = root->any;
    out.labels = put_strings(w, (struct policy_strings){root->labels, root->label_count});
    out.uses = begin_slice(w, POLICY_TABLE_USES, root->manifest_count);
    for (uint32_t i = 0; i < root->manifest_count; i++) {
        uint32_t use = index_of(input, root->manifests[i]);

        put_record(w, POLICY_TABLE_USES, &use);
    }
    put_record(w, POLICY_TABLE_ROOTS, &out);
    return index;
}

static void put_verify(struct writer *w, const struct policy_write_input *input,
                       const struct policy_verify *verify)
{
    struct policy_verify_v2 out = {0};

    out.mode = verify->mode;
    out.native = verify->native;
    out.hooks = verify->hooks;
    out.copy_max = verify->copy_max;
    out.fresh_digests = verify->fresh_digests;
    out.elsewhere = put_root(w, input, verify->trust.elsewhere);
    out.roots = begin_slice(w, POLICY_TABLE_ROOTS, verify->trust.root_count);
    for (uint32_t i = 0; i < verify->trust.root_count; i++)
        (void)put_root(w, input, &verify->trust.roots[i]);
    put_record(w, POLICY_TABLE_VERIFY, &out);
}

static void put_manifests(struct writer *w, const struct policy_write_input *input)
{
    uint64_t blocks = 0;

    for (uint32_t i = 0; i < input->manifest_count; i++) {
        const struct manifest_index *in = &input->manifests[i];
        struct policy_manifest_v2 out = {0};

        out.serial = in->serial;
        out.blocks = blocks; /* from where they begin; seal() knows where that is */
        out.name = put_string(w, in->name);
        out.entry_count = in->entry_count;
        out.block_count = in->block_count;
        out.digests = begin_slice(w, POLICY_TABLE_DIGESTS, in->root_count);
        for (uint32_t k = 0; k < in->root_count; k++)
            put_record(w, POLICY_TABLE_DIGESTS, in->roots + (size_t)k * DIGEST_SIZE);
        put_record(w, POLICY_TABLE_MANIFESTS, &out);
        blocks +=
            ((uint64_t)in->block_count + manifest_index_pages(in->block_count)) * MANIFEST_BLOCK;
    }
    w->blocks = blocks;
    if (blocks > POLICY_MAX_BLOCKS)
        fail(w, -EFBIG);
}

static void put_hooks(struct writer *w, const struct policy_write_input *input)
{
    for (uint32_t i = 0; i < input->hook_count; i++) {
        struct policy_hook_v2 out = {0};

        out.path = put_string(w, input->hooks[i].path);
        memcpy(out.digest, input->hooks[i].digest, DIGEST_SIZE);
        put_record(w, POLICY_TABLE_HOOKS, &out);
    }
}

static void put_settings(struct writer *w, const struct policy_write_input *input,
                         const struct policy_settings *s)
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
    put_verify(w, input, &s->verify);
}

static void count_verify(const struct policy_verify *verify, uint64_t *counts)
{
    const struct trust_root *elsewhere = verify->trust.elsewhere;

    counts[POLICY_TABLE_ROOTS] += 1 + (uint64_t)verify->trust.root_count;
    counts[POLICY_TABLE_USES] += elsewhere->manifest_count;
    counts[POLICY_TABLE_STRINGS] += elsewhere->label_count;
    for (uint32_t i = 0; i < verify->trust.root_count; i++) {
        counts[POLICY_TABLE_USES] += verify->trust.roots[i].manifest_count;
        counts[POLICY_TABLE_STRINGS] += verify->trust.roots[i].label_count;
    }
}

static void count_records(const struct policy_write_input *input, uint64_t *counts)
{
    counts[POLICY_TABLE_SETTINGS] = counts[POLICY_TABLE_VERIFY] = input->settings_count;
    counts[POLICY_TABLE_STRINGS] = input->venvs.count;
    counts[POLICY_TABLE_MANIFESTS] = input->manifest_count;
    counts[POLICY_TABLE_HOOKS] = input->hook_count;
    for (uint32_t i = 0; i < input->manifest_count; i++)
        counts[POLICY_TABLE_DIGESTS] += input->manifests[i].root_count;
    for (uint32_t i = 0; i < input->settings_count; i++) {
        const struct policy_settings *s = &input->settings[i];

        counts[POLICY_TABLE_STRINGS] +=
            (uint64_t)s->entry_modules.count + s->env_permit.count + s->redact.count;
        counts[POLICY_TABLE_PINS] += s->env_pin_count;
        counts[POLICY_TABLE_SINKS] += s->sink_count;
        counts[POLICY_TABLE_DENIALS] += s->denial_count;
        for (uint32_t j = 0; j < s->denial_count; j++)
            counts[POLICY_TABLE_STRINGS] += s->denials[j].allow.count;
        count_verify(&s->verify, counts);
    }
}

static void lay_out(struct writer *w, const struct policy_write_input *input)
{
    uint64_t counts[POLICY_TABLE_MAX] = {0}, end;

    count_records(input, counts);
    w->header.header_size = POLICY_HEADER_SIZE(POLICY_TABLE_MAX);
    end = w->header.header_size;
    for (unsigned i = 0; i < POLICY_TABLE_MAX; i++) {
        enum policy_table_id id = layout[i];

        w->tables[id] = (struct policy_table){(uint32_t)end, (uint32_t)counts[id]};
        end += (counts[id] * policy_record_sizes[id] + 7) / 8 * 8;
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

/* Behind the checked part, at a border of blocks. */
static bool append_blocks(struct writer *w, const struct policy_write_input *input, uint64_t begin)
{
    uint8_t *data;

    if (w->blocks == 0)
        return true;
    if (begin + w->blocks > UINT32_MAX) {
        fail(w, -EFBIG);
        return false;
    }
    data = realloc(w->data, begin + w->blocks);
    if (!data) {
        fail(w, -ENOMEM);
        return false;
    }
    w->data = data;
    memset(data + w->len, 0, begin - w->len);
    w->len = begin;
    for (uint32_t i = 0; i < input->manifest_count; i++) {
        const struct manifest_index *in = &input->manifests[i];
        size_t size =
            ((size_t)in->block_count + manifest_index_pages(in->block_count)) * MANIFEST_BLOCK;

        memcpy(data + w->len, in->blocks, size);
        w->len += size;
    }
    return true;
}

static void seal(struct writer *w, const struct policy_write_input *input)
{
    struct policy_envelope envelope = {.format = POLICY_FORMAT};
    struct policy_table *text = &w->tables[POLICY_TABLE_TEXT];
    uint64_t begin = (w->len + POLICY_BLOCK_ALIGN - 1) / POLICY_BLOCK_ALIGN * POLICY_BLOCK_ALIGN;
    size_t at = sizeof(envelope), checked = w->len;

    text->count = (uint32_t)w->len - text->offset;
    w->header.checked = (uint32_t)w->len;
    for (uint32_t i = 0; i < input->manifest_count; i++) {
        uint8_t *record = w->data + w->tables[POLICY_TABLE_MANIFESTS].offset +
                          i * sizeof(struct policy_manifest_v2);
        struct policy_manifest_v2 manifest;

        memcpy(&manifest, record, sizeof(manifest));
        manifest.blocks += begin;
        memcpy(record, &manifest, sizeof(manifest));
    }
    if (!append_blocks(w, input, begin))
        return;
    envelope.size = (uint32_t)w->len;
    memcpy(envelope.magic, POLICY_MAGIC, POLICY_MAGIC_SIZE);
    memcpy(w->data + at, &w->header, sizeof(w->header));
    at += sizeof(w->header);
    memcpy(w->data + at, w->tables, sizeof(w->tables));
    at += sizeof(w->tables);
    memcpy(w->data + at, &w->end, sizeof(w->end));
    digest_sha256(w->data + sizeof(envelope), checked - sizeof(envelope), envelope.digest);
    memcpy(w->data, &envelope, sizeof(envelope));
}

int policy_write(const struct policy_write_input *input, void **ret_data, size_t *ret_len,
                 struct err *err)
{
    struct writer w = {.header = {.serial = input->serial, .applied = input->applied}};

    lay_out(&w, input);
    for (uint32_t i = 0; i < input->settings_count && !w.failed; i++)
        put_settings(&w, input, &input->settings[i]);
    if (!w.failed)
        w.end.venvs = put_strings(&w, input->venvs);
    if (!w.failed)
        put_manifests(&w, input);
    if (!w.failed)
        put_hooks(&w, input);
    free(w.slots);
    if (!w.failed)
        seal(&w, input);
    if (w.failed) {
        free(w.data);
        return err_set(err, w.failed, "%s",
                       w.failed == -EFBIG ? "the policy is too large" : "out of memory");
    }
    *ret_data = w.data;
    *ret_len = w.len;
    return 0;
}
