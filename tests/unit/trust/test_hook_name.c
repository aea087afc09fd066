/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trust/hook_name.h"

static void test_forms(void **state)
{
    static const struct {
        const char *path;
        enum hook_form form;
    } rows[] = {
        {"/usr/lib/python3.11/sitecustomize.py", HOOK_SOURCE},
        {"sitecustomize.py", HOOK_SOURCE},
        {"/a/usercustomize.py", HOOK_SOURCE},
        {"/a/sitecustomize/__init__.py", HOOK_SOURCE},
        {"sitecustomize/__init__.py", HOOK_SOURCE},
        {"/a/sitecustomize.pyc", HOOK_SOURCELESS},
        {"/a/usercustomize/__init__.pyc", HOOK_SOURCELESS},
        {"/a/__pycache__/sitecustomize.cpython-311.pyc", HOOK_CACHE},
        {"__pycache__/usercustomize.cpython-38.opt-2.pyc", HOOK_CACHE},
        {"/cache/usr/lib/python3.11/sitecustomize.cpython-311.pyc", HOOK_CACHE},
        {"/a/sitecustomize/__pycache__/__init__.cpython-313.pyc", HOOK_CACHE},
        {"/cache/a/sitecustomize/__init__.cpython-313.pyc", HOOK_CACHE},
        {"/a/sitecustomize.cpython-311-x86_64-linux-gnu.so", HOOK_NATIVE},
        {"/a/sitecustomize.so", HOOK_NATIVE},
        {"/a/sitecustomize", HOOK_NONE},
        {"/a/sitecustomize/other.py", HOOK_NONE},
        {"/a/sitecustomize/__pycache__/other.cpython-311.pyc", HOOK_NONE},
        {"/a/sitecustomize/__pycache__/__pycache__/__init__.cpython-311.pyc", HOOK_NONE},
        {"/a/mysitecustomize.py", HOOK_NONE},
        {"/a/sitecustomize2.py", HOOK_NONE},
        {"/a/sitecustomize.txt", HOOK_NONE},
        {"/a/mysitecustomize/__init__.py", HOOK_NONE},
        {"/a/__init__.py", HOOK_NONE},
        {"__init__.py", HOOK_NONE},
        {"/__init__.py", HOOK_NONE},
        {"/__pycache__/__init__.cpython-311.pyc", HOOK_NONE},
        {"__pycache__/__init__.cpython-311.pyc", HOOK_NONE},
        {"/a/", HOOK_NONE},
        {"", HOOK_NONE},
        {"/", HOOK_NONE},
        {".", HOOK_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (hook_name_form(rows[i].path) != rows[i].form)
            fail_msg("'%s': %d", rows[i].path, hook_name_form(rows[i].path));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
