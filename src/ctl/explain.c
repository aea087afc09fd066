/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/explain.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/output.h"

char *explain_text(const json_t *value)
{
    static const char *const keys[] = {"text", "bytes", "escaped"};
    CLEANUP_FREE char *dump = NULL;

    if (json_is_string(value))
        return out_escape(json_string_value(value), json_string_length(value), false);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const json_t *inner = json_object_get(value, keys[i]);

        if (json_is_string(inner))
            return out_escape(json_string_value(inner), json_string_length(inner), false);
    }
    if (!value || json_is_null(value))
        return must_copy("");
    dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return dump ? out_escape(dump, strlen(dump), false) : must_copy("");
}

static char *argument(const json_t *record, const char *name)
{
    return explain_text(json_object_get(json_object_get(record, "args"), name));
}

static bool is_refusal(const json_t *record)
{
    const char *verdict = json_member(record, "verdict");

    return strcmp(verdict, "deny") == 0 || strcmp(verdict, "kill") == 0 ||
           strcmp(verdict, "would-deny") == 0;
}

static const char *first_rule(const json_t *record)
{
    const json_t *rule = json_array_get(json_object_get(record, "rules"), 0);

    return json_is_string(rule) ? json_string_value(rule) : "";
}

/* The verifier that decided: the last of "NAME: ANSWER". */
static char *deciding_verifier(const json_t *record)
{
    const json_t *answers = json_object_get(json_object_get(record, "args"), "answers");
    size_t count = json_array_size(answers);
    char *text = explain_text(count ? json_array_get(answers, count - 1) : NULL);

    text[strcspn(text, ":")] = '\0';
    return text;
}

/* What to do about code that one verifier does not trust. */
static char *advise_code(const json_t *record)
{
    CLEANUP_FREE char *verifier = deciding_verifier(record), *root = argument(record, "root");
    CLEANUP_FREE char *path = argument(record, "real_path"),
                      *expected = argument(record, "expected");
    CLEANUP_FREE char *source = argument(record, "source");
    const char *where = root[0] ? root : "the root that it is in";

    if (strcmp(json_member(record, "event"), "cpython.run_file") == 0)
        return must_format(
            "run it without -i and -x; if it is an archive, let a verifier trust it (its "
            "own record, spython.open_code, says what is missing)");
    if (!path[0] && strcmp(json_member(record, "event"), "spython.open_code") == 0) {
        CLEANUP_FREE char *name = argument(record, "path");

        return must_format("let the program load what lies under the name '%s', not something that "
                           "it gets from elsewhere",
                           name);
    }
    if (!root[0] && strcmp(verifier, "owner") != 0)
        return must_format("name the directory that holds '%s' under verify.roots, with the "
                           "verifiers that decide about it, and apply the policy",
                           path);
    if (strcmp(verifier, "manifest") == 0 && expected[0])
        return must_format("put the file back that was signed; or, if the change is meant, sign %s "
                           "again, install the manifest (spythonctl manifest add) and apply",
                           where);
    if (strcmp(verifier, "manifest") == 0)
        return must_format("remove the file; or, if it belongs there, sign %s again, install the "
                           "manifest (spythonctl manifest add) and apply",
                           where);
    if (strcmp(verifier, "fsverity") == 0)
        return must_format("run fsverity enable '%s', and sign %s with --verity", path, where);
    if (strcmp(verifier, "execcheck") == 0)
        return must_format("chmod a+x '%s', on a file system that is not mounted noexec, with "
                           "nobody writing to it",
                           path);
    if (strcmp(verifier, "owner") == 0)
        return must_format("let root own '%s' and let nobody else write it: chown root, chmod go-w",
                           source[0] == '/' ? source : path);
    if (strcmp(verifier, "selinux") == 0)
        return must_format("restorecon '%s', or add its type to labels of %s", path, where);
    if (strcmp(verifier, "ima") == 0)
        return must_format("sign '%s' with evmctl ima_sign, and apply the policy again", path);
    if (strcmp(verifier, "xattr") == 0)
        return must_format("set user.org.python.x-spython-hash of '%s' to its digest", path);
    return must_format("let a verifier of %s trust it (see: spythonctl show)", where);
}

char *explain_advice(const json_t *record)
{
    CLEANUP_FREE char *rule = out_escape(first_rule(record), strlen(first_rule(record)), false);
    CLEANUP_FREE char *event = explain_text(json_object_get(record, "event"));
    CLEANUP_FREE char *path = argument(record, "real_path");

    if (!is_refusal(record))
        return NULL;
    if (strcmp(rule, "spython-unapproved-code") == 0 ||
        strcmp(rule, "spython-unapproved-native") == 0)
        return advise_code(record);
    if (strcmp(rule, "spython-startup-hook") == 0)
        return must_format("look at what '%s' runs; if it is meant, take the inventory again: "
                           "spythonctl hooks take, then apply",
                           path);
    if (strcmp(event, "pickle.find_class") == 0) {
        CLEANUP_FREE char *module = argument(record, "module"), *name = argument(record, "name");

        return must_format("denials: {pickle.find_class: {allow: [%s.%s]}} in the policy", module,
                           name);
    }
    return must_format("denials: {%s: {mode: audit}} in the policy, or its first argument under "
                       "allow:",
                       event);
}

static void print_fact(const char *name, const char *value)
{
    if (value[0])
        printf("  %-13s %s\n", name, value);
}

static void print_frame(const char *name, const json_t *frame)
{
    CLEANUP_FREE char *file = explain_text(json_object_get(frame, "file"));
    CLEANUP_FREE char *func = explain_text(json_object_get(frame, "func"));

    if (file[0])
        printf("  %-13s %s:%lld in %s\n", name, file,
               (long long)json_integer_value(json_object_get(frame, "line")), func);
}

static void print_arguments(const json_t *record)
{
    const json_t *args = json_object_get(record, "args");
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)args, key, value)
    {
        CLEANUP_FREE char *text = NULL;

        if (strcmp(key, "answers") == 0) {
            size_t i;
            json_t *answer;

            json_array_foreach(value, i, answer)
            {
                CLEANUP_FREE char *line = explain_text(answer);

                print_fact(i == 0 ? "verifiers" : "", line);
            }
            continue;
        }
        text = explain_text(value);
        print_fact(safe(key), text);
    }
}

void explain_print(const json_t *record)
{
    CLEANUP_FREE char *event = explain_text(json_object_get(record, "event"));
    CLEANUP_FREE char *verdict = explain_text(json_object_get(record, "verdict"));
    CLEANUP_FREE char *rule = out_escape(first_rule(record), strlen(first_rule(record)), false);
    CLEANUP_FREE char *when = explain_text(json_object_get(record, "ts"));
    CLEANUP_FREE char *advice = explain_advice(record);

    out_word(is_refusal(record) ? TONE_BAD : TONE_GOOD, verdict, 0);
    printf("  %s%s%s\n", event, rule[0] ? ", rule " : "", rule);
    print_fact("when", when);
    printf("  %-13s %lld, user %lld\n", "process",
           (long long)json_integer_value(json_object_get(record, "pid")),
           (long long)json_integer_value(json_object_get(record, "uid")));
    print_frame("asked by", json_object_get(record, "at"));
    print_frame("by way of", json_object_get(record, "in"));
    print_arguments(record);
    if (advice)
        printf("To allow it: %s.\n", advice);
    else
        printf("It was allowed.\n");
}
