/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the manifests of a root say about a file: the common part of the verifiers manifest,
 * fsverity and ima. Private to src/trust/.
 */
#ifndef SPYTHON_TRUST_TRUST_LISTING_H
#define SPYTHON_TRUST_TRUST_LISTING_H

#include "trust/manifest_index.h"
#include "trust/trust.h"

/* Manifests that `spythonctl apply` makes of the files whose IMA signature it has verified are
 * named so. The name of a signed manifest has no colon, so that none can pass for one. */
#define TRUST_IMA_PREFIX "ima:"

enum trust_listing_kind {
    TRUST_LISTING_SIGNED = 0, /* what `spythonctl sign` made */
    TRUST_LISTING_IMA,
};

/* One manifest's entry of a file. */
struct trust_listing {
    const struct manifest_index *manifest; /* set where -EBADMSG is returned, too */
    struct manifest_item item;
};

bool trust_listing_has_any(const struct trust_root *root, enum trust_listing_kind kind);

/*
 * Steps through the manifests of one kind that list `path`, newest first; *at is 0 before the first
 * step. Returns 1 and an entry, 0 when there is no other, or -EBADMSG: a manifest is damaged, and
 * then nothing that comes behind it counts.
 */
int trust_listing_next(const struct trust_root *root, enum trust_listing_kind kind,
                       const char *path, uint32_t *at, struct trust_listing *ret);

/* Fills `source` ("NAME serial N") and, if there is an entry, `distribution`. */
void trust_listing_attribute(const struct trust_listing *listing, bool listed,
                             struct trust_evidence *ret);

/* The verdict of manifest and ima: some manifest lists size and SHA-256 of the bytes to execute. */
void trust_listing_check(const struct trust_root *root, enum trust_listing_kind kind,
                         struct trust_file *file, struct trust_evidence *ret);

#endif
