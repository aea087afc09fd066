/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of compiler and loader fails once: each time the call says so and gives back all
 * that it took (which the leak check of the sanitizer build sees). The linker puts these functions
 * in the place of the allocator's, see meson.build. */
#include <errno.h>
#include <stdio.h>

#include "../failing_alloc.h"
#include "policy_test.h"

static const char right[] = "profile: strict\n"
                            "entry: {allow: [zip], modules: [pip]}\n"
                            "environment: {permit: [PYTHONUTF8], pin: {A: b}}\n"
                            "venvs: [/]\n"
                            "log: {sinks: [{type: file}], redact: ['os.system:command']}\n"
                            "denials: {os.system: {allow: [ls]}, ctypes.dlopen: {}}\n";

static const char wrong[] = "profil: strict\n"
                            "entry: {allow: [zap], modules: [-x]}\n"
                            "environment: {permit: [PYTHONUTF9], pin: {LD_AUDIT: b}}\n"
                            "venvs: [/no/such]\n"
                            "log: {sinks: [{type: fil}], redact: ['os.system:comand']}\n"
                            "denials: {os.sytem: {allow: [ls]}}\n";

/* Compiles and loads with the nth allocation failing. Returns false when there was no nth. */
static bool try_with(const char *yaml, size_t len, int otherwise, unsigned nth)
{
    struct policy_messages messages;
    struct policy policy;
    struct err err = ERR_INIT;
    void *data = NULL;
    size_t data_len = 0;
    int r;

    allocations = 0;
    failing = nth;
    r = policy_compile_text("t.yaml", yaml, len, 1, 2, &data, &data_len, &messages, &err);
    if (r == 0) {
        r = policy_load_memory(data, data_len, &policy, &err);
        if (r == 0)
            policy_done(&policy);
        free(data);
    }
    policy_messages_done(&messages);
    failing = 0;
    if (allocations < nth) {
        assert_int_equal(r, otherwise);
        return false;
    }
    if (r != -ENOMEM)
        fail_msg("allocation %u: %d %s", nth, r, err.msg);
    return true;
}

static void test_right(void **state)
{
    unsigned n = 1;

    (void)state;
    while (try_with(right, sizeof(right) - 1, 0, n))
        n++;
    assert_true(n > 5);
}

static void test_wrong(void **state)
{
    unsigned n = 1;

    (void)state;
    while (try_with(wrong, sizeof(wrong) - 1, -EINVAL, n))
        n++;
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
