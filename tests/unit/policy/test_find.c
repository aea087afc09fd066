/* SPDX-License-Identifier: Apache-2.0 */
/* Which app's settings a process gets, and what counts as ambiguous. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy_test.h"

/* DIR with apps.d/, the scripts s1 and s2, and the environments v1 and v2, which are adopted. */
static char *make_dir(void)
{
    char *dir = temp_dir(), *apps = path_in(dir, "apps.d"), *list = NULL;
    const char *const roots[] = {"v1", "v2"};

    assert_int_equal(mkdir(apps, 0755), 0);
    write_text(dir, "s1", "");
    write_text(dir, "s2", "");
    for (size_t i = 0; i < 2; i++) {
        char *root = path_in(dir, roots[i]);

        assert_int_equal(mkdir(root, 0755), 0);
        free(root);
    }
    assert_true(asprintf(&list, "# adopted\n\n%s/v1\n%s/v2\n", dir, dir) > 0);
    write_text(dir, "venvs.list", list);
    free(list);
    free(apps);
    return dir;
}

/* apps.d/NAME.yml with `match:` of what is not NULL; script and venv are names in DIR. */
static void add_app(const char *dir, const char *name, const char *script, const char *venv,
                    const char *user)
{
    char *file = NULL, *text = NULL;

    assert_true(asprintf(&file, "apps.d/%s.yml", name) > 0);
    assert_true(asprintf(&text, "match:\n%s%s%s%s%s%s%s%s%s%s%s\n", script ? "  script: " : "",
                         script ? dir : "", script ? "/" : "", script ? script : "",
                         script ? "\n" : "", venv ? "  venv: " : "", venv ? dir : "",
                         venv ? "/" : "", venv ? venv : "", user ? "\n  user: " : "",
                         user ? user : "") > 0);
    write_text(dir, file, text);
    free(text);
    free(file);
}

static const char *found(const struct artefact *a, const char *dir, const char *script,
                         const char *venv, uid_t uid)
{
    char *script_path = script ? path_in(dir, script) : strdup("");
    char *venv_path = venv ? path_in(dir, venv) : strdup("");
    const char *app = policy_find(&a->policy, script_path, venv_path, uid)->app;

    free(script_path);
    free(venv_path);
    return app;
}

static void test_precedence(void **state)
{
    char *dir = make_dir();
    struct artefact a;

    (void)state;
    add_app(dir, "by-script", "s1", NULL, NULL);
    add_app(dir, "by-script-user", "s1", NULL, "1001");
    add_app(dir, "by-script-venv", "s1", "v1", NULL);
    add_app(dir, "by-all", "s1", "v1", "1001");
    add_app(dir, "by-venv", NULL, "v1", NULL);
    add_app(dir, "by-venv-user", NULL, "v1", "1001");
    add_app(dir, "by-user", NULL, NULL, "1001");
    artefact_from_dir(&a, dir);
    assert_int_equal(a.policy.app_count, 7);
    assert_string_equal(found(&a, dir, "s1", NULL, 0), "by-script");
    assert_string_equal(found(&a, dir, "s1", NULL, 1001), "by-script-user");
    assert_string_equal(found(&a, dir, "s1", "v1", 0), "by-script-venv");
    assert_string_equal(found(&a, dir, "s1", "v2", 0), "by-script");
    assert_string_equal(found(&a, dir, "s1", "v1", 1001), "by-all");
    assert_string_equal(found(&a, dir, "s2", "v1", 0), "by-venv");
    assert_string_equal(found(&a, dir, "s2", "v1", 1001), "by-venv-user");
    assert_string_equal(found(&a, dir, "s2", "v2", 1001), "by-user");
    assert_string_equal(found(&a, dir, NULL, NULL, 1001), "by-user");
    assert_string_equal(found(&a, dir, "s2", "v2", 0), "");
    assert_string_equal(found(&a, dir, NULL, NULL, 0), "");
    artefact_done(&a);
    remove_tree(dir);
}

/* A script outweighs a venv and a user together. */
static void test_script_before_the_rest(void **state)
{
    char *dir = make_dir();
    struct artefact a;

    (void)state;
    add_app(dir, "script", "s1", NULL, NULL);
    add_app(dir, "rest", NULL, "v1", "1001");
    artefact_from_dir(&a, dir);
    assert_string_equal(found(&a, dir, "s1", "v1", 1001), "script");
    assert_string_equal(found(&a, dir, "s2", "v1", 1001), "rest");
    artefact_done(&a);
    remove_tree(dir);
}

static void expect_findings(const char *dir, int code, const char *part)
{
    int r;
    char *text = findings_of_dir(dir, &r);

    assert_int_equal(r, code);
    if (part)
        assert_contains(text, part);
    else
        assert_string_equal(text, "");
    free(text);
}

static void test_ambiguous(void **state)
{
    char *dir = make_dir();

    (void)state;
    add_app(dir, "one", "s1", NULL, "1001");
    add_app(dir, "two", "s1", NULL, "1002");
    expect_findings(dir, 0, NULL); /* control: no process is both users */
    add_app(dir, "three", "s1", NULL, "1001");
    expect_findings(dir, -EINVAL, "app 'three' matches the same processes as app 'one'");
    expect_findings(dir, -EINVAL, "apps.d/one.yml");
    remove_tree(dir);
}

/* The same script by another name. */
static void test_ambiguous_by_link(void **state)
{
    char *dir = make_dir(), *link = path_in(dir, "link");

    (void)state;
    add_app(dir, "one", "s1", NULL, NULL);
    add_app(dir, "two", "link", NULL, NULL);
    assert_int_equal(symlink("s2", link), 0);
    expect_findings(dir, 0, NULL);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("s1", link), 0);
    expect_findings(dir, -EINVAL, "app 'two' matches the same processes as app 'one'");
    free(link);
    remove_tree(dir);
}

static void test_missing_script(void **state)
{
    char *dir = make_dir();

    (void)state;
    add_app(dir, "one", "s1", NULL, NULL);
    expect_findings(dir, 0, NULL);
    add_app(dir, "one", "s3", NULL, NULL);
    expect_findings(dir, 0, "one.yml:2:11: warning: cannot find");
    remove_tree(dir);
}

static void test_matches_nothing(void **state)
{
    char *dir = make_dir();

    (void)state;
    write_text(dir, "apps.d/one.yml", "profile: strict\n");
    expect_findings(dir, -EINVAL, "does not say which processes");
    write_text(dir, "apps.d/one.yml", "match: {}\n");
    expect_findings(dir, -EINVAL, "does not say which processes");
    write_text(dir, "apps.d/one.yml", "match: {user: 0}\n");
    expect_findings(dir, 0, NULL);
    remove_tree(dir);
}

static void test_users(void **state)
{
    char *dir = make_dir();
    struct artefact a;

    (void)state;
    write_text(dir, "apps.d/one.yml", "match: {user: root}\n");
    artefact_from_dir(&a, dir);
    assert_int_equal(a.policy.apps[0].match_uid, 0);
    assert_string_equal(found(&a, dir, NULL, NULL, 0), "one");
    assert_string_equal(found(&a, dir, NULL, NULL, 1), "");
    artefact_done(&a);
    write_text(dir, "apps.d/one.yml", "match: {user: no-such-user-here}\n");
    expect_findings(dir, -EINVAL, "one.yml:1:15: there is no user 'no-such-user-here'");
    write_text(dir, "apps.d/one.yml", "match: {user: 4294967295}\n");
    expect_findings(dir, -EINVAL, "must be from 0 to 4294967294");
    remove_tree(dir);
}

static void test_venvs(void **state)
{
    char *dir = make_dir(), *text = NULL, *link = path_in(dir, "link"), *v1 = path_in(dir, "v1");
    struct artefact a;

    (void)state;
    assert_int_equal(symlink("v1", link), 0);
    assert_true(asprintf(&text, "match: {user: 0}\nvenv: %s\n", link) > 0);
    write_text(dir, "apps.d/one.yml", text);
    artefact_from_dir(&a, dir);
    assert_string_equal(a.policy.apps[0].venv, v1); /* the real path */
    assert_string_equal(a.policy.host->venv, "");
    assert_int_equal(a.policy.venvs.count, 2);
    assert_true(policy_has_venv(&a.policy, v1));
    assert_false(policy_has_venv(&a.policy, link));
    artefact_done(&a);
    write_text(dir, "venvs.list", "# none\n");
    expect_findings(dir, -EINVAL, "is not an adopted virtual environment");
    expect_findings(dir, -EINVAL, "run spythonctl venv adopt");
    free(text);
    assert_true(asprintf(&text, "venvs: [%s]\n", v1) > 0);
    write_text(dir, "spython.yaml", text);
    expect_findings(dir, 0, NULL);
    free(text);
    free(link);
    free(v1);
    remove_tree(dir);
}

/* The one that `spythonctl venv adopt` is about to list. */
static void test_venv_given(void **state)
{
    char *dir = make_dir(), *root = path_in(dir, "apps.d");
    const char *const venvs[] = {root};
    struct policy_compile_input input = {.etc_dir = dir, .venvs = venvs, .venv_count = 1};
    struct policy_messages messages;
    struct artefact a;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(policy_compile(&input, &a.data, &a.len, &messages, &err), 0);
    policy_messages_done(&messages);
    assert_int_equal(policy_load_memory(a.data, a.len, &a.policy, &err), 0);
    assert_int_equal(a.policy.venvs.count, 3);
    assert_true(policy_has_venv(&a.policy, root));
    artefact_done(&a);
    free(root);
    remove_tree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence),     cmocka_unit_test(test_script_before_the_rest),
        cmocka_unit_test(test_ambiguous),      cmocka_unit_test(test_ambiguous_by_link),
        cmocka_unit_test(test_missing_script), cmocka_unit_test(test_matches_nothing),
        cmocka_unit_test(test_users),          cmocka_unit_test(test_venvs),
        cmocka_unit_test(test_venv_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
