/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl off` and `on` verbs: enforcement becomes observation for a while. Recorded before
 * it happens, so that nobody can do it unseen, and over by itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/pending.h"
#include "ctl/policy_apply.h"
#include "ctl/policy_back.h"
#include "ctl/record_log.h"

static int check_caller(const struct ctl *ctl, struct problem *problem)
{
    if (geteuid() == 0 || geteuid() == ctl->owner)
        return 0;
    return problem_set(problem, -EACCES, "only root and the owner of spython may do this");
}

/* One line of the state file, and not empty: whoever reads the record wants to know. */
static bool is_reason(const char *text)
{
    size_t len = text ? strlen(text) : 0;

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return len > 0 && len <= PENDING_MAX_TEXT;
}

/* Fills deadline and reason. 0, or CTL_USAGE after a message. */
static int read_options(const struct ctl *ctl, const char *app, struct pending *ret)
{
    const char *duration = ctl_value(ctl, CTL_FOR), *reason = ctl_value(ctl, CTL_REASON);
    struct problem problem = {0};
    int64_t length;

    if (!duration || pending_parse_duration(duration, &length) < 0) {
        problem_set(&problem, -EINVAL, "--for needs a duration");
        problem_todo(&problem, "give a number with s, m or h behind it, as 2h, up to 168h");
    } else if (!is_reason(reason)) {
        problem_set(&problem, -EINVAL, "--reason needs a text");
        problem_todo(&problem, "give one line of at most %d bytes", PENDING_MAX_TEXT);
    } else if (app && strlen(app) >= sizeof(ret->app)) {
        problem_set(&problem, -EINVAL, "no app has a name this long");
    } else {
        ret->deadline = pending_now() + length;
        (void)snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
        (void)snprintf(ret->app, sizeof(ret->app), "%s", app ? app : "");
        return 0;
    }
    (void)problem_report("off", &problem);
    return CTL_USAGE;
}

/* The state goes to disk before the policy changes: what was interrupted between the two names a
 * policy that is not in force, and means nothing. */
static int switch_off(const struct ctl *ctl, struct pending *pending, struct problem *problem)
{
    struct problem unrecorded = {0};
    int r = record_log_off(ctl, "spython.off", pending, NULL, problem);

    if (r < 0)
        return problem_todo(problem, "enforcement stays on: this must be recorded first");
    r = pending_write(ctl, pending, problem);
    if (r == 0)
        r = policy_exchange(ctl, pending->app[0] != '\0', problem);
    if (r < 0) {
        pending_clear(ctl, PENDING_OFF);
        if (record_log_off(ctl, "spython.on", pending, "failed", &unrecorded) < 0)
            (void)problem_report("record of this", &unrecorded);
    }
    return r;
}

int cmd_off(struct ctl *ctl, int argc, char **argv)
{
    const char *app = argc > 0 ? argv[0] : NULL;
    struct pending pending = {.kind = PENDING_OFF};
    struct problem problem = {0};
    CLEANUP_FD int lock = -1;
    char until[32];
    int status = read_options(ctl, app, &pending), r;

    if (status)
        return status;
    r = check_caller(ctl, &problem);
    if (r == 0) {
        lock = policy_lock(ctl, &problem);
        r = lock < 0 ? lock : 0;
    }
    if (r == 0)
        r = policy_refuse_while_off(ctl, &problem);
    if (r == 0)
        r = policy_sibling(ctl, app, &pending, &problem);
    if (r == 0)
        r = switch_off(ctl, &pending, &problem);
    if (r < 0)
        return problem_report(app ? app : "off", &problem);
    pending_format_time(pending.deadline, until);
    printf("off: new processes%s%s are observed only, until %s or spythonctl on\n",
           app ? " of app " : "", app ? safe(app) : "", until);
    if (pending_watch(ctl, &pending, &problem) < 0)
        (void)problem_report("off", &problem);
    return CTL_OK;
}

int cmd_on(struct ctl *ctl, int argc, char **argv)
{
    struct problem problem = {0};
    CLEANUP_FD int lock = -1;
    struct pending pending;
    int r = check_caller(ctl, &problem);

    (void)argc;
    (void)argv;
    if (r == 0) {
        lock = policy_lock(ctl, &problem);
        r = lock < 0 ? lock : 0;
    }
    if (r == 0) {
        r = pending_read(ctl, PENDING_OFF, &pending, &problem);
        if (r == -ENOENT) {
            problem_set(&problem, r, "enforcement is not off");
            problem_todo(&problem, "spythonctl show prints what the policy in force says");
        }
    }
    if (r == 0)
        r = pending_end(ctl, &pending, "on", &problem);
    return r < 0 ? problem_report("on", &problem) : CTL_OK;
}
