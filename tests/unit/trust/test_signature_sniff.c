/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of signature some bytes look like, and the parts of an SSHSIG blob: cut at every
 * length, and altered at every byte. That forged ones are refused is shown in
 * tests/e2e/test_sign.py. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "trust/signature_kinds.h"

#define BLOB                                                                                       \
    "SSHSIG\0\0\0\1"                                                                               \
    "\0\0\0\3key"                                                                                  \
    "\0\0\0\20spython-manifest"                                                                    \
    "\0\0\0\0"                                                                                     \
    "\0\0\0\6sha512"                                                                               \
    "\0\0\0\3sig"
#define BLOB_LEN (sizeof(BLOB) - 1)

static void test_sniff(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        enum trust_key_kind kind;
    } cases[] = {
        {"", 0, TRUST_KEY_NONE},
        {"0", 1, TRUST_KEY_NONE},
        {"-----BEGIN SSH SIGNATURE-----\n", 30, TRUST_KEY_SSH},
        {"-----BEGIN SSH SIGNATURE----", 28, TRUST_KEY_NONE},
        {"-----BEGIN CMS-----\n", 20, TRUST_KEY_X509},
        {"-----BEGIN PKCS7-----\n", 22, TRUST_KEY_X509},
        {"-----BEGIN PGP SIGNATURE-----\n", 30, TRUST_KEY_OPENPGP},
        {"-----BEGIN PGP SIGNED MESSAGE-----\n", 35, TRUST_KEY_NONE},
        {"-----BEGIN CERTIFICATE-----\n", 28, TRUST_KEY_NONE},
        {"\x30\x82", 2, TRUST_KEY_X509},
        {"\x88\x75", 2, TRUST_KEY_OPENPGP},
        {"\x8b\x75", 2, TRUST_KEY_OPENPGP},
        {"\xc2\x75", 2, TRUST_KEY_OPENPGP},
        {"\x99\x75", 2, TRUST_KEY_NONE}, /* a public key */
        {" -----BEGIN SSH SIGNATURE-----", 30, TRUST_KEY_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (signature_sniff(cases[i].text, cases[i].len) != cases[i].kind)
            fail_msg("case %zu", i);
}

static void test_parts(void **state)
{
    struct err err = ERR_INIT;
    struct sshsig sig;

    (void)state;
    assert_int_equal(sshsig_parse((const uint8_t *)BLOB, BLOB_LEN, &sig, &err), 0);
    assert_int_equal(sig.key_len, 3);
    assert_memory_equal(sig.key, "key", 3);
    assert_int_equal(sig.purpose_len, 16);
    assert_memory_equal(sig.purpose, SIGNATURE_PURPOSE, 16);
}

static void test_cut_and_longer(void **state)
{
    uint8_t longer[BLOB_LEN + 1];
    struct err err = ERR_INIT;
    struct sshsig sig;

    (void)state;
    for (size_t len = 0; len < BLOB_LEN; len++)
        assert_int_equal(sshsig_parse((const uint8_t *)BLOB, len, &sig, &err), -EBADMSG);
    memcpy(longer, BLOB, BLOB_LEN);
    longer[BLOB_LEN] = 0;
    assert_int_equal(sshsig_parse(longer, sizeof(longer), &sig, &err), -EBADMSG);
}

/* Magic, version, lengths and the reserved field hold the rest together: no bit of them can change.
 * What lies between is for ssh-keygen to check. */
static void test_every_bit(void **state)
{
    uint8_t blob[BLOB_LEN];
    size_t accepted = 0;

    (void)state;
    for (size_t bit = 0; bit < BLOB_LEN * 8; bit++) {
        struct err err = ERR_INIT;
        struct sshsig sig;
        int r;

        memcpy(blob, BLOB, BLOB_LEN);
        blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
        r = sshsig_parse(blob, BLOB_LEN, &sig, &err);
        assert_true(r == 0 || r == -EBADMSG);
        if (r == 0) {
            assert_true(sig.key >= blob && sig.key + sig.key_len <= blob + BLOB_LEN);
            assert_true(sig.purpose >= blob && sig.purpose + sig.purpose_len <= blob + BLOB_LEN);
        }
        accepted += r == 0;
    }
    assert_int_equal(accepted, (3 + 16 + 6 + 3) * 8);
}

static void test_unknown_container(void **state)
{
    struct trust_store store = {0};
    struct signature_result result;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(signature_check(&store, "x", 1, "x", 1, SIGNATURE_PURPOSE, &result, &err),
                     -EBADMSG);
    assert_int_equal(signature_check(&store, "x", 1, "", 0, SIGNATURE_PURPOSE, &result, &err),
                     -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sniff),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_cut_and_longer),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_unknown_container),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
