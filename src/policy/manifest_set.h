/* SPDX-License-Identifier: Apache-2.0 */
/* The manifests that a policy names, each loaded and indexed once. */
#ifndef SPYTHON_POLICY_MANIFEST_SET_H
#define SPYTHON_POLICY_MANIFEST_SET_H

#include "policy/policy_compile.h"
#include "policy/reader.h"
#include "trust/manifest_index.h"

#define MANIFEST_SET_MAX 256 /* releases of all manifests together */

struct manifest_set {
    const struct policy_manifest_source *source; /* NULL: there are none */
    struct manifest_index items[MANIFEST_SET_MAX];
    uint32_t count;
};

/*
 * Finds releases of the manifest `name`, the newest and up to `older` before it, loading them at
 * the first time. Returns how many; *ret_first is the index in items of the newest, the others
 * follow it. 0: it cannot be had, which was reported at `place`.
 */
uint32_t manifest_set_find(struct manifest_set *set, struct reader *reader, const char *name,
                           uint32_t older, struct place place, uint32_t *ret_first);

/* The same for the files below `root` that have good IMA signatures. Returns 1, or 0 after a
 * report.
 */
uint32_t manifest_set_check_ima(struct manifest_set *set, struct reader *reader, const char *root,
                                struct place place, uint32_t *ret_first);

void manifest_set_done(struct manifest_set *set);

#endif
