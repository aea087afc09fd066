/* SPDX-License-Identifier: Apache-2.0 */
/* One file per kind of signature. Private to src/trust/ and the fuzz targets. */
#ifndef SPYTHON_TRUST_SIGNATURE_KINDS_H
#define SPYTHON_TRUST_SIGNATURE_KINDS_H

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

/* The parts of an SSHSIG blob (PROTOCOL.sshsig); they point into it. */
struct sshsig {
    const uint8_t *key;
    size_t key_len;
    const uint8_t *purpose;
    size_t purpose_len;
};

/* Finds the parts. -EBADMSG for anything but one whole blob of version 1. */
int sshsig_parse(const uint8_t *blob, size_t len, struct sshsig *ret, struct err *err);

#endif
