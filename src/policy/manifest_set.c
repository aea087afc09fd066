/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/manifest_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trust/manifest.h"

static bool add_index(struct manifest_set *set, struct reader *reader,
                      const struct manifest *manifest, struct place place)
{
    struct manifest_index *index = &set->items[set->count];
    uint8_t *blocks = NULL, *roots = NULL;
    struct err err = ERR_INIT;
    int r;

    if (set->count == MANIFEST_SET_MAX) {
        report(reader, POLICY_ERROR, place, "keep fewer older releases",
               "there are more than %d releases of manifests", MANIFEST_SET_MAX);
        return false;
    }
    *index = (struct manifest_index){
        .name = arena_text(reader->arena, manifest->name, strlen(manifest->name)),
        .serial = manifest->serial,
        .entry_count = manifest->count,
    };
    r = manifest_index_build(manifest, &blocks, &index->block_count, &roots, &index->root_count,
                             &err);
    if (r < 0) {
        if (r == -ENOMEM)
            reader->arena->failed = true;
        report(reader, POLICY_ERROR, place, NULL, "manifest '%s': %s", manifest->name, err.msg);
        return false;
    }
    index->blocks = blocks;
    index->roots = roots;
    set->count++;
    return true;
}

static uint32_t load(struct manifest_set *set, struct reader *reader, const char *name,
                     uint32_t older, struct place place)
{
    struct manifest *releases = NULL;
    struct err err = ERR_INIT;
    uint32_t count = 0, added = 0;
    int r;

    if (!set->source) {
        report(reader, POLICY_ERROR, place, NULL, "there are no manifests here");
        return 0;
    }
    r = set->source->load(set->source->ctx, name, older, &releases, &count, &err);
    if (r < 0) {
        report(reader, POLICY_ERROR, place,
               r == -ENOENT ? "install it with spythonctl manifest add" : NULL, "manifest '%s': %s",
               name, err.msg);
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (added == i)
            added += add_index(set, reader, &releases[i], place);
        manifest_done(&releases[i]);
    }
    free(releases);
    return added == count ? count : 0;
}

uint32_t manifest_set_find(struct manifest_set *set, struct reader *reader, const char *name,
                           uint32_t older, struct place place, uint32_t *ret_first)
{
    uint32_t first = 0, count = 0;

    while (first < set->count && strcmp(set->items[first].name, name) != 0)
        first++;
    /* Of two roots that want a different number of older releases, the second gets its own run. */
    while (first + count < set->count && count <= older &&
           strcmp(set->items[first + count].name, name) == 0)
        count++;
    if (count == 0 || (count < older + 1 && set->source)) {
        uint32_t before = set->count, more = load(set, reader, name, older, place);

        if (more == 0)
            return 0;
        first = before;
        count = more;
    }
    *ret_first = first;
    return count;
}

uint32_t manifest_set_check_ima(struct manifest_set *set, struct reader *reader, const char *root,
                                struct place place, uint32_t *ret_first)
{
    struct manifest found;
    struct err err = ERR_INIT;
    uint32_t added;

    if (!set->source || !set->source->check_ima) {
        report(reader, POLICY_ERROR, place, NULL, "IMA signatures cannot be checked here");
        return 0;
    }
    if (set->source->check_ima(set->source->ctx, root, &found, &err) < 0) {
        report(reader, POLICY_ERROR, place, NULL, "IMA signatures below '%s': %s", root, err.msg);
        return 0;
    }
    *ret_first = set->count;
    added = add_index(set, reader, &found, place);
    if (added && found.count == 0)
        report(reader, POLICY_WARNING, place, "sign them with evmctl ima_sign, and trust the key",
               "no file below '%s' has an IMA signature that counts", root);
    manifest_done(&found);
    return added;
}

void manifest_set_done(struct manifest_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        free((void *)(uintptr_t)set->items[i].blocks);
        free((void *)(uintptr_t)set->items[i].roots);
    }
    set->count = 0;
}
