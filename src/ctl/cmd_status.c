/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl status` verb: is everything as it should be? */
#include <string.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/status.h"

static void print_interpreters(const json_t *array)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        const char *version = json_member(item, "version"), *state = json_member(item, "state");
        bool is_ok = strcmp(state, "ok") == 0, is_new = strcmp(state, "not registered") == 0;

        out_word(TONE_STRONG, i == 0 ? "interpreters" : "", 14);
        printf("%-9s ", safe(version[0] ? version : json_member(item, "minor")));
        out_word(is_ok                          ? TONE_GOOD
                 : is_new                       ? TONE_PLAIN
                 : strcmp(state, "copied") == 0 ? TONE_WARN
                                                : TONE_BAD,
                 state, 15);
        printf("%s%s\n", safe(json_member(item, "path")),
               json_is_true(json_object_get(item, "default")) ? "  (default)" : "");
    }
}

static void print_policy(const json_t *policy)
{
    const char *state = json_member(policy, "state");

    out_word(TONE_STRONG, "policy", 14);
    if (strcmp(state, "unusable") == 0) {
        out_word(TONE_BAD, state, 0);
        (void)putchar('\n');
        return;
    }
    printf("%s, profile %s", state, safe(json_member(policy, "profile")));
    if (strcmp(state, "built-in") != 0)
        printf(", serial %" JSON_INTEGER_FORMAT ", applied %s, sources: %s",
               json_integer_value(json_object_get(policy, "serial")),
               json_member(policy, "applied"), json_member(policy, "sources"));
    printf("\n%-14sdigest %s\n", "", json_member(policy, "digest"));
}

static void print_pending(const json_t *pending)
{
    const json_t *confirm = json_object_get(pending, "confirm");
    const json_t *off = json_object_get(pending, "off");

    if (confirm) {
        out_word(TONE_STRONG, "confirm", 14);
        printf("the policy before this one comes back at %s\n", json_member(confirm, "until"));
    }
    if (off) {
        const char *app = json_member(off, "app");

        out_word(TONE_STRONG, "off", 14);
        printf("%s%s only observed until %s: ", app[0] ? "app " : "everything",
               app[0] ? safe(app) : "", json_member(off, "until"));
        printf("%s\n", safe(json_member(off, "reason")));
    }
}

static void print_sinks(const json_t *app)
{
    const json_t *sinks = json_object_get(app, "sinks"), *sink;
    const char *name = json_member(app, "app");
    size_t i;

    json_array_foreach(sinks, i, sink)
    {
        const json_t *ok = json_object_get(sink, "ok");
        CLEANUP_FREE char *title = must_format("%s%s", name[0] ? "app " : "sinks", name);

        out_word(TONE_STRONG, i == 0 ? title : "", 14);
        printf("%-7s %-14s on failure: %-6s", safe(json_member(sink, "kind")),
               safe(json_member(sink, "level")), json_member(sink, "on_failure"));
        if (ok)
            out_word(json_is_true(ok) ? TONE_GOOD : TONE_BAD, json_is_true(ok) ? "ok" : "bad", 4);
        printf("%s\n", safe(json_member(sink, "path")));
    }
}

static void print_venvs(const json_t *array)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        bool ok = json_is_true(json_object_get(item, "ok"));

        out_word(TONE_STRONG, i == 0 ? "venvs" : "", 14);
        printf("%-9s ", safe(json_member(item, "minor")));
        out_word(ok ? TONE_GOOD : TONE_BAD, ok ? "ok" : "bad", 15);
        printf("%s\n", safe(json_member(item, "root")));
    }
}

static void print_problems(const json_t *array)
{
    const json_t *item;
    size_t i;

    if (json_array_size(array) == 0) {
        out_word(TONE_GOOD, "everything is as it should be", 0);
        (void)putchar('\n');
        return;
    }
    json_array_foreach(array, i, item)
    {
        out_word(TONE_BAD, json_member(item, "object"), 0);
        printf(": %s\n    hint: %s\n", safe(json_member(item, "problem")),
               safe(json_member(item, "todo")));
    }
}

int cmd_status(struct ctl *ctl, int argc, char **argv)
{
    json_t *status = status_collect(ctl);
    bool ok = json_is_true(json_object_get(status, "ok"));
    const json_t *app;
    size_t i;

    (void)argc;
    (void)argv;
    if (ctl->flags & CTL_JSON) {
        out_json(status);
        return ok ? CTL_OK : CTL_NEGATIVE;
    }
    out_word(TONE_STRONG, "prefix", 14);
    printf("%s (owner: %s)\n", safe(json_member(status, "prefix")),
           safe(json_member(status, "owner")));
    print_interpreters(json_object_get(status, "interpreters"));
    print_policy(json_object_get(status, "policy"));
    print_pending(json_object_get(status, "pending"));
    json_array_foreach(json_object_get(status, "apps"), i, app) print_sinks(app);
    print_venvs(json_object_get(status, "venvs"));
    (void)putchar('\n');
    print_problems(json_object_get(status, "problems"));
    json_decref(status);
    return ok ? CTL_OK : CTL_NEGATIVE;
}
