/* SPDX-License-Identifier: Apache-2.0 */
/* The observing sibling: nothing that was enforced is, and everything else is as it was. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy_compile.h"
#include "policy/policy_observe.h"

static const char yaml[] = "profile: strict\nverify:\n  roots:\n"
                           "    - {path: /usr, any: [owner, xattr]}\n"
                           "denials:\n  os.system: {mode: audit}\n";

static void compile(void **ret, size_t *ret_len)
{
    struct policy_messages messages;
    struct err err = ERR_INIT;

    assert_int_equal(
        policy_compile_text("test", yaml, strlen(yaml), 7, 9, ret, ret_len, &messages, &err), 0);
    policy_messages_done(&messages);
}

static void test_sibling(void **state)
{
    struct policy before, after;
    void *data, *sibling;
    size_t len, sibling_len;
    unsigned changed = 0, enforced = 0;

    (void)state;
    compile(&data, &len);
    assert_int_equal(policy_load_memory(data, len, &before, NULL), 0);
    for (uint32_t i = 0; i < before.host->denial_count; i++)
        enforced += before.host->denials[i].mode == DENIAL_ENFORCE;
    assert_true(enforced > 0); /* the control */
    assert_int_equal(before.host->verify.mode, VERIFY_ENFORCE);
    assert_int_equal(policy_observe(&before, NULL, &sibling, &sibling_len, &changed, NULL), 0);
    assert_int_equal(changed, enforced + 3);
    assert_int_equal(policy_load_memory(sibling, sibling_len, &after, NULL), 0);
    assert_int_equal(after.host->verify.mode, VERIFY_AUDIT);
    assert_int_equal(after.host->verify.native, VERIFY_AUDIT);
    assert_int_equal(after.host->verify.hooks, VERIFY_AUDIT);
    for (uint32_t i = 0; i < after.host->denial_count; i++)
        assert_int_equal(after.host->denials[i].mode, DENIAL_AUDIT);
    assert_int_equal(after.host->denial_count, before.host->denial_count);
    assert_int_equal(after.host->profile, PROFILE_STRICT);
    assert_int_equal(after.host->entry, before.host->entry);
    assert_int_equal(after.serial, 7);
    assert_int_equal(after.applied, 9);
    assert_int_equal(after.host->verify.trust.root_count, 1);
    assert_string_equal(after.host->verify.trust.roots[0].path, "/usr");
    policy_done(&before);
    policy_done(&after);
    free(data);
    free(sibling);
}

static void test_observing_again_is_the_same(void **state)
{
    struct policy policy;
    void *data, *once, *twice;
    size_t len, once_len, twice_len;
    unsigned changed;

    (void)state;
    compile(&data, &len);
    assert_int_equal(policy_load_memory(data, len, &policy, NULL), 0);
    assert_int_equal(policy_observe(&policy, NULL, &once, &once_len, &changed, NULL), 0);
    policy_done(&policy);
    assert_int_equal(policy_load_memory(once, once_len, &policy, NULL), 0);
    assert_int_equal(policy_observe(&policy, NULL, &twice, &twice_len, &changed, NULL), 0);
    assert_int_equal(changed, 0);
    assert_int_equal(once_len, twice_len);
    assert_memory_equal(once, twice, once_len);
    policy_done(&policy);
    free(data);
    free(once);
    free(twice);
}

static void test_no_such_app(void **state)
{
    struct policy policy;
    struct err err = ERR_INIT;
    void *data, *sibling = NULL;
    size_t len;
    unsigned changed;

    (void)state;
    compile(&data, &len);
    assert_int_equal(policy_load_memory(data, len, &policy, NULL), 0);
    assert_int_equal(policy_observe(&policy, "shop", &sibling, &len, &changed, &err), -ENOENT);
    assert_null(sibling);
    policy_done(&policy);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sibling),
        cmocka_unit_test(test_observing_again_is_the_same),
        cmocka_unit_test(test_no_such_app),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
