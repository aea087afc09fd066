/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl rollback` verb: the policy before this one is in force again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/policy_apply.h"
#include "ctl/policy_view.h"

/* The rename that counts comes first; the older ones follow into the gap. */
static int swap_in(const struct ctl *ctl, struct problem *problem)
{
    CLEANUP_FREE char *path = policy_path(ctl, 0);
    CLEANUP_FREE char *first = policy_path(ctl, 1);
    CLEANUP_FREE char *undone = policy_undone_path(ctl);

    (void)unlink(undone); /* link() does not replace */
    if (link(path, undone) < 0 && errno != ENOENT)
        return problem_set(problem, -errno, "cannot keep the policy in force as '%s': %s", undone,
                           strerror(errno));
    if (rename(first, path) < 0)
        return problem_set(problem, -errno, "cannot put '%s' in force: %s", first, strerror(errno));
    for (unsigned i = 2; i <= POLICY_HISTORY; i++) {
        CLEANUP_FREE char *from = policy_path(ctl, i);
        CLEANUP_FREE char *to = policy_path(ctl, i - 1);

        (void)rename(from, to); /* a gap in the history is no reason to fail now */
    }
    return file_sync_directory(path, problem);
}

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

int cmd_rollback(struct ctl *ctl, int argc, char **argv)
{
    struct policy before = {0}, previous = {0};
    struct problem problem = {0}, unusable = {0};
    CLEANUP_FD int lock = policy_lock(ctl, &problem);
    bool built_in;

    (void)argc;
    (void)argv;
    if (lock < 0 || load_previous(ctl, &previous, &problem) < 0)
        return problem_report("rollback", &problem);
    if (policy_in_force(ctl, &before, &built_in, &unusable) == 0) {
        if (view_print_changes(&before, &previous) == 0)
            printf("no setting changes\n");
        policy_done(&before);
    }
    if (swap_in(ctl, &problem) == 0)
        printf("policy %" PRIu64 " is in force again for new processes; the sources are as they "
               "were\n",
               previous.serial);
    policy_done(&previous);
    return problem.err.code < 0 ? problem_report("rollback", &problem) : CTL_OK;
}
