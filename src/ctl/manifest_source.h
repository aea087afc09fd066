/* SPDX-License-Identifier: Apache-2.0 */
/* The manifests of trust.d for the compiler of policies: signatures checked, newest first. */
#ifndef SPYTHON_CTL_MANIFEST_SOURCE_H
#define SPYTHON_CTL_MANIFEST_SOURCE_H

#include "ctl/ctl.h"
#include "policy/policy_compile.h"

/* Gives releases out of `ctl`'s trust.d, which must outlive the source. */
struct policy_manifest_source manifest_source_of(const struct ctl *ctl);

#endif
