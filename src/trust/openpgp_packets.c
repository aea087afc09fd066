/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/openpgp_packets.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum tag {
    TAG_SIGNATURE = 2,
    TAG_SECRET_KEY = 5,
    TAG_PUBLIC_KEY = 6,
};

enum subpacket {
    SUBPACKET_CREATED = 2,
    SUBPACKET_KEY_EXPIRES = 9,
    SUBPACKET_ISSUER = 16,
};

/* Bytes that are left to read. */
struct span {
    const uint8_t *at;
    size_t len;
};

static bool take(struct span *from, size_t count, const uint8_t **ret)
{
    if (from->len < count)
        return false;
    *ret = from->at;
    from->at += count;
    from->len -= count;
    return true;
}

static bool take_number(struct span *from, size_t bytes, size_t *ret)
{
    const uint8_t *p;

    if (!take(from, bytes, &p))
        return false;
    *ret = 0;
    for (size_t i = 0; i < bytes; i++)
        *ret = *ret << 8 | p[i];
    return true;
}

/* Length in the new form, without partial bodies: keys have none. */
static bool take_new_length(struct span *from, size_t *ret)
{
    size_t second;

    if (!take_number(from, 1, ret))
        return false;
    if (*ret < 192)
        return true;
    if (*ret == 255)
        return take_number(from, 4, ret);
    if (*ret >= 224 || !take_number(from, 1, &second))
        return false;
    *ret = ((*ret - 192) << 8) + second + 192;
    return true;
}

static bool take_packet(struct span *from, unsigned *ret_tag, struct span *ret)
{
    size_t first, len;

    if (!take_number(from, 1, &first) || !(first & 0x80))
        return false;
    if (first & 0x40) {
        *ret_tag = first & 0x3f;
        if (!take_new_length(from, &len))
            return false;
    } else {
        *ret_tag = first >> 2 & 15;
        if ((first & 3) == 3 || !take_number(from, (size_t)1 << (first & 3), &len))
            return false;
    }
    ret->len = len;
    return take(from, len, &ret->at);
}

/* RFC 9580 section 5.5.4: a digest over a prefix, the length and the packet. */
static bool compute_fingerprint(struct span body, char out[65], uint8_t key_id[8])
{
    uint8_t digest[EVP_MAX_MD_SIZE], prefix[5];
    bool is_four = body.at[0] == 4;
    unsigned len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok;

    if (is_four) {
        prefix[0] = 0x99;
        prefix[1] = (uint8_t)(body.len >> 8);
        prefix[2] = (uint8_t)body.len;
    } else {
        prefix[0] = 0x9b;
        for (int i = 0; i < 4; i++)
            prefix[1 + i] = (uint8_t)(body.len >> (24 - 8 * i));
    }
    ok = ctx && EVP_DigestInit_ex(ctx, is_four ? EVP_sha1() : EVP_sha256(), NULL) &&
         EVP_DigestUpdate(ctx, prefix, is_four ? 3 : 5) &&
         EVP_DigestUpdate(ctx, body.at, body.len) && EVP_DigestFinal_ex(ctx, digest, &len);
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return false;
    for (unsigned i = 0; i < len && i < 32; i++)
        (void)snprintf(out + 2 * (size_t)i, 3, "%02X", digest[i]);
    memcpy(key_id, is_four ? digest + 12 : digest, 8);
    return true;
}

/* What a signature says of the key. */
struct statement {
    size_t created, expires; /* `expires`: seconds after the key's creation; 0: never */
    bool has_issuer;
    uint8_t issuer[8];
};

static bool read_subpackets(struct span area, struct statement *ret)
{
    while (area.len > 0) {
        struct span sub;
        size_t len, value;

        if (!take_new_length(&area, &len) || len == 0)
            return false;
        sub.len = len;
        if (!take(&area, len, &sub.at))
            return false;
        switch (sub.at[0] & 0x7f) {
        case SUBPACKET_CREATED:
        case SUBPACKET_KEY_EXPIRES: {
            unsigned type = sub.at[0] & 0x7f;

            sub.at++;
            sub.len--;
            if (!take_number(&sub, 4, &value))
                return false;
            *(type == SUBPACKET_CREATED ? &ret->created : &ret->expires) = value;
            break;
        }
        case SUBPACKET_ISSUER:
            if (len < 9)
                return false;
            memcpy(ret->issuer, sub.at + 1, 8);
            ret->has_issuer = true;
            break;
        default:
            break;
        }
    }
    return true;
}

/* A certification or direct-key signature of version 4; *ret_counts: it is one. */
static bool read_signature(struct span body, struct statement *ret, bool *ret_counts)
{
    struct statement loose = {0};
    struct span hashed, unhashed;
    size_t version, type, rest;

    *ret = (struct statement){0};
    *ret_counts = false;
    if (!take_number(&body, 1, &version))
        return false;
    if (version != 4)
        return true;
    if (!take_number(&body, 1, &type) || !take_number(&body, 2, &rest) ||
        !take_number(&body, 2, &hashed.len) || !take(&body, hashed.len, &hashed.at) ||
        !take_number(&body, 2, &unhashed.len) || !take(&body, unhashed.len, &unhashed.at))
        return false;
    *ret_counts = (type >= 0x10 && type <= 0x13) || type == 0x1f;
    if (!*ret_counts)
        return true;
    if (!read_subpackets(hashed, ret) || !read_subpackets(unhashed, &loose))
        return false;
    if (!ret->has_issuer && loose.has_issuer) { /* where gpg puts it */
        ret->has_issuer = true;
        memcpy(ret->issuer, loose.issuer, sizeof(ret->issuer));
    }
    return true;
}

static bool read_self_signatures(struct span left, const uint8_t key_id[8], size_t created,
                                 struct openpgp_key *ret)
{
    size_t newest = 0;

    while (left.len > 0) {
        struct statement statement;
        struct span body;
        unsigned tag;
        bool counts;

        if (!take_packet(&left, &tag, &body) || tag == TAG_SECRET_KEY || tag == TAG_PUBLIC_KEY)
            return false;
        if (tag != TAG_SIGNATURE)
            continue;
        if (!read_signature(body, &statement, &counts))
            return false;
        if (!counts || statement.created < newest ||
            (statement.has_issuer && memcmp(statement.issuer, key_id, 8) != 0))
            continue;
        newest = statement.created;
        ret->expires = statement.expires ? (int64_t)(created + statement.expires) : 0;
    }
    return true;
}

int openpgp_key_parse(const uint8_t *data, size_t len, struct openpgp_key *ret, struct err *err)
{
    struct span left = {data, len}, body, rest;
    size_t version, created;
    uint8_t key_id[8];
    unsigned tag;

    *ret = (struct openpgp_key){0};
    if (!take_packet(&left, &tag, &body))
        return err_set(err, -EBADMSG, "holds no OpenPGP packets");
    if (tag != TAG_PUBLIC_KEY)
        return err_set(err, -EBADMSG, "does not begin with a public key");
    rest = body;
    if (body.len > 0xffff || !take_number(&rest, 1, &version) || (version != 4 && version != 6) ||
        !take_number(&rest, 4, &created))
        return err_set(err, -EBADMSG, "holds a key of an unknown version");
    if (!compute_fingerprint(body, ret->fingerprint, key_id))
        return err_set(err, -EBADMSG, "its fingerprint cannot be computed");
    if (!read_self_signatures(left, key_id, created, ret))
        return err_set(err, -EBADMSG, "holds more than one key, or is damaged");
    return 0;
}
