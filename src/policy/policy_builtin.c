/* SPDX-License-Identifier: Apache-2.0 */
/* The policy that holds where none was applied: builtin.yaml, compiled at build time. */
#include "policy/builtin_data.h"
#include "policy/policy.h"

int policy_builtin(struct policy *ret, struct err *err)
{
    int r = policy_load_memory(policy_builtin_data, policy_builtin_size, ret, err);

    if (r < 0)
        err_prefix(err, "built-in policy");
    return r;
}
