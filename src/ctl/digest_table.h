/* SPDX-License-Identifier: Apache-2.0 */
/* The table of digests that the core uses for files that have not changed (trust/digest_cache.h).
 */
#ifndef SPYTHON_CTL_DIGEST_TABLE_H
#define SPYTHON_CTL_DIGEST_TABLE_H

#include "ctl/ctl.h"
#include "ctl/problem.h"
#include "policy/policy.h"
#include "trust/digest_cache.h"

/* Path of the table; to be freed. */
char *digest_table_path(const struct ctl *ctl);

/*
 * Hashes the code below every root of `policy` whose verifiers want digests, and writes the table
 * anew; without such a root, removes it. A root that cannot be walked has no entries. Returns 0 or
 * -errno: nothing is less safe for it, only slower, so callers warn and go on.
 */
int digest_table_write(const struct ctl *ctl, const struct policy *policy, struct problem *problem);

#endif
