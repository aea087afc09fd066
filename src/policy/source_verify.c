/* SPDX-License-Identifier: Apache-2.0 */
/* `verify:` which code may run, and hooks.list. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "policy/source.h"

#define MAX_OLDER 32
#define MAX_HOOKS 65536

static const char *const mode_names[VERIFY_MODE_MAX] = {
    [VERIFY_ENFORCE] = "enforce",
    [VERIFY_AUDIT] = "audit",
    [VERIFY_OFF] = "off",
};

static void read_mode_of(struct reader *reader, const struct yaml_node *value, const char *what,
                         struct opt_number *ret)
{
    ret->given = reader_choice(reader, value, what, mode_names, VERIFY_MODE_MAX, &ret->value);
}

static void read_mode(struct reader *reader, const struct yaml_node *value, void *target)
{
    read_mode_of(reader, value, "'mode' in 'verify'", &((struct source_verify *)target)->mode);
}

static void read_hooks(struct reader *reader, const struct yaml_node *value, void *target)
{
    read_mode_of(reader, value, "'hooks' in 'verify'", &((struct source_verify *)target)->hooks);
}

static void read_digests(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const char *const names[] = {"cached", "fresh"};
    struct opt_number *fresh = &((struct source_verify *)target)->fresh_digests;

    fresh->given = reader_choice(reader, value, "'digests' in 'verify'", names, 2, &fresh->value);
}

static void read_native_mode(struct reader *reader, const struct yaml_node *value, void *target)
{
    read_mode_of(reader, value, "'mode' in 'native'", &((struct source_verify *)target)->native);
}

static void read_copy(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source_verify *verify = target;

    verify->copy_given = reader_number(reader, value, "'copy' in 'native'", true, 0,
                                       (uint64_t)1 << 30, &verify->copy_max);
}

static void read_native(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {{"mode", read_native_mode}, {"copy", read_copy}};

    reader_map(reader, value, "'native'", keys, 2, target);
}

static uint32_t read_verifiers(struct reader *reader, const struct yaml_node *value,
                               const char *what)
{
    const char *names[TRUST_VERIFIER_MAX];
    uint32_t bits = 0;

    if (value->kind != YAML_LIST || value->count == 0) {
        report_node(reader, value, "for instance [manifest]", "%s is a list of verifiers", what);
        return 0;
    }
    for (unsigned i = 0; i < TRUST_VERIFIER_MAX; i++)
        names[i] = trust_verifiers[i]->name;
    for (const struct yaml_node *item = value->first; item; item = item->next) {
        unsigned id;

        /* `null` is written without quotes, where YAML takes it for nothing. */
        if (item->kind == YAML_NULL && item->text && strcmp(item->text, "null") == 0)
            bits |= TRUST_BIT(TRUST_BY_NULL);
        else if (reader_choice(reader, item, "a verifier", names, TRUST_VERIFIER_MAX, &id))
            bits |= TRUST_BIT(id);
    }
    return bits;
}

static void read_all(struct reader *reader, const struct yaml_node *value, void *target)
{
    ((struct source_root *)target)->all = read_verifiers(reader, value, "'all'");
}

static void read_any(struct reader *reader, const struct yaml_node *value, void *target)
{
    ((struct source_root *)target)->any = read_verifiers(reader, value, "'any'");
}

static void read_root_path(struct reader *reader, const struct yaml_node *value, void *target)
{
    ((struct source_root *)target)->path = reader_path(reader, value, "'path' of a root");
}

static void read_manifest(struct reader *reader, const struct yaml_node *value, void *target)
{
    ((struct source_root *)target)->manifest = reader_text(reader, value, "'manifest' of a root");
}

static void read_older(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source_root *root = target;
    uint64_t older = 0;

    root->older.given =
        reader_number(reader, value, "'older' of a root", false, 0, MAX_OLDER, &older);
    root->older.value = (uint32_t)older;
}

static void read_labels(struct reader *reader, const struct yaml_node *value, void *target)
{
    (void)reader_list(reader, value, "'labels' of a root", &((struct source_root *)target)->labels);
}

#define FROM_MANIFEST (TRUST_BIT(TRUST_BY_MANIFEST) | TRUST_BIT(TRUST_BY_FSVERITY))

static void check_root(struct reader *reader, const struct yaml_node *node,
                       const struct source_root *root)
{
    uint32_t used = root->all | root->any;

    if (node->kind != YAML_MAP)
        return;
    if (!root->is_elsewhere && !root->path)
        report_node(reader, node, NULL, "a root needs 'path'");
    if (root->all && root->any)
        report_node(reader, node, NULL, "a root has either 'all' or 'any'");
    else if (!used)
        report_node(reader, node, "all: [manifest], or any: [owner]",
                    "it does not say which verifiers decide");
    if (root->is_elsewhere && (used & FROM_MANIFEST))
        report_node(reader, node, NULL, "a manifest is of a root, not of 'elsewhere'");
    else if (used & FROM_MANIFEST && !root->manifest)
        report_node(reader, node, "manifest: NAME",
                    "it does not say which manifest its files are listed in");
    if (root->manifest && !(used & FROM_MANIFEST))
        report_node(reader, node, NULL, "a manifest is named, but no verifier that reads it");
    if (root->is_elsewhere && (used & TRUST_BIT(TRUST_BY_IMA)))
        report_node(reader, node, NULL,
                    "'elsewhere' cannot be checked for IMA signatures: it has no end");
    if (used & TRUST_BIT(TRUST_BY_SELINUX) && root->labels.count == 0)
        report_node(reader, node, "labels: [usr_t, lib_t]",
                    "it does not say which SELinux types are trusted");
}

static void read_root(struct reader *reader, const struct yaml_node *node, struct source_root *ret)
{
    static const struct reader_key keys[] = {
        {"path", read_root_path},    {"all", read_all},     {"any", read_any},
        {"manifest", read_manifest}, {"older", read_older}, {"labels", read_labels},
    };

    ret->place = reader_place(reader, node);
    reader_map(reader, node, ret->is_elsewhere ? "'elsewhere'" : "a root",
               ret->is_elsewhere ? keys + 1 : keys,
               sizeof(keys) / sizeof(keys[0]) - ret->is_elsewhere, ret);
    check_root(reader, node, ret);
}

static void read_roots(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source_verify *verify = target;

    if (value->kind != YAML_LIST) {
        struct string_list unused;

        reader_list(reader, value, "'roots' in 'verify'", &unused); /* says what is wrong */
        return;
    }
    verify->roots = ARENA_NEW(reader->arena, value->count, struct source_root);
    if (!verify->roots)
        return;
    verify->roots_given = true;
    for (const struct yaml_node *node = value->first; node; node = node->next) {
        struct source_root *root = &verify->roots[verify->root_count];

        read_root(reader, node, root);
        for (uint32_t i = 0; i < verify->root_count && root->path; i++)
            if (verify->roots[i].path && strcmp(verify->roots[i].path, root->path) == 0)
                report_node(reader, node, NULL, "the same root is already in line %u",
                            verify->roots[i].place.line);
        verify->root_count++;
    }
}

static void read_elsewhere(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source_verify *verify = target;

    verify->elsewhere_given = true;
    verify->elsewhere.is_elsewhere = true;
    verify->elsewhere.path = "";
    read_root(reader, value, &verify->elsewhere);
}

void source_read_verify(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {
        {"mode", read_mode},     {"roots", read_roots}, {"elsewhere", read_elsewhere},
        {"native", read_native}, {"hooks", read_hooks}, {"digests", read_digests},
    };
    struct source *source = target;

    source->verify.place = reader_place(reader, value);
    reader_map(reader, value, "'verify'", keys, sizeof(keys) / sizeof(keys[0]), &source->verify);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct policy_hook *)a)->path, ((const struct policy_hook *)b)->path);
}

/* "SHA256  PATH". Returns false if it is something else, which was reported. */
static bool read_hook_line(struct reader *reader, const char *line, size_t len, unsigned number,
                           struct policy_hook *ret)
{
    struct place place = {reader->file, number, 1};
    size_t digits = 2 * DIGEST_SIZE;

    if (len < digits + 3 || line[digits] != ' ' || line[digits + 1] != ' ' ||
        line[digits + 2] != '/' || memchr(line, '\0', len) ||
        hex_decode(line, DIGEST_SIZE, ret->digest) < 0) {
        report(reader, POLICY_ERROR, place, "run spythonctl venv adopt ROOT again",
               "is not a digest and an absolute path");
        return false;
    }
    ret->path = arena_text(reader->arena, line + digits + 2, len - digits - 2);
    return ret->path != NULL;
}

bool source_read_hook_list(struct reader *reader, const char *data, size_t len,
                           struct policy_hook **ret, uint32_t *ret_count)
{
    const char *end = data + len;
    uint32_t lines = 1, count = 0, kept = 0;
    struct policy_hook *hooks;
    unsigned number = 0;

    for (size_t i = 0; i < len; i++)
        lines += data[i] == '\n';
    if (lines > MAX_HOOKS) {
        report(reader, POLICY_ERROR, (struct place){reader->file, 0, 0}, NULL,
               "there are more than %d lines", MAX_HOOKS);
        return true;
    }
    hooks = ARENA_NEW(reader->arena, lines, struct policy_hook);
    if (!hooks)
        return false;
    while (data < end) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        size_t size = (size_t)((stop ? stop : end) - data);

        number++;
        if (size > 0 && data[0] != '#')
            count += read_hook_line(reader, data, size, number, &hooks[count]);
        data += size + 1;
    }
    qsort(hooks, count, sizeof(*hooks), by_path);
    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(hooks[kept - 1].path, hooks[i].path) == 0)
            kept--;
        hooks[kept++] = hooks[i];
    }
    *ret = hooks;
    *ret_count = kept;
    return true;
}
