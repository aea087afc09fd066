/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation lists of authorities made here: cut at every byte, of this and of other issuers, older
 * and newer; and the digests by which a certificate can be revoked. What they do to a signature is
 * shown in tests/e2e/test_signature_keys.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cmocka.h>

#include "base/hex.h"
#include "trust/certificates.h"
#include "trust/revocation_list.h"

#define DAY 86400L

/* An authority with its certificate; freed by authority_done(). */
struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

static EVP_PKEY *make_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    assert_true(EVP_PKEY_keygen_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1) == 1 &&
                EVP_PKEY_keygen(ctx, &key) == 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static X509 *make_certificate(const char *name, long serial, EVP_PKEY *key, const char *issuer,
                              EVP_PKEY *issuer_key)
{
    X509 *made = X509_new();

    assert_non_null(made);
    assert_true(X509_set_version(made, 2) && X509_set_pubkey(made, key) &&
                ASN1_INTEGER_set(X509_get_serialNumber(made), serial) &&
                X509_gmtime_adj(X509_getm_notBefore(made), -DAY) &&
                X509_gmtime_adj(X509_getm_notAfter(made), DAY) &&
                X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                                           (const uint8_t *)name, -1, -1, 0) &&
                X509_NAME_add_entry_by_txt(X509_get_issuer_name(made), "CN", MBSTRING_ASC,
                                           (const uint8_t *)issuer, -1, -1, 0) &&
                X509_sign(made, issuer_key, EVP_sha256()));
    return made;
}

static struct authority make_authority(const char *name)
{
    struct authority made = {.key = make_key()};

    made.certificate = make_certificate(name, 1, made.key, name, made.key);
    return made;
}

static void authority_done(struct authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
}

/* A list with one serial (0: none), from `start` to `end` seconds from now (`end` 0: not said). */
static char *make_list(const struct authority *by, long serial, long start, long end)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *when = ASN1_TIME_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text, *copy;
    long len;

    assert_true(list && when && bio && X509_CRL_set_version(list, 1));
    assert_true(X509_CRL_set_issuer_name(list, X509_get_subject_name(by->certificate)));
    assert_true(X509_gmtime_adj(when, start) && X509_CRL_set1_lastUpdate(list, when));
    if (end)
        assert_true(X509_gmtime_adj(when, end) && X509_CRL_set1_nextUpdate(list, when));
    if (serial) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *number = ASN1_INTEGER_new();

        assert_true(entry && number && ASN1_INTEGER_set(number, serial) &&
                    X509_REVOKED_set_serialNumber(entry, number) &&
                    X509_REVOKED_set_revocationDate(entry, when) &&
                    X509_CRL_add0_revoked(list, entry));
        ASN1_INTEGER_free(number);
    }
    assert_true(X509_CRL_sort(list) && X509_CRL_sign(list, by->key, EVP_sha256()) &&
                PEM_write_bio_X509_CRL(bio, list));
    len = BIO_get_mem_data(bio, &text);
    copy = strndup(text, (size_t)len);
    assert_non_null(copy);
    BIO_free(bio);
    ASN1_TIME_free(when);
    X509_CRL_free(list);
    return copy;
}

static char *certificate_text(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text, *copy;
    long len;

    assert_true(bio && PEM_write_bio_X509(bio, certificate));
    len = BIO_get_mem_data(bio, &text);
    copy = strndup(text, (size_t)len);
    assert_non_null(copy);
    BIO_free(bio);
    return copy;
}

static int parse(enum trust_key_kind kind, const char *text, size_t len, struct trust_key *ret)
{
    struct err err = ERR_INIT;
    int r = trust_key_parse(kind, text, len, "list", ret, &err);

    if (r < 0)
        assert_true(err.msg[0] != '\0');
    return r;
}

static struct trust_key parsed(enum trust_key_kind kind, char *text)
{
    struct trust_key key;

    assert_int_equal(parse(kind, text, strlen(text), &key), 0);
    free(text);
    return key;
}

/* Cut anywhere it is damaged; behind its last line it is whole. */
static void test_cut(void **state)
{
    struct authority us = make_authority("us");
    char *text = make_list(&us, 7, -DAY, DAY), *whole;

    (void)state;
    assert_int_equal(trust_key_sniff(text, strlen(text)), TRUST_KEY_CRL);
    for (size_t len = 0; len < strlen(text); len++) {
        struct trust_key key = {0};
        int r = parse(TRUST_KEY_CRL, text, len, &key);

        assert_int_equal(r,
                         len == strlen(text) - 1 ? 0 : -EBADMSG); /* the last LF may be missing */
        trust_key_done(&key);
    }
    /* Behind a certificate as well, from the first whole line on: what was meant to revoke is never
     * passed over. */
    whole = certificate_text(us.certificate);
    for (size_t len = strlen("-----BEGIN X509 CRL-----\n"); len <= strlen(text); len++) {
        struct trust_key key = {0};
        char *both;

        assert_true(asprintf(&both, "%s%.*s", whole, (int)len, text) > 0);
        assert_int_equal(parse(TRUST_KEY_X509, both, strlen(both), &key),
                         len >= strlen(text) - 1 ? 0 : -EBADMSG);
        trust_key_done(&key);
        free(both);
    }
    free(whole);
    free(text);
    authority_done(&us);
}

static void test_without_next_update(void **state)
{
    struct authority us = make_authority("us");
    char *text = make_list(&us, 0, -DAY, 0);
    struct trust_key key;

    (void)state;
    assert_int_equal(parse(TRUST_KEY_CRL, text, strlen(text), &key), -EBADMSG);
    free(text);
    key = parsed(TRUST_KEY_CRL, make_list(&us, 0, -DAY, DAY));
    assert_true(key.expires > 0);
    trust_key_done(&key);
    authority_done(&us);
}

static void test_issuer_and_order(void **state)
{
    struct authority us = make_authority("us"), namesake = make_authority("us");
    struct authority other = make_authority("other");
    struct trust_key first = parsed(TRUST_KEY_CRL, make_list(&us, 0, -2 * DAY, DAY));
    struct trust_key second = parsed(TRUST_KEY_CRL, make_list(&us, 7, -DAY, DAY));
    struct trust_key forged = parsed(TRUST_KEY_CRL, make_list(&namesake, 7, -DAY, DAY));
    struct trust_key strange = parsed(TRUST_KEY_CRL, make_list(&other, 7, -DAY, DAY));
    struct trust_key root = parsed(TRUST_KEY_X509, certificate_text(us.certificate));
    struct trust_store store = {.keys = &root, .key_count = 1};
    struct err err = ERR_INIT;
    bool known;

    (void)state;
    assert_int_equal(revocation_list_check_issuer(&store, &first, &known, &err), 0);
    assert_true(known);
    assert_int_equal(revocation_list_check_issuer(&store, &forged, &known, &err), -EKEYREJECTED);
    assert_int_equal(revocation_list_check_issuer(&store, &strange, &known, &err), 0);
    assert_false(known);
    assert_int_equal(revocation_list_check_next(&first, &second, &err), 0);
    assert_int_equal(revocation_list_check_next(&second, &first, &err), -EEXIST);
    assert_int_equal(revocation_list_check_next(&second, &second, &err), -EEXIST);
    assert_int_equal(revocation_list_check_next(&first, &strange, &err), -EEXIST);
    trust_key_done(&root);
    trust_key_done(&strange);
    trust_key_done(&forged);
    trust_key_done(&second);
    trust_key_done(&first);
    authority_done(&other);
    authority_done(&namesake);
    authority_done(&us);
}

static void test_look_up(void **state)
{
    struct authority us = make_authority("us"), other = make_authority("other");
    X509 *seven = make_certificate("x", 7, us.key, "us", us.key);
    X509 *eight = make_certificate("x", 8, us.key, "us", us.key);
    X509 *theirs = make_certificate("x", 7, us.key, "other", other.key);
    struct trust_key keys[2] = {parsed(TRUST_KEY_CRL, make_list(&us, 7, -2 * DAY, -DAY))};
    struct trust_store store = {.keys = keys};

    (void)state;
    assert_int_equal(revocation_lists_look_up(&store, seven), 0);
    store.key_count = 1;
    assert_int_equal(revocation_lists_look_up(&store, seven), -EKEYREVOKED);
    assert_int_equal(revocation_lists_look_up(&store, eight), -EKEYEXPIRED);
    assert_int_equal(revocation_lists_look_up(&store, theirs), 0);
    keys[1] = parsed(TRUST_KEY_CRL, make_list(&us, 0, -DAY, DAY));
    store.key_count = 2;
    assert_int_equal(revocation_lists_look_up(&store, eight), 0);
    assert_int_equal(revocation_lists_look_up(&store, seven), -EKEYREVOKED);
    trust_key_done(&keys[1]);
    trust_key_done(&keys[0]);
    X509_free(theirs);
    X509_free(eight);
    X509_free(seven);
    authority_done(&other);
    authority_done(&us);
}

/* The other signature of the certificate, with its issuer's curve known. */
static void turn(X509 *certificate)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    const ASN1_BIT_STRING *signature;
    const uint8_t *at;
    uint8_t *der = NULL;
    ECDSA_SIG *sig;
    BIGNUM *r, *s = BN_new();
    int len;

    X509_get0_signature(&signature, NULL, certificate);
    at = ASN1_STRING_get0_data(signature);
    sig = d2i_ECDSA_SIG(NULL, &at, ASN1_STRING_length(signature));
    assert_true(group && s && sig);
    r = BN_dup(ECDSA_SIG_get0_r(sig));
    assert_true(BN_sub(s, EC_GROUP_get0_order(group), ECDSA_SIG_get0_s(sig)));
    assert_true(ECDSA_SIG_set0(sig, r, s));
    len = i2d_ECDSA_SIG(sig, &der);
    assert_true(len > 0);
    assert_true(ASN1_STRING_set((ASN1_STRING *)(uintptr_t)signature, der, len));
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    EC_GROUP_free(group);
}

static bool is_revoked(const char *fingerprint, X509 *certificate, bool any_form)
{
    struct trust_store store = {0};
    const struct trust_revocation *found;
    struct err err = ERR_INIT;
    char line[256];

    (void)snprintf(line, sizeof(line), "%s 2026-11-24 lost\n", fingerprint);
    assert_int_equal(
        trust_revoked_parse(line, strlen(line), &store.revoked, &store.revoked_count, &err), 0);
    assert_int_equal(certificates_find_revoked(&store, certificate, any_form, &found), 0);
    trust_store_done(&store);
    return found != NULL;
}

static void test_digests(void **state)
{
    struct authority us = make_authority("us"), other = make_authority("other");
    X509 *certificate = make_certificate("x", 7, us.key, "us", us.key);
    const EVP_MD *const kinds[] = {EVP_sha256(), EVP_sha1()};
    char text[2][2 * EVP_MAX_MD_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned len;

        assert_true(X509_digest(certificate, kinds[i], digest, &len));
        hex_encode(digest, len, text[i]);
        assert_true(is_revoked(text[i], certificate, false));
        assert_true(is_revoked(text[i], certificate, true));
        assert_false(is_revoked(text[i], us.certificate, true));
    }
    turn(certificate);
    assert_true(X509_verify(certificate, us.key) == 1); /* the control: it is as good */
    assert_false(X509_verify(certificate, other.key) == 1);
    for (size_t i = 0; i < 2; i++) {
        assert_true(is_revoked(text[i], certificate, true));
        assert_false(is_revoked(text[i], certificate, false));
    }
    turn(certificate);
    assert_true(is_revoked(text[0], certificate, false));
    X509_free(certificate);
    authority_done(&other);
    authority_done(&us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_without_next_update),
        cmocka_unit_test(test_issuer_and_order),
        cmocka_unit_test(test_look_up),
        cmocka_unit_test(test_digests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
