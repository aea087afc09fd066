/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy_observe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_write.h"

static unsigned relax(enum verify_mode *mode)
{
    if (*mode != VERIFY_ENFORCE)
        return 0;
    *mode = VERIFY_AUDIT;
    return 1;
}

/* `denials` has room for those of the settings. */
static unsigned observe(struct policy_settings *settings, struct policy_denial *denials)
{
    unsigned changed = relax(&settings->verify.mode) + relax(&settings->verify.native) +
                       relax(&settings->verify.hooks);

    for (uint32_t i = 0; i < settings->denial_count; i++) {
        denials[i] = settings->denials[i];
        if (denials[i].mode == DENIAL_ENFORCE) {
            denials[i].mode = DENIAL_AUDIT;
            changed++;
        }
    }
    settings->denials = denials;
    return changed;
}

static size_t count_denials(const struct policy *policy)
{
    size_t count = policy->host->denial_count;

    for (uint32_t i = 0; i < policy->app_count; i++)
        count += policy->apps[i].denial_count;
    return count;
}

int policy_observe(const struct policy *policy, const char *app, void **ret_data, size_t *ret_len,
                   unsigned *ret_changed, struct err *err)
{
    struct policy_settings *settings = calloc(policy->app_count + (size_t)1, sizeof(*settings));
    struct policy_denial *denials = calloc(count_denials(policy) + 1, sizeof(*denials));
    struct policy_write_input input = {
        .settings = settings,
        .settings_count = policy->app_count + 1,
        .venvs = policy->venvs,
        .manifests = policy->manifests,
        .manifest_count = policy->manifest_count,
        .hooks = policy->hooks,
        .hook_count = policy->hook_count,
        .serial = policy->serial,
        .applied = policy->applied,
    };
    size_t used = 0;
    bool found = !app;
    int r;

    if (!settings || !denials) {
        r = err_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    *ret_changed = 0;
    for (uint32_t i = 0; i <= policy->app_count; i++) {
        settings[i] = i ? policy->apps[i - 1] : *policy->host;
        if (app && (i == 0 || strcmp(app, settings[i].app) != 0))
            continue;
        found = true;
        *ret_changed += observe(&settings[i], denials + used);
        used += settings[i].denial_count;
    }
    if (found)
        r = policy_write(&input, ret_data, ret_len, err);
    else
        r = err_set(err, -ENOENT, "there is no app of this name in the policy in force");
out:
    free(settings);
    free(denials);
    return r;
}
