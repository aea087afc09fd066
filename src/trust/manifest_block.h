/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of blocks and pages: docs/formats/manifest.md. Private to the index's reader and
 * writer. Numbers are little endian; nothing is aligned.
 */
#ifndef SPYTHON_TRUST_MANIFEST_BLOCK_H
#define SPYTHON_TRUST_MANIFEST_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "trust/manifest_index.h"

/* Block: number of entries (2 bytes), 6 bytes 0, then a slot for each entry. What the slots point
 * to lies behind them, anywhere in the block. */
#define BLOCK_SLOTS 8u
#define SLOT_SIZE 8u
#define SLOT_TAG 0u    /* 4: hash of the name */
#define SLOT_RECORD 4u /* 2: offset of the record */
#define SLOT_NAME 6u   /* 2: length of the name */

/* Record: the fixed part, the fs-verity digest if there is one, the name. */
#define RECORD_SHA256 0u
#define RECORD_SIZE 32u             /* 4: of the file */
#define RECORD_FLAGS 36u            /* 1: enum manifest_flag, and the next */
#define RECORD_HAS_VERITY 0x80u     /* in RECORD_FLAGS */
#define RECORD_DISTRIBUTION_LEN 37u /* 1 */
#define RECORD_DISTRIBUTION 38u     /* 2: offset in the block */
#define RECORD_DIRECTORY 40u        /* 2: offset in the block */
#define RECORD_DIRECTORY_LEN 42u    /* 2 */
#define RECORD_FIXED 44u

/* Page: for each block the key of its first entry (8 bytes) and its digest. */
#define PAGE_ITEM (8u + DIGEST_SIZE)
#define PAGE_ITEMS (MANIFEST_BLOCK / PAGE_ITEM)

static inline uint16_t block_get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t block_get_u32(const uint8_t *p)
{
    return block_get_u16(p) | (uint32_t)block_get_u16(p + 2) << 16;
}

static inline uint64_t block_get_u64(const uint8_t *p)
{
    return block_get_u32(p) | (uint64_t)block_get_u32(p + 4) << 32;
}

/* A path in its two parts. In the root directory the first is empty. */
struct block_path {
    const char *directory, *name;
    size_t directory_len, name_len;
};

static inline struct block_path block_split_path(const char *path, size_t len)
{
    struct block_path ret = {path, path, 0, len};

    for (size_t i = len; i > 0; i--) {
        if (path[i - 1] != '/')
            continue;
        ret.directory_len = i - 1;
        ret.name = path + i;
        ret.name_len = len - i;
        break;
    }
    return ret;
}

/* FNV-1a. Spreads well enough; who makes names collide costs finds of these names some time, and
 * nothing else: paths are compared. */
static inline uint32_t block_hash(const char *text, size_t len)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    return hash;
}

static inline uint64_t block_key(const struct block_path *path)
{
    return (uint64_t)block_hash(path->directory, path->directory_len) << 32 |
           block_hash(path->name, path->name_len);
}

#endif
