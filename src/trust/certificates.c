/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/certificates.h"

#include <openssl/pem.h> /* first: it declares the PEM forms of what the others declare */

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "trust/revocation_list.h"
#include "trust/signature_kinds.h"

/* libcrypto's level 2: 112 bits, so no SHA-1, no RSA below 2048. */
#define SECURITY_LEVEL 2
#define NAME_SHOWN 100

void certificates_done(struct certificates *certificates)
{
    sk_X509_pop_free(certificates->own, X509_free);
    X509_STORE_free(certificates->roots);
    *certificates = (struct certificates){0};
}

/* A certificate without a revocation list of its issuer passes; one whose list has run out does
 * not. */
static int allow_missing_list(int ok, X509_STORE_CTX *ctx)
{
    return ok || X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNABLE_TO_GET_CRL;
}

static bool add_key(const struct trust_key *key, struct certificates *to)
{
    BIO *bio = BIO_new_mem_buf(key->data, (int)key->len);
    STACK_OF(X509_INFO) *all = bio ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;
    bool ok = all != NULL;

    for (int i = 0; ok && i < sk_X509_INFO_num(all); i++) {
        const X509_INFO *info = sk_X509_INFO_value(all, i);

        if (info->x509)
            ok = X509_STORE_add_cert(to->roots, info->x509) && X509_up_ref(info->x509) &&
                 sk_X509_push(to->own, info->x509);
        if (ok && info->crl)
            ok = X509_STORE_add_crl(to->roots, info->crl);
    }
    sk_X509_INFO_pop_free(all, X509_INFO_free);
    BIO_free(bio);
    return ok;
}

int certificates_load(const struct trust_store *store, struct certificates *ret, struct err *err)
{
    *ret =
        (struct certificates){.store = store, .roots = X509_STORE_new(), .own = sk_X509_new_null()};
    if (!ret->roots || !ret->own)
        return err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < store->key_count; i++)
        if ((store->keys[i].kind == TRUST_KEY_X509 || store->keys[i].kind == TRUST_KEY_CRL) &&
            !add_key(&store->keys[i], ret))
            return err_set(err, -EBADMSG, "the key '%s' in trust.d cannot be read",
                           store->keys[i].name);
    X509_STORE_set_verify_cb(ret->roots, allow_missing_list);
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(ret->roots), SECURITY_LEVEL);
    /* Partial chain: a signer's own certificate in trust.d is trust enough. */
    if (!X509_STORE_set_flags(ret->roots, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK |
                                              X509_V_FLAG_CRL_CHECK_ALL) ||
        !X509_STORE_set_purpose(ret->roots, X509_PURPOSE_ANY))
        return err_set(err, -ENOMEM, "out of memory");
    return 0;
}

static void name_of(const X509_NAME *name, char out[NAME_SHOWN])
{
    if (!name || !X509_NAME_oneline(name, out, NAME_SHOWN)) /* cut is fine */
        (void)snprintf(out, NAME_SHOWN, "?");
}

/* "its certificate", or one that it leads to. */
static void describe(X509 *certificate, int depth, char out[NAME_SHOWN + 32])
{
    char name[NAME_SHOWN];

    name_of(certificate ? X509_get_subject_name(certificate) : NULL, name);
    if (depth == 0)
        (void)snprintf(out, NAME_SHOWN + 32, "its certificate");
    else
        (void)snprintf(out, NAME_SHOWN + 32, "the certificate '%s' above its own", name);
}

/* libcrypto's reason in words that name the certificate; `who` is the one that it looked at. */
static int describe_error(int error, X509 *current, const char *who, struct err *err)
{
    const char *text = X509_verify_cert_error_string(error);
    char issuer[NAME_SHOWN];

    name_of(current ? X509_get_issuer_name(current) : NULL, issuer);
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return err_set(err, -EKEYEXPIRED, "%s is not valid now: %s", who, text);
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return err_set(err, -EKEYEXPIRED,
                       "the revocation list of '%s' has expired: spythonctl trust add the next one",
                       issuer);
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return err_set(err, -EKEYEXPIRED, "the revocation list of '%s' is not yet valid", issuer);
    case X509_V_ERR_CERT_REVOKED:
        return err_set(err, -EKEYREVOKED, "%s was revoked by its issuer", who);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return err_set(err, -ENOKEY,
                       "%s leads to no certificate in trust.d: that of its issuer '%s' is neither "
                       "there nor in the signature, where sign --cert puts a chain",
                       who, issuer);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return err_set(err, -ENOKEY, "its certificate leads to '%s', which is not in trust.d",
                       issuer);
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return err_set(err, -EKEYREJECTED, "%s is too weak: %s", who, text);
    case X509_V_ERR_OUT_OF_MEM:
        return err_set(err, -ENOMEM, "out of memory");
    default:
        return err_set(err, -EKEYREJECTED, "%s is not good: %s", who, text);
    }
}

/* Each may be a restriction of what those below it are for. */
static int check_purpose(STACK_OF(X509) * chain, struct err *err)
{
    char who[NAME_SHOWN + 32];

    /* All bits are set for one that does not say. */
    if (!(X509_get_key_usage(sk_X509_value(chain, 0)) & KU_DIGITAL_SIGNATURE))
        return err_set(err, -EKEYREJECTED, "its certificate is not for digital signatures");
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);

        if (X509_get_extended_key_usage(certificate) & (XKU_CODE_SIGN | XKU_ANYEKU))
            continue;
        describe(certificate, i, who);
        return err_set(err, -EKEYREJECTED, "%s is for other purposes than to sign code", who);
    }
    return 0;
}

static const struct trust_revocation *find_digests(const struct trust_store *store,
                                                   const X509 *certificate, bool *ret_ok)
{
    const EVP_MD *const kinds[] = {EVP_sha256(), EVP_sha1()};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct trust_revocation *found;
        char text[2 * EVP_MAX_MD_SIZE + 1];
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned len;

        *ret_ok = X509_digest(certificate, kinds[i], digest, &len) == 1;
        if (!*ret_ok)
            return NULL;
        hex_encode(digest, len, text);
        found = trust_store_find_revoked(store, text);
        if (found)
            return found;
    }
    return NULL;
}

/* (r, s) becomes (r, n - s), with n the order of a curve. False: s does not belong to this one. */
static bool turn_signature(const ASN1_BIT_STRING *from, const BIGNUM *order, uint8_t **ret,
                           int *ret_len)
{
    const uint8_t *at = ASN1_STRING_get0_data(from);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, ASN1_STRING_length(from));
    BIGNUM *r = sig ? BN_dup(ECDSA_SIG_get0_r(sig)) : NULL, *s = BN_new();
    bool ok = sig && r && s && BN_cmp(ECDSA_SIG_get0_s(sig), order) < 0 &&
              BN_sub(s, order, ECDSA_SIG_get0_s(sig)) && ECDSA_SIG_set0(sig, r, s);

    if (ok) {
        *ret = NULL;
        *ret_len = i2d_ECDSA_SIG(sig, ret);
        ok = *ret_len > 0;
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    return ok;
}

/* The certificate with the other signature that one curve allows. */
static const struct trust_revocation *find_turned(const struct trust_store *store, X509 *copy,
                                                  const ASN1_BIT_STRING *original, int curve,
                                                  bool *ret_ok)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(curve);
    const struct trust_revocation *found = NULL;
    const ASN1_BIT_STRING *signature;
    uint8_t *turned;
    int len;

    X509_get0_signature(&signature, NULL, copy);
    if (group && turn_signature(original, EC_GROUP_get0_order(group), &turned, &len)) {
        /* A copy of ours: libcrypto has no call to set it. */
        *ret_ok = ASN1_STRING_set((ASN1_STRING *)(uintptr_t)signature, turned, len) == 1;
        if (*ret_ok)
            found = find_digests(store, copy, ret_ok);
        OPENSSL_free(turned);
    }
    EC_GROUP_free(group);
    return found;
}

/*
 * Who holds a revoked key can give its certificate another digest: with (r, s) also (r, n - s) is a
 * good ECDSA signature of the issuer. Which curve the issuer's key is on is not said in the
 * certificate, so all are tried; those that it is not on give digests of nothing.
 */
static const struct trust_revocation *find_other_form(const struct trust_store *store,
                                                      const X509 *certificate, bool *ret_ok)
{
    size_t count = EC_get_builtin_curves(NULL, 0);
    EC_builtin_curve *curves = OPENSSL_malloc((count + 1) * sizeof(*curves));
    X509 *copy = X509_dup((X509 *)(uintptr_t)certificate); /* not const before OpenSSL 3 */
    const struct trust_revocation *found = NULL;
    const ASN1_BIT_STRING *original;

    *ret_ok = curves && copy && EC_get_builtin_curves(curves, count) == count;
    X509_get0_signature(&original, NULL, certificate);
    for (size_t i = 0; *ret_ok && !found && i < count; i++)
        found = find_turned(store, copy, original, curves[i].nid, ret_ok);
    X509_free(copy);
    OPENSSL_free(curves);
    return found;
}

int certificates_find_revoked(const struct trust_store *store, X509 *certificate, bool any_form,
                              const struct trust_revocation **ret)
{
    int method = NID_undef;
    bool ok = true;

    *ret = NULL;
    if (store->revoked_count == 0)
        return 0;
    (void)OBJ_find_sigid_algs(X509_get_signature_nid(certificate), NULL, &method);
    *ret = find_digests(store, certificate, &ok);
    if (ok && !*ret && any_form && method == NID_X9_62_id_ecPublicKey)
        *ret = find_other_form(store, certificate, &ok);
    ERR_clear_error();
    return ok ? 0 : -ENOMEM;
}

static bool is_signed_with_dsa(const X509 *certificate)
{
    int method = NID_undef;

    (void)OBJ_find_sigid_algs(X509_get_signature_nid(certificate), NULL, &method);
    return method == NID_dsa;
}

/* No certificate of the chain may be revoked by the list, which libcrypto does not know. */
static int check_revoked(const struct trust_store *store, STACK_OF(X509) * chain, struct err *err)
{
    char who[NAME_SHOWN + 32];

    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);
        const struct trust_revocation *revoked;

        describe(certificate, i, who);
        /* It has two forms too, and which they are depends on the issuer's key. */
        if (i + 1 < sk_X509_num(chain) && is_signed_with_dsa(certificate))
            return err_set(err, -EKEYREJECTED, "%s is too weak: it is signed with DSA", who);
        if (certificates_find_revoked(store, certificate, true, &revoked) < 0)
            return err_set(err, -ENOMEM, "out of memory");
        if (revoked)
            return err_set(err, -EKEYREVOKED, "%s %.16s... was revoked on %s: %s", who,
                           revoked->fingerprint, revoked->date, revoked->reason);
    }
    return 0;
}

static bool fingerprint_of(const X509 *certificate, char out[TRUST_STORE_MAX_FINGERPRINT + 1])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;

    if (!X509_digest(certificate, EVP_sha256(), digest, &len))
        return false;
    hex_encode(digest, len, out);
    return true;
}

/* The names of the signer and of the certificate in trust.d that the chain ends in. */
static int read_names(const struct trust_store *store, STACK_OF(X509) * chain,
                      struct signature_result *ret, struct err *err)
{
    char last[TRUST_STORE_MAX_FINGERPRINT + 1];

    if (!fingerprint_of(sk_X509_value(chain, 0), ret->fingerprint) ||
        !fingerprint_of(sk_X509_value(chain, sk_X509_num(chain) - 1), last))
        return err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < store->key_count; i++)
        if (store->keys[i].kind == TRUST_KEY_X509 && strcmp(store->keys[i].fingerprint, last) == 0)
            (void)snprintf(ret->signer, sizeof(ret->signer), "%s", store->keys[i].name);
    return ret->signer[0]
               ? 0
               : err_set(err, -ENOKEY, "its certificate leads to no certificate in trust.d");
}

/* The lists of the last one's issuer, unless it is its own. */
static int check_last(const struct trust_store *store, STACK_OF(X509) * chain, struct err *err)
{
    X509 *last = sk_X509_value(chain, sk_X509_num(chain) - 1);
    char who[NAME_SHOWN + 32];
    int r = 0;

    if (X509_NAME_cmp(X509_get_subject_name(last), X509_get_issuer_name(last)) != 0)
        r = revocation_lists_look_up(store, last);
    if (r == 0)
        return 0;
    describe(last, sk_X509_num(chain) - 1, who);
    return describe_error(r == -EKEYREVOKED   ? X509_V_ERR_CERT_REVOKED
                          : r == -EKEYEXPIRED ? X509_V_ERR_CRL_HAS_EXPIRED
                                              : X509_V_ERR_OUT_OF_MEM,
                          last, who, err);
}

int certificates_check(const struct certificates *certificates, X509 *signer,
                       STACK_OF(X509) * embedded, struct signature_result *ret, struct err *err)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) * chain;
    char who[NAME_SHOWN + 32];
    int r;

    if (!ctx || !X509_STORE_CTX_init(ctx, certificates->roots, signer, embedded)) {
        r = err_set(err, -ENOMEM, "out of memory");
    } else if (X509_verify_cert(ctx) != 1) {
        X509 *current = X509_STORE_CTX_get_current_cert(ctx);

        describe(current, X509_STORE_CTX_get_error_depth(ctx), who);
        r = describe_error(X509_STORE_CTX_get_error(ctx), current, who, err);
    } else {
        chain = X509_STORE_CTX_get0_chain(ctx);
        r = check_purpose(chain, err);
        if (r == 0)
            r = check_last(certificates->store, chain, err);
        if (r == 0)
            r = check_revoked(certificates->store, chain, err);
        if (r == 0)
            r = read_names(certificates->store, chain, ret, err);
    }
    X509_STORE_CTX_free(ctx);
    return r;
}
