/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests that `spythonctl apply` has computed, for files that have not changed since: reading a
 * hundred megabytes of shared objects at every start only to find what is known is what would make
 * verified loading slow. docs/verifiers.md says what this relies on:
 *
 * - Only root and spython's owner can write the file, by its own mode and owner.
 * - Inode number and time of last change are those of the moment when it was hashed. The kernel
 *   sets that time at each write, and nobody can set it; a file system where that does not hold (a
 *   mapping that is written through on tmpfs, FUSE, a network; an overlay of these) is not
 * believed.
 * - apply wrote back what was dirty before, so that a mapping that is older than the digest faults
 *   again, and passes over files whose time of change is not over yet.
 *
 * A wrong digest cannot let anything run: whoever could write the table could write the policy. One
 * that was damaged leads to the file being read (trust_file_digest_again()).
 */
#ifndef SPYTHON_TRUST_DIGEST_CACHE_H
#define SPYTHON_TRUST_DIGEST_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/err.h"

#define DIGEST_CACHE_NAME "digests.bin" /* beside policy.bin */
#define DIGEST_CACHE_MAGIC "SPYDIG1\n"
#define DIGEST_CACHE_MAX_ENTRIES 4000000u

/* The file: this, then the entries in ascending order of inode and change time. Numbers are little
 * endian. */
struct digest_cache_head {
    char magic[8];
    uint32_t count;
    uint32_t entry_size;
};

struct digest_cache_entry {
    uint64_t inode;
    int64_t changed; /* nanoseconds since 1970 */
    uint64_t size;
    uint8_t sha256[DIGEST_SIZE];
};

struct digest_cache {
    const struct digest_cache_entry *entries; /* NULL: none */
    uint32_t count;
    const void *map;
    size_t map_len;
};

/*
 * Maps the table `path` to *ret, which digest_cache_done() gives back. The directory must be one
 * that the caller trusts (that of policy.bin, whose chain of directories policy_load() has
 * checked). Returns 0; -ENOENT: there is none; -EPERM: not a regular file that only root or `owner`
 * can write; -EBADMSG: not such a table; -errno of open(2) and mmap(2). Then *ret is empty, with
 * which every digest is computed.
 */
int digest_cache_open(const char *path, uid_t owner, struct digest_cache *ret, struct err *err);

/* The same for an opened file, which stays the caller's; `name` is for messages. */
int digest_cache_map(int fd, const char *name, uid_t owner, struct digest_cache *ret,
                     struct err *err);

void digest_cache_done(struct digest_cache *cache);

/*
 * The digest of the file that `fd` has open, if it is `len` bytes long, only root or `owner` can
 * write it, and it is what it was when it was hashed. Ask after its bytes were read: what changed
 * before or meanwhile has another time of change. Any thread; allocates nothing; every byte of the
 * table is distrusted.
 */
bool digest_cache_find(const struct digest_cache *cache, int fd, uint64_t len, uid_t owner,
                       uint8_t ret[DIGEST_SIZE]);

/* The entry of an inode that was changed last at that time, or NULL. */
const struct digest_cache_entry *digest_cache_search(const struct digest_cache *cache,
                                                     uint64_t inode, int64_t changed);

/* Whether the time of last change tells of every change on the file system of `fd`. */
bool digest_cache_is_reliable(int fd);

/* Time of last change in nanoseconds; a time that this cannot hold is 0, which no entry has. */
int64_t digest_cache_changed(const struct stat *st);

#endif
