/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/digest_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/owner.h"

/* linux/magic.h lacks some of them. Not overlayfs: its upper layer may be a tmpfs, of which it
 * tells nothing. */
static const uint32_t reliable_types[] = {
    0xef53u,     /* ext2, ext3, ext4 */
    0x58465342u, /* XFS */
    0x9123683eu, /* btrfs */
    0xf2f52010u, /* F2FS */
    0x73717368u, /* squashfs */
    0xe0f5e1e2u, /* EROFS */
};

_Static_assert(sizeof(struct digest_cache_head) == 16, "layout");
_Static_assert(sizeof(struct digest_cache_entry) == 56, "layout");

int64_t digest_cache_changed(const struct stat *st)
{
    const int64_t second = 1000000000;

    if (st->st_ctim.tv_sec <= 0 || st->st_ctim.tv_sec > INT64_MAX / second - 1)
        return 0;
    return st->st_ctim.tv_sec * second + st->st_ctim.tv_nsec;
}

bool digest_cache_is_reliable(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof(reliable_types) / sizeof(reliable_types[0]); i++)
        if ((uint32_t)fs.f_type == reliable_types[i])
            return true;
    return false;
}

int digest_cache_map(int fd, const char *path, uid_t owner, struct digest_cache *ret,
                     struct err *err)
{
    const struct digest_cache_head *head;
    struct stat st;
    void *map;
    int r;

    *ret = (struct digest_cache){.entries = NULL};
    if (fstat(fd, &st) < 0)
        return err_set(err, -errno, "cannot look at '%s': %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, -EPERM, "'%s' is not a regular file", path);
    r = owner_check_stat(&st, owner, path, err);
    if (r < 0)
        return r;
    if (st.st_size < (off_t)sizeof(*head) ||
        (uint64_t)st.st_size >
            sizeof(*head) + (uint64_t)DIGEST_CACHE_MAX_ENTRIES * sizeof(struct digest_cache_entry))
        return err_set(err, -EBADMSG, "'%s' is damaged", path);
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return err_set(err, -errno, "cannot map '%s': %s", path, strerror(errno));
    head = map;
    if (memcmp(head->magic, DIGEST_CACHE_MAGIC, sizeof(head->magic)) != 0 ||
        head->entry_size != sizeof(struct digest_cache_entry) ||
        (uint64_t)st.st_size !=
            sizeof(*head) + (uint64_t)head->count * sizeof(struct digest_cache_entry)) {
        (void)munmap(map, (size_t)st.st_size);
        return err_set(err, -EBADMSG, "'%s' is damaged", path);
    }
    ret->map = map;
    ret->map_len = (size_t)st.st_size;
    ret->entries = (const void *)(head + 1);
    ret->count = head->count;
    return 0;
}

int digest_cache_open(const char *path, uid_t owner, struct digest_cache *ret, struct err *err)
{
    /* Not a symlink, not blocking: see policy_load(). */
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

    *ret = (struct digest_cache){.entries = NULL};
    if (fd < 0 && errno == ELOOP)
        return err_set(err, -EPERM, "'%s' is a symbolic link", path);
    if (fd < 0)
        return err_set(err, -errno, "cannot open '%s': %s", path, strerror(errno));
    return digest_cache_map(fd, path, owner, ret, err);
}

void digest_cache_done(struct digest_cache *cache)
{
    if (cache->map)
        (void)munmap((void *)(uintptr_t)cache->map, cache->map_len);
    *cache = (struct digest_cache){.entries = NULL};
}

const struct digest_cache_entry *digest_cache_search(const struct digest_cache *cache,
                                                     uint64_t inode, int64_t changed)
{
    uint32_t low = 0, high = cache->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct digest_cache_entry *entry = &cache->entries[middle];

        if (entry->inode == inode && entry->changed == changed)
            return entry;
        if (entry->inode < inode || (entry->inode == inode && entry->changed < changed))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool digest_cache_find(const struct digest_cache *cache, int fd, uint64_t len, uid_t owner,
                       uint8_t ret[DIGEST_SIZE])
{
    const struct digest_cache_entry *entry;
    struct stat st;
    int64_t changed;

    if (!cache || !cache->entries || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        (uint64_t)st.st_size != len || owner_find_flaw(&st, owner) != OWNER_SOUND)
        return false;
    changed = digest_cache_changed(&st);
    entry = changed ? digest_cache_search(cache, st.st_ino, changed) : NULL;
    if (!entry || entry->size != len || !digest_cache_is_reliable(fd))
        return false;
    memcpy(ret, entry->sha256, DIGEST_SIZE);
    return true;
}
