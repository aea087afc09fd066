/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IMA's signature of one file, as `evmctl ima_sign` writes it into security.ima and distributions
 * ship it: version 2 of the kernel's format (security/integrity/integrity.h, struct
 * signature_v2_hdr). Only for spythonctl: apply checks these once.
 */
#ifndef SPYTHON_TRUST_IMA_SIGNATURE_H
#define SPYTHON_TRUST_IMA_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "trust/trust_store.h"

#define IMA_ATTRIBUTE "security.ima"
#define IMA_ATTRIBUTE_MAX 2048

struct ima_signature {
    const char *hash; /* OpenSSL's name of the algorithm: "SHA256" */
    uint32_t key_id;  /* last four bytes of the SHA-1 of the public key */
    const uint8_t *signature;
    size_t len;
};

/* Takes an attribute apart. -EBADMSG: it is no signature (a bare digest, say), damaged, or of a
 * version or algorithm that is not known. `ret` points into `data`. */
int ima_signature_parse(const uint8_t *data, size_t len, struct ima_signature *ret);

/*
 * Whether a certificate of the store made this signature of the file `fd`, which is read once from
 * its start. Returns 0 and the SHA-256 of what was read; -ENOKEY: no certificate has this key id;
 * -EKEYREVOKED, -EKEYEXPIRED; -EKEYREJECTED: the signature is not of these bytes; or another
 * -errno.
 */
int ima_signature_check(const struct trust_store *store, const struct ima_signature *signature,
                        int fd, uint8_t ret_sha256[DIGEST_SIZE]);

#endif
