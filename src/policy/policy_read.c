/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part that all formats share: is this a policy, is it whole, which format is it. A build reads
 * the format it writes and the one before it.
 */
#include "policy/policy_read.h"

#include <errno.h>
#include <string.h>

#include "policy/policy_format.h"

#define OLDEST_FORMAT 1
#define CHECKED_AT 68 /* struct policy_header, checked: since format 1 */

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
                   name, format, OLDEST_FORMAT);
}

static int check_envelope(const struct policy_envelope *envelope, const struct policy_file *file,
                          const char *name, struct err *err)
{
    uint8_t digest[DIGEST_SIZE];
    size_t before = sizeof(*envelope);

    if (envelope->size > file->size)
        return err_set(err, -EBADMSG, "policy '%s' is cut off: %llu of %u bytes (%s)", name,
                       (unsigned long long)file->size, envelope->size, POLICY_REPAIR);
    if (envelope->size < file->size)
        return err_set(err, -EBADMSG, "policy '%s' has %llu bytes behind its end (%s)", name,
                       (unsigned long long)file->size - envelope->size, POLICY_REPAIR);
    if (file->checked < before || (envelope->format == 1 && file->checked != file->size))
        return err_set(err, -EBADMSG,
                       "policy '%s' is damaged: its header is of another layout (%s)", name,
                       POLICY_REPAIR);
    digest_sha256(file->data + before, (size_t)file->checked - before, digest);
    if (memcmp(digest, envelope->digest, sizeof(digest)) != 0)
        return err_set(err, -EBADMSG, "policy '%s' is damaged: wrong checksum (%s)", name,
                       POLICY_REPAIR);
    return 0;
}

uint64_t policy_checked_size(const void *head, size_t len, uint64_t size)
{
    struct policy_envelope envelope;
    uint32_t checked;

    if (len < CHECKED_AT + sizeof(checked))
        return size;
    memcpy(&envelope, head, sizeof(envelope));
    memcpy(&checked, (const uint8_t *)head + CHECKED_AT, sizeof(checked));
    if (envelope.format <= 1 || checked < POLICY_HEAD_SIZE || checked > size)
        return size;
    return checked;
}

int policy_read(const struct policy_file *file, const char *name, struct policy *ret,
                struct err *err)
{
    uint64_t len = file->checked;
    struct policy_envelope envelope;
    int r;

    if (len == 0)
        return err_set(err, -EBADMSG, "policy '%s' is empty (%s)", name, POLICY_REPAIR);
    if (len > POLICY_MAX_SIZE || file->size > POLICY_MAX_SIZE + POLICY_MAX_BLOCKS)
        return err_set(err, -EFBIG, "policy '%s' is larger than %u bytes", name, POLICY_MAX_SIZE);
    if (memcmp(file->data, POLICY_MAGIC, len < POLICY_MAGIC_SIZE ? len : POLICY_MAGIC_SIZE) != 0)
        return err_set(err, -EBADMSG, "'%s' is not a compiled policy (%s)", name, POLICY_REPAIR);
    if (len < sizeof(envelope))
        return err_set(err, -EBADMSG, "policy '%s' is cut off after %llu bytes (%s)", name,
                       (unsigned long long)len, POLICY_REPAIR);
    memcpy(&envelope, file->data, sizeof(envelope));
    if (envelope.format < OLDEST_FORMAT || envelope.format > POLICY_FORMAT)
        return refuse_format(envelope.format, name, err);
    r = check_envelope(&envelope, file, name, err);
    if (r < 0)
        return r;
    r = policy_decode(file, envelope.format, name, ret, err);
    if (r < 0)
        return r;
    memcpy(ret->digest, envelope.digest, sizeof(ret->digest));
    return 0;
}
