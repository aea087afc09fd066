/* SPDX-License-Identifier: Apache-2.0 */
/* Taking IMA's attribute apart. Whether a signature counts is tested end to end, with evmctl. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "trust/ima_signature.h"

static const uint8_t good[] = {3, 2, 4, 0xde, 0xad, 0xbe, 0xef, 0, 3, 'a', 'b', 'c'};

static void test_good(void **state)
{
    struct ima_signature s;

    (void)state;
    assert_int_equal(ima_signature_parse(good, sizeof(good), &s), 0);
    assert_string_equal(s.hash, "SHA256");
    assert_int_equal(s.key_id, 0xdeadbeef);
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.signature, "abc", 3);
}

static void test_every_length(void **state)
{
    struct ima_signature s;

    (void)state;
    for (size_t len = 0; len < sizeof(good); len++)
        assert_int_equal(ima_signature_parse(good, len, &s), -EBADMSG);
}

static void test_wrong(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {
        {0, 4},           /* a digest */
        {0, 6},           /* a signature of an fs-verity digest */
        {1, 1},           /* version */
        {1, 3},   {2, 2}, /* SHA-1 */
        {2, 0},           /* MD4 */
        {2, 200},         /* nothing */
        {7, 1},           /* longer than the attribute */
        {8, 2},           /* shorter */
        {8, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bad[sizeof(good)];
        struct ima_signature s;

        memcpy(bad, good, sizeof(good));
        bad[cases[i].at] = cases[i].value;
        assert_int_equal(ima_signature_parse(bad, sizeof(bad), &s), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
