/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl venv` verbs: which virtual environments may run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/hook_list.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/venv.h"

static int place_links(const struct ctl *ctl, const char *root, const char *minor,
                       struct problem *problem)
{
    CLEANUP_FREE char *program = ctl_path(ctl, "bin/spython%s", minor);
    CLEANUP_FREE char *versioned = must_format("%s/bin/spython%s", root, minor);
    CLEANUP_FREE char *plain = must_format("%s/bin/spython", root);
    int r = file_link(program, versioned, problem);

    if (r == 0)
        r = file_link(program, plain, problem);
    return r;
}

/* Removes the links that lead to this prefix, whatever their version. */
static int remove_links(const struct ctl *ctl, const char *root, struct problem *problem)
{
    struct interpreter *all;
    size_t count = interpreter_all(ctl, &all);
    CLEANUP_FREE char *plain = must_format("%s/bin/spython", root);
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        CLEANUP_FREE char *program = ctl_path(ctl, "bin/spython%s", all[i].minor);
        CLEANUP_FREE char *versioned = must_format("%s/bin/spython%s", root, all[i].minor);

        r = file_unlink_link(versioned, program, problem);
        if (r == 0)
            r = file_unlink_link(plain, program, problem);
    }
    free(all);
    return r;
}

/* Everything that can fail for a reason in the policy fails here, before anything is changed. */
static int try_policy(const struct ctl *ctl, const char *root, struct problem *problem)
{
    void *data = NULL;
    size_t len = 0;
    int r = policy_check_sources(ctl, problem);

    if (r == 0)
        r = policy_compile_sources(ctl, root, 1, 0, stderr, &data, &len, problem);
    free(data);
    return r;
}

/* Writes the list as it is to be and applies; puts the list back if that fails. */
static int commit_list(const struct ctl *ctl, const struct venv_list *before,
                       const struct venv_list *after, struct problem *problem)
{
    const struct policy_apply_options options = {0};
    uint64_t serial;
    int r = venv_list_write(ctl, after, problem);

    if (r < 0)
        return r;
    r = policy_apply_sources(ctl, &options, &serial, problem);
    if (r < 0) {
        struct problem second = {0};

        if (venv_list_write(ctl, before, &second) < 0)
            (void)problem_report("venvs.list", &second);
    }
    return r;
}

/* What runs at the start of an interpreter in the environment was looked at by whoever adopts it.
 * With the first inventory goes that of the interpreters: otherwise their hooks would be unknown
 * ones. */
static int take_inventory(const struct ctl *ctl, const char *root, const char *minor,
                          struct problem *problem)
{
    struct hook_places places = {.count = 0};
    struct hook_list list;
    bool exists;
    int r = hook_list_read(ctl, &list, &exists, problem);

    if (r < 0)
        return r;
    hook_list_done(&list);
    if (!exists)
        hook_places_add_interpreters(&places, ctl);
    hook_places_add_venv(&places, root, minor);
    r = hook_list_take(ctl, &places, problem);
    hook_places_done(&places);
    return r;
}

static int adopt(const struct ctl *ctl, const char *root, struct problem *problem)
{
    struct venv_list before = {0}, after = {0};
    CLEANUP_FD int lock = policy_lock(ctl, problem);
    char minor[MINOR_SIZE];
    int r = lock < 0 ? lock : venv_check(ctl, root, minor, problem);

    if (r == 0 && strchr(root, '\n')) {
        problem_set(problem, UNFIT, "its path holds a newline");
        r = problem_todo(problem, "rename it");
    }
    if (r < 0 || (r = try_policy(ctl, root, problem)) < 0 ||
        (r = venv_list_read(ctl, &before, problem)) < 0 ||
        (r = venv_list_read(ctl, &after, problem)) < 0)
        goto out;
    venv_list_add(&after, root);
    if ((r = place_links(ctl, root, minor, problem)) == 0 &&
        (r = take_inventory(ctl, root, minor, problem)) == 0)
        r = commit_list(ctl, &before, &after, problem);
    if (r < 0 && !venv_list_has(&before, root)) {
        struct problem second = {0};

        if (remove_links(ctl, root, &second) < 0)
            (void)problem_report(root, &second);
    }
    if (r == 0)
        printf("adopted %s (Python %s): start its programs with %s/bin/spython\n", safe(root),
               minor, safe(root));
out:
    venv_list_done(&before);
    venv_list_done(&after);
    return r;
}

int cmd_venv_adopt(struct ctl *ctl, int argc, char **argv)
{
    struct problem problem = {0};
    char root[PATH_MAX];

    (void)argc;
    if (!realpath(argv[0], root)) {
        problem_set(&problem, -errno, "cannot resolve it: %s", strerror(errno));
        problem_todo(&problem, "name the directory that `python3 -m venv` made");
        return problem_report(argv[0], &problem);
    }
    return adopt(ctl, root, &problem) < 0 ? problem_report(argv[0], &problem) : CTL_OK;
}

int cmd_venv_list(struct ctl *ctl, int argc, char **argv)
{
    struct venv_list list = {0};
    struct problem problem = {0};
    const json_t *item;
    json_t *array;
    size_t bad, i;

    (void)argc;
    (void)argv;
    if (venv_list_all(ctl, &list, &problem) < 0)
        return problem_report("venvs.list", &problem);
    array = venv_list_json(ctl, &list, &bad);
    venv_list_done(&list);
    if (ctl->flags & CTL_JSON) {
        out_json(json_pack("{s:o}", "venvs", array));
        return bad ? CTL_NEGATIVE : CTL_OK;
    }
    json_array_foreach(array, i, item)
    {
        bool ok = json_is_true(json_object_get(item, "ok"));

        out_word(TONE_STRONG, json_member(item, "minor"), 7);
        out_word(ok ? TONE_GOOD : TONE_BAD, ok ? "ok" : "bad", 5);
        printf("%s\n", safe(json_member(item, "root")));
        if (!ok)
            printf("    %s\n    hint: %s\n", safe(json_member(item, "problem")),
                   safe(json_member(item, "todo")));
    }
    json_decref(array);
    return bad ? CTL_NEGATIVE : CTL_OK;
}

/* The listed root that the argument means: as it is written, or what it leads to. */
static const char *listed_root(const struct venv_list *list, const char *text, char real[PATH_MAX])
{
    size_t len = strlen(text);

    while (len > 1 && text[len - 1] == '/')
        len--;
    (void)snprintf(real, PATH_MAX, "%.*s", (int)len, text);
    if (venv_list_has(list, real))
        return real;
    return realpath(text, real) && venv_list_has(list, real) ? real : NULL;
}

static int refuse_unlisted(const struct ctl *ctl, const char *text, struct problem *problem)
{
    struct venv_list all = {0};
    struct problem ignored = {0};
    char real[PATH_MAX];

    if (venv_list_all(ctl, &all, &ignored) == 0 && listed_root(&all, text, real)) {
        problem_set(problem, UNFIT, "is not in venvs.list but in spython.yaml");
        problem_todo(problem, "take it out there and run spythonctl apply");
    } else {
        problem_set(problem, -ENOENT, "is not an adopted virtual environment");
        problem_todo(problem, "see spythonctl venv list");
    }
    venv_list_done(&all);
    return problem->err.code;
}

static int remove_root(const struct ctl *ctl, const char *text, struct problem *problem)
{
    struct venv_list before = {0}, after = {0};
    CLEANUP_FD int lock = policy_lock(ctl, problem);
    char real[PATH_MAX];
    const char *root;
    int r = lock;

    if (lock < 0 || (r = venv_list_read(ctl, &before, problem)) < 0 ||
        (r = venv_list_read(ctl, &after, problem)) < 0)
        goto out;
    root = listed_root(&before, text, real);
    if (!root) {
        r = refuse_unlisted(ctl, text, problem);
        goto out;
    }
    (void)venv_list_remove(&after, root);
    if ((r = commit_list(ctl, &before, &after, problem)) < 0 ||
        (r = remove_links(ctl, root, problem)) < 0)
        goto out;
    printf("removed %s: it does not run under spython any more\n", safe(root));
out:
    venv_list_done(&before);
    venv_list_done(&after);
    return r;
}

int cmd_venv_remove(struct ctl *ctl, int argc, char **argv)
{
    struct problem problem = {0};

    (void)argc;
    return remove_root(ctl, argv[0], &problem) < 0 ? problem_report(argv[0], &problem) : CTL_OK;
}
