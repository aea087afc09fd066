/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/revocation_list.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "trust/trust_key.h"

/* libcrypto passes over lists that are for other certificates than one in question, and then none
 * is there: what it would always pass over is refused when it is added. */
static int check_kind(X509_CRL *list, struct err *err)
{
    int critical;
    ISSUING_DIST_POINT *point;
    bool is_partial;

    if (trust_key_time(X509_CRL_get0_nextUpdate(list)) == 0)
        return err_set(err, -EBADMSG, "does not say when its next update is due");
    if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0)
        return err_set(err, -EBADMSG, "is a delta revocation list; add the whole one");
    point = X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, NULL);
    if (!point && critical != -1)
        return err_set(err, -EBADMSG, "holds a damaged revocation list");
    is_partial = point && (point->onlyuser > 0 || point->onlyCA > 0 || point->onlyattr > 0 ||
                           point->indirectCRL > 0 || point->onlysomereasons);
    ISSUING_DIST_POINT_free(point);
    if (is_partial)
        return err_set(err, -EBADMSG,
                       "is a revocation list for a part of the certificates or reasons only");
    return 0;
}

/* The list in a key's data. */
static X509_CRL *read_list(const struct trust_key *key)
{
    BIO *bio = BIO_new_mem_buf(key->data, (int)key->len); /* at most TRUST_STORE_MAX_KEY_SIZE */
    X509_CRL *list = bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    ERR_clear_error();
    return list;
}

int revocation_list_parse(const char *data, size_t len, struct trust_key *ret, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(data, (int)len); /* at most TRUST_STORE_MAX_KEY_SIZE */
    X509_CRL *list = bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
    X509_CRL *second = list ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    int r;

    if (!list)
        r = err_set(err, -EBADMSG, "holds no revocation list in PEM form");
    else if (second || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        r = err_set(err, -EBADMSG, "holds more than one revocation list, or is damaged");
    else if (!X509_CRL_digest(list, EVP_sha256(), digest, &digest_len))
        r = err_set(err, -EBADMSG, "its fingerprint cannot be computed");
    else
        r = check_kind(list, err);
    if (r == 0) {
        hex_encode(digest, digest_len, ret->fingerprint);
        ret->expires = trust_key_time(X509_CRL_get0_nextUpdate(list));
        r = trust_key_keep_data(ret, data, len, err);
    }
    X509_CRL_free(list);
    X509_CRL_free(second);
    BIO_free(bio);
    ERR_clear_error();
    return r;
}

int revocation_lists_check(const char *data, size_t len, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(data, (int)len);
    int r = bio ? 0 : err_set(err, -ENOMEM, "out of memory");

    ERR_clear_error();
    while (r == 0) {
        X509_CRL *list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);

        if (!list) {
            if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
                r = err_set(err, -EBADMSG, "holds a damaged revocation list");
            break;
        }
        r = check_kind(list, err);
        X509_CRL_free(list);
    }
    BIO_free(bio);
    ERR_clear_error();
    return r;
}

/* Whether one key file's certificate has signed it: 1, 0, or -1 if it is of another name. */
static int is_signed_by(X509_CRL *list, const struct trust_key *key)
{
    BIO *bio = BIO_new_mem_buf(key->data, (int)key->len);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int answer = -1;

    if (certificate &&
        X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(certificate)) == 0)
        answer = X509_CRL_verify(list, X509_get0_pubkey(certificate)) == 1;
    X509_free(certificate);
    BIO_free(bio);
    ERR_clear_error();
    return answer;
}

int revocation_list_check_issuer(const struct trust_store *store, const struct trust_key *list,
                                 bool *ret_known, struct err *err)
{
    X509_CRL *crl = read_list(list);
    bool is_good = false;

    *ret_known = false;
    if (!crl)
        return err_set(err, -EBADMSG, "holds no revocation list in PEM form");
    for (size_t i = 0; i < store->key_count && !is_good; i++) {
        int answer =
            store->keys[i].kind == TRUST_KEY_X509 ? is_signed_by(crl, &store->keys[i]) : -1;

        *ret_known = *ret_known || answer >= 0;
        is_good = answer == 1;
    }
    X509_CRL_free(crl);
    return *ret_known && !is_good
               ? err_set(err, -EKEYREJECTED,
                         "is not signed by the authority whose list it says it is")
               : 0;
}

/* One list: whether it is of the certificate's issuer, whether it is current, what it says. */
static bool look_up(X509_CRL *list, X509 *certificate, bool *ret_seen, bool *ret_current)
{
    X509_REVOKED *entry;

    if (X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_issuer_name(certificate)) != 0)
        return false;
    *ret_seen = true;
    if (X509_cmp_current_time(X509_CRL_get0_nextUpdate(list)) > 0)
        *ret_current = true;
    /* 2: the entry takes an earlier one back. */
    return X509_CRL_get0_by_serial(list, &entry, X509_get_serialNumber(certificate)) == 1;
}

int revocation_lists_look_up(const struct trust_store *store, X509 *certificate)
{
    bool seen = false, current = false, revoked = false;

    for (size_t i = 0; i < store->key_count && !revoked; i++) {
        const struct trust_key *key = &store->keys[i];
        BIO *bio;
        X509_CRL *list;

        if (key->kind != TRUST_KEY_X509 && key->kind != TRUST_KEY_CRL)
            continue;
        bio = BIO_new_mem_buf(key->data, (int)key->len);
        if (!bio)
            return -ENOMEM;
        while (!revoked && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
            revoked = look_up(list, certificate, &seen, &current);
            X509_CRL_free(list);
        }
        BIO_free(bio);
    }
    ERR_clear_error();
    return revoked ? -EKEYREVOKED : seen && !current ? -EKEYEXPIRED : 0;
}

int revocation_list_check_next(const struct trust_key *list, const struct trust_key *next,
                               struct err *err)
{
    X509_CRL *old = read_list(list), *new = read_list(next);
    int r = 0;

    if (!old || !new)
        r = err_set(err, -EBADMSG, "holds no revocation list in PEM form");
    else if (X509_NAME_cmp(X509_CRL_get_issuer(old), X509_CRL_get_issuer(new)) != 0)
        r = err_set(err, -EEXIST, "the list '%s' is another authority's", list->name);
    else if (trust_key_time(X509_CRL_get0_lastUpdate(new)) <=
             trust_key_time(X509_CRL_get0_lastUpdate(old)))
        r = err_set(err, -EEXIST, "the list '%s' is not older", list->name);
    X509_CRL_free(old);
    X509_CRL_free(new);
    return r;
}
