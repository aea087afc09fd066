/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest as it lies in the compiled policy: blocks that are looked into without parsing, and
 * are checked one by one when they are first used, so that its size costs a start nothing. Written
 * by `spythonctl apply`, read by the core. docs/formats/policy.md describes the bytes.
 *
 * An entry lies in the block that the hash of its path names, or in one that follows it while
 * blocks say that they ran over. Digests of the blocks fill pages of their own (128 a page); the
 * digests of those pages are few, and lie where the policy's own checksum covers them.
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
    const uint8_t *blocks; /* block_count blocks, then the pages of digests */
    uint32_t block_count;
    const uint8_t *roots; /* DIGEST_SIZE bytes for each page of digests */
    uint32_t root_count;
    _Atomic uint8_t *seen; /* a bit for each block and page that was checked, zeroed at first; NULL:
                            * check every time */
};

struct manifest_item {
    uint64_t size;
    const uint8_t *sha256;
    const uint8_t *verity; /* NULL: none */
    uint32_t flags;        /* enum manifest_flag */
    const char *distribution;
    size_t distribution_len;
};

/* Bytes that `seen` needs, and how many pages of digests block_count blocks have. */
size_t manifest_index_seen_size(uint32_t block_count);
uint32_t manifest_index_pages(uint32_t block_count);

/*
 * Finds a path relative to the root. Returns 0 and an item that points into the blocks; -ENOENT:
 * not listed; -EBADMSG: a block does not have the digest it should have, or does not make sense.
 * Any thread; allocates nothing; every offset in the blocks is distrusted.
 */
int manifest_index_find(const struct manifest_index *index, const char *path, size_t len,
                        struct manifest_item *ret);

/*
 * Builds. *ret_blocks is malloc'ed and holds blocks and pages ((block_count + pages) *
 * MANIFEST_BLOCK bytes), *ret_roots likewise. The same manifest gives the same bytes. Returns 0,
 * -ENOMEM, or -EINVAL with a message (an entry does not fit into a block). In a file of its own:
 * only spythonctl links it.
 */
int manifest_index_build(const struct manifest *manifest, uint8_t **ret_blocks,
                         uint32_t *ret_block_count, uint8_t **ret_roots, uint32_t *ret_root_count,
                         struct err *err);

#endif
