/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a file approved: by the policy that the process started with, or else by manifests that came
 * into force since (policy_follow.h)? One way for code that is read and for what the dynamic linker
 * maps. No Python object comes in here.
 */
#ifndef SPYTHON_CPYTHON_APPROVAL_H
#define SPYTHON_CPYTHON_APPROVAL_H

#include "policy/policy.h"

/* Before there are other threads. `path` is where `policy` was loaded from, and outlives the
 * process's use of it, as the others do. */
void approval_start(const char *path, uid_t owner, const struct policy *policy,
                    const struct policy_settings *settings);

/* trust_judge(), and what has come into force since. Writes spython.newer_policy when a policy was
 * looked into. Any thread, with or without the GIL. */
void approval_judge(const struct trust_policy *policy, struct trust_file *file,
                    struct trust_result *ret);

/* fork(2): nobody is looking meanwhile. */
void approval_before_fork(void);
void approval_after_fork_parent(void);
void approval_after_fork_child(void);

#endif
