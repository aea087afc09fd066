/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner.h"
#include "ctl/output.h"

#define FILE_SIZE 1024
#define HEAD "spython pending 1\n"
#define MAX_DURATION ((int64_t)7 * 86400)

static char *path_of(const struct ctl *ctl, enum pending_kind kind)
{
    return must_format("%s/%s", ctl->etc, kind == PENDING_OFF ? ".off" : ".confirm");
}

int64_t pending_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int pending_parse_duration(const char *text, int64_t *ret)
{
    char *end;
    long number;
    int64_t unit;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    number = strtol(text, &end, 10);
    unit = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : 0;
    if (errno || !unit || end[1] || number < 1 || number > MAX_DURATION / unit)
        return -EINVAL;
    *ret = (int64_t)number * unit * 1000;
    return 0;
}

void pending_format_time(int64_t deadline, char ret[32])
{
    time_t seconds = (time_t)(deadline / 1000);
    struct tm tm;

    ret[0] = '\0';
    if (gmtime_r(&seconds, &tm))
        (void)strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static bool take_text(const char *line, const char *key, char *ret, size_t size)
{
    size_t len = strlen(key);

    if (strncmp(line, key, len) != 0 || strlen(line + len) >= size)
        return false;
    memcpy(ret, line + len, strlen(line + len) + 1);
    return true;
}

/* Nine lines in a fixed order; the last says that nothing was cut off. */
static int parse(char *text, struct pending *ret)
{
    char *rest = text + strlen(HEAD), *line[8];
    char numbers[4][24];
    static const char *const keys[] = {"deadline=", "pid=", "serial=", "previous="};

    if (strncmp(text, HEAD, strlen(HEAD)) != 0)
        return text[0] == '\n' || text[0] == '\0' ? -ENOENT : -EBADMSG;
    for (size_t i = 0; i < 8; i++)
        if (!(line[i] = strsep(&rest, "\n")))
            return -EBADMSG;
    for (size_t i = 0; i < 4; i++)
        if (!take_text(line[i], keys[i], numbers[i], sizeof(numbers[i])))
            return -EBADMSG;
    if (!take_text(line[4], "digest=", ret->digest, sizeof(ret->digest)) ||
        !take_text(line[5], "app=", ret->app, sizeof(ret->app)) ||
        !take_text(line[6], "reason=", ret->reason, sizeof(ret->reason)) ||
        strcmp(line[7], "end") != 0)
        return -EBADMSG;
    ret->deadline = strtoll(numbers[0], NULL, 10);
    ret->pid = strtoll(numbers[1], NULL, 10);
    ret->serial = strtoull(numbers[2], NULL, 10);
    ret->previous = strtoull(numbers[3], NULL, 10);
    return 0;
}

int pending_read(const struct ctl *ctl, enum pending_kind kind, struct pending *ret,
                 struct problem *problem)
{
    CLEANUP_FREE char *path = path_of(ctl, kind), *text = NULL;
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct err err = ERR_INIT;
    struct stat st;
    size_t len;
    int r;

    *ret = (struct pending){.kind = kind};
    if (fd < 0 || fstat(fd, &st) < 0)
        return problem_set(problem, -errno, "cannot open '%s': %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return problem_set(problem, -EPERM, "'%s' is not a regular file", path);
    if (owner_check_stat(&st, ctl->owner, path, &err) < 0)
        return problem_from_err(problem, &err);
    r = fd_read_all(fd, FILE_SIZE, &text, &len);
    if (r == 0)
        r = parse(text, ret);
    if (r < 0) {
        problem_set(problem, r, "'%s' is damaged", path);
        return problem_todo(problem, "remove it, then run spythonctl apply");
    }
    return 0;
}

static int write_file(const char *path, const char *text, size_t len)
{
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    char block[FILE_SIZE];

    memset(block, '\n', sizeof(block)); /* always the same blocks, so that none is needed anew */
    memcpy(block, text, len);
    if (fd < 0 || fchmod(fd, 0600) < 0)
        return -errno;
    for (size_t done = 0; done < sizeof(block);) {
        ssize_t n = pwrite(fd, block + done, sizeof(block) - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int pending_write(const struct ctl *ctl, const struct pending *pending, struct problem *problem)
{
    CLEANUP_FREE char *path = path_of(ctl, pending->kind);
    CLEANUP_FREE char *text =
        must_format(HEAD "deadline=%" PRId64 "\npid=%" PRId64 "\nserial=%" PRIu64
                         "\nprevious=%" PRIu64 "\ndigest=%s\napp=%s\nreason=%s\nend\n",
                    pending->deadline, pending->pid, pending->serial, pending->previous,
                    pending->digest, pending->app, pending->reason);
    int r = strlen(text) > FILE_SIZE ? -EFBIG : write_file(path, text, strlen(text));

    return r < 0 ? problem_set(problem, r, "cannot write '%s': %s", path, strerror(-r)) : 0;
}

void pending_clear(const struct ctl *ctl, enum pending_kind kind)
{
    CLEANUP_FREE char *path = path_of(ctl, kind);

    if (kind == PENDING_OFF && write_file(path, "", 0) == 0)
        return;
    (void)unlink(path); /* if it stays, it names a policy that is not in force */
}

void pending_reserve_off(const struct ctl *ctl)
{
    CLEANUP_FREE char *path = path_of(ctl, PENDING_OFF);

    if (access(path, F_OK) < 0)
        (void)write_file(path, "", 0); /* off tries again and says what is wrong */
}
