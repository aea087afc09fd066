/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part that all formats share: is this a policy, is it whole, which format is it. A build reads
 * the format it writes and the one before it; each has one line in `formats`.
 */
#include "policy/policy_read.h"

#include <errno.h>
#include <string.h>

#include "policy/policy_format.h"

static const struct {
    uint32_t format;
    int (*decode)(const uint8_t *data, size_t len, const char *name, struct policy *ret,
                  struct err *err);
} formats[] = {
    {1, policy_decode_v1},
};

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

static int refuse_format(uint32_t format, const char *name, struct err *err)
{
    if (format > POLICY_FORMAT)
        return err_set(err, -EPROTO,
                       "policy '%s' has format %u, newer than %u that this spython reads (apply "
                       "the policy again with this version's spythonctl, or upgrade spython)",
                       name, format, POLICY_FORMAT);
    return err_set(err, -EPROTO,
                   "policy '%s' has format %u, older than %u that this spython still reads (apply "
                   "the policy again with this version's spythonctl)",
                   name, format, formats[0].format);
}

static int check_envelope(const struct policy_envelope *envelope, const void *data, size_t len,
                          const char *name, struct err *err)
{
    uint8_t digest[DIGEST_SIZE];
    size_t before = sizeof(*envelope);

    if (envelope->size > len)
        return err_set(err, -EBADMSG, "policy '%s' is cut off: %zu of %u bytes (%s)", name, len,
                       envelope->size, POLICY_REPAIR);
    if (envelope->size < len)
        return err_set(err, -EBADMSG, "policy '%s' has %zu bytes behind its end (%s)", name,
                       len - envelope->size, POLICY_REPAIR);
    digest_sha256((const uint8_t *)data + before, len - before, digest);
    if (memcmp(digest, envelope->digest, sizeof(digest)) != 0)
        return err_set(err, -EBADMSG, "policy '%s' is damaged: wrong checksum (%s)", name,
                       POLICY_REPAIR);
    return 0;
}

int policy_read(const void *data, size_t len, const char *name, struct policy *ret, struct err *err)
{
    struct policy_envelope envelope;
    int r;

    if (len == 0)
        return err_set(err, -EBADMSG, "policy '%s' is empty (%s)", name, POLICY_REPAIR);
    if (len > POLICY_MAX_SIZE)
        return err_set(err, -EFBIG, "policy '%s' is larger than %u bytes", name, POLICY_MAX_SIZE);
    if (memcmp(data, POLICY_MAGIC, len < POLICY_MAGIC_SIZE ? len : POLICY_MAGIC_SIZE) != 0)
        return err_set(err, -EBADMSG, "'%s' is not a compiled policy (%s)", name, POLICY_REPAIR);
    if (len < sizeof(envelope))
        return err_set(err, -EBADMSG, "policy '%s' is cut off after %zu bytes (%s)", name, len,
                       POLICY_REPAIR);
    memcpy(&envelope, data, sizeof(envelope));
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (formats[i].format != envelope.format)
            continue;
        r = check_envelope(&envelope, data, len, name, err);
        if (r < 0)
            return r;
        r = formats[i].decode(data, len, name, ret, err);
        if (r < 0)
            return r;
        memcpy(ret->digest, envelope.digest, sizeof(ret->digest));
        return 0;
    }
    return refuse_format(envelope.format, name, err);
}
