/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of parser, writer and builder fails once, as in the tests of the policy: each
 * time the call says so and gives back all that it took. */
#include <errno.h>

#include "../failing_alloc.h"
#include "manifest_test.h"

static int try_parse(const struct manifest *unused, struct err *err)
{
    struct manifest manifest = {.count = 0};
    int r = manifest_parse(small_text, strlen(small_text), "t", &manifest, err);

    (void)unused;
    if (r < 0)
        assert_null(manifest.entries);
    manifest_done(&manifest);
    return r;
}

static int try_write(const struct manifest *manifest, struct err *err)
{
    char *data = NULL;
    size_t len = 0;
    int r = manifest_write(manifest, &data, &len, err);

    if (r < 0)
        assert_null(data);
    free(data);
    return r;
}

static int try_build(const struct manifest *manifest, struct err *err)
{
    uint8_t *blocks = NULL, *roots = NULL;
    uint32_t block_count = 0, root_count = 0;
    int r = manifest_index_build(manifest, &blocks, &block_count, &roots, &root_count, err);

    if (r < 0) {
        assert_null(blocks);
        assert_null(roots);
    }
    free(blocks);
    free(roots);
    return r;
}

/* Fails one allocation after the other until there is none left; returns how many there were. */
static unsigned fail_each(int (*call)(const struct manifest *manifest, struct err *err),
                          const struct manifest *manifest)
{
    for (unsigned nth = 1;; nth++) {
        struct err err = ERR_INIT;
        int r;

        allocations = 0;
        failing = nth;
        r = call(manifest, &err);
        failing = 0;
        if (allocations < nth) {
            assert_int_equal(r, 0);
            return nth - 1;
        }
        if (r != -ENOMEM || !strstr(err.msg, "memory"))
            fail_msg("allocation %u: %d %s", nth, r, err.msg);
    }
}

static void test_all(void **state)
{
    struct made made;

    (void)state;
    made_init(&made, 3000);
    assert_int_equal(fail_each(try_parse, NULL), 3);
    assert_int_equal(fail_each(try_write, &made.manifest), 2);
    assert_true(fail_each(try_build, &made.manifest) > 5);
    made_done(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
