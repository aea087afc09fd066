/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the loader: from bytes to struct policy, one decoder for each format. */
#ifndef SPYTHON_POLICY_POLICY_READ_H
#define SPYTHON_POLICY_POLICY_READ_H

#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

/* What to do about a damaged file, at the end of such messages. */
#define POLICY_REPAIR "apply the policy again with spythonctl apply, or spythonctl rollback"

/* A compiled policy as it was found. */
struct policy_file {
    const uint8_t *data;   /* at least the part that the digest vouches for */
    uint64_t checked;      /* size of that part */
    uint64_t size;         /* of the whole file */
    const uint8_t *blocks; /* the whole file again, or NULL if manifests are not looked into */
};

/* Says how much of a file must be read at once: from its first `len` bytes, at most
 * POLICY_HEAD_SIZE. Anything that makes no sense is left to policy_read() to refuse. */
#define POLICY_HEAD_SIZE 72
uint64_t policy_checked_size(const void *head, size_t len, uint64_t size);

/* Checks envelope and digest and decodes. `name` is for messages. Fills all of *ret but map,
 * map_len and bytes. Errors as policy_load_memory(). */
int policy_read(const struct policy_file *file, const char *name, struct policy *ret,
                struct err *err);

/* Format 1 or 2. The envelope has been checked. Every offset, count, string and enumeration is
 * checked here again, because a digest only tells that nothing has changed. */
int policy_decode(const struct policy_file *file, uint32_t format, const char *name,
                  struct policy *ret, struct err *err);

#endif
