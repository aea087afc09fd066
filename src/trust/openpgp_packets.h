/* SPDX-License-Identifier: Apache-2.0 */
/* The little of OpenPGP's packets that listing a key needs: fingerprint and expiry of its primary
 * key. Nothing is verified here: that is gpgv's part. */
#ifndef SPYTHON_TRUST_OPENPGP_PACKETS_H
#define SPYTHON_TRUST_OPENPGP_PACKETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct openpgp_key {
    char fingerprint[65]; /* upper-case hex */
    int64_t expires;      /* by its newest self-signature; 0: never */
};

/* -EBADMSG: not one public key of version 4 or 6 in whole packets. */
int openpgp_key_parse(const uint8_t *data, size_t len, struct openpgp_key *ret, struct err *err);

#endif
