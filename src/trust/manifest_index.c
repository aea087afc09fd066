/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into a manifest's blocks. In the core: allocates nothing, and trusts no byte whose digest
 * it has not compared, nor any offset even then. */
#include "trust/manifest_index.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "trust/manifest.h"
#include "trust/manifest_block.h"

uint32_t manifest_index_pages(uint32_t block_count)
{
    return block_count / PAGE_ITEMS + (block_count % PAGE_ITEMS > 0);
}

size_t manifest_index_seen_size(uint32_t block_count)
{
    return ((size_t)block_count + manifest_index_pages(block_count) + 7) / 8;
}

/* Block or page number `number`, if it has this digest. Two threads may both check it: they come to
 * the same result, and the bytes do not change, so no order is needed. */
static const uint8_t *checked(const struct manifest_index *index, size_t number,
                              const uint8_t *digest)
{
    const uint8_t *data = index->blocks + number * MANIFEST_BLOCK;
    uint8_t bit = (uint8_t)(1u << number % 8);
    uint8_t actual[DIGEST_SIZE];

    if (index->seen &&
        (atomic_load_explicit(&index->seen[number / 8], memory_order_relaxed) & bit) != 0)
        return data;
    digest_sha256(data, MANIFEST_BLOCK, actual);
    if (memcmp(actual, digest, DIGEST_SIZE) != 0)
        return NULL;
    if (index->seen)
        (void)atomic_fetch_or_explicit(&index->seen[number / 8], bit, memory_order_relaxed);
    return data;
}

/* What the page of a block says about it: first key and digest. */
static const uint8_t *page_item(const struct manifest_index *index, uint32_t block)
{
    uint32_t page = block / PAGE_ITEMS;
    const uint8_t *data = checked(index, (size_t)index->block_count + page,
                                  index->roots + (size_t)page * DIGEST_SIZE);

    return data ? data + (size_t)(block % PAGE_ITEMS) * PAGE_ITEM : NULL;
}

/* The last block that does not begin behind `key`; all that can hold it. -ENOENT: the first block
 * does. */
static int find_block(const struct manifest_index *index, uint64_t key, uint32_t *ret)
{
    uint32_t low = 0, high = index->block_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const uint8_t *item = page_item(index, middle);

        if (!item)
            return -EBADMSG;
        if (block_get_u64(item) <= key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return -ENOENT;
    *ret = low - 1;
    return 0;
}

static bool fits(size_t offset, size_t len)
{
    return offset <= MANIFEST_BLOCK && len <= MANIFEST_BLOCK - offset;
}

static int read_record(const uint8_t *block, const uint8_t *slot, const struct block_path *path,
                       struct manifest_item *ret)
{
    size_t offset = block_get_u16(slot + SLOT_RECORD);
    const uint8_t *record = block + offset;
    size_t fixed = RECORD_FIXED, directory, directory_len, distribution;
    uint8_t flags;

    if (!fits(offset, RECORD_FIXED))
        return -EBADMSG;
    flags = record[RECORD_FLAGS];
    if (flags & RECORD_HAS_VERITY)
        fixed += DIGEST_SIZE;
    directory = block_get_u16(record + RECORD_DIRECTORY);
    directory_len = block_get_u16(record + RECORD_DIRECTORY_LEN);
    distribution = block_get_u16(record + RECORD_DISTRIBUTION);
    if (!fits(offset, fixed + path->name_len) || !fits(directory, directory_len) ||
        !fits(distribution, record[RECORD_DISTRIBUTION_LEN]))
        return -EBADMSG;
    if (directory_len != path->directory_len ||
        memcmp(block + directory, path->directory, directory_len) != 0 ||
        memcmp(record + fixed, path->name, path->name_len) != 0)
        return -ENOENT;
    ret->sha256 = record + RECORD_SHA256;
    ret->size = block_get_u32(record + RECORD_SIZE);
    ret->verity = flags & RECORD_HAS_VERITY ? record + RECORD_FIXED : NULL;
    ret->flags = flags & (uint8_t)~RECORD_HAS_VERITY;
    ret->distribution = (const char *)block + distribution;
    ret->distribution_len = record[RECORD_DISTRIBUTION_LEN];
    return 0;
}

static int search_block(const uint8_t *block, uint32_t tag, const struct block_path *path,
                        struct manifest_item *ret)
{
    uint32_t count = block_get_u16(block);

    if (count > (MANIFEST_BLOCK - BLOCK_SLOTS) / SLOT_SIZE)
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *slot = block + BLOCK_SLOTS + (size_t)i * SLOT_SIZE;
        int r;

        if (block_get_u32(slot + SLOT_TAG) != tag ||
            block_get_u16(slot + SLOT_NAME) != path->name_len)
            continue;
        r = read_record(block, slot, path, ret);
        if (r != -ENOENT)
            return r;
    }
    return -ENOENT;
}

int manifest_index_find(const struct manifest_index *index, const char *path, size_t len,
                        struct manifest_item *ret)
{
    struct block_path parts;
    uint32_t block = 0;
    uint64_t key;
    int r;

    if (index->block_count == 0 || index->root_count != manifest_index_pages(index->block_count))
        return -EBADMSG;
    /* "/name" would have the parts of "name". */
    if (len == 0 || len > MANIFEST_MAX_PATH || path[0] == '/')
        return -ENOENT;
    parts = block_split_path(path, len);
    key = block_key(&parts);
    r = find_block(index, key, &block);
    if (r < 0)
        return r;
    for (;;) {
        const uint8_t *item = page_item(index, block);
        const uint8_t *data = item ? checked(index, block, item + 8) : NULL;

        if (!data)
            return -EBADMSG;
        r = search_block(data, (uint32_t)key, &parts, ret);
        /* Entries of one key may have begun in the block before. */
        if (r != -ENOENT || block_get_u64(item) != key || block == 0)
            return r;
        block--;
    }
}
