/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest as it lies in the compiled policy: blocks that are looked into without parsing, and
 * are checked one by one when they are first used, so that its size costs a start nothing. Written
 * by `spythonctl apply`, read by the core. docs/formats/manifest.md describes the bytes.
 *
 * Entries are sorted by a key of 64 bits, the hash of the directory before that of the name: files
 * that are imported together lie together. Pages hold digest and first key of 102 blocks each; the
 * digests of the pages, the roots, are few, and lie where the policy's own checksum covers them. A
 * find searches the pages for the one block that can hold the path. It uses no byte that was not
 * checked: with the right roots and block_count it gives the right answer or -EBADMSG.
 */
#ifndef SPYTHON_TRUST_MANIFEST_INDEX_H
#define SPYTHON_TRUST_MANIFEST_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

#define MANIFEST_BLOCK 4096u

struct manifest;

struct manifest_index {
    const char *name;
    uint64_t serial;
    uint32_t entry_count;
    const uint8_t *blocks; /* block_count blocks, then the pages; must not change while in use: a
                            * block that was once seen to be right is not checked again */
    uint32_t block_count;
    const uint8_t *roots;  /* DIGEST_SIZE bytes for each page */
    uint32_t root_count;   /* manifest_index_pages(block_count) */
    _Atomic uint8_t *seen; /* a bit for each block and page that was checked, zeroed at first; NULL:
                            * check every time */
};

struct manifest_item {
    uint64_t size;
    const uint8_t *sha256;
    const uint8_t *verity;    /* NULL: none */
    uint32_t flags;           /* enum manifest_flag */
    const char *distribution; /* no NUL behind it */
    size_t distribution_len;
};

/* Bytes that `seen` needs, and how many pages block_count blocks have. */
size_t manifest_index_seen_size(uint32_t block_count);
uint32_t manifest_index_pages(uint32_t block_count);

/*
 * Finds a path relative to the root. Returns 0 and an item that points into the blocks; -ENOENT:
 * not listed; -EBADMSG: a block or page does not have the digest it should have, or does not make
 * sense, or the counts do not fit. Any thread; allocates nothing; every offset in the blocks is
 * distrusted.
 */
int manifest_index_find(const struct manifest_index *index, const char *path, size_t len,
                        struct manifest_item *ret);

/*
 * Builds. *ret_blocks is malloc'ed and holds blocks and pages ((block_count + pages) *
 * MANIFEST_BLOCK bytes), *ret_roots likewise (pages * DIGEST_SIZE bytes). There is at least one
 * block. The same manifest gives the same bytes. The manifest is one that manifest_parse() made or
 * manifest_write() would take: -EINVAL with a message for entries that are not of that kind as far
 * as the format depends on it. -ENOMEM. In a file of its own: only spythonctl links it.
 */
int manifest_index_build(const struct manifest *manifest, uint8_t **ret_blocks,
                         uint32_t *ret_block_count, uint8_t **ret_roots, uint32_t *ret_root_count,
                         struct err *err);

#endif
