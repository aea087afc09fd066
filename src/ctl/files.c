/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "ctl/output.h"

#define LOCK_WAIT_MS 10000
#define LOCK_STEP_MS 20

static char *directory_of(const char *path)
{
    char *copy = must_copy(path), *slash = strrchr(copy, '/');

    if (!slash) {
        free(copy);
        return must_copy(".");
    }
    slash[slash == copy ? 1 : 0] = '\0';
    return copy;
}

/* "DIR/.NAME.PID": the same file system, and hidden from those who look for NAME*. */
static char *temporary_name(const char *path)
{
    CLEANUP_FREE char *dir = directory_of(path);
    const char *slash = strrchr(path, '/');

    return must_format("%s/.%s.%ld", dir, slash ? slash + 1 : path, (long)getpid());
}

int file_sync_directory(const char *path, struct problem *problem)
{
    CLEANUP_FREE char *dir = directory_of(path);
    CLEANUP_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    /* Some file systems cannot sync a directory; they say so by EINVAL. */
    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
        return problem_set(problem, -errno, "cannot bring directory '%s' to disk: %s", dir,
                           strerror(errno));
    return 0;
}

static int write_new_file(const char *path, const void *data, size_t len)
{
    int fd, r;

    (void)unlink(path); /* what an interrupted run of the same pid left */
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    r = fd_write_all(fd, data, len, NULL);
    if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0))
        r = -errno;
    if (close(fd) < 0 && r == 0)
        r = -errno;
    return r;
}

int file_replace(const char *path, const void *data, size_t len, struct problem *problem)
{
    CLEANUP_FREE char *temporary = temporary_name(path);
    int r = write_new_file(temporary, data, len);

    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(temporary); /* may never have been made */
        return problem_set(problem, r, "cannot write it: %s", strerror(-r));
    }
    return file_sync_directory(path, problem);
}

int file_link(const char *target, const char *path, struct problem *problem)
{
    CLEANUP_FREE char *temporary = temporary_name(path);
    struct stat st;

    if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode)) {
        problem_set(problem, -EEXIST, "something that is not a link is in the way");
        return problem_todo(problem, "move it away and try again");
    }
    (void)unlink(temporary); /* what an interrupted run of the same pid left */
    if (symlink(target, temporary) < 0 || rename(temporary, path) < 0) {
        int r = -errno;

        (void)unlink(temporary); /* may never have been made */
        return problem_set(problem, r, "cannot make this link: %s", strerror(-r));
    }
    return file_sync_directory(path, problem);
}

int file_unlink_link(const char *path, const char *target, struct problem *problem)
{
    char found[PATH_MAX];
    ssize_t n = readlink(path, found, sizeof(found) - 1);

    if (n < 0)
        return 0; /* absent, or not a link: not ours */
    found[n] = '\0';
    if (target && strcmp(found, target) != 0)
        return 0;
    if (unlink(path) < 0 && errno != ENOENT)
        return problem_set(problem, -errno, "cannot remove it: %s", strerror(errno));
    return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct problem *problem)
{
    /* O_NONBLOCK: a FIFO in its place must not hang us. */
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int r;

    if (fd < 0)
        return problem_set(problem, -errno, "cannot open it: %s", strerror(errno));
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        return problem_set(problem, UNFIT, "is not a regular file");
    r = fd_read_all(fd, max, ret, ret_len);
    if (r < 0)
        return problem_set(problem, r, "cannot read it: %s", strerror(-r));
    return 0;
}

int file_lock(const char *path, struct problem *problem)
{
    /* A file that only its owner can open: a directory's lock could be held by anybody. */
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000};

    if (fd < 0)
        return problem_set(problem, -errno, "cannot open it: %s", strerror(errno));
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += LOCK_STEP_MS) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || waited >= LOCK_WAIT_MS) {
            int r = errno == EWOULDBLOCK ? -EBUSY : -errno;

            fd_close(fd);
            problem_set(problem, r, "another spythonctl is changing the policy");
            return problem_todo(problem, "wait until it is done and try again");
        }
        (void)nanosleep(&step, NULL); /* a signal only makes the step shorter */
    }
    return fd;
}
