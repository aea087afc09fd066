/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CMS, checked by libcrypto: one detached signature of plain data, by a certificate that chains to
 * one in the trust store, is valid now, and may sign code if it says what it may do. Nothing of the
 * environment (OPENSSL_CONF) has a say.
 */
#include <openssl/pem.h> /* first: cms.h declares the PEM forms only then */

#include <errno.h>
#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/cms.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "trust/signature_kinds.h"

/* Everything of libcrypto's that one check needs, freed together. */
struct check {
    CMS_ContentInfo *cms;
    X509_STORE *roots;
    STACK_OF(X509) * own;      /* certificates of the trust store */
    STACK_OF(X509) * embedded; /* of the signature; they prove nothing by themselves */
    STACK_OF(X509) * signers;
    X509_STORE_CTX *chain;
    X509 *signer; /* borrowed */
};

static void check_done(struct check *check)
{
    X509_STORE_CTX_free(check->chain);
    sk_X509_free(check->signers);
    sk_X509_pop_free(check->embedded, X509_free);
    sk_X509_pop_free(check->own, X509_free);
    X509_STORE_free(check->roots);
    CMS_ContentInfo_free(check->cms);
    ERR_clear_error();
}

static const char *library_reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "no reason given";
}

/* Reads DER or PEM; nothing may follow. */
static CMS_ContentInfo *read_cms(const uint8_t *sig, size_t len)
{
    BIO *bio = BIO_new_mem_buf(sig, (int)len); /* at most SIGNATURE_MAX_SIZE */
    CMS_ContentInfo *cms = NULL;
    char rest[64];
    int n;

    if (!bio)
        return NULL;
    cms = sig[0] == '-' ? PEM_read_bio_CMS(bio, NULL, NULL, NULL) : d2i_CMS_bio(bio, NULL);
    while (cms && (n = BIO_read(bio, rest, sizeof(rest))) > 0)
        for (int i = 0; cms && i < n; i++)
            if (sig[0] != '-' || !strchr(" \t\r\n", rest[i])) {
                CMS_ContentInfo_free(cms);
                cms = NULL;
            }
    BIO_free(bio);
    return cms;
}

static int check_shape(const struct check *check, struct err *err)
{
    if (OBJ_obj2nid(CMS_get0_type(check->cms)) != NID_pkcs7_signed)
        return err_set(err, -EBADMSG, "is CMS, but no signature");
    if (OBJ_obj2nid(CMS_get0_eContentType(check->cms)) != NID_pkcs7_data)
        return err_set(err, -EKEYREJECTED, "signs something else than plain data");
    if (CMS_is_detached(check->cms) != 1)
        return err_set(err, -EKEYREJECTED, "holds its own content, where it should be detached");
    if (sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(check->cms)) != 1)
        return err_set(err, -EKEYREJECTED, "does not hold exactly one signature");
    return 0;
}

/* A certificate without a revocation list of its issuer passes; one whose list has run out does
 * not. */
static int allow_missing_list(int ok, X509_STORE_CTX *ctx)
{
    return ok || X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNABLE_TO_GET_CRL;
}

static bool add_key(const struct trust_key *key, struct check *check)
{
    BIO *bio = BIO_new_mem_buf(key->data, (int)key->len);
    STACK_OF(X509_INFO) *all = bio ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;
    bool ok = all != NULL;

    for (int i = 0; ok && i < sk_X509_INFO_num(all); i++) {
        const X509_INFO *info = sk_X509_INFO_value(all, i);

        if (info->x509)
            ok = X509_STORE_add_cert(check->roots, info->x509) && X509_up_ref(info->x509) &&
                 sk_X509_push(check->own, info->x509);
        if (ok && info->crl)
            ok = X509_STORE_add_crl(check->roots, info->crl);
    }
    sk_X509_INFO_pop_free(all, X509_INFO_free);
    BIO_free(bio);
    return ok;
}

static int load_roots(const struct trust_store *store, struct check *check, struct err *err)
{
    check->roots = X509_STORE_new();
    check->own = sk_X509_new_null();
    if (!check->roots || !check->own)
        return err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < store->key_count; i++)
        if (store->keys[i].kind == TRUST_KEY_X509 && !add_key(&store->keys[i], check))
            return err_set(err, -EBADMSG, "the key '%s' in trust.d cannot be read",
                           store->keys[i].name);
    X509_STORE_set_verify_cb(check->roots, allow_missing_list);
    /* Partial chain: a signer's own certificate in trust.d is trust enough. */
    if (!X509_STORE_set_flags(check->roots, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK |
                                                X509_V_FLAG_CRL_CHECK_ALL) ||
        !X509_STORE_set_purpose(check->roots, X509_PURPOSE_ANY))
        return err_set(err, -ENOMEM, "out of memory");
    return 0;
}

/* Only the signature itself; the certificate's chain is looked at afterwards. */
static int check_content(const struct signature_input *in, struct check *check, struct err *err)
{
    BIO *content;
    int ok;

    if (in->len > INT_MAX)
        return err_set(err, -EFBIG, "the signed content is too large");
    content = BIO_new_mem_buf(in->data, (int)in->len);
    if (!content)
        return err_set(err, -ENOMEM, "out of memory");
    ERR_clear_error();
    ok = CMS_verify(check->cms, check->own, NULL, content, NULL,
                    CMS_BINARY | CMS_DETACHED | CMS_NO_SIGNER_CERT_VERIFY);
    BIO_free(content);
    if (ok != 1) {
        if (ERR_GET_REASON(ERR_peek_last_error()) == CMS_R_SIGNER_CERTIFICATE_NOT_FOUND)
            return err_set(err, -ENOKEY,
                           "is by a certificate that is neither in it nor in trust.d");
        return err_set(err, -EKEYREJECTED, "is not a signature of this content: %s",
                       library_reason());
    }
    check->signers = CMS_get0_signers(check->cms);
    if (sk_X509_num(check->signers) != 1)
        return err_set(err, -EKEYREJECTED, "does not hold exactly one signature");
    check->signer = sk_X509_value(check->signers, 0);
    return 0;
}

static int check_purpose(X509 *signer, struct err *err)
{
    uint32_t usage = X509_get_key_usage(signer); /* all bits if it does not say */
    uint32_t extended = X509_get_extended_key_usage(signer);

    if (!(usage & KU_DIGITAL_SIGNATURE))
        return err_set(err, -EKEYREJECTED, "its certificate is not for digital signatures");
    if (!(extended & (XKU_CODE_SIGN | XKU_ANYEKU)))
        return err_set(err, -EKEYREJECTED,
                       "its certificate is for other purposes than to sign code");
    return 0;
}

static int describe_chain_error(X509_STORE_CTX *ctx, struct err *err)
{
    int error = X509_STORE_CTX_get_error(ctx);
    const char *text = X509_verify_cert_error_string(error);

    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return err_set(err, -EKEYEXPIRED, "its certificate is not valid now: %s", text);
    case X509_V_ERR_CERT_REVOKED:
        return err_set(err, -EKEYREVOKED, "its certificate was revoked by its issuer");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return err_set(err, -ENOKEY, "its certificate leads to no certificate in trust.d");
    case X509_V_ERR_OUT_OF_MEM:
        return err_set(err, -ENOMEM, "out of memory");
    default:
        return err_set(err, -EKEYREJECTED, "its certificate is not good: %s", text);
    }
}

static bool fingerprint_of(X509 *certificate, char out[TRUST_STORE_MAX_FINGERPRINT + 1])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;

    if (!X509_digest(certificate, EVP_sha256(), digest, &len))
        return false;
    hex_encode(digest, len, out);
    return true;
}

/* No certificate of the chain may be on the list; fills the names of the signer and its root. */
static int check_each(const struct signature_input *in, const struct check *check,
                      struct signature_result *ret, struct err *err)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(check->chain);
    char fingerprint[TRUST_STORE_MAX_FINGERPRINT + 1];

    for (int i = 0; i < sk_X509_num(chain); i++) {
        int r;

        if (!fingerprint_of(sk_X509_value(chain, i), fingerprint))
            return err_set(err, -ENOMEM, "out of memory");
        r = signature_check_revoked(in->store, fingerprint, err);
        if (r < 0)
            return r;
        if (i == 0)
            memcpy(ret->fingerprint, fingerprint, sizeof(fingerprint));
    }
    /* The last one is in the store: the chain ends there. */
    for (size_t i = 0; i < in->store->key_count; i++)
        if (in->store->keys[i].kind == TRUST_KEY_X509 &&
            strcmp(in->store->keys[i].fingerprint, fingerprint) == 0)
            (void)snprintf(ret->signer, sizeof(ret->signer), "%s", in->store->keys[i].name);
    if (!ret->signer[0])
        return err_set(err, -ENOKEY, "its certificate leads to no certificate in trust.d");
    return 0;
}

static int check_chain(struct check *check, struct err *err)
{
    check->embedded = CMS_get1_certs(check->cms);
    check->chain = X509_STORE_CTX_new();
    if (!check->chain ||
        !X509_STORE_CTX_init(check->chain, check->roots, check->signer, check->embedded))
        return err_set(err, -ENOMEM, "out of memory");
    if (X509_verify_cert(check->chain) != 1)
        return describe_chain_error(check->chain, err);
    return 0;
}

static void read_details(const struct check *check, struct signature_result *ret)
{
    CMS_SignerInfo *info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(check->cms), 0);
    int at = CMS_signed_get_attr_by_NID(info, NID_pkcs9_signingTime, -1);
    X509_ATTRIBUTE *attribute = at >= 0 ? CMS_signed_get_attr(info, at) : NULL;
    const ASN1_TYPE *value = attribute ? X509_ATTRIBUTE_get0_type(attribute, 0) : NULL;
    struct tm tm = {0};

    (void)X509_NAME_oneline(X509_get_subject_name(check->signer), ret->subject,
                            (int)sizeof(ret->subject)); /* cut is fine */
    if (value && (value->type == V_ASN1_UTCTIME || value->type == V_ASN1_GENERALIZEDTIME) &&
        ASN1_TIME_to_tm(value->value.asn1_string, &tm))
        ret->signed_at = (int64_t)timegm(&tm);
}

int signature_check_cms(const struct signature_input *in, struct signature_result *ret,
                        struct err *err)
{
    struct check check = {0};
    int r;

    check.cms = read_cms(in->sig, in->sig_len);
    if (!check.cms)
        r = err_set(err, -EBADMSG, "is damaged: it is not CMS in PEM or DER form");
    else if ((r = check_shape(&check, err)) == 0 && (r = load_roots(in->store, &check, err)) == 0 &&
             (r = check_content(in, &check, err)) == 0 && (r = check_chain(&check, err)) == 0 &&
             (r = check_purpose(check.signer, err)) == 0 &&
             (r = check_each(in, &check, ret, err)) == 0)
        read_details(&check, ret);
    check_done(&check);
    return r;
}
