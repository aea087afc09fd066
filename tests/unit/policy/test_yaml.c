/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a source, and where: a table of texts with the one finding that each must
 * give, place and hint included. Add rows freely. Controls are the rows of `right`.
 */
#include <errno.h>
#include <stdio.h>

#include "policy/yaml_tree.h"
#include "policy_test.h"

/* No finding at all. */
static const char *const right[] = {
    "",
    "\n# nothing\n",
    "---\n",
    "{}",
    "profile: standard\n",
    "entry:\n",
    "entry: {allow: [], modules: []}\n",
    "entry: {allow: [command, stdin, interactive, directory, zip, modules, user_site, options]}",
    "environment: {permit: [PYTHONWARNINGS], pin: {A: '', LD_PRELOAD: /a.so}}",
    "environment: {pin: {LD_PRELOAD: libjemalloc.so.2, LD_LIBRARY_PATH: '/a:/b'}}",
    "log: {sinks: [{type: null}, {type: stderr, level: high}, {type: file, on_failure: stop}]}",
    "log: {sinks: [{type: file, path: var/log/spython/, rotate: {size: 64M, keep: 4}}]}",
    "log: {host: web-17, stack: {level: low, frames: 0}, source: {max: 32K}}",
    "log: {redact: ['subprocess.Popen:args', 'os.putenv:key']}",
    "denials: {os.system: {mode: off}, ctypes.dlopen: {mode: enforce, action: kill, level: high}}",
    "denials: {os.system: {mode: 'off', id: my-id, allow: ['ls -l']}}",
    "denials: {pickle.find_class: {allow: [collections.OrderedDict, a.b.C]}}",
    "denials: {'glob.glob/2': {}}",
};

static const struct {
    const char *yaml;
    const char *finding;
} wrong[] = {
    /* not YAML, or more of it than we take */
    {"profile: [\n", "t.yaml:2:1: did not find expected node content"},
    {"a: b: c\n", "t.yaml:1:5: mapping values are not allowed in this context"},
    {"\tprofile: strict\n", "t.yaml:1:1: found character that cannot start any token"},
    {"profile: \xff\n", "t.yaml:1:0: "},
    {"profile: strict\n---\nprofile: strict\n", "t.yaml:2:1: a second document begins here"},
    {"profile: &x strict\n", "t.yaml:1:10: anchors and aliases are not allowed"},
    {"profile: *x\n", "t.yaml:1:10: "},
    {"profile: !!str strict\n", "t.yaml:1:10: tags are not allowed"},
    {"? [a]\n: b\n", "t.yaml:1:3: a key must be a word"},
    {"<<: {profile: strict}\n", "t.yaml:1:1: unknown key '<<'"},
    {"profile: \"a\\0b\"\n", "t.yaml:1:10: a text holds a NUL byte"},
    {"[[[[[[[[[]]]]]]]]]\n", "t.yaml:1:9: lists and maps are nested too deeply"},
    {"profile: strict\nentry: {}\nprofile: observe\n",
     "t.yaml:3:1: key 'profile' is given twice [it is already in line 1]"},
    {"log: {host: a, host: b}\n", "t.yaml:1:16: key 'host' is given twice"},

    /* keys and types */
    {"text\n", "t.yaml:1:1: the policy must be a map of keys, but there is a single value"},
    {"- a\n", "t.yaml:1:1: the policy must be a map of keys, but there is a list"},
    {"profil: strict\n", "t.yaml:1:1: unknown key 'profil' in the policy [did you mean "
                         "'profile'?]"},
    {"Profile: strict\n", "unknown key 'Profile' in the policy [did you mean 'profile'?]"},
    {"xyzzy: 1\n", "[known keys: profile, entry, environment, log, verify, denials, venvs]"},
    {"match: {user: 0}\n", "t.yaml:1:1: unknown key 'match'"},
    {"profile: [strict]\n", "t.yaml:1:10: 'profile' must be a text, but there is a list"},
    {"profile:\n", "t.yaml:1:9: 'profile' must be a text, but there is nothing"},
    {"profile: ''\n", "t.yaml:1:10: 'profile' is empty"},
    {"profile: stric\n", "t.yaml:1:10: 'profile' must be one of strict, standard, observe, not "
                         "'stric' [did you mean 'strict'?]"},
    {"profile: \"a\\nb\"\n", "t.yaml:1:10: 'profile' holds a control character"},
    {"entry: [command]\n", "t.yaml:1:8: 'entry' must be a map of keys, but there is a list"},
    {"entry: {allow: command}\n", "t.yaml:1:16: 'allow' in 'entry' must be a list"},
    {"entry:\n  allow:\n", "must be a list, but there is nothing [write [] for none]"},
    {"entry: {allow: [comand]}\n", "t.yaml:1:17: an item of 'allow' in 'entry' must be one of"},
    {"entry: {modules: [-x]}\n", "'-x' is not a module's name"},
    {"entry: {modules: [a/b]}\n", "'a/b' is not a module's name"},

    /* environment */
    {"environment: {permit: [PYTHONWARNING]}\n",
     "t.yaml:1:24: warning: no version of CPython reads a variable 'PYTHONWARNING' [did you mean "
     "'PYTHONWARNINGS'?]"},
    {"environment: {permit: [HOME]}\n", "t.yaml:1:24: 'HOME' is not a variable of Python"},
    {"environment: {pin: {'A=B': c}}\n", "t.yaml:1:21: 'A=B' cannot be the name of a variable"},
    {"environment: {pin: {'': c}}\n", "'' cannot be the name of a variable"},
    {"environment: {pin: {\"a\\0\": c}}\n", "a text holds a NUL byte"},
    {"environment: {pin: {a: \"\\0\"}}\n", "a text holds a NUL byte"},
    {"environment: {pin: {SPYTHON_HANDOVER: c}}\n", "spython needs it itself"},
    {"environment: {pin: {LD_AUDIT: /a.so}}\n", "spython needs it itself"},
    {"environment: {pin: {LD_PRELOAD: ./a.so}}\n", "t.yaml:1:33: paths in 'LD_PRELOAD' must be "
                                                   "absolute"},
    {"environment: {pin: {LD_PRELOAD: '/a.so b/c.so'}}\n", "must be absolute"},
    {"environment: {pin: {LD_LIBRARY_PATH: lib}}\n", "must be absolute"},
    {"environment: {pin: {LD_LIBRARY_PATH: '/a:'}}\n", "must be absolute"},
    {"environment: {pin: {A: [b]}}\n", "the value of 'A' must be a text, but there is a list"},
    {"environment: {pin: [A]}\n", "'pin' in 'environment' must be a map"},

    /* venvs */
    {"venvs: [srv]\n", "t.yaml:1:9: an item of 'venvs' must be an absolute path"},
    {"venvs: [/srv/../x]\n", "an item of 'venvs' must be an absolute path without '.' and '..'"},
    {"venvs: [/no/such/place]\n", "t.yaml:1:9: warning: cannot find '/no/such/place'"},
    {"venvs: [{a: b}]\n", "an item of 'venvs' must be a text"},

    /* log */
    {"log: {sinks: []}\n", "t.yaml:1:14: 'sinks' is empty [to record nothing, say so: type: null]"},
    {"log: {sinks: [file]}\n", "t.yaml:1:15: a sink must be a map of keys"},
    {"log: {sinks: [{path: x}]}\n", "t.yaml:1:15: a sink needs 'type'"},
    {"log: {sinks: [{type: fil}]}\n", "must be one of null, stderr, file, not 'fil'"},
    {"log: {sinks: [{type: stderr, path: x}]}\n", "only a sink of type file has a 'path'"},
    {"log: {sinks: [{type: null, rotate: {size: 1M}}]}\n", "only a sink of type file has 'rotate'"},
    {"log: {sinks: [{type: file, path: ../x}]}\n", "must not hold '..'"},
    {"log: {sinks: [{type: file, path: a/..}]}\n", "must not hold '..'"},
    {"log: {sinks: [{type: file, rotate: {keep: 1}}]}\n", "'rotate' needs 'size'"},
    {"log: {sinks: [{type: file, rotate: {size: 1K}}]}\n", "must be from 65536 to"},
    {"log: {sinks: [{type: file, rotate: {size: 1T}}]}\n", "K, M or G may follow"},
    {"log: {sinks: [{type: file, rotate: {size: 1MB}}]}\n", "K, M or G may follow"},
    {"log: {sinks: [{type: file, level: noise}]}\n", "'level' of a sink must be one of"},
    {"log: {sinks: [{type: stderr}, {type: stderr}]}\n", "t.yaml:1:31: the same sink is already"},
    {"log: {sinks: [{type: file}, {type: file, path: var/log/spython/}]}\n", "the same sink"},
    {"log: {sinks: [a, b, c, d, e, f, g, h, i]}\n", "there can be at most 8 sinks"},
    {"log: {stack: {frames: 17}}\n", "t.yaml:1:23: 'frames' in 'stack' must be from 0 to 16"},
    {"log: {stack: {frames: -1}}\n", "must be a whole number, not '-1'"},
    {"log: {stack: {frames: 99999999999999999999}}\n", "must be from 0 to 16"},
    {"log: {source: {max: 32769}}\n", "must be from 0 to 32768"},
    {"log: {redact: [args]}\n", "'args' is not of the form EVENT:ARGUMENT"},
    {"log: {redact: ['os.sistem:command']}\n", "there is no event 'os.sistem' [did you mean "
                                               "'os.system'?]"},
    {"log: {redact: ['os.system:comand']}\n", "has no argument 'comand' [did you mean 'command'?]"},

    /* denials */
    {"denials: {os.sytem: {}}\n", "t.yaml:1:11: there is no event 'os.sytem' [did you mean "
                                  "'os.system'?]"},
    {"denials: {my.event: {}}\n", "t.yaml:1:11: there is no event 'my.event'\n"},
    {"denials: {spython.start: {}}\n", "cannot be denied"},
    {"denials: {os.system: audit}\n", "denial 'os.system' must be a map of keys"},
    {"denials: {os.system: {mode: of}}\n", "[did you mean 'off'?]"},
    {"denials: {os.system: {action: alow}}\n", "must be one of deny, kill"},
    {"denials: {os.system: {level: hi}}\n", "'level' of a denial must be one of"},
    {"denials: {os.system: {id: 'A b'}}\n", "'id' of a denial must be at most 64 of a-z"},
    {"denials: {os.system: {id: spython-pickle-find_class}}\n",
     "denials 'os.system' and 'pickle.find_class' have the same id"},
    {"denials: {pickle.find_class: {allow: [OrderedDict]}}\n", "not of the form MODULE.NAME"},
    {"denials: {sys.addaudithook: {allow: [x]}}\n", "has no argument that 'allow' could name"},

    /* what has no effect */
    {"profile: observe\nentry: {allow: [stdin]}\n", "t.yaml:2:16: warning: 'entry' has no effect"},
    {"profile: observe\nenvironment: {permit: []}\n", "warning: 'permit' has no effect"},
    {"profile: observe\ndenials: {os.system: {mode: enforce}}\n",
     "t.yaml:2:11: warning: denial 'os.system' is only in audit"},
};

static void test_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        int r;
        char *text = findings_of_text(right[i], strlen(right[i]), &r);

        if (r != 0 || text[0])
            fail_msg("row %zu: '%s' gives %d %s", i, right[i], r, text);
        free(text);
    }
}

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bool is_warning = strstr(wrong[i].finding, "warning: ") != NULL;
        const char *end;
        int r;
        char *text = findings_of_text(wrong[i].yaml, strlen(wrong[i].yaml), &r);

        if (r != (is_warning ? 0 : -EINVAL) || !strstr(text, wrong[i].finding))
            fail_msg("row %zu: '%s' gives %d %s", i, wrong[i].yaml, r, text);
        end = strchr(text, '\n');
        if (end && end[1] != '\0')
            fail_msg("row %zu: '%s' gives more than one finding: %s", i, wrong[i].yaml, text);
        free(text);
    }
}

/* A text of `head`, `count` times `body`, and `tail`. */
static char *repeat(const char *head, const char *body, size_t count, const char *tail)
{
    size_t len = strlen(head) + count * strlen(body) + strlen(tail) + 1;
    char *text = malloc(len), *at = text;

    assert_non_null(text);
    at = stpcpy(at, head);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, body);
    stpcpy(at, tail);
    return text;
}

static void expect_repeat(const char *head, const char *body, size_t fits, size_t too_many,
                          const char *tail, const char *finding)
{
    char *text = repeat(head, body, fits, tail), *found;
    int r;

    found = findings_of_text(text, strlen(text), &r);
    if (strstr(found, finding))
        fail_msg("%zu are refused: %s", fits, found);
    free(found);
    free(text);
    text = repeat(head, body, too_many, tail);
    found = findings_of_text(text, strlen(text), &r);
    assert_int_equal(r, -EINVAL);
    assert_contains(found, finding);
    free(found);
    free(text);
}

static void test_limits(void **state)
{
    (void)state;
    expect_repeat("", "#", YAML_MAX_SIZE, YAML_MAX_SIZE + 1, "", "larger than 1 MiB");
    expect_repeat("entry: {modules: [", "a,", 1024, 1025, "]}", "too many entries");
    expect_repeat("log: {host: ", "a", 255, 256, "}", "longer than 255 bytes");
    expect_repeat("environment: {pin: {A: ", "a", 4095, 4096, "}}", "longer than 4095 bytes");
    expect_repeat("a: ", "[", 7, 9, "", "nested too deeply");
}

/* All errors at once, in the order of the file. */
static void test_many(void **state)
{
    static const char yaml[] = "a: 1\nb: 2\nprofile: x\n";
    int r;
    char *text = findings_of_text(yaml, strlen(yaml), &r);
    const char *a = strstr(text, "t.yaml:1:1:"), *b = strstr(text, "t.yaml:2:1:"),
               *c = strstr(text, "t.yaml:3:10:");

    (void)state;
    assert_int_equal(r, -EINVAL);
    assert_true(a && b && c && a < b && b < c);
    free(text);
}

/* A flood of errors is counted and not printed; a flood of warnings hides no error. */
static void test_flood(void **state)
{
    char *yaml = repeat("environment: {permit: [", "PYTHONX,", 500, "]}\nprofile: x\n");
    size_t lines = 0;
    int r;
    char *text = findings_of_text(yaml, strlen(yaml), &r);

    (void)state;
    assert_int_equal(r, -EINVAL);
    assert_contains(text, "must be one of strict");
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 101);
    free(text);
    free(yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right), cmocka_unit_test(test_wrong), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many),  cmocka_unit_test(test_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
