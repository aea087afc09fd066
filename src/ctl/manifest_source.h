/* SPDX-License-Identifier: Apache-2.0 */
/* The manifests of trust.d for the compiler of policies: signatures checked, newest first. */
#ifndef SPYTHON_CTL_MANIFEST_SOURCE_H
#define SPYTHON_CTL_MANIFEST_SOURCE_H

#include "ctl/ctl.h"
#include "ctl/problem.h"
#include "policy/policy.h"
#include "policy/policy_compile.h"

/* Gives releases out of `ctl`'s trust.d, which must outlive the source. */
struct policy_manifest_source manifest_source_of(const struct ctl *ctl);

/* Whether every manifest that a compiled policy holds is still installed, with a signature that
 * counts now: a key may have been revoked since. 0, or UNFIT with the first that does not. */
int manifest_check_policy(const struct ctl *ctl, const struct policy *policy,
                          struct problem *problem);

#endif
