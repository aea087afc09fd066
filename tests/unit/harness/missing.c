/* SPDX-License-Identifier: Apache-2.0 */
/* One test that the machine cannot do, and one that it can; check_unavailable.py runs it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unavailable.h"

static void test_missing(void **state)
{
    (void)state;
    unavailable("nothing has this");
}

static void test_there(void **state)
{
    (void)state;
    assert_true(true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
