/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier `ima`: when policy was applied, the file carried a good security.ima signature of
 * somebody whom policy trusts, and its bytes are still those. `spythonctl apply` checks the
 * signatures (the core links no public-key cryptography) and puts the digests that held into a
 * manifest of its own, which is looked into here. The attribute itself is not read again: whoever
 * could change it could not make a better signature, only remove it.
 */
#include "trust/trust_listing.h"
#include "trust/trust_verifiers.h"

static void check(const struct trust_policy *policy, const struct trust_root *root,
                  struct trust_file *file, struct trust_evidence *ret)
{
    (void)policy;
    if (!trust_listing_has_any(root, TRUST_LISTING_IMA)) {
        ret->answer = TRUST_UNAVAILABLE;
        TRUST_TEXT(ret->reason, "no IMA signatures were checked for this place");
        return;
    }
    trust_listing_check(root, TRUST_LISTING_IMA, file, ret);
}

const struct trust_verifier trust_ima = {.name = "ima", .check = check};
