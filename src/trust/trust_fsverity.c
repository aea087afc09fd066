/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier `fsverity`: the kernel measured the file, and a manifest lists that measurement. No
 * byte is hashed here; the kernel hashed each page when it came from the disk.
 *
 * Why the measurement tells about the bytes that were read. A file gets fs-verity only while nobody
 * has it open for writing, and from then on nobody can: neither root nor through a descriptor or a
 * mapping that was there before, until the file is removed. So what is read after fs-verity was
 * seen on a file is what the measurement covers. What was read before need not be: an owner can
 * write one thing, let it be read, write another, and only then turn fs-verity on. Therefore either
 * the caller saw fs-verity before it read (trust_file_opened()), or the file is read once more, now
 * that it can not change, and has to hold the same bytes; that is several times cheaper than a
 * digest. The dynamic linker maps native files later than this is asked, so they need neither, as
 * long as the path still leads to the file (the verifier `owner` tells that).
 */
#include <errno.h>
#include <linux/fsverity.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/hex.h"
#include "trust/trust_listing.h"
#include "trust/trust_verifiers.h"

/* Returns 0 and the kernel's SHA-256 measurement, or -errno of the ioctl; -EMEDIUMTYPE: the file is
 * measured with another hash. */
static int measure(int fd, uint8_t ret[DIGEST_SIZE])
{
    /* The kernel's structure ends in a flexible array. */
    union {
        struct fsverity_digest head;
        uint8_t room[sizeof(struct fsverity_digest) + DIGEST_SIZE];
    } u = {.head.digest_size = DIGEST_SIZE};

    if (ioctl(fd, FS_IOC_MEASURE_VERITY, &u) < 0)
        return errno == EOVERFLOW ? -EMEDIUMTYPE : -errno;
    if (u.head.digest_algorithm != FS_VERITY_HASH_ALG_SHA256 || u.head.digest_size != DIGEST_SIZE)
        return -EMEDIUMTYPE;
    memcpy(ret, u.room + sizeof(struct fsverity_digest), DIGEST_SIZE);
    return 0;
}

static void say_unmeasured(int r, struct trust_evidence *ret)
{
    switch (-r) {
    case ENODATA:
        TRUST_TEXT(ret->reason, "has no fs-verity");
        return;
    case ENOTTY:
    case EOPNOTSUPP:
        ret->answer = TRUST_UNAVAILABLE;
        TRUST_TEXT(ret->reason, "is on a file system without fs-verity");
        return;
    case EMEDIUMTYPE:
        TRUST_TEXT(ret->reason, "has fs-verity with another hash than SHA-256");
        return;
    default:
        TRUST_TEXT(ret->reason, "has fs-verity that cannot be read: errno %d", -r);
        return;
    }
}

/* Does the file, which cannot change any more, hold the bytes that were read? */
static bool holds_same_bytes(const struct trust_file *file)
{
    const uint8_t *data = file->data ? file->data : (const uint8_t *)"";
    uint8_t block[8192];
    size_t at = 0;

    for (;;) {
        ssize_t n = pread(file->fd, block, sizeof(block), (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (size_t)n > file->len - at)
            return false;
        if (n == 0)
            return at == file->len;
        if (memcmp(block, data + at, (size_t)n) != 0)
            return false;
        at += (size_t)n;
    }
}

/* Looks for the measurement in the manifests, as trust_listing_check() does for the digest. */
static bool is_listed(const struct trust_root *root, const struct trust_file *file,
                      const uint8_t actual[DIGEST_SIZE], struct trust_evidence *ret)
{
    struct trust_listing listing;
    bool listed = false, with_digest = false;
    uint32_t at = 0;
    int r;

    while ((r = trust_listing_next(root, TRUST_LISTING_SIGNED, file->path, &at, &listing)) == 1) {
        listed = true;
        if (!listing.item.verity)
            continue;
        if (memcmp(listing.item.verity, actual, DIGEST_SIZE) == 0) {
            ret->reason[0] = ret->expected[0] = ret->actual[0] = '\0';
            trust_listing_attribute(&listing, true, ret);
            return true;
        }
        if (with_digest)
            continue;
        with_digest = true;
        TRUST_TEXT(ret->reason, "has another fs-verity digest than the one that is listed");
        hex_encode(listing.item.verity, DIGEST_SIZE, ret->expected);
        hex_encode(actual, DIGEST_SIZE, ret->actual);
        trust_listing_attribute(&listing, true, ret);
    }
    if (r < 0) {
        TRUST_TEXT(ret->reason, "is perhaps listed, but the manifest is damaged");
        ret->expected[0] = ret->actual[0] = ret->distribution[0] = '\0';
        trust_listing_attribute(&listing, false, ret);
    } else if (!listed) {
        TRUST_TEXT(ret->reason, "is not listed");
    } else if (!with_digest) {
        ret->answer = TRUST_NO_OPINION;
        TRUST_TEXT(ret->reason, "is listed without an fs-verity digest");
    }
    return false;
}

static void check(const struct trust_policy *policy, const struct trust_root *root,
                  struct trust_file *file, struct trust_evidence *ret)
{
    uint8_t actual[DIGEST_SIZE];
    int r;

    (void)policy;
    ret->answer = TRUST_REJECTED;
    if (!trust_listing_has_any(root, TRUST_LISTING_SIGNED)) {
        ret->answer = TRUST_UNAVAILABLE;
        TRUST_TEXT(ret->reason, "no manifest covers this place");
        return;
    }
    r = measure(file->fd, actual);
    if (r < 0) {
        say_unmeasured(r, ret);
        return;
    }
    if (!is_listed(root, file, actual, ret))
        return;
    /* Even a caller who saw fs-verity first may have read only a part. */
    if ((file->data || file->kind != TRUST_NATIVE) &&
        (file->sealed_first ? file->len != (uint64_t)file->st.st_size : !holds_same_bytes(file))) {
        TRUST_TEXT(ret->reason, "changed while it was read");
        return;
    }
    ret->answer = TRUST_TRUSTED;
}

const struct trust_verifier trust_fsverity = {.name = "fsverity", .check = check};
