/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates and revocation lists of the trust store, and whether a signer's certificate
 * leads to one of them. A chain counts only if all of it is valid now, strong enough, allowed to
 * sign code, and not revoked: neither by the list `revoked` nor by its issuer's list. Private to
 * src/trust/.
 */
#ifndef SPYTHON_TRUST_CERTIFICATES_H
#define SPYTHON_TRUST_CERTIFICATES_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "trust/signature.h"

struct certificates {
    const struct trust_store *store; /* borrowed; must outlive this */
    X509_STORE *roots;
    STACK_OF(X509) * own; /* those in `roots` */
};

/* -EBADMSG: a file cannot be understood; -ENOMEM. certificates_done() frees, also after an error.
 */
int certificates_load(const struct trust_store *store, struct certificates *ret, struct err *err);
void certificates_done(struct certificates *certificates);

/* Checks `signer` with the certificates that came with the signature, which prove nothing by
 * themselves. Fills signer and fingerprint. -ENOKEY, -EKEYREJECTED, -EKEYREVOKED, -EKEYEXPIRED as
 * signature_check(). */
int certificates_check(const struct certificates *certificates, X509 *signer,
                       STACK_OF(X509) * embedded, struct signature_result *ret, struct err *err);

/* What the list `revoked` says of a certificate, by SHA-256 or SHA-1; NULL: nothing. `any_form`:
 * also by the digest that it has with another signature of its issuer's, which costs a millisecond
 * and is for certificates that come from outside. -ENOMEM. */
int certificates_find_revoked(const struct trust_store *store, X509 *certificate, bool any_form,
                              const struct trust_revocation **ret);

#endif
