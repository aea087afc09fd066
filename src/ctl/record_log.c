/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/record_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/owner.h"
#include "ctl/output.h"
#include "event/record.h"

#define RESERVE (64 << 10)
#define TRIES 3

/* Everybody may make files in the log directory: what a stranger put in our place is moved away,
 * since it could be cut or read by that stranger. */
static int open_log(const struct ctl *ctl, struct problem *problem)
{
    CLEANUP_FREE char *path = must_format("%s/var/log/spython/spythonctl.jsonl", ctl->state);
    CLEANUP_FREE char *away = must_format("%s.planted.%ld", path, (long)getpid());
    struct stat st;

    for (int i = 0; i < TRIES; i++) {
        int fd =
            open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

        if (fd < 0 && errno != ELOOP && errno != ENXIO && errno != EACCES && errno != EISDIR)
            break;
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
            owner_find_flaw(&st, ctl->owner) == OWNER_SOUND)
            return fd;
        fd_close(fd);
        if (rename(path, away) < 0 && errno != ENOENT)
            break;
    }
    return problem_set(problem, errno ? -errno : -EPERM, "cannot open '%s': %s", path,
                       strerror(errno ? errno : EPERM));
}

void record_log_reserve(const struct ctl *ctl)
{
    struct problem ignored = {0};
    CLEANUP_FD int fd = open_log(ctl, &ignored);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0)
        (void)fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, RESERVE);
}

static struct value text_value(const char *text)
{
    return (struct value){.kind = VALUE_UTF8, .text = {text, strlen(text)}};
}

static void begin_session(struct record_session *session)
{
    struct timespec now = {0};
    char host[256] = "";
    uint64_t id = 0;

    if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != (ssize_t)sizeof(id)) {
        (void)clock_gettime(CLOCK_REALTIME, &now);
        id = ((uint64_t)getpid() << 32) ^ (uint64_t)now.tv_nsec;
    }
    (void)gethostname(host, sizeof(host) - 1);
    record_session_encode(session, id, getpid(), "", host, getuid());
}

int record_log_off(const struct ctl *ctl, const char *event, const struct pending *pending,
                   const char *how, struct problem *problem)
{
    CLEANUP_FD int fd = open_log(ctl, problem);
    const char *names[6] = {"app", "serial", "until", "reason", "prefix", "how"};
    char until[32], line[8192];
    struct value values[6];
    struct record_session session;
    struct record_clock clock = {0};
    struct record record = {
        .seq = 1,
        .tid = getpid(),
        .name = event,
        .event = catalogue_find(event),
        .args = values,
        .arg_count = how ? 6 : 5,
        .arg_names = names,
        .level = LEVEL_CRITICAL,
        .verdict = VERDICT_ALLOW,
    };
    size_t len;
    int r;

    if (fd < 0)
        return fd;
    pending_format_time(pending->deadline, until);
    values[0] = text_value(pending->app);
    values[1] = (struct value){.kind = VALUE_INT, .i = (int64_t)pending->serial};
    values[2] = text_value(until);
    values[3] = text_value(pending->reason);
    values[4] = text_value(ctl->prefix[0] ? ctl->prefix : "/");
    values[5] = text_value(how ? how : "");
    begin_session(&session);
    (void)clock_gettime(CLOCK_REALTIME, &record.time);
    line[0] = '\n'; /* a record before it may have been torn */
    len = 1 + record_encode(&record, &session, &clock, line + 1, sizeof(line) - 1);
    r = fd_write_all(fd, line, len, NULL);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    /* A second witness, wherever this machine keeps such messages. */
    syslog(LOG_AUTHPRIV | LOG_CRIT, "%.*s", (int)len - 2, line + 1);
    return r < 0 ? problem_set(problem, r, "cannot write the record: %s", strerror(-r)) : 0;
}
