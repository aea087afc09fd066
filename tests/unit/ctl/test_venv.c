/* SPDX-License-Identifier: Apache-2.0 */
/* pyvenv.cfg as venv, virtualenv and uv write it, and the list of adopted roots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/venv.h"

static void test_config(void **state)
{
    static const struct {
        const char *text, *home, *version;
    } cases[] = {
        {"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n", "/usr/bin",
         "3.11.2"},
        {"home=/opt/py/bin\r\nversion_info = 3.12.1.final.0\r\n", "/opt/py/bin", "3.12.1.final.0"},
        {"HOME = /a b\nVersion = 3.8.1", "/a b", "3.8.1"},
        {"home = /one\nhome = /two\n", "/two", NULL}, /* the last one wins, as in site.py */
        {"home = /x=y\n", "/x=y", NULL},
        {"prompt = home = /evil\nno equals sign\n=\n", NULL, NULL},
        {"", NULL, NULL},
        {"\n\n\n", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct venv_config config;

        venv_config_parse(cases[i].text, &config);
        if (cases[i].home)
            assert_string_equal(config.home, cases[i].home);
        else
            assert_null(config.home);
        if (cases[i].version)
            assert_string_equal(config.version, cases[i].version);
        else
            assert_null(config.version);
        venv_config_done(&config);
    }
}

static void test_list(void **state)
{
    char dir[] = "/tmp/spython-test-XXXXXX", path[64];
    struct venv_list list = {0}, again;
    struct problem problem = {0};
    struct ctl ctl = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(ctl.etc, sizeof(ctl.etc), "%s", dir);
    assert_int_equal(venv_list_read(&ctl, &list, &problem), 0); /* absent is empty */
    assert_int_equal(list.count, 0);
    venv_list_add(&list, "/srv/b");
    venv_list_add(&list, "/srv/a b");
    venv_list_add(&list, "/srv/b");
    assert_int_equal(list.count, 2);
    assert_int_equal(venv_list_write(&ctl, &list, &problem), 0);
    assert_int_equal(venv_list_read(&ctl, &again, &problem), 0);
    assert_int_equal(again.count, 2);
    assert_string_equal(again.roots[0], "/srv/b");
    assert_string_equal(again.roots[1], "/srv/a b");
    assert_false(venv_list_remove(&again, "/srv/c"));
    assert_true(venv_list_remove(&again, "/srv/b"));
    assert_false(venv_list_has(&again, "/srv/b"));
    assert_true(venv_list_has(&again, "/srv/a b"));
    venv_list_done(&list);
    venv_list_done(&again);
    (void)snprintf(path, sizeof(path), "%s/venvs.list", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* no temporary file was left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
