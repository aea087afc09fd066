/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder against artefacts whose digest is right and whose content is not: each test writes
 * one wrong number over a field, seals the result, and expects exactly that to be noticed. Control:
 * the sealed but unchanged artefact loads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "policy/policy_format.h"
#include "policy_test.h"
#include "sinks/log.h"

#define BODY ((uint32_t)sizeof(struct policy_envelope))
#define HEADER(field) (BODY + (uint32_t)offsetof(struct policy_header, field))
#define TABLE(id)                                                                                  \
    (BODY + (uint32_t)(sizeof(struct policy_header) + (id) * sizeof(struct policy_table)))
#define END(field)                                                                                 \
    ((uint32_t)(POLICY_HEADER_SIZE(POLICY_TABLE_MAX) - sizeof(struct policy_header_end) +          \
                offsetof(struct policy_header_end, field)))

static const char source[] =
    "profile: strict\n"
    "entry: {modules: [pip]}\n"
    "environment: {pin: {A: b}}\n"
    "log: {redact: ['subprocess.Popen:args']}\n"
    "denials: {pickle.find_class: {allow: [a.b]}}\n"
    "venvs: [/]\n"
    "verify: {roots: [{path: /, all: [owner, selinux], labels: [a, b]}]}\n";

static struct artefact good;

static uint32_t table(enum policy_table_id id)
{
    struct policy_table t;

    memcpy(&t, (const uint8_t *)good.data + TABLE(id), sizeof(t));
    return t.offset;
}

#define SETTINGS(field)                                                                            \
    (table(POLICY_TABLE_SETTINGS) + (uint32_t)offsetof(struct policy_settings_v1, field))
#define SINK(field) (table(POLICY_TABLE_SINKS) + (uint32_t)offsetof(struct policy_sink_v1, field))
#define DENIAL(field)                                                                              \
    (table(POLICY_TABLE_DENIALS) + (uint32_t)offsetof(struct policy_denial_v1, field))
#define VERIFY(field)                                                                              \
    (table(POLICY_TABLE_VERIFY) + (uint32_t)offsetof(struct policy_verify_v2, field))
#define ROOT(field) (table(POLICY_TABLE_ROOTS) + (uint32_t)offsetof(struct policy_root_v2, field))
#define PIN(field) (table(POLICY_TABLE_PINS) + (uint32_t)offsetof(struct policy_pin_v1, field))

static int setup(void **state)
{
    (void)state;
    artefact_from_text(&good, source);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    artefact_done(&good);
    return 0;
}

/* Loads a sealed copy with one 32-bit number changed. */
static int load_with(uint32_t at, uint32_t value, struct err *err)
{
    uint8_t *data = malloc(good.len);
    struct policy policy;
    int r;

    assert_non_null(data);
    memcpy(data, good.data, good.len);
    memcpy(data + at, &value, sizeof(value));
    artefact_seal(data, good.len);
    r = policy_load_memory(data, good.len, &policy, err);
    if (r == 0)
        policy_done(&policy);
    free(data);
    return r;
}

static uint32_t number_at(uint32_t at)
{
    uint32_t value;

    memcpy(&value, (const uint8_t *)good.data + at, sizeof(value));
    return value;
}

static void expect(uint32_t at, uint32_t value, const char *part)
{
    struct err err = ERR_INIT;

    if (load_with(at, number_at(at), &err) != 0) /* control */
        fail_msg("%s", err.msg);
    assert_int_equal(load_with(at, value, &err), -EBADMSG);
    assert_contains(err.msg, part);
    assert_null(strchr(err.msg, '\n'));
}

static void test_header(void **state)
{
    (void)state;
    expect(HEADER(header_size), 0, "another layout");
    expect(HEADER(checked), 0, "another layout");
    expect(HEADER(checked), (uint32_t)good.len - 1, "a table lies outside");
    expect(HEADER(checked), (uint32_t)good.len + 1, "another layout");
    expect(END(reserved), 1, "another layout");
    expect(END(venvs.first), 0x80000000, "a list lies outside");
    expect(END(venvs.count), 0xffffffff, "a list lies outside");
}

static void test_tables(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < POLICY_TABLE_MAX; i++) {
        uint32_t at = TABLE(i);

        expect(at, 0, "a table lies outside");
        expect(at, (uint32_t)good.len + 1, "a table lies outside");
        expect(at, 0xfffffff0, "a table lies outside");
        expect(at + 4, 0xffffffff, "a table lies outside");
    }
    expect(TABLE(POLICY_TABLE_SETTINGS) + 4, 0, "no settings");
    expect(TABLE(POLICY_TABLE_TEXT) + 4, 0, "text does not end");
    expect(TABLE(POLICY_TABLE_TEXT) + 4, number_at(TABLE(POLICY_TABLE_TEXT) + 4) - 1,
           "text does not end");
}

static void test_strings(void **state)
{
    const uint32_t places[] = {
        SETTINGS(app),        SETTINGS(match_script),
        SETTINGS(match_venv), SETTINGS(venv),
        SETTINGS(host),       PIN(name),
        PIN(value),           SINK(path),
        DENIAL(event),        DENIAL(id),
        ROOT(path),           table(POLICY_TABLE_STRINGS),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        expect(places[i], 0, "a string lies outside");
        expect(places[i], table(POLICY_TABLE_TEXT) - 1, "a string lies outside");
        expect(places[i], (uint32_t)good.len, "a string lies outside");
        expect(places[i], 0xffffffff, "a string lies outside");
    }
    /* The artefact's last byte is the NUL of its last string: an empty string. */
    expect(PIN(name), (uint32_t)good.len - 1, "a string is empty");
    expect(SINK(path), (uint32_t)good.len - 1, "a string is empty");
    expect(DENIAL(event), (uint32_t)good.len - 1, "a string is empty");
    expect(DENIAL(id), (uint32_t)good.len - 1, "a string is empty");
}

static void test_slices(void **state)
{
    const uint32_t places[] = {
        SETTINGS(entry_modules),
        SETTINGS(env_permit),
        SETTINGS(redact),
        SETTINGS(env_pin),
        SETTINGS(sinks),
        SETTINGS(denials),
        DENIAL(allow),
        VERIFY(roots),
        ROOT(labels),
        ROOT(uses),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        expect(places[i], 0xffffffff, "a list lies outside");
        expect(places[i] + 4, 0xffffffff, "a list lies outside");
        expect(places[i] + 4, 1000, "a list lies outside");
    }
}

static void test_ranges(void **state)
{
    (void)state;
    expect(SETTINGS(profile), PROFILE_MAX, "unknown profile");
    expect(SETTINGS(entry), 256, "unknown kind of entry");
    expect(SETTINGS(stack_level), LEVEL_NOISE, "unknown level");
    expect(SETTINGS(stack_frames), RECORD_MAX_FRAMES + 1, "too many frames");
    expect(SETTINGS(source_max), POLICY_MAX_SOURCE + 1, "too much source text");
    expect(SINK(kind), SINK_KIND_MAX, "unknown kind of sink");
    expect(SINK(on_failure), SINK_FAILURE_COUNT + 1, "unknown sink failure");
    expect(SINK(level), LEVEL_NOISE, "unknown level");
    expect(SINK(reserved), 1, "reserved");
    expect(DENIAL(mode), DENIAL_AUDIT + 1, "unknown mode");
    expect(DENIAL(action), DENIAL_KILL + 1, "unknown action");
    expect(DENIAL(level), LEVEL_NOISE, "unknown level");
    expect(VERIFY(mode), VERIFY_MODE_MAX, "unknown mode");
    expect(VERIFY(native), VERIFY_MODE_MAX, "unknown mode");
    expect(VERIFY(hooks), VERIFY_MODE_MAX, "unknown mode");
    expect(VERIFY(elsewhere), 3, "a list lies outside");
    expect(ROOT(any), TRUST_BIT(TRUST_VERIFIER_MAX), "unknown verifier");
    expect(ROOT(all), 0x80000000, "unknown verifier");
}

static void test_who_it_is_for(void **state)
{
    uint32_t some_text = number_at(DENIAL(event));

    (void)state;
    expect(SETTINGS(match_uid), 0, "no such user id");     /* negative, and not -1 */
    expect(SETTINGS(match_uid) + 4, 0, "no such user id"); /* 4294967295 is nobody's */
    expect(SETTINGS(match_script), some_text, "for one app");
    expect(SETTINGS(match_venv), some_text, "for one app");
    expect(SETTINGS(app), some_text, "host's settings are missing");
}

/* Any 32-bit word replaced by values from the edges: whatever comes back, nothing is read outside.
 * (Under the address sanitizer this is the test that counts.) */
static void test_every_word(void **state)
{
    static const uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
    unsigned refused = 0;

    (void)state;
    for (uint32_t at = BODY; at + 4 <= good.len; at += 4) {
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            struct err err = ERR_INIT;
            int r = load_with(at, values[i], &err);

            assert_true(r == 0 || r == -EBADMSG);
            refused += r < 0;
        }
    }
    assert_true(refused > 100);
}

static void test_short(void **state)
{
    uint8_t *data = malloc(good.len);
    struct policy policy;
    struct err err = ERR_INIT;

    (void)state;
    assert_non_null(data);
    for (size_t len = BODY; len < good.len; len++) {
        memcpy(data, good.data, len);
        artefact_seal(data, len);
        assert_int_equal(policy_load_memory(data, len, &policy, &err), -EBADMSG);
    }
    free(data);
}

/* Everything that was written is what is read. */
static void test_content(void **state)
{
    const struct policy_settings *s = good.policy.host;

    (void)state;
    assert_int_equal(good.policy.serial, 7);
    assert_int_equal(good.policy.applied, 1234567890);
    assert_int_equal(good.policy.app_count, 0);
    assert_string_equal(s->app, "");
    assert_int_equal(s->profile, PROFILE_STRICT);
    assert_int_equal(s->match_uid, -1);
    assert_int_equal(s->entry_modules.count, 1);
    assert_string_equal(s->entry_modules.items[0], "pip");
    assert_int_equal(s->env_pin_count, 1);
    assert_string_equal(s->env_pin[0].name, "A");
    assert_string_equal(s->env_pin[0].value, "b");
    assert_int_equal(s->redact.count, 1);
    assert_string_equal(s->redact.items[0], "subprocess.Popen:args");
    assert_int_equal(s->denial_count, 3);
    assert_string_equal(s->denials[2].event, "pickle.find_class");
    assert_string_equal(s->denials[2].allow.items[0], "a.b");
    assert_int_equal(s->verify.mode, VERIFY_ENFORCE);
    assert_int_equal(s->verify.trust.root_count, 1);
    assert_int_equal(s->verify.trust.roots[0].all,
                     TRUST_BIT(TRUST_BY_OWNER) | TRUST_BIT(TRUST_BY_SELINUX));
    assert_string_equal(s->verify.trust.roots[0].labels[1], "b");
    assert_int_equal(s->verify.trust.elsewhere->any, TRUST_BIT(TRUST_BY_OWNER));
    assert_true(policy_has_venv(&good.policy, "/"));
    assert_false(policy_has_venv(&good.policy, "/srv"));
    assert_false(policy_has_venv(&good.policy, ""));
}

/* What the release before wrote (testdata/policy-v1.yaml) still loads, and says nothing about which
 * code may run. */
static void test_format_1(void **state)
{
    char path[4096];
    char *data;
    size_t len;
    int fd;
    struct policy policy;
    struct err err = ERR_INIT;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/policy-v1.bin", TESTDATA);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fd_read_all(fd, 1 << 20, &data, &len), 0);
    fd_close(fd);
    if (policy_load_memory(data, len, &policy, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(policy.host->profile, PROFILE_STRICT);
    assert_string_equal(policy.host->entry_modules.items[0], "pip");
    assert_int_equal(policy.host->verify.mode, VERIFY_OFF);
    assert_int_equal(policy.host->verify.hooks, VERIFY_OFF);
    assert_non_null(policy.host->verify.trust.elsewhere);
    assert_int_equal(policy.manifest_count, 0);
    policy_done(&policy);
    data[len - 1] ^= 1;
    assert_int_equal(policy_load_memory(data, len, &policy, &err), -EBADMSG);
    free(data);
}

static void test_builtin(void **state)
{
    struct policy policy;
    struct err err = ERR_INIT;

    (void)state;
    if (policy_builtin(&policy, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(policy.serial, 0);
    assert_int_equal(policy.app_count, 0);
    assert_null(policy.map);
    assert_int_equal(policy.host->profile, PROFILE_STANDARD);
    assert_int_equal(policy.host->sink_count, 1);
    assert_string_equal(policy.host->sinks[0].path, "var/log/spython/");
    policy_done(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),     cmocka_unit_test(test_tables),
        cmocka_unit_test(test_strings),    cmocka_unit_test(test_slices),
        cmocka_unit_test(test_ranges),     cmocka_unit_test(test_who_it_is_for),
        cmocka_unit_test(test_every_word), cmocka_unit_test(test_short),
        cmocka_unit_test(test_content),    cmocka_unit_test(test_format_1),
        cmocka_unit_test(test_builtin),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
