/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CMS, checked by libcrypto: one detached signature of plain data, by a certificate that leads to
 * one in the trust store (certificates.h). Nothing of the environment (OPENSSL_CONF) has a say.
 */
#include <openssl/pem.h> /* first: cms.h declares the PEM forms only then */

#include <errno.h>
#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/cms.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "trust/certificates.h"
#include "trust/signature_kinds.h"

#define MIN_DIGEST 32 /* bytes */

/* Everything of libcrypto's that one check needs, freed together. */
struct check {
    CMS_ContentInfo *cms;
    struct certificates trusted;
    STACK_OF(X509) * embedded; /* of the signature; they prove nothing by themselves */
    STACK_OF(X509) * signers;
    X509 *signer; /* borrowed */
};

static void check_done(struct check *check)
{
    sk_X509_free(check->signers);
    sk_X509_pop_free(check->embedded, X509_free);
    certificates_done(&check->trusted);
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
    ok = CMS_verify(check->cms, check->trusted.own, NULL, content, NULL,
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

/* Collisions of SHA-1 can be made: who signs one text would sign another too. */
static int check_digest(const struct check *check, struct err *err)
{
    CMS_SignerInfo *info = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(check->cms), 0);
    X509_ALGOR *digest = NULL;
    const EVP_MD *md;

    CMS_SignerInfo_get0_algs(info, NULL, NULL, &digest, NULL);
    md = digest ? EVP_get_digestbyobj(digest->algorithm) : NULL;
    if (!md || EVP_MD_size(md) < MIN_DIGEST)
        return err_set(err, -EKEYREJECTED, "is too weak: it uses %s",
                       digest ? OBJ_nid2sn(OBJ_obj2nid(digest->algorithm)) : "no digest");
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
    else if ((r = check_shape(&check, err)) == 0 && (r = check_digest(&check, err)) == 0 &&
             (r = certificates_load(in->store, &check.trusted, err)) == 0 &&
             (r = check_content(in, &check, err)) == 0 &&
             (r = certificates_check(&check.trusted, check.signer,
                                     check.embedded = CMS_get1_certs(check.cms), ret, err)) == 0)
        read_details(&check, ret);
    check_done(&check);
    return r;
}
