/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening policy.bin. The bytes that were checked are the bytes that are used: they are read once
 * into memory of our own, so nothing that happens to the file later reaches a running process. The
 * file stays mapped as well, only to tell `spythonctl ps` which policy the process has.
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

static int check_file(int fd, const char *path, uid_t owner, struct err *err)
{
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0)
        return err_set(err, -errno, "cannot look at policy '%s': %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, -EPERM, "policy '%s' is not a regular file", path);
    r = owner_check_stat(&st, owner, path, err);
    if (r < 0) {
        err_prefix(err, "policy");
        return r;
    }
    r = owner_check_chain(path, owner, err);
    if (r < 0)
        err_prefix(err, "policy '%s'", path);
    return r;
}

int policy_load(const char *path, uid_t owner, struct policy *ret, struct err *err)
{
    struct policy policy = {.map = NULL};
    CLEANUP_FD int fd = -1;
    char *bytes;
    void *map;
    size_t len;
    int r;

    fd = open_policy(path, err);
    if (fd < 0)
        return fd;
    r = check_file(fd, path, owner, err);
    if (r < 0)
        return r;
    r = fd_read_all(fd, POLICY_MAX_SIZE, &bytes, &len);
    if (r < 0)
        return err_set(err, r, "cannot read policy '%s': %s", path, strerror(-r));
    r = policy_read(bytes, len, path, &policy, err);
    if (r < 0) {
        free(bytes);
        return r;
    }
    policy.bytes = bytes;
    map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        r = -errno;
        policy_done(&policy);
        return err_set(err, r, "cannot map policy '%s': %s", path, strerror(-r));
    }
    policy.map = map;
    policy.map_len = len;
    *ret = policy;
    return 0;
}

int policy_load_memory(const void *data, size_t len, struct policy *ret, struct err *err)
{
    struct policy policy = {.map = NULL};
    int r = policy_read(data, len, "(in memory)", &policy, err);

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
