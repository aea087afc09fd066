/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the loader: from bytes to struct policy, one decoder for each format. */
#ifndef SPYTHON_POLICY_POLICY_READ_H
#define SPYTHON_POLICY_POLICY_READ_H

#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

/* What to do about a damaged file, at the end of such messages. */
#define POLICY_REPAIR "apply the policy again with spythonctl apply, or spythonctl rollback"

/* Checks envelope and digest and decodes. `name` is for messages. Fills all of *ret but map,
 * map_len and bytes. Errors as policy_load_memory(). */
int policy_read(const void *data, size_t len, const char *name, struct policy *ret,
                struct err *err);

/* Format 1. The envelope has been checked; `len` is its size. Every offset, count, string and
 * enumeration is checked here again, because a digest only tells that nothing has changed. */
int policy_decode_v1(const uint8_t *data, size_t len, const char *name, struct policy *ret,
                     struct err *err);

#endif
