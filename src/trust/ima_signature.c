/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/ima_signature.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "trust/certificates.h"
#include "trust/revocation_list.h"

#define TYPE_SIGNATURE 3 /* IMA's EVM_IMA_XATTR_DIGSIG */
#define VERSION 2
#define HEADER 9 /* type, version, hash, key id, size */
#define BLOCK 65536

/* The kernel's numbers (include/uapi/linux/hash_info.h). SHA-1 is not among them on purpose. */
static const struct {
    uint8_t number;
    const char *name;
} hashes[] = {{4, "SHA256"}, {5, "SHA384"}, {6, "SHA512"}};

int ima_signature_parse(const uint8_t *data, size_t len, struct ima_signature *ret)
{
    *ret = (struct ima_signature){.hash = NULL};
    if (len <= HEADER || data[0] != TYPE_SIGNATURE || data[1] != VERSION)
        return -EBADMSG;
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
        if (hashes[i].number == data[2])
            ret->hash = hashes[i].name;
    ret->key_id = (uint32_t)data[3] << 24 | (uint32_t)data[4] << 16 | (uint32_t)data[5] << 8 |
                  (uint32_t)data[6];
    ret->len = (size_t)data[7] << 8 | data[8];
    ret->signature = data + HEADER;
    return ret->hash && ret->len == len - HEADER ? 0 : -EBADMSG;
}

struct digests {
    uint8_t sha256[DIGEST_SIZE];
    uint8_t named[EVP_MAX_MD_SIZE];
    unsigned named_len;
};

/* Both digests of the same bytes. */
static int read_digests(int fd, const EVP_MD *named, struct digests *ret)
{
    EVP_MD_CTX *a = EVP_MD_CTX_new(), *b = EVP_MD_CTX_new();
    uint8_t *block = OPENSSL_malloc(BLOCK);
    off_t at = 0;
    ssize_t n = 1;
    int r = a && b && block && EVP_DigestInit_ex(a, EVP_sha256(), NULL) == 1 &&
                    EVP_DigestInit_ex(b, named, NULL) == 1
                ? 0
                : -ENOMEM;

    while (r == 0 && n != 0) {
        n = pread(fd, block, BLOCK, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            r = -errno;
        } else if (n > 0) {
            at += n;
            if (EVP_DigestUpdate(a, block, (size_t)n) != 1 ||
                EVP_DigestUpdate(b, block, (size_t)n) != 1)
                r = -EIO;
        }
    }
    if (r == 0 && (EVP_DigestFinal_ex(a, ret->sha256, NULL) != 1 ||
                   EVP_DigestFinal_ex(b, ret->named, &ret->named_len) != 1))
        r = -EIO;
    OPENSSL_free(block);
    EVP_MD_CTX_free(a);
    EVP_MD_CTX_free(b);
    return r;
}

static bool has_key_id(const X509 *certificate, uint32_t key_id)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (X509_pubkey_digest(certificate, EVP_sha1(), digest, &len) != 1 || len < 4)
        return false;
    return ((uint32_t)digest[len - 4] << 24 | (uint32_t)digest[len - 3] << 16 |
            (uint32_t)digest[len - 2] << 8 | (uint32_t)digest[len - 1]) == key_id;
}

static int verify(X509 *certificate, const EVP_MD *hash, const struct ima_signature *signature,
                  const struct digests *digests)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    int r = -EKEYREJECTED;

    /* For RSA the padding is PKCS #1 1.5, which is what the kernel takes. */
    if (ctx && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, hash) == 1 &&
        EVP_PKEY_verify(ctx, signature->signature, signature->len, digests->named,
                        digests->named_len) == 1)
        r = 0;
    EVP_PKEY_CTX_free(ctx);
    return r;
}

static int check_validity(const struct trust_store *store, const struct trust_key *key,
                          X509 *certificate)
{
    const struct trust_revocation *revoked;
    int r = certificates_find_revoked(store, certificate, false, &revoked);

    if (r < 0)
        return r;
    if (revoked)
        return -EKEYREVOKED;
    if (key->expires && key->expires < (int64_t)time(NULL))
        return -EKEYEXPIRED;
    return revocation_lists_look_up(store, certificate);
}

/* One certificate of the store. -ENOKEY: another key. */
static int check_key(const struct trust_store *store, const struct trust_key *key,
                     const EVP_MD *hash, const struct ima_signature *signature,
                     const struct digests *digests)
{
    BIO *bio = BIO_new_mem_buf(key->data, (int)key->len);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int r = -ENOKEY;

    if (certificate && has_key_id(certificate, signature->key_id)) {
        r = check_validity(store, key, certificate);
        if (r == 0)
            r = verify(certificate, hash, signature, digests);
    }
    X509_free(certificate);
    BIO_free(bio);
    return r;
}

int ima_signature_check(const struct trust_store *store, const struct ima_signature *signature,
                        int fd, uint8_t ret_sha256[DIGEST_SIZE])
{
    const EVP_MD *hash = EVP_get_digestbyname(signature->hash);
    struct digests digests = {0};
    int r = hash ? read_digests(fd, hash, &digests) : -EBADMSG, worst = -ENOKEY;

    if (r < 0)
        return r;
    /* Key ids can collide: one that fails does not speak for the next. */
    for (size_t i = 0; i < store->key_count; i++) {
        if (store->keys[i].kind != TRUST_KEY_X509)
            continue;
        r = check_key(store, &store->keys[i], hash, signature, &digests);
        if (r == 0) {
            memcpy(ret_sha256, digests.sha256, DIGEST_SIZE);
            return 0;
        }
        if (r != -ENOKEY)
            worst = r;
    }
    return worst;
}
