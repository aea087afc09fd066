/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int fd)
{
    int saved = errno;

    if (fd >= 0)
        (void)close(fd); /* Linux has released the number even when it reports EINTR or EIO */
    errno = saved;
}

int fd_write_all(int fd, const void *data, size_t len, size_t *ret_written)
{
    const char *p = data;
    size_t done = 0;
    int r = 0;

    while (done < len) {
        ssize_t n = write(fd, p + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            r = -errno;
            break;
        }
        if (n == 0) {
            r = -EIO; /* a descriptor that takes nothing and says nothing would loop for ever */
            break;
        }
        done += (size_t)n;
    }
    if (ret_written)
        *ret_written = done;
    return r;
}

int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_len)
{
    struct stat st;
    size_t cap, len = 0;
    char *data;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size > 0 && (size_t)st.st_size > max)
        return -EFBIG;
    cap = (st.st_size > 0 ? (size_t)st.st_size : 4096) + 1;
    data = malloc(cap + 1);
    if (!data)
        return -ENOMEM;
    for (;;) {
        ssize_t n;

        if (len == cap) {
            char *bigger;

            cap *= 2;
            bigger = realloc(data, cap + 1);
            if (!bigger) {
                free(data);
                return -ENOMEM;
            }
            data = bigger;
        }
        n = read(fd, data + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int r = -errno;

            free(data);
            return r;
        }
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > max) {
            free(data);
            return -EFBIG;
        }
    }
    data[len] = '\0';
    *ret_data = data;
    *ret_len = len;
    return 0;
}

int fd_move_high(int fd, int min)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, min);

    if (high >= 0) {
        fd_close(fd);
        return high;
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        int r = -errno;

        fd_close(fd);
        return r;
    }
    return fd;
}
