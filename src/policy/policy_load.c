/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening policy.bin. The bytes that were checked are the bytes that are used: they are read once
 * into memory of our own, so nothing that happens to the file later reaches a running process. The
 * blocks of manifests are looked into where they lie in the mapped file, and each is compared with
 * its digest before it is first believed. The mapping also tells `spythonctl ps` which policy the
 * process has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/owner.h"
#include "policy/policy.h"
#include "policy/policy_read.h"

/* Not a symlink: whoever could plant one would choose the file. Not blocking: a FIFO would. */
static int open_policy(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

    if (fd >= 0)
        return fd;
    if (errno == ELOOP)
        return err_set(err, -EPERM, "policy '%s' is a symbolic link (put the file itself there)",
                       path);
    if (errno == ENXIO)
        return err_set(err, -EPERM, "policy '%s' is not a regular file", path);
    return err_set(err, -errno, "cannot open policy '%s': %s", path, strerror(errno));
}

static int check_file(int fd, const char *path, uid_t owner, struct stat *ret, struct err *err)
{
    int r;

    if (fstat(fd, ret) < 0)
        return err_set(err, -errno, "cannot look at policy '%s': %s", path, strerror(errno));
    if (!S_ISREG(ret->st_mode))
        return err_set(err, -EPERM, "policy '%s' is not a regular file", path);
    r = owner_check_stat(ret, owner, path, err);
    if (r < 0) {
        err_prefix(err, "policy");
        return r;
    }
    r = owner_check_chain(path, owner, err);
    if (r < 0)
        err_prefix(err, "policy '%s'", path);
    return r;
}

/* Reads the part that must be checked at once: a malloc'ed block. */
static int read_checked(int fd, struct policy_file *file, const char *path, struct err *err)
{
    uint8_t head[POLICY_HEAD_SIZE], *bytes;
    struct stat st;
    ssize_t n = pread(fd, head, sizeof(head), 0);
    size_t done = 0;

    if (n < 0 || fstat(fd, &st) < 0)
        return err_set(err, -errno, "cannot read policy '%s': %s", path, strerror(errno));
    file->size = (uint64_t)st.st_size;
    file->checked = policy_checked_size(head, (size_t)n, file->size);
    if (file->checked > POLICY_MAX_SIZE || file->size > POLICY_MAX_SIZE + POLICY_MAX_BLOCKS)
        return err_set(err, -EFBIG, "cannot read policy '%s': it is too large", path);
    bytes = malloc((size_t)file->checked + 1);
    if (!bytes)
        return err_set(err, -ENOMEM, "no memory for policy '%s'", path);
    while (done < file->checked) {
        n = pread(fd, bytes + done, (size_t)file->checked - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (done < file->checked) {
        int r = n < 0 ? -errno : -EBADMSG;

        free(bytes);
        return err_set(err, r, "cannot read policy '%s': %s", path,
                       n < 0 ? strerror(-r) : "it became shorter meanwhile");
    }
    file->data = bytes;
    return 0;
}

int policy_load(const char *path, uid_t owner, struct policy *ret, struct err *err)
{
    CLEANUP_FD int fd = open_policy(path, err);

    return fd < 0 ? fd : policy_load_opened(fd, path, owner, ret, err);
}

struct policy_identity policy_identity_of(const struct stat *st)
{
    return (struct policy_identity){st->st_dev, st->st_ino, st->st_ctim};
}

int policy_load_opened(int fd, const char *path, uid_t owner, struct policy *ret, struct err *err)
{
    struct policy policy = {.map = NULL};
    struct policy_file file = {.data = NULL};
    struct stat st;
    void *map;
    int r;

    r = check_file(fd, path, owner, &st, err);
    if (r < 0)
        return r;
    policy.identity = policy_identity_of(&st);
    r = read_checked(fd, &file, path, err);
    if (r < 0)
        return r;
    policy.bytes = (void *)(uintptr_t)file.data;
    if (file.size > 0) {
        map = mmap(NULL, (size_t)file.size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            r = -errno;
            policy_done(&policy);
            return err_set(err, r, "cannot map policy '%s': %s", path, strerror(-r));
        }
        policy.map = map;
        policy.map_len = (size_t)file.size;
        file.blocks = map;
    }
    r = policy_read(&file, path, &policy, err);
    if (r < 0) {
        policy_done(&policy);
        return r;
    }
    *ret = policy;
    return 0;
}

int policy_load_memory(const void *data, size_t len, struct policy *ret, struct err *err)
{
    struct policy_file file = {.data = data, .size = len, .blocks = data};
    struct policy policy = {.map = NULL};
    int r;

    file.checked = policy_checked_size(data, len, len);
    r = policy_read(&file, "(in memory)", &policy, err);
    if (r < 0)
        return r;
    *ret = policy;
    return 0;
}

void policy_done(struct policy *policy)
{
    if (policy->map)
        (void)munmap((void *)(uintptr_t)policy->map, policy->map_len);
    free(policy->arena);
    free(policy->bytes);
    memset(policy, 0, sizeof(*policy));
}
