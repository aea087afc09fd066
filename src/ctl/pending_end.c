/* SPDX-License-Identifier: Apache-2.0 */
/* The end of what is pending: by a command, or by itself when its time is over. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/pending.h"
#include "ctl/policy_apply.h"
#include "ctl/policy_back.h"
#include "ctl/record_log.h"

#define STEP_MS 5000 /* how often a waiting process looks whether it is still needed */
#define RETRY_MS 1000

static int end_confirm(const struct ctl *ctl, const struct pending *pending,
                       struct problem *problem)
{
    struct policy now = {0};
    bool built_in = true;
    int r = policy_in_force(ctl, &now, &built_in, problem);
    uint64_t serial = r == 0 && !built_in ? now.serial : 0;

    if (r == 0)
        policy_done(&now);
    /* Something else is in force, so that there is nothing to take back. A damaged policy is. */
    if (r == 0 && serial != pending->serial) {
        pending_clear(ctl, PENDING_CONFIRM);
        return 0;
    }
    r = policy_revert(ctl, pending->previous, problem);
    if (r < 0)
        return r;
    pending_clear(ctl, PENDING_CONFIRM);
    (void)fprintf(stderr,
                  "spythonctl: policy %" PRIu64 " was not confirmed in time: the one before it is "
                  "in force again (change the sources and apply them again)\n",
                  pending->serial);
    return 0;
}

static int end_off(const struct ctl *ctl, const struct pending *pending, const char *how,
                   struct problem *problem)
{
    struct problem unrecorded = {0};
    int r = policy_is_observing(ctl, pending)
                ? policy_exchange(ctl, pending->app[0] != '\0', problem)
                : 0;

    if (r < 0)
        return r;
    pending_clear(ctl, PENDING_OFF);
    policy_drop_app_sibling(ctl);
    (void)fprintf(stderr, "spythonctl: enforcement is on again for new processes%s%s\n",
                  pending->app[0] ? " of app " : "", safe(pending->app));
    if (record_log_off(ctl, "spython.on", pending, how, &unrecorded) < 0)
        (void)problem_report("record of this", &unrecorded);
    return 0;
}

int pending_end(const struct ctl *ctl, const struct pending *pending, const char *how,
                struct problem *problem)
{
    return pending->kind == PENDING_OFF ? end_off(ctl, pending, how, problem)
                                        : end_confirm(ctl, pending, problem);
}

static bool is_due(const struct ctl *ctl, enum pending_kind kind, struct pending *ret)
{
    struct problem ignored = {0};

    return pending_read(ctl, kind, ret, &ignored) == 0 && pending_now() >= ret->deadline;
}

/* 0: it is over, whoever did it. */
static int expire(const struct ctl *ctl, enum pending_kind kind)
{
    struct problem problem = {0};
    struct pending pending;
    CLEANUP_FD int lock = policy_lock(ctl, &problem);
    int r = lock;

    if (lock >= 0)
        r = is_due(ctl, kind, &pending) ? pending_end(ctl, &pending, "expired", &problem) : 0;
    if (r < 0)
        (void)problem_report(kind == PENDING_OFF ? "on" : "confirm", &problem);
    return r < 0 ? r : 0;
}

void pending_expire(const struct ctl *ctl)
{
    struct pending pending;

    for (int kind = 0; kind < PENDING_KIND_MAX; kind++)
        if (is_due(ctl, (enum pending_kind)kind, &pending))
            (void)expire(ctl, (enum pending_kind)kind); /* it has said what is wrong */
}

static void sleep_until(int64_t when)
{
    struct timespec ts = {.tv_sec = (time_t)(when / 1000),
                          .tv_nsec = (long)(when % 1000) * 1000000};

    /* Wall-clock: a machine that slept must not be late. Woken early, the caller looks again. */
    (void)clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL);
}

static void __attribute__((noreturn))
wait_for_deadline(const struct ctl *ctl, const struct pending *mine)
{
    struct pending now;
    struct problem ignored = {0};

    for (;;) {
        int64_t time = pending_now();

        if (pending_read(ctl, mine->kind, &now, &ignored) < 0 || now.deadline != mine->deadline ||
            now.serial != mine->serial)
            _exit(CTL_OK); /* confirmed, ended, or somebody else's by now */
        if (time < mine->deadline) {
            sleep_until(mine->deadline < time + STEP_MS ? mine->deadline : time + STEP_MS);
        } else {
            if (expire(ctl, mine->kind) == 0)
                _exit(CTL_OK);
            sleep_until(time + RETRY_MS);
        }
    }
}

/* In the child: nothing of the shell's is kept, above all not the lock. */
static void detach(int tell)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)setsid();
    if (chdir("/") < 0)
        _exit(CTL_UNUSABLE); /* it would keep a file system busy */
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        (void)dup2(null, fd);
    for (int fd = 3; fd < 1024; fd++)
        if (fd != tell)
            (void)close(fd);
}

int pending_watch(const struct ctl *ctl, struct pending *pending, struct problem *problem)
{
    int pipe_fds[2];
    pid_t child, pid = 0;
    ssize_t n;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return problem_set(problem, -errno, "cannot make a pipe: %s", strerror(errno));
    (void)fflush(NULL); /* what is buffered must not be written twice */
    child = fork();
    if (child == 0) {
        detach(pipe_fds[1]);
        if (fork() != 0)
            _exit(0); /* no parent and no session's leader: no terminal can reach it */
        pid = getpid();
        if (write(pipe_fds[1], &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
            _exit(CTL_UNUSABLE);
        (void)close(pipe_fds[1]);
        wait_for_deadline(ctl, pending);
    }
    (void)close(pipe_fds[1]);
    n = child < 0 ? -1 : read(pipe_fds[0], &pid, sizeof(pid));
    (void)close(pipe_fds[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (n != (ssize_t)sizeof(pid)) {
        problem_set(problem, -EAGAIN, "cannot start the process that waits for the deadline");
        return problem_todo(problem, "the next spythonctl after the deadline does it");
    }
    pending->pid = pid;
    return pending_write(ctl, pending, problem);
}
