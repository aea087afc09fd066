/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A find in arbitrary blocks. The input is a byte with the length of a path, the path, and blocks,
 * the last one filled up with zeros. Once as they are, with pages and roots of zeros; once with
 * digests to match and keys that lead through all blocks, so that what lies behind the checks sees
 * the input as well. What is found is read through.
 */
#include <stdlib.h>
#include <string.h>

#include "trust/manifest_block.h"

#define MAX_BLOCKS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink; /* keeps the reads */

static void read_bytes(const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++)
        sink += p[i];
}

static int look_up(const struct manifest_index *index, const uint8_t *path, size_t len)
{
    struct manifest_item item;
    int r = manifest_index_find(index, (const char *)path, len, &item);

    if (r == 0) {
        read_bytes(item.sha256, DIGEST_SIZE);
        if (item.verity)
            read_bytes(item.verity, DIGEST_SIZE);
        read_bytes(item.distribution, item.distribution_len);
    }
    return r;
}

static void seal(uint8_t *blocks, uint32_t count, uint64_t key, uint8_t root[DIGEST_SIZE])
{
    uint8_t *page = blocks + (size_t)count * MANIFEST_BLOCK;

    for (uint32_t i = 0; i < count; i++) {
        uint8_t *item = page + (size_t)i * PAGE_ITEM;

        for (unsigned k = 0; k < 8; k++)
            item[k] = (uint8_t)(key >> 8 * k);
        digest_sha256(blocks + (size_t)i * MANIFEST_BLOCK, MANIFEST_BLOCK, item + 8);
    }
    digest_sha256(page, MANIFEST_BLOCK, root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_index index = {.name = "fuzz", .root_count = 1};
    uint8_t root[DIGEST_SIZE] = {0};
    struct block_path parts;
    size_t path_len, len;
    const uint8_t *path;
    uint8_t *blocks, *copy;

    if (size < 1 || size < 1u + data[0])
        return 0;
    path_len = data[0];
    path = data + 1;
    len = size - 1 - path_len;
    if (len > (size_t)MAX_BLOCKS * MANIFEST_BLOCK)
        return 0;
    index.block_count = (uint32_t)((len + MANIFEST_BLOCK - 1) / MANIFEST_BLOCK);
    blocks = calloc(index.block_count + 1, MANIFEST_BLOCK);
    copy = malloc(path_len + 1);
    if (!blocks || !copy)
        abort();
    memcpy(blocks, path + path_len, len);
    memcpy(copy, path, path_len);
    index.blocks = blocks;
    index.roots = root;
    if (look_up(&index, copy, path_len) == 0)
        abort();
    parts = block_split_path((const char *)copy, path_len);
    seal(blocks, index.block_count, block_key(&parts), root);
    (void)look_up(&index, copy, path_len);
    free(copy);
    free(blocks);
    return 0;
}
