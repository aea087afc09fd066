/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever parses is written as the same bytes, and every file of it is found: in the list, and in
 * the index that is built of it. */
#include <stdlib.h>
#include <string.h>

#include "trust/manifest.h"
#include "trust/manifest_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_index(const struct manifest *manifest)
{
    uint8_t *blocks, *roots;
    struct manifest_index index = {.name = manifest->name};
    struct manifest_item item;
    struct err err = ERR_INIT;

    if (manifest_index_build(manifest, &blocks, &index.block_count, &roots, &index.root_count,
                             &err) < 0)
        abort();
    index.blocks = blocks;
    index.roots = roots;
    for (uint32_t i = 0; i < manifest->count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];

        if (manifest_find(manifest, entry->path) != entry ||
            manifest_index_find(&index, entry->path, strlen(entry->path), &item) < 0 ||
            item.size != entry->size || item.flags != entry->flags ||
            memcmp(item.sha256, entry->sha256, DIGEST_SIZE) != 0 ||
            (item.verity != NULL) != entry->has_verity ||
            item.distribution_len != strlen(entry->distribution))
            abort();
    }
    free(blocks);
    free(roots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest manifest;
    struct err err = ERR_INIT;
    char *again;
    size_t len;

    if (manifest_parse((const char *)data, size, "fuzz", &manifest, &err) < 0) {
        if (err.code >= 0 || !err.msg[0] || strchr(err.msg, '\n'))
            abort();
        return 0;
    }
    if (manifest_write(&manifest, &again, &len, &err) < 0 || len != size ||
        memcmp(again, data, size) != 0)
        abort();
    free(again);
    check_index(&manifest);
    manifest_done(&manifest);
    return 0;
}
