/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl explain` verb: why was this refused, and what would allow it? */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/explain.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"

#define MAX_PLACES 64

/* The directories that records are written to: those of the policy's sinks, and the usual one. */
struct places {
    char *items[MAX_PLACES];
    size_t count;
};

static void add_place(struct places *places, char *path)
{
    if (places->count < MAX_PLACES)
        places->items[places->count++] = path;
    else
        free(path);
}

static void add_sinks(struct places *places, const struct ctl *ctl,
                      const struct policy_settings *settings)
{
    for (uint32_t i = 0; i < settings->sink_count; i++) {
        const char *path = settings->sinks[i].path;
        char *whole, *slash;

        if (settings->sinks[i].kind != SINK_FILE || !path || !path[0])
            continue;
        whole = path[0] == '/' ? must_copy(path) : must_format("%s/%s", ctl->state, path);
        slash = strrchr(whole, '/');
        *slash = '\0'; /* of a directory the slash at its end, of a shared file its name */
        add_place(places, whole);
    }
}

static void find_places(struct places *places, const struct ctl *ctl)
{
    struct problem ignored = {0};
    struct policy policy;
    bool built_in;

    if (policy_in_force(ctl, &policy, &built_in, &ignored) == 0) {
        add_sinks(places, ctl, policy.host);
        for (uint32_t i = 0; i < policy.app_count; i++)
            add_sinks(places, ctl, &policy.apps[i]);
        policy_done(&policy);
    }
    add_place(places, must_format("%s/var/log/spython", ctl->state));
}

int cmd_explain(struct ctl *ctl, int argc, char **argv)
{
    struct places places = {.count = 0};
    struct problem problem = {0};
    json_t *record = NULL;
    int r;

    (void)argc;
    find_places(&places, ctl);
    r = explain_find(argv[0], ctl_value(ctl, CTL_LOG), (const char *const *)places.items,
                     places.count, &record, &problem);
    for (size_t i = 0; i < places.count; i++)
        free(places.items[i]);
    if (r < 0)
        return problem_report(argv[0], &problem);
    if (ctl->flags & CTL_JSON) {
        CLEANUP_FREE char *advice = explain_advice(record);

        out_json(json_pack("{s:O, s:o}", "record", record, "advice",
                           advice ? json_text(advice) : json_null()));
    } else {
        explain_print(record);
    }
    json_decref(record);
    return CTL_OK;
}
