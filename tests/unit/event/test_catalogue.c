/* SPDX-License-Identifier: Apache-2.0 */
/* Every name is found and nothing else is; the memo does not believe in addresses. */
#include "event_test.h"

#include <errno.h>

static void test_every_name_is_found(void **state)
{
    (void)state;
    assert_true(catalogue_count > 200);
    for (unsigned i = 0; i < catalogue_count; i++) {
        const struct catalogue_entry *entry = &catalogue[i];
        char *copy = strdup(entry->name); /* the next byte belongs to somebody else */

        assert_non_null(copy);
        assert_int_equal(strlen(entry->name), entry->name_len);
        assert_int_equal(catalogue_find(copy), (int)i);
        assert_true(entry->level < LEVEL_MAX);
        assert_true(entry->arg_count <= VALUE_MAX_ARGS);
        for (unsigned a = 0; a < entry->arg_count; a++) {
            assert_true(entry->arg_names[a][0] != '\0');
            assert_true(entry->arg_redact[a] <= REDACT_HIDE);
        }
        free(copy);
    }
}

/* One byte changed, one left out, one too many: another name, or none. */
static void test_near_misses_are_not_found(void **state)
{
    (void)state;
    for (unsigned i = 0; i < catalogue_count; i++) {
        const char *name = catalogue[i].name;
        size_t len = strlen(name);

        for (size_t at = 0; at <= len; at++) {
            for (int how = 0; how < 3; how++) {
                char other[80] = "";
                int found;

                memcpy(other, name, at);
                if (how == 0 && at < len) {
                    other[at] = name[at] == '_' ? 'x' : (char)(name[at] ^ 1);
                    memcpy(other + at + 1, name + at + 1, len - at);
                } else if (how == 1 && at < len) {
                    memcpy(other + at, name + at + 1, len - at);
                } else {
                    other[at] = '~';
                    memcpy(other + at + 1, name + at, len - at + 1);
                }
                found = catalogue_find(other);
                if (found != CATALOGUE_UNKNOWN)
                    assert_string_equal(catalogue[found].name, other);
            }
        }
    }
    assert_int_equal(catalogue_find(""), CATALOGUE_UNKNOWN);
    assert_int_equal(catalogue_find("x"), CATALOGUE_UNKNOWN);
    assert_int_equal(catalogue_find("OPEN"), CATALOGUE_UNKNOWN);
}

static void test_long_names_are_not_read_to_the_end(void **state)
{
    size_t size = 1 << 20;
    char *name = malloc(size);

    (void)state;
    assert_non_null(name);
    memset(name, 'a', size); /* without a NUL: sanitizers see who reads on */
    assert_int_equal(catalogue_find(name), CATALOGUE_UNKNOWN);
    free(name);
}

static void test_memo_finds_what_find_finds(void **state)
{
    struct catalogue_memo memo = {0};

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < catalogue_count; i++)
            assert_int_equal(catalogue_find_memo(&memo, catalogue[i].name), (int)i);
        assert_int_equal(catalogue_find_memo(&memo, "no.such.event"), CATALOGUE_UNKNOWN);
    }
}

/* sys.audit() passes heap strings: one address, many names. */
static void test_memo_compares_contents(void **state)
{
    struct catalogue_memo memo = {0};
    char name[64];

    (void)state;
    for (unsigned i = 0; i < catalogue_count; i++) {
        strncpy(name, catalogue[i].name, sizeof(name) - 1);
        assert_int_equal(catalogue_find_memo(&memo, name), (int)i);
        assert_int_equal(catalogue_find_memo(&memo, name), (int)i);
        name[0] = '~';
        assert_int_equal(catalogue_find_memo(&memo, name), CATALOGUE_UNKNOWN);
        memset(name, 0, sizeof(name));
        assert_int_equal(catalogue_find_memo(&memo, name), CATALOGUE_UNKNOWN);
    }
}

static const struct catalogue_entry *entry_of(const char *name)
{
    int index = catalogue_find(name);

    assert_true(index >= 0);
    return &catalogue[index];
}

static void test_what_must_be_redacted_is(void **state)
{
    static const struct {
        const char *event, *arg;
        enum redact redact;
    } cases[] = {
        {"subprocess.Popen", "env", REDACT_ENV},
        {"os.exec", "env", REDACT_ENV},
        {"os.spawn", "env", REDACT_ENV},
        {"os.posix_spawn", "env", REDACT_ENV},
        {"_posixsubprocess.fork_exec", "env", REDACT_ENV},
        {"os.putenv", "value", REDACT_SECRET},
        {"urllib.Request", "fullurl", REDACT_URL},
        {"urllib.Request", "data", REDACT_SECRET},
        {"urllib.Request", "headers", REDACT_SECRET},
        {"webbrowser.open", "url", REDACT_URL},
        {"smtplib.send", "data", REDACT_SECRET},
        {"ftplib.sendcmd", "cmd", REDACT_SECRET},
        {"imaplib.send", "data", REDACT_SECRET},
        {"poplib.putline", "line", REDACT_SECRET},
        {"nntplib.putline", "line", REDACT_SECRET},
        {"telnetlib.Telnet.write", "buffer", REDACT_SECRET},
        {"http.client.send", "data", REDACT_SECRET},
        {"builtins.input/result", "result", REDACT_SECRET},
        {"compile", "source", REDACT_CODE},
        {"compile", "filename", REDACT_NO},
        {"import", "sys.path", REDACT_HIDE},
        {"import", "filename", REDACT_NO},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct catalogue_entry *entry = entry_of(cases[i].event);
        bool found = false;

        for (unsigned a = 0; a < entry->arg_count; a++) {
            if (strcmp(entry->arg_names[a], cases[i].arg) == 0) {
                assert_int_equal(entry->arg_redact[a], cases[i].redact);
                found = true;
            }
        }
        assert_true(found);
    }
}

static void test_levels_and_raisers(void **state)
{
    (void)state;
    assert_int_equal(entry_of("builtins.id")->level, LEVEL_NOISE);
    assert_int_equal(entry_of("marshal.loads")->level, LEVEL_NOISE);
    assert_int_equal(entry_of("os.system")->level, LEVEL_HIGH);
    assert_int_equal(entry_of("open")->level, LEVEL_INFORMATIONAL);
    assert_int_equal(entry_of("open")->raiser, RAISER_C);
    assert_int_equal(entry_of("subprocess.Popen")->raiser, RAISER_PYTHON);
    assert_int_equal(entry_of("spython.start")->raiser, RAISER_SELF);
}

static void test_versions(void **state)
{
    int code_new = catalogue_find("code.__new__"), open = catalogue_find("open");

    (void)state;
    assert_int_equal(catalogue_for_version(code_new, 8)->level, LEVEL_NOISE);
    assert_int_equal(catalogue_for_version(code_new, 9)->level, LEVEL_MEDIUM);
    assert_int_equal(catalogue_for_version(code_new, 8)->arg_count, 9);
    assert_ptr_equal(catalogue_for_version(code_new, 9), &catalogue[code_new]);
    assert_ptr_equal(catalogue_for_version(open, 8), &catalogue[open]);
}

static void test_level_names(void **state)
{
    enum level level = LEVEL_MAX;

    (void)state;
    for (unsigned i = 0; i < LEVEL_MAX; i++) {
        const char *name = level_name((enum level)i);

        assert_int_equal(level_parse(name, strlen(name), &level), 0);
        assert_int_equal(level, i);
        assert_int_equal(level_parse(name, strlen(name) - 1, &level), -EINVAL);
        assert_int_equal(level, i);
    }
    assert_int_equal(level_parse("High", 4, &level), -EINVAL);
    assert_int_equal(level_parse("", 0, &level), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name_is_found),
        cmocka_unit_test(test_near_misses_are_not_found),
        cmocka_unit_test(test_long_names_are_not_read_to_the_end),
        cmocka_unit_test(test_memo_finds_what_find_finds),
        cmocka_unit_test(test_memo_compares_contents),
        cmocka_unit_test(test_what_must_be_redacted_is),
        cmocka_unit_test(test_levels_and_raisers),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_level_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
