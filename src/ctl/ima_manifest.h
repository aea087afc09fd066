/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a tree whose IMA signatures hold, as a manifest for the compiler of policies. */
#ifndef SPYTHON_CTL_IMA_MANIFEST_H
#define SPYTHON_CTL_IMA_MANIFEST_H

#include "ctl/ctl.h"
#include "trust/manifest.h"
#include "trust/trust_store.h"

/* Its name in records; no signed manifest can have it. */
#define IMA_MANIFEST_NAME "ima:checked-at-apply"

/* Looks at every file below `root`. Those without a good signature by a certificate of trust.d are
 * left out: the verifier rejects them. manifest_done() frees. 0 or -errno with a message. */
int ima_manifest_make(const struct trust_store *store, const char *root, struct manifest *ret,
                      struct err *err);

#endif
