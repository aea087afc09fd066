/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/put.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * Waits until `fd` takes something. *deadline is 0 before the first wait of a record. `refused`: it
 * has just said EAGAIN; if poll(2) says that it would take something, one of the two is mistaken,
 * and only the clock ends that.
 */
static int wait_writable(int fd, int patience, bool refused, int64_t *deadline)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n = poll(&p, 1, 0);

    for (;;) {
        int64_t now;

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && !refused)
            return 0; /* errors too: the write that follows names them */
        now = now_ms();
        if (*deadline == 0)
            *deadline = now + patience;
        if (now >= *deadline)
            return -EAGAIN;
        if (n > 0) {
            (void)poll(NULL, 0, 1);
            return 0;
        }
        n = poll(&p, 1, (int)(*deadline - now));
        refused = false;
    }
}

static ssize_t put_piece(const struct put *put, const char *data, size_t len, size_t done)
{
    static const char newline = '\n';
    size_t head = put->newline ? 1 : 0;
    size_t want;

    if (done < head) {
        struct iovec iov[2] = {{(void *)(uintptr_t)&newline, 1}, {(void *)(uintptr_t)data, len}};

        return writev(put->fd, iov, 2);
    }
    want = len + head - done;
    if (put->chunk && want > put->chunk)
        want = put->chunk;
    if (put->is_socket)
        return send(put->fd, data + done - head, want, MSG_NOSIGNAL | MSG_DONTWAIT);
    return write(put->fd, data + done - head, want);
}

int put_all(const struct put *put, const char *data, size_t len, size_t *ret_done)
{
    size_t total = len + (put->newline ? 1 : 0), done = 0;
    int64_t deadline = 0;
    int r = 0;

    while (r == 0 && done < total) {
        ssize_t n;

        if (put->chunk) {
            r = wait_writable(put->fd, put->patience, false, &deadline);
            if (r < 0)
                break;
        }
        n = put_piece(put, data, len, done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            r = -EIO; /* takes nothing and says nothing: would loop for ever */
        else if (errno == EAGAIN)
            r = wait_writable(put->fd, put->patience, true, &deadline);
        else if (errno != EINTR)
            r = -errno;
    }
    *ret_done = done;
    return r;
}

void put_guard_enter(struct put_guard *guard)
{
    sigset_t both, waiting;

    (void)sigemptyset(&both);
    (void)sigaddset(&both, SIGPIPE);
    (void)sigaddset(&both, SIGXFSZ);
    (void)pthread_sigmask(SIG_BLOCK, &both, &guard->old);
    guard->ours = both;
    if (!sigismember(&guard->old, SIGPIPE) && !sigismember(&guard->old, SIGXFSZ))
        return; /* what was not blocked cannot have been waiting */
    if (sigpending(&waiting) == 0) {
        if (sigismember(&waiting, SIGPIPE))
            (void)sigdelset(&guard->ours, SIGPIPE);
        if (sigismember(&waiting, SIGXFSZ))
            (void)sigdelset(&guard->ours, SIGXFSZ);
    }
}

void put_guard_leave(const struct put_guard *guard, int error)
{
    static const struct timespec at_once = {0, 0};

    if (error == -EPIPE || error == -EFBIG) {
        while (sigtimedwait(&guard->ours, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    }
    (void)pthread_sigmask(SIG_SETMASK, &guard->old, NULL);
}
