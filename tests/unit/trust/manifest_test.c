/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest_test.h"

#include <stdio.h>

#include "trust/manifest_block.h"

#define MADE_PATH 80

const char small_text[] =
    "spython-manifest 1\n"
    "name: shop-1.0\n"
    "serial: 42\n"
    "created: 2026-11-24T06:00:00Z\n"
    "files: 3\n"
    "\n"
    "0101010101010101010101010101010101010101010101010101010101010101 0 - - - bin/shop\n"
    "0202020202020202020202020202020202020202020202020202020202020202 4294967295 "
    "abababababababababababababababababababababababababababababababab hbn requests@2.32.3 "
    "lib/a b.py\n"
    "0303030303030303030303030303030303030303030303030303030303030303 17 - b - "
    "lib/\xc3\xa4\\xff\\x5c.pyc\n"
    "end\n";

const struct manifest *small_manifest(void)
{
    static struct manifest_entry entries[3];
    static struct manifest manifest = {
        .name = "shop-1.0", .serial = 42, .created = 1795500000, .entries = entries, .count = 3};

    memset(entries, 0, sizeof(entries));
    for (size_t i = 0; i < 3; i++) {
        memset(entries[i].sha256, (int)i + 1, DIGEST_SIZE);
        entries[i].distribution = "";
    }
    entries[0].path = "bin/shop";
    entries[1].path = "lib/a b.py";
    entries[1].size = MANIFEST_MAX_FILE;
    entries[1].has_verity = true;
    memset(entries[1].verity, 0xab, DIGEST_SIZE);
    entries[1].flags = MANIFEST_HOOK | MANIFEST_BYTECODE | MANIFEST_NATIVE;
    entries[1].distribution = "requests 2.32.3";
    entries[2].path = "lib/\xc3\xa4\xff\\.pyc";
    entries[2].size = 17;
    entries[2].flags = MANIFEST_BYTECODE;
    return &manifest;
}

void made_init(struct made *made, uint32_t count)
{
    static const char *const distributions[] = {"", "numpy 2.1.0", "pandas 2.2.3"};

    memset(made, 0, sizeof(*made));
    made->paths = malloc((size_t)count * MADE_PATH + 1);
    made->manifest.entries = calloc((size_t)count + 1, sizeof(struct manifest_entry));
    assert_non_null(made->paths);
    assert_non_null(made->manifest.entries);
    memcpy(made->manifest.name, "made", 5);
    made->manifest.serial = 1;
    made->manifest.count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct manifest_entry *entry = &made->manifest.entries[i];
        char *path = made->paths + (size_t)i * MADE_PATH;

        assert_true(snprintf(path, MADE_PATH,
                             "lib/python3.11/site-packages/package%06u/module%06u.py", i / 12,
                             i) < MADE_PATH);
        entry->path = path;
        entry->size = i;
        digest_sha256(path, strlen(path), entry->sha256);
        entry->has_verity = i % 5 == 0;
        if (entry->has_verity)
            digest_sha256(entry->sha256, DIGEST_SIZE, entry->verity);
        entry->flags = i % 8;
        entry->distribution = distributions[i / 12 % 3];
    }
}

void made_done(struct made *made)
{
    free(made->manifest.entries);
    free(made->paths);
}

void assert_same_entry(const struct manifest_entry *a, const struct manifest_entry *b)
{
    assert_string_equal(a->path, b->path);
    assert_string_equal(a->distribution, b->distribution);
    assert_true(a->size == b->size);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->has_verity, b->has_verity);
    assert_memory_equal(a->sha256, b->sha256, DIGEST_SIZE);
    if (a->has_verity)
        assert_memory_equal(a->verity, b->verity, DIGEST_SIZE);
}

void built_init(struct built *built, const struct manifest *manifest)
{
    struct err err = ERR_INIT;
    uint32_t block_count = 0, root_count = 0;

    memset(built, 0, sizeof(*built));
    if (manifest_index_build(manifest, &built->blocks, &block_count, &built->roots, &root_count,
                             &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(root_count, manifest_index_pages(block_count));
    built->blocks_len = ((size_t)block_count + root_count) * MANIFEST_BLOCK;
    built->seen = calloc(1, manifest_index_seen_size(block_count));
    assert_non_null(built->seen);
    built->index = (struct manifest_index){.name = manifest->name,
                                           .serial = manifest->serial,
                                           .entry_count = manifest->count,
                                           .blocks = built->blocks,
                                           .block_count = block_count,
                                           .roots = built->roots,
                                           .root_count = root_count,
                                           .seen = built->seen};
}

void built_done(struct built *built)
{
    free(built->blocks);
    free(built->roots);
    free((void *)(uintptr_t)built->seen);
}

void built_forget(struct built *built)
{
    memset((void *)(uintptr_t)built->seen, 0, manifest_index_seen_size(built->index.block_count));
}

void built_seal(struct built *built)
{
    uint32_t count = built->index.block_count;
    uint8_t *pages = built->blocks + (size_t)count * MANIFEST_BLOCK;

    for (uint32_t i = 0; i < count; i++)
        digest_sha256(built->blocks + (size_t)i * MANIFEST_BLOCK, MANIFEST_BLOCK,
                      pages + i / PAGE_ITEMS * MANIFEST_BLOCK + i % PAGE_ITEMS * PAGE_ITEM + 8);
    for (uint32_t i = 0; i < built->index.root_count; i++)
        digest_sha256(pages + (size_t)i * MANIFEST_BLOCK, MANIFEST_BLOCK,
                      built->roots + (size_t)i * DIGEST_SIZE);
}
