/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists of certification authorities (CRL) in the trust store. Which certificates one
 * lists is looked at by libcrypto while a chain is checked; here is what has to be known before. */
#ifndef SPYTHON_TRUST_REVOCATION_LIST_H
#define SPYTHON_TRUST_REVOCATION_LIST_H

#include <openssl/x509.h>

#include "trust/trust_store.h"

/* Reads the one list in a PEM text: fingerprint and date of the next update. -EBADMSG: damaged, or
 * of a kind that would not be looked at (a delta, of other authorities' certificates, of some
 * reasons or some kinds of certificates only, without a date). */
int revocation_list_parse(const char *data, size_t len, struct trust_key *ret, struct err *err);

/* The same for all lists that stand behind a certificate in its file. */
int revocation_lists_check(const char *data, size_t len, struct err *err);

/* Whether certificates of the list's issuer in the store have signed it. *ret_known: there are
 * any. -EKEYREJECTED: and none of them has; -EBADMSG, -ENOMEM. */
int revocation_list_check_issuer(const struct trust_store *store, const struct trust_key *list,
                                 bool *ret_known, struct err *err);

/* Whether `next` is a later list of the same issuer. -EEXIST if it is not; -EBADMSG, -ENOMEM. */
int revocation_list_check_next(const struct trust_key *list, const struct trust_key *next,
                               struct err *err);

/* What the lists of its issuer in the store say of a certificate, by name and serial alone. It is
 * for certificates that are in the store themselves: no chain leads to their issuer, so libcrypto
 * finds no list. -EKEYREVOKED; -EKEYEXPIRED: there are lists, and all of them have expired. */
int revocation_lists_look_up(const struct trust_store *store, X509 *certificate);

#endif
