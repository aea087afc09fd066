/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl apply` verb: the sources become the policy in force. */
#include "base/cleanup.h"
#include "ctl/policy_apply.h"

int cmd_apply(struct ctl *ctl, int argc, char **argv)
{
    bool dry_run = ctl->flags & CTL_DRY_RUN;
    CLEANUP_FD int lock = -1;
    struct problem problem = {0};

    (void)argc;
    (void)argv;
    if (!dry_run) { /* a dry run is for those, too, who may only read */
        lock = policy_lock(ctl, &problem);
        if (lock < 0)
            return problem_report(ctl->etc, &problem);
    }
    if (policy_apply_sources(ctl, dry_run, &problem) < 0)
        return problem_report("policy", &problem);
    return CTL_OK;
}
