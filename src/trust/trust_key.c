/* SPDX-License-Identifier: Apache-2.0 */
/* What one key file says: kind, fingerprint, expiry. See trust_store.h. */
#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/hex.h"
#include "trust/armour.h"
#include "trust/openpgp_packets.h"
#include "trust/revocation_list.h"
#include "trust/trust_key.h"

#define PGP_LABEL "PGP PUBLIC KEY BLOCK"

/* The kinds that ssh-keygen can check signatures of; certificates are none of them, since their
 * authority would not be looked at. */
static const char *const ssh_types[] = {
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
};

static bool is_ssh_type(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof(ssh_types) / sizeof(ssh_types[0]); i++)
        if (strlen(ssh_types[i]) == len && memcmp(ssh_types[i], text, len) == 0)
            return true;
    return false;
}

static bool starts_with(const char *data, size_t len, const char *text)
{
    return len >= strlen(text) && memcmp(data, text, strlen(text)) == 0;
}

enum trust_key_kind trust_key_sniff(const char *data, size_t len)
{
    size_t word = 0;

    while (word < len && word < 64 && data[word] != ' ' && data[word] != '\n')
        word++;
    if (is_ssh_type(data, word))
        return TRUST_KEY_SSH;
    if (starts_with(data, len, "-----BEGIN " PGP_LABEL "-----"))
        return TRUST_KEY_OPENPGP;
    if (memmem(data, len, "-----BEGIN CERTIFICATE-----", 27))
        return TRUST_KEY_X509;
    if (memmem(data, len, "-----BEGIN X509 CRL-----", 24))
        return TRUST_KEY_CRL;
    /* Tag 6 in the old and in the new form. */
    if (len > 0 && (((uint8_t)data[0] & 0xfc) == 0x98 || (uint8_t)data[0] == 0xc6))
        return TRUST_KEY_OPENPGP;
    return TRUST_KEY_NONE;
}

/* Whether it is nothing but whole strings, each with its length in front: a key that was cut is
 * another key to ssh-keygen, or none. */
static bool is_whole(const uint8_t *data, size_t len)
{
    while (len >= 4) {
        size_t part =
            (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];

        if (part > len - 4)
            return false;
        data += 4 + part;
        len -= 4 + part;
    }
    return len == 0;
}

/* "TYPE BASE64 COMMENT" in one line. */
static int parse_ssh(const char *data, size_t len, struct trust_key *ret, struct err *err)
{
    size_t type_len = 0, from, to;
    uint8_t digest[DIGEST_SIZE];
    const char *end = memchr(data, '\n', len);
    int r;

    if (end && end + 1 != data + len)
        return err_set(err, -EBADMSG, "holds more than one line");
    len = end ? (size_t)(end - data) : len;
    while (type_len < len && data[type_len] != ' ')
        type_len++;
    if (!is_ssh_type(data, type_len))
        return err_set(err, -EBADMSG,
                       "does not begin with a kind of key that can sign, like ssh-ed25519");
    from = type_len + 1;
    for (to = from; to < len && data[to] != ' ';)
        to++;
    r = from >= len ? -EBADMSG : base64_decode(data + from, to - from, &ret->data, &ret->len);
    if (r == -ENOMEM)
        return err_set(err, r, "out of memory");
    if (r < 0)
        return err_set(err, -EBADMSG, "has no key in base64");
    /* The wire form repeats the kind: a string with its length in front. */
    if (ret->len < 4 + type_len + 4 || ret->data[0] || ret->data[1] || ret->data[2] ||
        ret->data[3] != type_len || memcmp(ret->data + 4, data, type_len) != 0)
        return err_set(err, -EBADMSG, "names one kind of key and holds another");
    if (!is_whole(ret->data, ret->len))
        return err_set(err, -EBADMSG, "holds a key that is cut or damaged");
    digest_sha256(ret->data, ret->len, digest);
    memcpy(ret->fingerprint, "SHA256:", 7);
    base64_encode(digest, sizeof(digest), false, ret->fingerprint + 7);
    return 0;
}

int trust_key_keep_data(struct trust_key *key, const char *data, size_t len, struct err *err)
{
    key->data = malloc(len + 1);
    if (!key->data)
        return err_set(err, -ENOMEM, "out of memory");
    memcpy(key->data, data, len);
    key->len = len;
    return 0;
}

int64_t trust_key_time(const ASN1_TIME *when)
{
    struct tm tm = {0};

    return when && ASN1_TIME_to_tm(when, &tm) ? (int64_t)timegm(&tm) : 0;
}

static int parse_x509(const char *data, size_t len, struct trust_key *ret, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(data, (int)len); /* at most TRUST_STORE_MAX_KEY_SIZE */
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    X509 *second = certificate ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    int r = 0;

    BIO_free(bio);
    if (!certificate)
        r = err_set(err, -EBADMSG, "holds no certificate in PEM form");
    else if (second)
        r = err_set(err, -EBADMSG, "holds more than one certificate");
    else if (!X509_digest(certificate, EVP_sha256(), digest, &digest_len))
        r = err_set(err, -EBADMSG, "its fingerprint cannot be computed");
    else
        r = revocation_lists_check(data, len, err);
    if (r == 0) {
        hex_encode(digest, digest_len, ret->fingerprint);
        ret->expires = trust_key_time(X509_get0_notAfter(certificate));
        r = trust_key_keep_data(ret, data, len, err);
    }
    X509_free(certificate);
    X509_free(second);
    return r;
}

static int parse_openpgp(const char *data, size_t len, struct trust_key *ret, struct err *err)
{
    struct openpgp_key key;
    int r;

    if (starts_with(data, len, "-----")) {
        if (armour_decode(data, len, PGP_LABEL, true, &ret->data, &ret->len) < 0)
            return err_set(err, -EBADMSG, "its armour is damaged");
    } else {
        r = trust_key_keep_data(ret, data, len, err);
        if (r < 0)
            return r;
    }
    r = openpgp_key_parse(ret->data, ret->len, &key, err);
    if (r < 0)
        return r;
    (void)snprintf(ret->fingerprint, sizeof(ret->fingerprint), "%s", key.fingerprint);
    ret->expires = key.expires;
    return 0;
}

int trust_key_parse(enum trust_key_kind kind, const char *data, size_t len, const char *name,
                    struct trust_key *ret, struct err *err)
{
    int r;

    *ret = (struct trust_key){.kind = kind};
    (void)snprintf(ret->name, sizeof(ret->name), "%s", name);
    if (len > TRUST_STORE_MAX_KEY_SIZE)
        return err_set(err, -EFBIG, "is larger than %zu bytes", TRUST_STORE_MAX_KEY_SIZE);
    switch (kind) {
    case TRUST_KEY_SSH:
        r = parse_ssh(data, len, ret, err);
        break;
    case TRUST_KEY_X509:
        r = parse_x509(data, len, ret, err);
        break;
    case TRUST_KEY_OPENPGP:
        r = parse_openpgp(data, len, ret, err);
        break;
    case TRUST_KEY_CRL:
        r = revocation_list_parse(data, len, ret, err);
        break;
    case TRUST_KEY_NONE:
    case TRUST_KEY_KIND_MAX:
    default:
        r = err_set(err, -EBADMSG, "is no key");
    }
    if (r < 0)
        trust_key_done(ret);
    return r;
}

void trust_key_done(struct trust_key *key)
{
    free(key->data);
    *key = (struct trust_key){0};
}
