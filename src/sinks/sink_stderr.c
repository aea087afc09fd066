/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes records to what was the standard error when the sink was opened, through a descriptor of
 * its own. It is the program's as well: its flags are not changed, and a reader that does not read
 * may hold a record up for PUT_PATIENCE_MS only. Under a mutex: a pipe takes long records in
 * pieces.
 */
#include "sinks/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sinks/put.h"

#define CHECK_INTERVAL 256

struct sink_stderr {
    struct sink base;
    pthread_mutex_t lock; /* for all that follows */
    int fd;
    struct stat id;    /* of the standard error at the start */
    bool torn;         /* it ends in a piece of a record */
    bool stalled;      /* the last record waited in vain: the next one does not wait */
    unsigned suspects; /* records since the descriptor was seen to be the right one */
    uint64_t astray;
};

static bool is_original(const struct sink_stderr *s, int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_dev == s->id.st_dev && st.st_ino == s->id.st_ino &&
           st.st_rdev == s->id.st_rdev && (st.st_mode & S_IFMT) == (s->id.st_mode & S_IFMT);
}

/* Returns 0 if our descriptor is the standard error of the start or could be made so again from
 * descriptor 2, otherwise -errno. Mutex held. */
static int check_descriptor(struct sink_stderr *s)
{
    int fd;

    if (s->fd >= 0 && is_original(s, s->fd)) {
        s->suspects = 0;
        return 0;
    }
    /* A closed descriptor says so at once; only a replaced one took records. */
    if (s->fd >= 0 && fcntl(s->fd, F_GETFD) >= 0)
        s->astray += s->suspects;
    s->suspects = 0;
    s->fd = -1; /* the number is somebody else's, or nobody's */
    if (!is_original(s, STDERR_FILENO))
        return -EBADF;
    fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, PUT_FD_MIN);
    if (fd < 0)
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    s->fd = fd;
    return 0;
}

static int put_line(struct sink_stderr *s, const char *data, size_t len)
{
    bool is_socket = S_ISSOCK(s->id.st_mode), is_file = S_ISREG(s->id.st_mode);
    struct put put = {
        .fd = s->fd,
        .is_socket = is_socket,
        .newline = false,
        .chunk = is_socket || is_file ? 0 : PIPE_BUF,
        .patience = s->stalled ? 0 : PUT_PATIENCE_MS,
    };
    struct put_guard guard;
    size_t done;
    int r = 0;

    if (!is_socket)
        put_guard_enter(&guard);
    if (s->torn)
        r = put_all(&put, "\n", 1, &done);
    if (r == 0) {
        s->torn = false;
        r = put_all(&put, data, len, &done);
        s->torn = r < 0 && done > 0;
    }
    if (!is_socket)
        put_guard_leave(&guard, r);
    s->stalled = r == -EAGAIN;
    return r;
}

static int stderr_write(struct sink *sink, const char *data, size_t len)
{
    struct sink_stderr *s = (struct sink_stderr *)sink;
    int saved = errno, r = 0;

    pthread_mutex_lock(&s->lock);
    for (unsigned tries = 0; tries < 2; tries++) {
        if (s->fd < 0 || s->suspects >= CHECK_INTERVAL || tries > 0)
            r = check_descriptor(s);
        if (r == 0 && s->astray > 0)
            r = -ESTALE; /* the account goes before this record */
        if (r < 0)
            break;
        r = put_line(s, data, len);
        if (r == 0 || is_original(s, s->fd))
            break;
    }
    if (r == 0)
        s->suspects++;
    pthread_mutex_unlock(&s->lock);
    errno = saved;
    return r;
}

static uint64_t stderr_take_back(struct sink *sink)
{
    struct sink_stderr *s = (struct sink_stderr *)sink;
    int saved = errno;
    uint64_t astray;

    pthread_mutex_lock(&s->lock);
    if (s->suspects > 0)
        (void)check_descriptor(s);
    astray = s->astray;
    s->astray = 0;
    pthread_mutex_unlock(&s->lock);
    errno = saved;
    return astray;
}

static void stderr_after_fork(struct sink *sink, const char *session)
{
    struct sink_stderr *s = (struct sink_stderr *)sink;

    (void)session;
    (void)pthread_mutex_init(&s->lock, NULL);
    s->astray = 0;
    s->suspects = 0;
}

static void stderr_close(struct sink *sink)
{
    struct sink_stderr *s = (struct sink_stderr *)sink;

    if (!s)
        return;
    if (s->fd >= 0 && is_original(s, s->fd))
        fd_close(s->fd);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static int stderr_open(const struct sink_config *config, const char *session, struct sink **ret,
                       struct err *err)
{
    struct sink_stderr *s = calloc(1, sizeof(*s));
    int r;

    (void)config;
    (void)session;
    if (!s)
        return err_set(err, -ENOMEM, "out of memory");
    s->base.ops = &sink_stderr_ops;
    s->fd = -1;
    r = fstat(STDERR_FILENO, &s->id) < 0 ? -errno : check_descriptor(s);
    if (r < 0) {
        free(s);
        return err_set(err, r, "cannot use the standard error as a log: %s", strerror(-r));
    }
    (void)pthread_mutex_init(&s->lock, NULL);
    *ret = &s->base;
    return 0;
}

const struct sink_ops sink_stderr_ops = {
    .name = "stderr",
    .open = stderr_open,
    .write = stderr_write,
    .take_back = stderr_take_back,
    .after_fork = stderr_after_fork,
    .close = stderr_close,
};
