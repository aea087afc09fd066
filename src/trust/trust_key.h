/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of keys, certificates and revocation lists share. Private to src/trust/. */
#ifndef SPYTHON_TRUST_TRUST_KEY_H
#define SPYTHON_TRUST_TRUST_KEY_H

#include <openssl/asn1.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trust/trust_store.h"

/* Keeps a copy of what was read as the key's data. -ENOMEM. */
int trust_key_keep_data(struct trust_key *key, const char *data, size_t len, struct err *err);

/* Seconds since 1970; 0: it is missing, or no time. */
int64_t trust_key_time(const ASN1_TIME *when);

#endif
