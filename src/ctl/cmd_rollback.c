/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl rollback` verb: the policy before this one is in force again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "ctl/manifest_source.h"
#include "ctl/pending.h"
#include "ctl/policy_apply.h"
#include "ctl/policy_back.h"
#include "ctl/policy_trial.h"
#include "ctl/policy_view.h"

static int load_previous(const struct ctl *ctl, struct policy *ret, struct problem *problem)
{
    CLEANUP_FREE char *first = policy_path(ctl, 1);
    struct err err = ERR_INIT;
    int r = policy_load(first, ctl->owner, ret, &err);

    if (r == -ENOENT) {
        problem_set(problem, -ENOENT, "there is no earlier policy");
        return problem_todo(problem, "change the sources and run spythonctl apply");
    }
    return r < 0 ? problem_from_err(problem, &err) : 0;
}

/* Files may have changed since it was in force. */
static int try_previous(const struct ctl *ctl, const struct policy *previous,
                        struct problem *problem)
{
    struct trial trial;
    int r = manifest_check_policy(ctl, previous, problem);

    if (r < 0) {
        (void)problem_todo(problem,
                           "change the sources and run spythonctl apply, or stop enforcing "
                           "for a while: spythonctl off --for 2h --reason TEXT");
        return r;
    }
    trial_run(ctl, previous, &trial);
    r = trial_problem(&trial, problem);
    trial_done(&trial);
    if (r < 0)
        (void)problem_todo(problem, "get these files approved, or stop enforcing for a while: "
                                    "spythonctl off --for 2h --reason TEXT");
    return r;
}

int cmd_rollback(struct ctl *ctl, int argc, char **argv)
{
    struct policy before = {0}, previous = {0};
    struct problem problem = {0}, unusable = {0};
    CLEANUP_FD int lock = policy_lock(ctl, &problem);
    bool built_in;

    (void)argc;
    (void)argv;
    if (lock < 0 || policy_refuse_while_off(ctl, &problem) < 0 ||
        load_previous(ctl, &previous, &problem) < 0)
        return problem_report("rollback", &problem);
    if (policy_in_force(ctl, &before, &built_in, &unusable) == 0) {
        if (view_print_changes(&before, &previous) == 0)
            printf("no setting changes\n");
        policy_done(&before);
    }
    if (try_previous(ctl, &previous, &problem) == 0 && policy_swap_back(ctl, &problem) == 0) {
        pending_clear(ctl, PENDING_CONFIRM); /* of the policy that is in force no more */
        printf("policy %" PRIu64 " is in force again for new processes; the sources are as they "
               "were\n",
               previous.serial);
    }
    policy_done(&previous);
    return problem.err.code < 0 ? problem_report("rollback", &problem) : CTL_OK;
}
