/* SPDX-License-Identifier: Apache-2.0 */
/* One file per kind of signature. Private to src/trust/ and the fuzz targets. */
#ifndef SPYTHON_TRUST_SIGNATURE_KINDS_H
#define SPYTHON_TRUST_SIGNATURE_KINDS_H

#include <stdbool.h>

#include "trust/signature.h"

struct signature_input {
    const struct trust_store *store;
    const void *data;
    size_t len;
    const uint8_t *sig;
    size_t sig_len;
    const char *purpose;
};

/* As signature_check(); *ret comes zeroed but for `kind`. */
int signature_check_ssh(const struct signature_input *in, struct signature_result *ret,
                        struct err *err);
int signature_check_cms(const struct signature_input *in, struct signature_result *ret,
                        struct err *err);
int signature_check_openpgp(const struct signature_input *in, struct signature_result *ret,
                            struct err *err);

/* -EKEYREVOKED if the store's list has the fingerprint. */
int signature_check_revoked(const struct trust_store *store, const char *fingerprint,
                            struct err *err);

/* Certificates between a signer's and the root, and the root. */
#define SIGNATURE_MAX_CHAIN 16

/* Gives the certificates behind the first one in a PEM file, as PEM; *ret is malloc'ed, and NULL if
 * there are none or the file cannot be opened. -EINVAL: damaged, or too many; -ENOMEM, or an errno
 * of reading. */
int signature_chain_read(const char *path, char **ret, size_t *ret_len, struct err *err);

/* The parts of an SSHSIG blob (PROTOCOL.sshsig); they point into it. */
struct sshsig {
    const uint8_t *key;
    size_t key_len;
    const uint8_t *purpose;
    size_t purpose_len;
    const uint8_t *sig;
    size_t sig_len;
};

/* Finds the parts. -EBADMSG for anything but one whole blob of version 1. */
int sshsig_parse(const uint8_t *blob, size_t len, struct sshsig *ret, struct err *err);

/* Whether nobody touched the token: true for a FIDO key whose signature does not say that somebody
 * did. Keys without a token are never touched, and false. */
bool sshsig_lacks_touch(const struct sshsig *sig);

#endif
