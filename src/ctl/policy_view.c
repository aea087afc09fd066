/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/policy_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/output.h"

static json_t *strings(const struct policy_strings *list)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_text(list->items[i]));
    return array;
}

static json_t *entry_names(uint32_t entry)
{
    static const struct {
        enum entry_flag flag;
        const char *name;
    } flags[] = {
        {ENTRY_COMMAND, "command"},
        {ENTRY_STDIN, "stdin"},
        {ENTRY_INTERACTIVE, "interactive"},
        {ENTRY_DIRECTORY, "directory"},
        {ENTRY_ZIP, "zip"},
        {ENTRY_ANY_MODULE, "modules"},
        {ENTRY_USER_SITE, "user_site"},
        {ENTRY_OPTIONS, "options"},
    };
    json_t *array = json_array();

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (entry & flags[i].flag)
            json_array_append_new(array, json_string(flags[i].name));
    return array;
}

static void set(json_t *object, json_t *value, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void set(json_t *object, json_t *value, const char *fmt, ...)
{
    CLEANUP_FREE char *key = NULL, *clean = NULL;
    va_list ap;

    va_start(ap, fmt);
    key = must_vformat(fmt, ap);
    va_end(ap);
    clean = out_escape(key, strlen(key), true);
    (void)json_object_set_new(object, clean, value); /* fails only without memory */
}

static void set_sinks(json_t *object, const struct policy_settings *settings)
{
    for (uint32_t i = 0; i < settings->sink_count; i++) {
        const struct sink_config *sink = &settings->sinks[i];

        set(object, json_text(sink_ops_of(sink->kind)->name), "log.sinks.%u.type", i + 1);
        if (sink->kind == SINK_FILE) {
            set(object, json_text(sink->path ? sink->path : ""), "log.sinks.%u.path", i + 1);
            set(object, json_integer((json_int_t)sink->rotate_size), "log.sinks.%u.rotate.size",
                i + 1);
            set(object, json_integer(sink->rotate_keep), "log.sinks.%u.rotate.keep", i + 1);
        }
        set(object, json_text(level_name(sink->level)), "log.sinks.%u.level", i + 1);
        set(object, json_string(sink->on_failure == SINK_FAILURE_STOP ? "stop" : "count"),
            "log.sinks.%u.on_failure", i + 1);
    }
}

static void set_denials(json_t *object, const struct policy_settings *settings)
{
    for (uint32_t i = 0; i < settings->denial_count; i++) {
        const struct policy_denial *denial = &settings->denials[i];

        set(object, json_text(denial->id), "denials.%s.id", denial->event);
        set(object, json_text(denial->mode == DENIAL_ENFORCE ? "enforce" : "audit"),
            "denials.%s.mode", denial->event);
        set(object, json_text(denial->action == DENIAL_KILL ? "kill" : "deny"), "denials.%s.action",
            denial->event);
        set(object, json_text(level_name(denial->level)), "denials.%s.level", denial->event);
        set(object, strings(&denial->allow), "denials.%s.allow", denial->event);
    }
}

static json_t *verifier_names(uint32_t bits)
{
    json_t *array = json_array();

    for (int i = 0; i < TRUST_VERIFIER_MAX; i++)
        if (bits & TRUST_BIT(i))
            json_array_append_new(array, json_string(trust_verifiers[i]->name));
    return array;
}

static void set_root(json_t *object, const struct trust_root *root, const char *name)
{
    struct policy_strings labels = {root->labels, root->label_count};

    set(object, verifier_names(root->all ? root->all : root->any), "verify.%s.%s", name,
        root->all ? "all" : "any");
    for (uint32_t i = 0; i < root->manifest_count; i++) {
        const struct manifest_index *m = root->manifests[i];

        set(object, json_integer((json_int_t)m->serial), "verify.%s.%s.%u.serial", name, m->name,
            i + 1);
        set(object, json_integer(m->entry_count), "verify.%s.%s.%u.files", name, m->name, i + 1);
    }
    if (root->label_count > 0)
        set(object, strings(&labels), "verify.%s.labels", name);
}

static void set_verify(json_t *object, const struct policy_verify *verify)
{
    set(object, json_text(verify_mode_name(verify->mode)), "verify.mode");
    set(object, json_text(verify_mode_name(verify->native)), "verify.native.mode");
    set(object, json_integer((json_int_t)verify->copy_max), "verify.native.copy");
    set(object, json_text(verify_mode_name(verify->hooks)), "verify.hooks");
    set(object, json_text(verify->fresh_digests ? "fresh" : "cached"), "verify.digests");
    for (uint32_t i = 0; i < verify->trust.root_count; i++)
        set_root(object, &verify->trust.roots[i], verify->trust.roots[i].path);
    set_root(object, verify->trust.elsewhere, "elsewhere");
}

json_t *view_settings(const struct policy_settings *settings)
{
    json_t *object = json_object();

    set(object, json_text(profile_name(settings->profile)), "profile");
    if (settings->app[0]) {
        set(object, json_text(settings->match_script), "match.script");
        set(object, json_text(settings->match_venv), "match.venv");
        set(object, settings->match_uid < 0 ? json_string("") : json_integer(settings->match_uid),
            "match.user");
    }
    set(object, json_text(settings->venv), "venv");
    set(object, entry_names(settings->entry), "entry.allow");
    set(object, strings(&settings->entry_modules), "entry.modules");
    set(object, strings(&settings->env_permit), "environment.permit");
    for (uint32_t i = 0; i < settings->env_pin_count; i++)
        set(object, json_text(settings->env_pin[i].value), "environment.pin.%s",
            settings->env_pin[i].name);
    set(object, json_text(settings->host), "log.host");
    set(object, json_text(level_name(settings->stack_level)), "log.stack.level");
    set(object, json_integer(settings->stack_frames), "log.stack.frames");
    set(object, json_integer(settings->source_max), "log.source.max");
    set(object, strings(&settings->redact), "log.redact");
    set_sinks(object, settings);
    set_denials(object, settings);
    set_verify(object, &settings->verify);
    return object;
}

char *view_value_text(const json_t *value)
{
    char *text = NULL;
    const json_t *item;
    size_t i;

    if (json_is_integer(value))
        return must_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_string(value) && json_string_length(value) > 0)
        return must_copy(json_string_value(value));
    json_array_foreach(value, i, item)
    {
        char *longer =
            must_format("%s%s%s", text ? text : "", text ? ", " : "", json_string_value(item));

        free(text);
        text = longer;
    }
    return text ? text : must_copy("(none)");
}

/* `value` NULL: the app as a whole. */
static void print_line(enum tone tone, const char *sign, const char *app, const char *key,
                       const json_t *value)
{
    CLEANUP_FREE char *text = value ? view_value_text(value) : must_copy("");
    CLEANUP_FREE char *line =
        must_format("%s %s%s%s%s%s%s", sign, app[0] ? "app " : "", app, app[0] && value ? ": " : "",
                    value ? key : "", value ? ": " : "", text);

    out_word(tone, line, 0);
    (void)putchar('\n');
}

/* Drops both objects. */
static size_t print_object_changes(const char *app, json_t *from, json_t *to)
{
    const char *key;
    json_t *value;
    size_t lines = 0;

    json_object_foreach(from, key, value)
    {
        const json_t *now = json_object_get(to, key);

        if (now && json_equal(value, now))
            continue;
        print_line(TONE_BAD, "-", app, key, value);
        lines++;
        if (now) {
            print_line(TONE_GOOD, "+", app, key, now);
            lines++;
        }
    }
    json_object_foreach(to, key, value)
    {
        if (json_object_get(from, key))
            continue;
        print_line(TONE_GOOD, "+", app, key, value);
        lines++;
    }
    json_decref(from);
    json_decref(to);
    return lines;
}

/* A new app: only what it has otherwise than the host. */
static size_t print_new_app(const struct policy *policy, const struct policy_settings *settings)
{
    json_t *host = view_settings(policy->host), *own = view_settings(settings), *value;
    const char *key;
    size_t lines = 1;

    print_line(TONE_GOOD, "+", settings->app, "", NULL);
    json_object_foreach(own, key, value)
    {
        const json_t *of_host = json_object_get(host, key);

        if ((of_host && json_equal(value, of_host)) ||
            (!of_host && json_is_string(value) && json_string_length(value) == 0))
            continue;
        print_line(TONE_GOOD, "+", settings->app, key, value);
        lines++;
    }
    json_decref(host);
    json_decref(own);
    return lines;
}

const struct policy_settings *view_find_app(const struct policy *policy, const char *name)
{
    for (uint32_t i = 0; i < policy->app_count; i++)
        if (strcmp(policy->apps[i].app, name) == 0)
            return &policy->apps[i];
    return NULL;
}

static json_t *view_venvs(const struct policy *policy)
{
    json_t *object = json_object();

    set(object, strings(&policy->venvs), "venvs");
    return object;
}

size_t view_print_changes(const struct policy *from, const struct policy *to)
{
    size_t lines = print_object_changes("", view_settings(from->host), view_settings(to->host));

    for (uint32_t i = 0; i < from->app_count; i++) {
        const char *name = from->apps[i].app;
        const struct policy_settings *now = view_find_app(to, name);

        if (now) {
            lines += print_object_changes(name, view_settings(&from->apps[i]), view_settings(now));
        } else {
            print_line(TONE_BAD, "-", name, "", NULL);
            lines++;
        }
    }
    for (uint32_t i = 0; i < to->app_count; i++)
        if (!view_find_app(from, to->apps[i].app))
            lines += print_new_app(to, &to->apps[i]);
    return lines + print_object_changes("", view_venvs(from), view_venvs(to));
}
