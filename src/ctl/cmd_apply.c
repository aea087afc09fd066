/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl apply` and `confirm` verbs: the sources become the policy in force, for good or
 * until they are not confirmed in time. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/pending.h"
#include "ctl/policy_apply.h"

static int read_options(const struct ctl *ctl, struct policy_apply_options *ret,
                        struct problem *problem)
{
    const char *within = ctl_value(ctl, CTL_CONFIRM_WITHIN);

    ret->dry_run = ctl->flags & CTL_DRY_RUN;
    if (within && pending_parse_duration(within, &ret->confirm_within) < 0) {
        problem_set(problem, -EINVAL, "'%s' is no duration", within);
        return problem_todo(problem, "give a number with s, m or h behind it, as 10m, up to 168h");
    }
    return 0;
}

/* The policy is in force already, and comes back even without this process: see pending.h. */
static void watch(const struct ctl *ctl)
{
    struct problem problem = {0};
    struct pending pending;
    char until[32];

    if (pending_read(ctl, PENDING_CONFIRM, &pending, &problem) < 0 ||
        pending_watch(ctl, &pending, &problem) < 0)
        (void)problem_report("confirm", &problem);
    pending_format_time(pending.deadline, until);
    printf("the policy before it comes back at %s unless you run spythonctl confirm\n", until);
}

int cmd_apply(struct ctl *ctl, int argc, char **argv)
{
    struct policy_apply_options options = {0};
    CLEANUP_FD int lock = -1;
    struct problem problem = {0};
    uint64_t serial;

    (void)argc;
    (void)argv;
    if (read_options(ctl, &options, &problem) < 0) {
        (void)problem_report("--confirm-within", &problem);
        return CTL_USAGE;
    }
    if (!options.dry_run) { /* a dry run is for those, too, who may only read */
        lock = policy_lock(ctl, &problem);
        if (lock < 0)
            return problem_report(ctl->etc, &problem);
    }
    if (policy_apply_sources(ctl, &options, &serial, &problem) < 0)
        return problem_report("policy", &problem);
    if (serial && options.confirm_within)
        watch(ctl);
    return CTL_OK;
}

int cmd_confirm(struct ctl *ctl, int argc, char **argv)
{
    struct problem problem = {0}, unusable = {0};
    CLEANUP_FD int lock = policy_lock(ctl, &problem);
    struct pending pending;
    struct policy policy;
    bool built_in, is_it = false;
    int r;

    (void)argc;
    (void)argv;
    if (lock < 0)
        return problem_report(ctl->etc, &problem);
    r = pending_read(ctl, PENDING_CONFIRM, &pending, &problem);
    if (r == -ENOENT) {
        problem_set(&problem, r, "nothing waits to be confirmed");
        problem_todo(&problem, "spythonctl status prints which policy is in force");
    }
    if (r < 0)
        return problem_report("confirm", &problem);
    if (policy_in_force(ctl, &policy, &built_in, &unusable) == 0) {
        is_it = !built_in && policy.serial == pending.serial;
        policy_done(&policy);
    }
    pending_clear(ctl, PENDING_CONFIRM);
    if (is_it)
        printf("confirmed: policy %" PRIu64 " stays in force\n", pending.serial);
    else
        printf("policy %" PRIu64 " is not in force any more; nothing waits now\n", pending.serial);
    return is_it ? CTL_OK : CTL_NEGATIVE;
}
