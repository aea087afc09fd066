/* SPDX-License-Identifier: Apache-2.0 */
/* The observing sibling of a policy: the same settings, but what was enforced is in audit. */
#ifndef SPYTHON_POLICY_POLICY_OBSERVE_H
#define SPYTHON_POLICY_POLICY_OBSERVE_H

#include "policy/policy.h"

/*
 * Writes the sibling of `policy`, which was loaded from the file or the bytes of an artefact. For
 * `app` only its settings observe; NULL: those of the host and of all apps. Profile, serial and
 * time of the apply stay. *ret_changed says how many settings, verifiers and denials were enforced.
 * Returns 0 and a malloc'ed artefact; -ENOENT: there is no such app; -ENOMEM, -EFBIG.
 */
int policy_observe(const struct policy *policy, const char *app, void **ret_data, size_t *ret_len,
                   unsigned *ret_changed, struct err *err);

#endif
