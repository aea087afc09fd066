/* SPDX-License-Identifier: Apache-2.0 */
/* The list of adopted environments: one real path a line. policy_compile.c reads it as well. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/venv.h"

#define LIST_MAX (1u << 20)

static const char heading[] = "# Virtual environments that may run under spython. Kept by "
                              "spythonctl venv adopt and remove.\n";

int venv_list_read(const struct ctl *ctl, struct venv_list *ret, struct problem *problem)
{
    CLEANUP_FREE char *path = must_format("%s/venvs.list", ctl->etc);
    CLEANUP_FREE char *text = NULL;
    char *rest, *line;
    size_t len;
    int r = file_read(path, LIST_MAX, &text, &len, problem);

    *ret = (struct venv_list){0};
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    rest = text;
    while ((line = strsep(&rest, "\n")) != NULL)
        if (line[0] == '/')
            venv_list_add(ret, line);
    return 0;
}

int venv_list_all(const struct ctl *ctl, struct venv_list *ret, struct problem *problem)
{
    struct problem unusable = {0};
    struct policy policy;
    bool built_in;
    int r = venv_list_read(ctl, ret, problem);

    if (r < 0 || policy_in_force(ctl, &policy, &built_in, &unusable) < 0)
        return r; /* that the policy is unusable is told elsewhere */
    for (uint32_t i = 0; i < policy.venvs.count; i++)
        venv_list_add(ret, policy.venvs.items[i]);
    policy_done(&policy);
    return 0;
}

int venv_list_write(const struct ctl *ctl, const struct venv_list *list, struct problem *problem)
{
    CLEANUP_FREE char *path = must_format("%s/venvs.list", ctl->etc);
    size_t len = strlen(heading), at;
    char *text;
    int r;

    for (size_t i = 0; i < list->count; i++)
        len += strlen(list->roots[i]) + 1;
    text = must_alloc(len + 1);
    at = (size_t)snprintf(text, len + 1, "%s", heading);
    for (size_t i = 0; i < list->count; i++)
        at += (size_t)snprintf(text + at, len + 1 - at, "%s\n", list->roots[i]);
    r = file_replace(path, text, len, problem);
    free(text);
    return r;
}

bool venv_list_has(const struct venv_list *list, const char *root)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->roots[i], root) == 0)
            return true;
    return false;
}

void venv_list_add(struct venv_list *list, const char *root)
{
    if (venv_list_has(list, root))
        return;
    list->roots = must_grow(list->roots, (list->count + 1) * sizeof(*list->roots));
    list->roots[list->count++] = must_copy(root);
}

bool venv_list_remove(struct venv_list *list, const char *root)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->roots[i], root) != 0)
            continue;
        free(list->roots[i]);
        memmove(list->roots + i, list->roots + i + 1, (list->count - i - 1) * sizeof(*list->roots));
        list->count--;
        return true;
    }
    return false;
}

void venv_list_done(struct venv_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->roots[i]);
    free(list->roots);
    *list = (struct venv_list){0};
}

json_t *venv_list_json(const struct ctl *ctl, const struct venv_list *list, size_t *ret_bad)
{
    json_t *array = json_array();

    *ret_bad = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct problem problem = {0};
        char minor[MINOR_SIZE];
        int r = venv_check(ctl, list->roots[i], minor, &problem);
        json_t *object = json_object();

        if (r == 0)
            r = venv_check_links(ctl, list->roots[i], minor, &problem);
        json_object_set_new(object, "root", json_text(list->roots[i]));
        json_object_set_new(object, "minor", json_text(minor));
        json_object_set_new(object, "ok", json_boolean(r == 0));
        if (r < 0) {
            json_object_set_new(object, "problem", json_text(problem.err.msg));
            json_object_set_new(object, "todo", json_text(problem.todo));
            ++*ret_bad;
        }
        json_array_append_new(array, object);
    }
    return array;
}
