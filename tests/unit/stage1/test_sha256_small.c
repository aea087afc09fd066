/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers of FIPS 180-4's examples, every length around a block, and both implementations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unavailable.h"
#include "stage1/sha256_small.h"

static void digest_hex(const void *data, size_t len, size_t step, char hex[65])
{
    uint8_t out[SHA256_SMALL_SIZE];
    struct sha256_small s;

    sha256_small_init(&s);
    for (size_t at = 0; at < len; at += step)
        sha256_small_add(&s, (const char *)data + at, len - at < step ? len - at : step);
    sha256_small_end(&s, out);
    for (size_t i = 0; i < sizeof(out); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", out[i]);
}

static void test_known_answers(void **state)
{
    static const struct {
        const char *text, *digest;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "m"
         "nopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[65];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        digest_hex(rows[i].text, strlen(rows[i].text), 1000, hex);
        assert_string_equal(hex, rows[i].digest);
    }
}

static void test_a_million_letters(void **state)
{
    static const size_t steps[] = {1000000, 65536, 63, 64, 65, 1};
    char *data = malloc(1000000), hex[65];

    (void)state;
    assert_non_null(data);
    memset(data, 'a', 1000000);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        digest_hex(data, 1000000, steps[i], hex);
        assert_string_equal(hex,
                            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    free(data);
}

/* The digest of the digests of 0, 1, ... 256 bytes, as another implementation has it. */
static void test_every_length(void **state)
{
    uint8_t data[256], all[257][SHA256_SMALL_SIZE];
    char hex[65];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    for (size_t len = 0; len <= sizeof(data); len++) {
        struct sha256_small s;

        sha256_small_init(&s);
        sha256_small_add(&s, data, len);
        sha256_small_end(&s, all[len]);
    }
    digest_hex(all, sizeof(all), sizeof(all), hex);
    assert_string_equal(hex, "35970715cb0d62a006d72921e886dd4ea67151affe64b55164397fe5bb5c1730");
}

static void test_both_implementations(void **state)
{
    sha256_small_blocks_fn *native = sha256_small_blocks_native();
    uint32_t a[8], b[8], seed = 1;
    uint8_t data[16 * SHA256_SMALL_BLOCK];

    (void)state;
    if (!native)
        unavailable("this processor has no instructions for SHA-256");
    for (size_t count = 0; count <= 16; count++) {
        for (size_t i = 0; i < sizeof(data); i++)
            data[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
        for (size_t i = 0; i < 8; i++)
            a[i] = b[i] = (seed = seed * 1103515245 + 12345);
        native(a, data, count);
        sha256_small_blocks_portable(b, data, count);
        assert_memory_equal(a, b, sizeof(a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_a_million_letters),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_both_implementations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
