/* SPDX-License-Identifier: Apache-2.0 */
/* What profiles mean, and how an app's settings follow from the host's. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "policy_test.h"

#define ALL_ENTRIES 255

static const struct policy_denial *denial(const struct policy_settings *s, const char *event)
{
    for (uint32_t i = 0; i < s->denial_count; i++) {
        if (strcmp(s->denials[i].event, event) == 0)
            return &s->denials[i];
    }
    return NULL;
}

static enum denial_mode mode(const struct policy_settings *s, const char *event)
{
    const struct policy_denial *found = denial(s, event);

    assert_non_null(found);
    return found->mode;
}

static bool permits(const struct policy_settings *s, const char *name)
{
    for (uint32_t i = 0; i < s->env_permit.count; i++) {
        if (strcmp(s->env_permit.items[i], name) == 0)
            return true;
    }
    return false;
}

static void test_standard(void **state)
{
    struct artefact a;
    const struct policy_settings *s;

    (void)state;
    artefact_from_text(&a, "");
    s = a.policy.host;
    assert_int_equal(s->profile, PROFILE_STANDARD);
    assert_int_equal(s->entry, 0);
    assert_int_equal(s->entry_modules.count, 0);
    assert_int_equal(s->env_permit.count, 5);
    assert_true(permits(s, "PYTHONUNBUFFERED") && permits(s, "PYTHONIOENCODING") &&
                permits(s, "PYTHONUTF8") && permits(s, "PYTHONHASHSEED") &&
                permits(s, "PYTHONFAULTHANDLER"));
    assert_false(permits(s, "PYTHONPATH"));
    assert_int_equal(s->env_pin_count, 0);
    assert_int_equal(s->sink_count, 1);
    assert_int_equal(s->sinks[0].kind, SINK_FILE);
    assert_int_equal(s->sinks[0].level, LEVEL_INFORMATIONAL);
    assert_int_equal(s->sinks[0].on_failure, SINK_FAILURE_COUNT);
    assert_int_equal(s->sinks[0].rotate_size, 0);
    assert_int_equal(s->stack_level, LEVEL_MEDIUM);
    assert_int_equal(s->stack_frames, 16);
    assert_int_equal(s->source_max, 4096);
    assert_string_equal(s->host, "");
    assert_int_equal(s->denial_count, 3);
    assert_int_equal(mode(s, "sys.addaudithook"), DENIAL_ENFORCE);
    assert_int_equal(mode(s, "os.system"), DENIAL_AUDIT);
    assert_int_equal(mode(s, "pickle.find_class"), DENIAL_AUDIT);
    assert_string_equal(denial(s, "sys.addaudithook")->id, "spython-sys-addaudithook");
    assert_string_equal(denial(s, "pickle.find_class")->id, "spython-pickle-find_class");
    assert_int_equal(denial(s, "os.system")->action, DENIAL_DENY);
    assert_int_equal(denial(s, "os.system")->level, LEVEL_HIGH);
    artefact_done(&a);
}

static void test_strict(void **state)
{
    struct artefact a;
    const struct policy_settings *s;

    (void)state;
    artefact_from_text(&a, "profile: strict\n");
    s = a.policy.host;
    assert_int_equal(s->entry, 0);
    assert_int_equal(s->env_permit.count, 5);
    assert_int_equal(s->sinks[0].on_failure, SINK_FAILURE_STOP);
    assert_int_equal(mode(s, "sys.addaudithook"), DENIAL_ENFORCE);
    assert_int_equal(mode(s, "os.system"), DENIAL_ENFORCE);
    assert_int_equal(mode(s, "pickle.find_class"), DENIAL_ENFORCE);
    assert_int_equal(denial(s, "pickle.find_class")->allow.count, 0);
    artefact_done(&a);
}

static void test_observe(void **state)
{
    struct artefact a;
    const struct policy_settings *s;

    (void)state;
    artefact_from_text(&a, "profile: observe\ndenials: {ctypes.dlopen: {}}\n");
    s = a.policy.host;
    assert_int_equal(s->entry, ALL_ENTRIES);
    assert_int_equal(s->env_permit.count, 0);
    assert_int_equal(s->sinks[0].on_failure, SINK_FAILURE_COUNT);
    assert_int_equal(s->denial_count, 4);
    for (uint32_t i = 0; i < s->denial_count; i++)
        assert_int_equal(s->denials[i].mode, DENIAL_AUDIT);
    artefact_done(&a);
}

static void test_named_denials(void **state)
{
    struct artefact a;
    const struct policy_settings *s;

    (void)state;
    artefact_from_text(&a, "profile: strict\n"
                           "denials:\n"
                           "  os.system: {mode: off}\n"
                           "  ctypes.dlopen: {}\n"
                           "  socket.connect: {mode: audit, action: kill}\n"
                           "  setopencodehook: {level: low, id: mine}\n"
                           "  glob.glob/2: {}\n");
    s = a.policy.host;
    assert_null(denial(s, "os.system"));
    assert_int_equal(s->denial_count, 6);
    assert_int_equal(mode(s, "ctypes.dlopen"), DENIAL_ENFORCE);
    assert_int_equal(denial(s, "ctypes.dlopen")->level, LEVEL_MEDIUM);
    assert_int_equal(mode(s, "socket.connect"), DENIAL_AUDIT);
    assert_int_equal(denial(s, "socket.connect")->action, DENIAL_KILL);
    assert_int_equal(denial(s, "socket.connect")->level, LEVEL_MEDIUM);
    assert_int_equal(denial(s, "setopencodehook")->level, LEVEL_LOW);
    assert_string_equal(denial(s, "setopencodehook")->id, "mine");
    assert_string_equal(denial(s, "glob.glob/2")->id, "spython-glob-glob-2");
    artefact_done(&a);
    artefact_from_text(&a, "denials: {ctypes.dlopen: {}, setopencodehook: {}}\n");
    assert_int_equal(mode(a.policy.host, "ctypes.dlopen"), DENIAL_AUDIT);
    assert_int_equal(denial(a.policy.host, "setopencodehook")->level, LEVEL_CRITICAL);
    artefact_done(&a);
}

static void test_log(void **state)
{
    struct artefact a;
    const struct sink_config *sinks;

    (void)state;
    artefact_from_text(&a, "log:\n"
                           "  host: web-17\n"
                           "  source: {max: 1K}\n"
                           "  stack: {frames: 3, level: critical}\n"
                           "  sinks:\n"
                           "    - {type: file, path: /var/log/a.jsonl, level: high,\n"
                           "       on_failure: stop, rotate: {size: 64M, keep: 4}}\n"
                           "    - {type: stderr, level: critical}\n"
                           "    - type: null\n");
    sinks = a.policy.host->sinks;
    assert_int_equal(a.policy.host->sink_count, 3);
    assert_int_equal(sinks[0].kind, SINK_FILE);
    assert_string_equal(sinks[0].path, "/var/log/a.jsonl");
    assert_int_equal(sinks[0].level, LEVEL_HIGH);
    assert_int_equal(sinks[0].on_failure, SINK_FAILURE_STOP);
    assert_int_equal(sinks[0].rotate_size, 64 << 20);
    assert_int_equal(sinks[0].rotate_keep, 4);
    assert_int_equal(sinks[1].kind, SINK_STDERR);
    assert_int_equal(sinks[1].level, LEVEL_CRITICAL);
    assert_int_equal(sinks[1].on_failure, SINK_FAILURE_COUNT);
    assert_string_equal(sinks[1].path, "");
    assert_int_equal(sinks[2].kind, SINK_NULL);
    assert_string_equal(a.policy.host->host, "web-17");
    assert_int_equal(a.policy.host->source_max, 1024);
    assert_int_equal(a.policy.host->stack_frames, 3);
    assert_int_equal(a.policy.host->stack_level, LEVEL_CRITICAL);
    artefact_done(&a);
}

static void test_environment(void **state)
{
    struct artefact a;
    const struct policy_settings *s;

    (void)state;
    artefact_from_text(&a, "environment:\n"
                           "  permit: [PYTHONWARNINGS, PYTHONWARNINGS]\n"
                           "  pin: {PYTHONHASHSEED: 0, LD_PRELOAD: libjemalloc.so.2}\n");
    s = a.policy.host;
    assert_int_equal(s->env_permit.count, 2);
    assert_true(permits(s, "PYTHONWARNINGS"));
    assert_true(permits(s, "PYTHONHASHSEED")); /* pinned, so meant */
    assert_false(permits(s, "PYTHONUTF8"));    /* lists replace */
    assert_int_equal(s->env_pin_count, 2);
    assert_string_equal(s->env_pin[0].value, "0");
    artefact_done(&a);
}

static void test_entry(void **state)
{
    struct artefact a;

    (void)state;
    artefact_from_text(&a, "entry: {allow: [command, zip, modules], modules: [pip, gunicorn]}\n");
    assert_int_equal(a.policy.host->entry, ENTRY_COMMAND | ENTRY_ZIP | ENTRY_ANY_MODULE);
    assert_int_equal(a.policy.host->entry_modules.count, 2);
    assert_string_equal(a.policy.host->entry_modules.items[1], "gunicorn");
    artefact_done(&a);
}

/* DIR with a host's and an app's text, compiled. */
static void host_and_app(struct artefact *a, const char *host, const char *app)
{
    char *dir = temp_dir(), *apps = path_in(dir, "apps.d"), *text = NULL;

    assert_int_equal(mkdir(apps, 0755), 0);
    write_text(dir, "spython.yaml", host);
    assert_true(asprintf(&text, "match: {user: 1001}\n%s", app) > 0);
    write_text(dir, "apps.d/shop.yml", text);
    artefact_from_dir(a, dir);
    assert_int_equal(a->policy.app_count, 1);
    assert_string_equal(a->policy.apps[0].app, "shop");
    free(text);
    free(apps);
    remove_tree(dir);
}

/* An app that says nothing gets what the host has. */
static void test_inherit(void **state)
{
    struct artefact a;
    const struct policy_settings *s;

    (void)state;
    host_and_app(&a,
                 "profile: strict\n"
                 "entry: {allow: [zip], modules: [pip]}\n"
                 "environment: {permit: [PYTHONWARNINGS], pin: {A: b}}\n"
                 "log: {host: h, stack: {frames: 2}, source: {max: 5}, sinks: [{type: stderr}],\n"
                 "      redact: ['os.system:command']}\n"
                 "denials: {os.system: {level: low, allow: [ls]}}\n",
                 "");
    s = &a.policy.apps[0];
    assert_int_equal(s->profile, PROFILE_STRICT);
    assert_int_equal(s->entry, ENTRY_ZIP);
    assert_string_equal(s->entry_modules.items[0], "pip");
    assert_true(permits(s, "PYTHONWARNINGS") && s->env_permit.count == 1);
    assert_string_equal(s->env_pin[0].value, "b");
    assert_string_equal(s->host, "h");
    assert_int_equal(s->stack_frames, 2);
    assert_int_equal(s->source_max, 5);
    assert_int_equal(s->sinks[0].kind, SINK_STDERR);
    assert_int_equal(s->sinks[0].on_failure, SINK_FAILURE_STOP);
    assert_string_equal(s->redact.items[0], "os.system:command");
    assert_int_equal(denial(s, "os.system")->level, LEVEL_LOW);
    assert_string_equal(denial(s, "os.system")->allow.items[0], "ls");
    artefact_done(&a);
}

/* Single values and lists replace, maps merge. */
static void test_override(void **state)
{
    struct artefact a;
    const struct policy_settings *s;

    (void)state;
    host_and_app(&a,
                 "entry: {allow: [zip], modules: [pip]}\n"
                 "environment: {permit: [PYTHONWARNINGS], pin: {A: b, C: d}}\n"
                 "log: {host: h, sinks: [{type: stderr}, {type: file}]}\n"
                 "denials: {os.system: {level: low, allow: [ls]}}\n",
                 "entry: {allow: []}\n"
                 "environment: {permit: [], pin: {A: x, E: f}}\n"
                 "log: {host: g, sinks: [{type: null}]}\n"
                 "denials: {os.system: {mode: enforce}, ctypes.dlopen: {}}\n");
    s = &a.policy.apps[0];
    assert_int_equal(s->entry, 0);
    assert_int_equal(s->entry_modules.count, 1); /* another key: not touched */
    assert_int_equal(s->env_permit.count, 0);
    assert_int_equal(s->env_pin_count, 3);
    assert_string_equal(s->env_pin[0].value, "x");
    assert_string_equal(s->env_pin[1].value, "d");
    assert_string_equal(s->env_pin[2].value, "f");
    assert_string_equal(s->host, "g");
    assert_int_equal(s->sink_count, 1);
    assert_int_equal(s->sinks[0].kind, SINK_NULL);
    assert_int_equal(mode(s, "os.system"), DENIAL_ENFORCE);
    assert_int_equal(denial(s, "os.system")->level, LEVEL_LOW);
    assert_string_equal(denial(s, "os.system")->allow.items[0], "ls");
    assert_non_null(denial(s, "ctypes.dlopen"));
    s = a.policy.host; /* and the host is as it was */
    assert_int_equal(s->entry, ENTRY_ZIP);
    assert_int_equal(s->sink_count, 2);
    assert_int_equal(mode(s, "os.system"), DENIAL_AUDIT);
    assert_null(denial(s, "ctypes.dlopen"));
    artefact_done(&a);
}

/* What is not written anywhere follows from the app's own profile. */
static void test_other_profile(void **state)
{
    struct artefact a;

    (void)state;
    host_and_app(&a, "profile: observe\n", "profile: strict\n");
    assert_int_equal(a.policy.apps[0].entry, 0);
    assert_int_equal(a.policy.apps[0].env_permit.count, 5);
    assert_int_equal(a.policy.apps[0].sinks[0].on_failure, SINK_FAILURE_STOP);
    assert_int_equal(mode(&a.policy.apps[0], "os.system"), DENIAL_ENFORCE);
    assert_int_equal(mode(a.policy.host, "os.system"), DENIAL_AUDIT);
    artefact_done(&a);
    /* What the host enforces is in audit in an app that only observes. */
    host_and_app(&a, "profile: strict\nentry: {allow: []}\ndenials: {os.exec: {mode: enforce}}\n",
                 "profile: observe\n");
    assert_int_equal(a.policy.apps[0].entry, ALL_ENTRIES);
    assert_int_equal(mode(&a.policy.apps[0], "os.exec"), DENIAL_AUDIT);
    assert_int_equal(mode(a.policy.host, "os.exec"), DENIAL_ENFORCE);
    artefact_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standard), cmocka_unit_test(test_strict),
        cmocka_unit_test(test_observe),  cmocka_unit_test(test_named_denials),
        cmocka_unit_test(test_log),      cmocka_unit_test(test_environment),
        cmocka_unit_test(test_entry),    cmocka_unit_test(test_inherit),
        cmocka_unit_test(test_override), cmocka_unit_test(test_other_profile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
