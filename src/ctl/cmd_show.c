/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl show` verb: the settings in force, and where each comes from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/policy_view.h"

/* What the profile alone gives, to tell it from what spython.yaml says; NULL if that fails. */
static json_t *profile_settings(enum profile profile)
{
    CLEANUP_FREE char *yaml = must_format("profile: %s\n", profile_name(profile));
    CLEANUP_FREE void *data = NULL;
    struct policy_messages messages = {0};
    struct policy policy;
    json_t *settings = NULL;
    size_t len;

    if (policy_compile_text("profile", yaml, strlen(yaml), 1, 0, &data, &len, &messages, NULL) ==
            0 &&
        policy_load_memory(data, len, &policy, NULL) == 0) {
        settings = view_settings(policy.host);
        policy_done(&policy);
    }
    policy_messages_done(&messages);
    return settings;
}

static const char *origin(const char *key, const json_t *value, const json_t *base,
                          const char *same, const char *other)
{
    const json_t *before = base ? json_object_get(base, key) : NULL;

    return before && json_equal(before, value) ? same : other;
}

/* An array of {name, value, from}. */
static json_t *settings_with_origin(const struct policy *policy, bool built_in,
                                    const struct policy_settings *settings)
{
    bool is_app = settings->app[0] != '\0';
    json_t *base = is_app ? view_settings(policy->host) : profile_settings(settings->profile);
    CLEANUP_FREE char *file = must_format("apps.d/%s.yml", settings->app);
    json_t *all = view_settings(settings), *array = json_array(), *value;
    const char *key;

    json_object_foreach(all, key, value)
    {
        const char *from = built_in ? "built-in"
                           : is_app ? origin(key, value, base, "host", file)
                                    : origin(key, value, base, "profile", "spython.yaml");

        if (!built_in && !is_app && strcmp(key, "profile") == 0)
            from = "spython.yaml";
        json_array_append_new(
            array, json_pack("{s:s, s:O, s:s}", "name", key, "value", value, "from", from));
    }
    json_decref(all);
    json_decref(base);
    return array;
}

static void print_settings(const json_t *array)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        CLEANUP_FREE char *text = view_value_text(json_object_get(item, "value"));

        printf("%-34s %s", safe(json_member(item, "name")), safe(text));
        printf("  (%s)\n", safe(json_member(item, "from")));
    }
}

static int show(const struct ctl *ctl, const struct policy *policy, bool built_in, const char *app)
{
    const struct policy_settings *settings = app ? view_find_app(policy, app) : policy->host;
    json_t *array, *apps, *venvs;

    if (!settings) {
        struct problem problem = {0};

        problem_set(&problem, -ENOENT, "there is no app of this name in the policy in force");
        problem_todo(&problem, "spythonctl show lists them; new ones need spythonctl apply");
        return problem_report(app, &problem);
    }
    array = settings_with_origin(policy, built_in, settings);
    apps = json_array();
    venvs = json_array();
    for (uint32_t i = 0; i < policy->app_count; i++)
        json_array_append_new(apps, json_text(policy->apps[i].app));
    for (uint32_t i = 0; i < policy->venvs.count; i++)
        json_array_append_new(venvs, json_text(policy->venvs.items[i]));
    if (ctl->flags & CTL_JSON) {
        out_json(json_pack("{s:o, s:o, s:o, s:o}", "app", json_text(settings->app), "settings",
                           array, "apps", apps, "venvs", venvs));
        return CTL_OK;
    }
    print_settings(array);
    if (!app) {
        CLEANUP_FREE char *app_names = view_value_text(apps);
        CLEANUP_FREE char *roots = view_value_text(venvs);

        printf("\napps: %s\n", safe(app_names));
        printf("virtual environments: %s\n", safe(roots));
    }
    json_decref(array);
    json_decref(apps);
    json_decref(venvs);
    return CTL_OK;
}

int cmd_show(struct ctl *ctl, int argc, char **argv)
{
    struct problem problem = {0};
    struct policy policy;
    bool built_in;
    int status;

    if (policy_in_force(ctl, &policy, &built_in, &problem) < 0) {
        (void)problem_report("policy", &problem);
        return CTL_UNUSABLE;
    }
    status = show(ctl, &policy, built_in, argc > 0 ? argv[0] : NULL);
    policy_done(&policy);
    return status;
}
