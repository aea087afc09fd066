/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier `manifest`: a signed manifest lists the file with the size and the SHA-256 of the
 * bytes that are about to be executed. Signatures were checked by `spythonctl apply`; what is
 * looked into here lies in the compiled policy, whose checksum covers it.
 */
#include "trust/trust_listing.h"
#include "trust/trust_verifiers.h"

static void check(const struct trust_policy *policy, const struct trust_root *root,
                  struct trust_file *file, struct trust_evidence *ret)
{
    (void)policy;
    if (!trust_listing_has_any(root, TRUST_LISTING_SIGNED)) {
        ret->answer = TRUST_UNAVAILABLE;
        TRUST_TEXT(ret->reason, "no manifest covers this place");
        return;
    }
    trust_listing_check(root, TRUST_LISTING_SIGNED, file, ret);
}

const struct trust_verifier trust_manifest = {.name = "manifest", .check = check};
