/* SPDX-License-Identifier: Apache-2.0 */
/* A table of digests with any bytes: it is refused, or every search in it stays inside, ends, and
 * finds nothing but an entry that says what was asked for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trust/digest_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("table", MFD_CLOEXEC);
    struct digest_cache cache;
    struct err err = ERR_INIT;

    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size) || fchmod(fd, 0600) < 0)
        abort();
    if (digest_cache_map(fd, "table", geteuid(), &cache, &err) == 0) {
        for (uint32_t i = 0; i < cache.count && i < 64; i++) {
            uint32_t at = i * (cache.count / 64 + 1);
            const struct digest_cache_entry *entry, *found;

            if (at >= cache.count)
                break;
            entry = &cache.entries[at];
            found = digest_cache_search(&cache, entry->inode, entry->changed);
            if (found && (found->inode != entry->inode || found->changed != entry->changed))
                abort();
        }
        (void)digest_cache_search(&cache, 0, 0);
        (void)digest_cache_search(&cache, UINT64_MAX, INT64_MAX);
    }
    digest_cache_done(&cache);
    (void)close(fd);
    return 0;
}
