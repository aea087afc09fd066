/* SPDX-License-Identifier: Apache-2.0 */
/* Which settings hold for a process. */
#include <string.h>

#include "policy/policy.h"

/* What an app names, as a number: script before venv before user, and more before less. Two apps of
 * the same rank that match the same process name the same values, which apply refuses. */
enum rank {
    RANK_NONE = 0,
    RANK_USER = 1,
    RANK_VENV = 2,
    RANK_SCRIPT = 4,
};

static unsigned match_rank(const struct policy_settings *app, const char *script, const char *venv,
                           uid_t uid)
{
    unsigned rank = RANK_NONE;

    if (app->match_script[0]) {
        if (strcmp(app->match_script, script) != 0)
            return RANK_NONE;
        rank |= RANK_SCRIPT;
    }
    if (app->match_venv[0]) {
        if (strcmp(app->match_venv, venv) != 0)
            return RANK_NONE;
        rank |= RANK_VENV;
    }
    if (app->match_uid >= 0) {
        if (app->match_uid != (int64_t)uid)
            return RANK_NONE;
        rank |= RANK_USER;
    }
    return rank;
}

const struct policy_settings *policy_find(const struct policy *policy, const char *script,
                                          const char *venv, uid_t uid)
{
    const struct policy_settings *best = policy->host;
    unsigned best_rank = RANK_NONE;

    for (uint32_t i = 0; i < policy->app_count; i++) {
        unsigned rank = match_rank(&policy->apps[i], script, venv, uid);

        if (rank > best_rank) {
            best = &policy->apps[i];
            best_rank = rank;
        }
    }
    return best;
}

bool policy_has_venv(const struct policy *policy, const char *root)
{
    for (uint32_t i = 0; i < policy->venvs.count; i++) {
        if (strcmp(policy->venvs.items[i], root) == 0)
            return true;
    }
    return false;
}

const struct policy_hook *policy_find_hook(const struct policy *policy, const char *path)
{
    uint32_t from = 0, to = policy->hook_count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order = strcmp(policy->hooks[middle].path, path);

        if (order == 0)
            return &policy->hooks[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

const char *verify_mode_name(enum verify_mode mode)
{
    static const char *const names[VERIFY_MODE_MAX] = {
        [VERIFY_ENFORCE] = "enforce",
        [VERIFY_AUDIT] = "audit",
        [VERIFY_OFF] = "off",
    };

    return (unsigned)mode < VERIFY_MODE_MAX ? names[mode] : "enforce";
}

const char *profile_name(enum profile profile)
{
    static const char *const names[PROFILE_MAX] = {
        [PROFILE_STRICT] = "strict",
        [PROFILE_STANDARD] = "standard",
        [PROFILE_OBSERVE] = "observe",
    };

    return (unsigned)profile < PROFILE_MAX ? names[profile] : "strict";
}
