/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of sources: what is missing, unreadable, misnamed or too much; and the same bytes
 * from the same sources. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy_test.h"

static char *make_dir(void)
{
    char *dir = temp_dir(), *apps = path_in(dir, "apps.d");

    assert_int_equal(mkdir(apps, 0755), 0);
    free(apps);
    write_text(dir, "spython.yaml", "profile: strict\n");
    write_text(dir, "apps.d/shop.yml", "match: {user: 1001}\n");
    return dir;
}

static void expect(const char *dir, int code, const char *part)
{
    int r;
    char *text = findings_of_dir(dir, &r);

    if (r != code)
        fail_msg("%d: %s", r, text);
    if (part)
        assert_contains(text, part);
    else
        assert_string_equal(text, "");
    free(text);
}

static void test_nothing(void **state)
{
    char *dir = temp_dir(), *missing = path_in(dir, "missing");

    (void)state;
    expect(dir, 0, NULL);
    expect(missing, 0, NULL);
    free(missing);
    remove_tree(dir);
}

static void test_kinds(void **state)
{
    char *dir = make_dir(), *yaml = path_in(dir, "spython.yaml"), *real = path_in(dir, "real");

    (void)state;
    expect(dir, 0, NULL);
    assert_int_equal(rename(yaml, real), 0);
    assert_int_equal(symlink("real", yaml), 0);
    expect(dir, 0, NULL); /* configuration management links sources into place */
    assert_int_equal(unlink(yaml), 0);
    assert_int_equal(mkfifo(yaml, 0644), 0);
    expect(dir, -EINVAL, "spython.yaml:0:0: is not a regular file");
    assert_int_equal(unlink(yaml), 0);
    assert_int_equal(mkdir(yaml, 0755), 0);
    expect(dir, -EINVAL, "spython.yaml:0:0: is not a regular file");
    free(real);
    free(yaml);
    remove_tree(dir);
}

static void test_size(void **state)
{
    char *dir = make_dir(), *yaml = path_in(dir, "spython.yaml");

    (void)state;
    expect(dir, 0, NULL);
    assert_int_equal(truncate(yaml, 2 << 20), 0);
    expect(dir, -EINVAL, "spython.yaml:0:0: is larger than 1 MiB");
    free(yaml);
    remove_tree(dir);
}

static void test_app_names(void **state)
{
    char *dir = make_dir();

    (void)state;
    expect(dir, 0, NULL);
    write_text(dir, "apps.d/.hidden.yml", "nonsense: 1\n");
    expect(dir, 0, NULL);
    write_text(dir, "apps.d/other.yaml", "nonsense: 1\n");
    expect(dir, 0, "other.yaml:0:0: warning: is not read: its name does not end in .yml");
    write_text(dir, "apps.d/bad name.yml", "match: {user: 1}\n");
    expect(dir, -EINVAL, "bad name.yml:0:0: an app's name is");
    remove_tree(dir);
}

static void test_app_keys(void **state)
{
    char *dir = make_dir();

    (void)state;
    write_text(dir, "apps.d/shop.yml", "match: {user: 1001}\nvenvs: [/]\n");
    expect(dir, -EINVAL, "shop.yml:2:1: unknown key 'venvs' in an app [did you mean 'venv'?]");
    write_text(dir, "apps.d/shop.yml", "match: {uzer: 1001}\n");
    expect(dir, -EINVAL, "shop.yml:1:9: unknown key 'uzer' in 'match' [did you mean 'user'?]");
    write_text(dir, "apps.d/shop.yml", "match: {script: main.py}\n");
    expect(dir, -EINVAL, "shop.yml:1:17: 'script' in 'match' must be an absolute path");
    remove_tree(dir);
}

static void test_apps_is_no_directory(void **state)
{
    char *dir = temp_dir();

    (void)state;
    write_text(dir, "apps.d", "");
    expect(dir, -ENOTDIR, "");
    remove_tree(dir);
}

static void write_many_lines(const char *path, size_t count)
{
    char *text = malloc(2 * count);

    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + 2 * i, "/\n", 2);
    write_file(path, text, 2 * count, 0644);
    free(text);
}

static void test_venv_list(void **state)
{
    char *dir = make_dir(), *list = path_in(dir, "venvs.list");

    (void)state;
    write_text(dir, "venvs.list", "# comment\n\n/\n");
    expect(dir, 0, NULL);
    write_text(dir, "venvs.list", "/");
    expect(dir, 0, NULL);
    write_text(dir, "venvs.list", "/\nsrv\n");
    expect(dir, -EINVAL, "venvs.list:2:1: a line of venvs.list must be an absolute path");
    write_text(dir, "venvs.list", "/\r\n");
    expect(dir, -EINVAL, "venvs.list:1:1: a line of venvs.list holds a control character");
    write_file(list, "/\n/\0x\n", 7, 0644);
    expect(dir, -EINVAL, "venvs.list:2:1: the line holds a NUL byte");
    write_text(dir, "venvs.list", "/no/such\n");
    expect(dir, 0, "venvs.list:1:1: warning: cannot find '/no/such'");
    write_many_lines(list, 4096);
    expect(dir, 0, NULL);
    write_many_lines(list, 4097);
    expect(dir, -EINVAL, "venvs.list:4097:1: there are more than 4096 environments");
    free(list);
    remove_tree(dir);
}

/* The order in which a directory lists its files does not show. */
static void test_reproducible(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    char *dirs[2] = {make_dir(), make_dir()};
    struct artefact a, b;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned d = 0; d < 2; d++) {
            const char *name = names[d ? 4 - i : i];
            char *file = NULL, *text = NULL;

            assert_true(asprintf(&file, "apps.d/%s.yml", name) > 0);
            assert_true(asprintf(&text, "match: {user: %d}\n", name[0]) > 0);
            write_text(dirs[d], file, text);
            free(text);
            free(file);
        }
    }
    artefact_from_dir(&a, dirs[0]);
    artefact_from_dir(&b, dirs[1]);
    assert_int_equal(a.policy.app_count, 6);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    artefact_done(&a);
    artefact_done(&b);
    remove_tree(dirs[0]);
    remove_tree(dirs[1]);
}

/* Texts are kept once: a thousand apps that differ in nothing but user stay small. */
static void test_many_apps(void **state)
{
    char *dir = make_dir();
    struct artefact a;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char *file = NULL, *text = NULL;

        assert_true(asprintf(&file, "apps.d/app%04d.yml", i) > 0);
        assert_true(asprintf(&text, "match: {user: %d}\n", 2000 + i) > 0);
        write_text(dir, file, text);
        free(text);
        free(file);
    }
    artefact_from_dir(&a, dir);
    assert_int_equal(a.policy.app_count, 1001);
    assert_true(a.len < 400000);
    assert_string_equal(policy_find(&a.policy, "", "", 2999)->app, "app0999");
    artefact_done(&a);
    remove_tree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),   cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_size),      cmocka_unit_test(test_app_names),
        cmocka_unit_test(test_app_keys),  cmocka_unit_test(test_apps_is_no_directory),
        cmocka_unit_test(test_venv_list), cmocka_unit_test(test_reproducible),
        cmocka_unit_test(test_many_apps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
