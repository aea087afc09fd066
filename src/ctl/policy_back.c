/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/policy_back.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/record_log.h"
#include "policy/policy_observe.h"

static char *sibling_path(const struct ctl *ctl, bool for_app)
{
    return must_format("%s/policy.bin.off%s", ctl->etc, for_app ? ".app" : "");
}

/* A second name for policy.bin as `kept`; none is fine. */
static int keep(const char *path, const char *kept, struct problem *problem)
{
    (void)unlink(kept); /* link() does not replace */
    if (link(path, kept) < 0 && errno != ENOENT)
        return problem_set(problem, -errno, "cannot keep the policy in force as '%s': %s", kept,
                           strerror(errno));
    return 0;
}

/* The rename that counts comes first; the older ones follow into the gap. */
int policy_swap_back(const struct ctl *ctl, struct problem *problem)
{
    CLEANUP_FREE char *path = policy_path(ctl, 0);
    CLEANUP_FREE char *first = policy_path(ctl, 1);
    CLEANUP_FREE char *undone = policy_undone_path(ctl);
    int r = keep(path, undone, problem);

    if (r < 0)
        return r;
    if (rename(first, path) < 0)
        return problem_set(problem, -errno, "cannot put '%s' in force: %s", first, strerror(errno));
    for (unsigned i = 2; i <= POLICY_HISTORY; i++) {
        CLEANUP_FREE char *from = policy_path(ctl, i);
        CLEANUP_FREE char *to = policy_path(ctl, i - 1);

        (void)rename(from, to); /* a gap in the history is no reason to fail now */
    }
    r = file_sync_directory(path, problem);
    policy_prepare_off(ctl);
    return r;
}

static int back_to_built_in(const struct ctl *ctl, struct problem *problem)
{
    CLEANUP_FREE char *path = policy_path(ctl, 0);
    CLEANUP_FREE char *undone = policy_undone_path(ctl);
    CLEANUP_FREE char *sibling = sibling_path(ctl, false);

    if (rename(path, undone) < 0 && errno != ENOENT)
        return problem_set(problem, -errno, "cannot move '%s' away: %s", path, strerror(errno));
    (void)unlink(sibling); /* of a policy that is in force no more, and never used for another */
    return file_sync_directory(path, problem);
}

int policy_revert(const struct ctl *ctl, uint64_t previous, struct problem *problem)
{
    CLEANUP_FREE char *first = policy_path(ctl, 1);
    struct err err = ERR_INIT;
    struct policy policy;
    uint64_t serial;
    int r;

    if (previous == 0)
        return back_to_built_in(ctl, problem);
    r = policy_load(first, ctl->owner, &policy, &err);
    if (r < 0)
        return problem_from_err(problem, &err);
    serial = policy.serial;
    policy_done(&policy);
    if (serial != previous)
        return problem_set(problem, -EBADMSG, "'%s' is not the policy that was in force before",
                           first);
    return policy_swap_back(ctl, problem);
}

static int write_sibling(const struct ctl *ctl, const struct policy *policy, const char *app,
                         struct problem *problem)
{
    CLEANUP_FREE char *path = sibling_path(ctl, app != NULL);
    CLEANUP_FREE void *data = NULL;
    struct err err = ERR_INIT;
    unsigned changed = 0;
    size_t len = 0;
    int r = policy_observe(policy, app, &data, &len, &changed, &err);

    if (r < 0)
        return problem_from_err(problem, &err);
    if (changed == 0 && app) {
        problem_set(problem, UNFIT, "nothing is enforced for it");
        return problem_todo(problem, "spythonctl show %s prints its settings", app);
    }
    return file_replace(path, data, len, problem);
}

void policy_prepare_off(const struct ctl *ctl)
{
    struct problem problem = {0};
    struct policy policy;
    bool built_in;
    int r = policy_in_force(ctl, &policy, &built_in, &problem);

    if (r == 0) {
        r = built_in ? 0 : write_sibling(ctl, &policy, NULL, &problem);
        policy_done(&policy);
    }
    pending_reserve_off(ctl);
    record_log_reserve(ctl);
    if (r < 0)
        (void)problem_report("policy.bin.off", &problem);
}

static int load_sibling(const struct ctl *ctl, bool for_app, uint64_t serial, struct pending *ret,
                        struct problem *problem)
{
    CLEANUP_FREE char *path = sibling_path(ctl, for_app);
    struct err err = ERR_INIT;
    struct policy sibling;
    int r = policy_load(path, ctl->owner, &sibling, &err);

    if (r < 0)
        return problem_from_err(problem, &err);
    ret->serial = sibling.serial;
    hex_encode(sibling.digest, DIGEST_SIZE, ret->digest);
    policy_done(&sibling);
    return ret->serial == serial ? 0 : problem_set(problem, -ESTALE, "is of another policy");
}

int policy_sibling(const struct ctl *ctl, const char *app, struct pending *ret,
                   struct problem *problem)
{
    struct policy policy;
    char digest[DIGEST_HEX_SIZE];
    bool built_in;
    int r = policy_in_force(ctl, &policy, &built_in, problem);

    if (r < 0)
        return r;
    if (built_in) {
        problem_set(problem, -ENOENT, "no policy was applied, so that none can be off");
        r = problem_todo(problem, "spythonctl show prints the built-in settings");
        goto out;
    }
    if (app || load_sibling(ctl, false, policy.serial, ret, problem) < 0) {
        r = write_sibling(ctl, &policy, app, problem);
        if (r == 0)
            r = load_sibling(ctl, app != NULL, policy.serial, ret, problem);
    }
    hex_encode(policy.digest, DIGEST_SIZE, digest);
    if (r == 0 && strcmp(digest, ret->digest) == 0) {
        problem_set(problem, UNFIT, "the policy in force enforces nothing");
        r = problem_todo(problem, "spythonctl show prints its settings");
    }
out:
    policy_done(&policy);
    return r;
}

int policy_exchange(const struct ctl *ctl, bool for_app, struct problem *problem)
{
    CLEANUP_FREE char *path = policy_path(ctl, 0);
    CLEANUP_FREE char *sibling = sibling_path(ctl, for_app);
    CLEANUP_FREE char *kept = must_format("%s/.policy.bin.kept", ctl->etc);

    if (renameat2(AT_FDCWD, path, AT_FDCWD, sibling, RENAME_EXCHANGE) < 0) {
        int r = errno == EINVAL || errno == ENOSYS
                    ? keep(path, kept, problem)
                    : problem_set(problem, -errno, "cannot exchange '%s' and '%s': %s", path,
                                  sibling, strerror(errno));

        /* A file system that cannot exchange: at each moment there is a whole policy all the same.
         */
        if (r == 0 && (rename(sibling, path) < 0 || rename(kept, sibling) < 0))
            r = problem_set(problem, -errno, "cannot rename to '%s': %s", path, strerror(errno));
        if (r < 0)
            return r;
    }
    return file_sync_directory(path, problem);
}

void policy_drop_app_sibling(const struct ctl *ctl)
{
    CLEANUP_FREE char *sibling = sibling_path(ctl, true);

    (void)unlink(sibling); /* if it stays, nobody uses it */
}

bool policy_is_observing(const struct ctl *ctl, const struct pending *pending)
{
    struct problem ignored = {0};
    char digest[DIGEST_HEX_SIZE];
    struct policy policy;
    bool built_in;

    if (policy_in_force(ctl, &policy, &built_in, &ignored) < 0)
        return false;
    hex_encode(policy.digest, DIGEST_SIZE, digest);
    policy_done(&policy);
    return strcmp(digest, pending->digest) == 0;
}

int policy_refuse_while_off(const struct ctl *ctl, struct problem *problem)
{
    struct problem ignored = {0};
    struct pending pending;
    char until[32];

    if (pending_read(ctl, PENDING_OFF, &pending, &ignored) < 0 ||
        !policy_is_observing(ctl, &pending))
        return 0;
    pending_format_time(pending.deadline, until);
    problem_set(problem, -EBUSY, "enforcement is off until %s", until);
    return problem_todo(problem, "spythonctl on ends that; then try again");
}
