/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl hooks` verbs: which files may run code when Python starts. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/hook_list.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/venv.h"

static int add_venvs(const struct ctl *ctl, struct hook_places *places, struct problem *problem)
{
    struct venv_list list = {0};
    int r = venv_list_all(ctl, &list, problem);

    for (size_t i = 0; r == 0 && i < list.count; i++) {
        struct problem ignored = {0};
        char minor[MINOR_SIZE] = "";

        /* One that is not in order is told by status; its hooks are looked at if it has any. */
        (void)venv_check(ctl, list.roots[i], minor, &ignored);
        if (minor[0])
            hook_places_add_venv(places, list.roots[i], minor);
    }
    venv_list_done(&list);
    return r;
}

int cmd_hooks_take(struct ctl *ctl, int argc, char **argv)
{
    const struct policy_apply_options options = {.confirm_within = 0};
    struct hook_places places = {.count = 0};
    struct problem problem = {0};
    uint64_t serial;
    CLEANUP_FD int lock = policy_lock(ctl, &problem);
    int r = lock;

    (void)argc;
    (void)argv;
    if (lock >= 0) {
        hook_places_add_interpreters(&places, ctl);
        r = add_venvs(ctl, &places, &problem);
    }
    if (r >= 0)
        r = hook_list_take(ctl, &places, &problem);
    if (r >= 0)
        r = policy_apply_sources(ctl, &options, &serial, &problem);
    hook_places_done(&places);
    return r < 0 ? problem_report("hooks.list", &problem) : CTL_OK;
}

int cmd_hooks_list(struct ctl *ctl, int argc, char **argv)
{
    struct hook_list list = {.count = 0};
    struct problem problem = {0};
    json_t *array = json_array();
    bool exists;

    (void)argc;
    (void)argv;
    if (hook_list_read(ctl, &list, &exists, &problem) < 0) {
        json_decref(array);
        return problem_report("hooks.list", &problem);
    }
    for (size_t i = 0; i < list.count; i++) {
        json_array_append_new(array, json_pack("{s:o, s:s}", "path", json_text(list.items[i].path),
                                               "sha256", list.items[i].digest));
        if (!(ctl->flags & CTL_JSON))
            printf("%.12s  %s\n", list.items[i].digest, safe(list.items[i].path));
    }
    if (!exists && !(ctl->flags & CTL_JSON))
        printf("no inventory was taken yet: spythonctl hooks take\n");
    if (ctl->flags & CTL_JSON)
        out_json(json_pack("{s:b, s:o}", "taken", exists, "hooks", array));
    else
        json_decref(array);
    hook_list_done(&list);
    return CTL_OK;
}
