/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier `xattr`: the extended attribute of PEP 578's proof of concept holds the SHA-256 of
 * the bytes. Whoever can write the file can write the attribute too, so that it tells damage and
 * planted files that nobody labelled, never an attacker who knows of it; each answer says so.
 */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/hex.h"
#include "trust/trust_verifiers.h"

#define ATTRIBUTE "user.org.python.x-spython-hash"

int trust_xattr_parse(const char *value, size_t len, uint8_t ret[DIGEST_SIZE])
{
    return len == (size_t)2 * DIGEST_SIZE ? hex_decode(value, DIGEST_SIZE, ret) : -EINVAL;
}

static void say_unread(int code, struct trust_evidence *ret)
{
    switch (code) {
    case ENODATA:
        ret->answer = TRUST_NO_OPINION;
        TRUST_TEXT(ret->reason, "has no hash attribute");
        break;
    case EOPNOTSUPP:
        ret->answer = TRUST_UNAVAILABLE;
        TRUST_TEXT(ret->reason, "is on a file system without user attributes");
        break;
    case ERANGE:
        TRUST_TEXT(ret->reason, "has a hash attribute that is not a SHA-256");
        break;
    default:
        TRUST_TEXT(ret->reason, "has a hash attribute that cannot be read: errno %d", code);
        break;
    }
}

static void check(const struct trust_policy *policy, const struct trust_root *root,
                  struct trust_file *file, struct trust_evidence *ret)
{
    char value[2 * DIGEST_SIZE];
    uint8_t expected[DIGEST_SIZE], actual[DIGEST_SIZE];
    ssize_t len = fgetxattr(file->fd, ATTRIBUTE, value, sizeof(value));
    int r;

    (void)policy;
    (void)root;
    ret->answer = TRUST_REJECTED;
    if (len < 0) {
        say_unread(errno, ret);
        return;
    }
    if (trust_xattr_parse(value, (size_t)len, expected) < 0) {
        TRUST_TEXT(ret->reason, "has a hash attribute that is not a SHA-256");
        return;
    }
    r = trust_file_digest(file, actual);
    if (r == 0 && memcmp(expected, actual, DIGEST_SIZE) != 0)
        r = trust_file_digest_again(file, actual);
    if (r < 0) {
        TRUST_TEXT(ret->reason, "cannot be read again");
        return;
    }
    if (memcmp(expected, actual, DIGEST_SIZE) != 0) {
        TRUST_TEXT(ret->reason, "has another digest than its hash attribute");
        hex_encode(expected, DIGEST_SIZE, ret->expected);
        hex_encode(actual, DIGEST_SIZE, ret->actual);
        return;
    }
    ret->answer = TRUST_TRUSTED;
    TRUST_TEXT(ret->reason, "agrees with its hash attribute, which is unauthenticated");
}

const struct trust_verifier trust_xattr = {.name = "xattr", .check = check};
