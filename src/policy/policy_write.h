/* SPDX-License-Identifier: Apache-2.0 */
/* From settings to the bytes of policy.bin. */
#ifndef SPYTHON_POLICY_POLICY_WRITE_H
#define SPYTHON_POLICY_POLICY_WRITE_H

#include "policy/policy.h"

struct policy_write_input {
    const struct policy_settings *settings; /* the host's, then one for each app */
    uint32_t settings_count;
    struct policy_strings venvs;
    const struct manifest_index *manifests; /* with their blocks; roots of settings point into it */
    uint32_t manifest_count;
    const struct policy_hook *hooks; /* sorted by path, each path once */
    uint32_t hook_count;
    uint64_t serial;
    int64_t applied;
};

/* Writes the format that this build makes. Returns 0 and a malloc'ed artefact, -ENOMEM, or -EFBIG
 * if it would be larger than POLICY_MAX_SIZE. The same input gives the same bytes. */
int policy_write(const struct policy_write_input *input, void **ret_data, size_t *ret_len,
                 struct err *err);

#endif
