/* SPDX-License-Identifier: Apache-2.0 */
/* Packs a manifest into blocks: slots grow from the front, what they point to from the back. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "trust/manifest.h"
#include "trust/manifest_block.h"

/* Directory, distribution and entry of one file, however long its path is. */
_Static_assert(BLOCK_SLOTS + SLOT_SIZE + RECORD_FIXED + DIGEST_SIZE + MANIFEST_MAX_DISTRIBUTION +
                       MANIFEST_MAX_PATH <=
                   MANIFEST_BLOCK,
               "every entry that can be listed fits into a block");
_Static_assert(MANIFEST_MAX_DISTRIBUTION <= UINT8_MAX, "its length is one byte");

/* Texts of the block that is being filled, to store each once. A block holds fewer entries. */
#define MAX_TEXTS (2 * MANIFEST_BLOCK / (SLOT_SIZE + RECORD_FIXED))

struct text {
    uint16_t offset, len;
};

struct order {
    uint64_t key;
    const struct manifest_entry *entry;
};

struct packer {
    uint8_t *blocks;
    uint64_t *first_keys; /* of each block */
    size_t count, room;   /* blocks, the one being filled included */
    uint32_t entries;     /* of the block being filled */
    size_t back;          /* from where on it is full */
    struct text texts[MAX_TEXTS];
    size_t text_count;
};

static void put_number(uint8_t *p, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

/* By key; equal keys by the path, for which the manifest's own order stands. */
static int compare_order(const void *left, const void *right)
{
    const struct order *a = left, *b = right;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->entry < b->entry ? -1 : a->entry > b->entry;
}

static struct order *sort_entries(const struct manifest *manifest)
{
    struct order *order = calloc((size_t)manifest->count + 1, sizeof(*order));

    if (!order)
        return NULL;
    for (uint32_t i = 0; i < manifest->count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        struct block_path path = block_split_path(entry->path, strlen(entry->path));

        order[i].key = block_key(&path);
        order[i].entry = entry;
    }
    qsort(order, manifest->count, sizeof(order[0]), compare_order);
    return order;
}

static int begin_block(struct packer *packer, uint64_t first_key)
{
    if (packer->count == packer->room) {
        size_t room = packer->room > 0 ? 2 * packer->room : 16;
        uint8_t *blocks = realloc(packer->blocks, room * MANIFEST_BLOCK);
        uint64_t *first_keys;

        if (!blocks)
            return -ENOMEM;
        packer->blocks = blocks;
        first_keys = realloc(packer->first_keys, room * sizeof(*first_keys));
        if (!first_keys)
            return -ENOMEM;
        packer->first_keys = first_keys;
        packer->room = room;
    }
    memset(packer->blocks + packer->count * MANIFEST_BLOCK, 0, MANIFEST_BLOCK);
    packer->first_keys[packer->count++] = first_key;
    packer->entries = 0;
    packer->back = MANIFEST_BLOCK;
    packer->text_count = 0;
    return 0;
}

static uint8_t *current_block(const struct packer *packer)
{
    return packer->blocks + (packer->count - 1) * MANIFEST_BLOCK;
}

/* Where the text already stands in the block. */
static bool find_text(const struct packer *packer, const char *text, size_t len, size_t *ret)
{
    *ret = 0;
    if (len == 0)
        return true;
    for (size_t i = packer->text_count; i > 0; i--) {
        const struct text *t = &packer->texts[i - 1];

        if (t->len == len && memcmp(current_block(packer) + t->offset, text, len) == 0) {
            *ret = t->offset;
            return true;
        }
    }
    return false;
}

static size_t put_text(struct packer *packer, const char *text, size_t len)
{
    size_t offset;

    if (find_text(packer, text, len, &offset))
        return offset;
    packer->back -= len;
    memcpy(current_block(packer) + packer->back, text, len);
    packer->texts[packer->text_count++] = (struct text){(uint16_t)packer->back, (uint16_t)len};
    return packer->back;
}

/* Returns false, and changes nothing, if the entry does not fit into what is left of the block. */
static bool put_entry(struct packer *packer, const struct manifest_entry *entry)
{
    struct block_path path = block_split_path(entry->path, strlen(entry->path));
    size_t distribution_len = strlen(entry->distribution);
    size_t slot = BLOCK_SLOTS + packer->entries * SLOT_SIZE;
    size_t fixed = RECORD_FIXED + (entry->has_verity ? DIGEST_SIZE : 0);
    size_t need = SLOT_SIZE + fixed + path.name_len, directory, distribution;
    uint8_t *block = current_block(packer);
    uint8_t *record;

    if (!find_text(packer, path.directory, path.directory_len, &directory))
        need += path.directory_len;
    if (!find_text(packer, entry->distribution, distribution_len, &distribution))
        need += distribution_len;
    if (packer->back - slot < need)
        return false;
    directory = put_text(packer, path.directory, path.directory_len);
    distribution = put_text(packer, entry->distribution, distribution_len);
    packer->back -= fixed + path.name_len;
    put_number(block + slot + SLOT_TAG, block_hash(path.name, path.name_len), 4);
    put_number(block + slot + SLOT_RECORD, packer->back, 2);
    put_number(block + slot + SLOT_NAME, path.name_len, 2);
    record = block + packer->back;
    memcpy(record + RECORD_SHA256, entry->sha256, DIGEST_SIZE);
    put_number(record + RECORD_SIZE, entry->size, 4);
    record[RECORD_FLAGS] = (uint8_t)(entry->flags | (entry->has_verity ? RECORD_HAS_VERITY : 0));
    put_number(record + RECORD_DISTRIBUTION_LEN, distribution_len, 1);
    put_number(record + RECORD_DISTRIBUTION, distribution, 2);
    put_number(record + RECORD_DIRECTORY, directory, 2);
    put_number(record + RECORD_DIRECTORY_LEN, path.directory_len, 2);
    if (entry->has_verity)
        memcpy(record + RECORD_FIXED, entry->verity, DIGEST_SIZE);
    memcpy(record + fixed, path.name, path.name_len);
    put_number(block, ++packer->entries, 2);
    return true;
}

static int check_manifest(const struct manifest *manifest, struct err *err)
{
    const char *reason;

    if (manifest->count > MANIFEST_MAX_ENTRIES)
        return err_set(err, -EINVAL, "%u files are more than %u", manifest->count,
                       MANIFEST_MAX_ENTRIES);
    for (uint32_t i = 0; i < manifest->count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];

        if (!manifest_path_is_valid(entry->path, strlen(entry->path), &reason))
            return err_set(err, -EINVAL, "the path of file %u %s", i + 1, reason);
        if (i > 0 && strcmp(manifest->entries[i - 1].path, entry->path) >= 0)
            return err_set(err, -EINVAL, "file %u is out of order, or listed twice", i + 1);
        if (entry->size > MANIFEST_MAX_FILE || entry->flags >= RECORD_HAS_VERITY ||
            strlen(entry->distribution) > MANIFEST_MAX_DISTRIBUTION)
            return err_set(err, -EINVAL, "file %u cannot be listed", i + 1);
    }
    return 0;
}

static int pack(struct packer *packer, const struct order *order, uint32_t count)
{
    int r = begin_block(packer, count > 0 ? order[0].key : 0);

    for (uint32_t i = 0; r == 0 && i < count; i++) {
        if (put_entry(packer, order[i].entry))
            continue;
        r = begin_block(packer, order[i].key);
        if (r == 0 && !put_entry(packer, order[i].entry))
            return -EINVAL;
    }
    return r;
}

/* Puts the pages behind the blocks, and makes the roots. */
static int seal(struct packer *packer, uint8_t **ret_roots, uint32_t *ret_root_count)
{
    uint32_t pages = manifest_index_pages((uint32_t)packer->count);
    uint8_t *blocks = realloc(packer->blocks, (packer->count + pages) * MANIFEST_BLOCK);
    uint8_t *page, *roots;

    if (!blocks)
        return -ENOMEM;
    packer->blocks = blocks;
    roots = malloc((size_t)pages * DIGEST_SIZE);
    if (!roots)
        return -ENOMEM;
    page = blocks + packer->count * MANIFEST_BLOCK;
    memset(page, 0, (size_t)pages * MANIFEST_BLOCK);
    for (size_t i = 0; i < packer->count; i++) {
        uint8_t *item = page + i / PAGE_ITEMS * MANIFEST_BLOCK + i % PAGE_ITEMS * PAGE_ITEM;

        put_number(item, packer->first_keys[i], 8);
        digest_sha256(blocks + i * MANIFEST_BLOCK, MANIFEST_BLOCK, item + 8);
    }
    for (size_t i = 0; i < pages; i++)
        digest_sha256(page + i * MANIFEST_BLOCK, MANIFEST_BLOCK, roots + i * DIGEST_SIZE);
    *ret_roots = roots;
    *ret_root_count = pages;
    return 0;
}

int manifest_index_build(const struct manifest *manifest, uint8_t **ret_blocks,
                         uint32_t *ret_block_count, uint8_t **ret_roots, uint32_t *ret_root_count,
                         struct err *err)
{
    CLEANUP_FREE struct order *order = NULL;
    struct packer packer = {.blocks = NULL};
    int r = check_manifest(manifest, err);

    if (r < 0)
        return r;
    order = sort_entries(manifest);
    if (!order)
        return err_set(err, -ENOMEM, "out of memory");
    r = pack(&packer, order, manifest->count);
    if (r == 0)
        r = seal(&packer, ret_roots, ret_root_count);
    free(packer.first_keys);
    if (r < 0) {
        free(packer.blocks);
        return err_set(err, r, "%s",
                       r == -ENOMEM ? "out of memory" : "an entry does not fit into a block");
    }
    *ret_blocks = packer.blocks;
    *ret_block_count = (uint32_t)packer.count;
    return 0;
}
