/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests that came into force after this process had started. A process judges by the policy
 * that it started with; but where files are upgraded in place, what it imports later has been
 * replaced by files that only a newer manifest lists. So a file that the manifests of the start do
 * not vouch for is judged once more, by these and by those that are in force now.
 *
 * Nothing else of a newer policy is taken over: roots, verifiers, modes and owner stay those of the
 * start, and a manifest counts only if it has a name that the same root of the same app had then,
 * and is still in force. The newer policy passes every check that the first one did, and has to lie
 * in the very directory that the first one lay in, whatever mounts the process has come to see.
 */
#ifndef SPYTHON_POLICY_POLICY_FOLLOW_H
#define SPYTHON_POLICY_POLICY_FOLLOW_H

#include <limits.h>

#include "policy/policy.h"

#define POLICY_FOLLOW_MAX 512u /* manifests that one file is looked for in */

/* Not for two threads at a time. */
struct policy_follower {
    const char *path; /* of policy.bin, absolute */
    char directory[PATH_MAX];
    uid_t owner;
    const struct policy_settings *settings; /* of the start */
    dev_t directory_device;
    ino_t directory_inode;
    struct policy_identity seen; /* what was looked at last; zeroed: there was none */
    struct policy newer;
    const struct policy_settings *newer_settings; /* NULL: nothing came into force */
    /* Of the file at hand. Not on the stack: threads with small ones load libraries too. */
    const struct manifest_index *manifests[POLICY_FOLLOW_MAX];
    struct trust_result again;
};

/* What is to be recorded. */
struct policy_follow_news {
    bool looked;    /* policy.bin is another one than before, and was looked into */
    struct err err; /* code 0: it is sound, and the manifests that it has in force count */
};

/*
 * Begins. `path` (absolute), `started`, which was loaded from there, and `settings`, which are of
 * it, have to outlive the follower. Returns 0; -ENOENT: the policy is not from a file, and there
 * will be nothing to follow; another -errno: its directory cannot be used. Both leave the follower
 * such that policy_follow_judge() does nothing.
 */
int policy_follow_start(struct policy_follower *follower, const char *path, uid_t owner,
                        const struct policy *started, const struct policy_settings *settings);

/* Did manifests decide against the file, so that newer ones might decide otherwise? */
bool policy_follow_can_matter(const struct trust_result *result);

/*
 * After trust_judge() has not trusted `file`: looks whether policy.bin was replaced, if so into it,
 * and judges again. *result is replaced if the file is trusted now, or if a manifest says what was
 * expected instead. Costs one system call while nothing has changed.
 */
void policy_follow_judge(struct policy_follower *follower, struct trust_file *file,
                         struct trust_result *result, struct policy_follow_news *ret);

/*
 * Steps through the manifests that are in force now and count: each root's that has another one
 * than at the start. *at is 0 before the first step. NULL: there is no other.
 */
const struct manifest_index *policy_follow_next(const struct policy_follower *follower,
                                                uint32_t *at);

void policy_follow_done(struct policy_follower *follower);

#endif
