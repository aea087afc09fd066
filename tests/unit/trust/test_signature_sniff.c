/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of signature some bytes look like, and the parts of an SSHSIG blob: cut at every
 * length, and altered at every byte. That forged ones are refused is shown in
 * tests/e2e/test_sign.py. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

#define FIDO_KEY "\0\0\0\32sk-ssh-ed25519@openssh.com\0\0\0\1k\0\0\0\4ssh:"
#define FIDO_SIG(flags) "\0\0\0\2sk\0\0\0\3sig" flags "\0\0\0\7"

static bool lacks_touch(const char *key, size_t key_len, const char *sig, size_t sig_len)
{
    const struct sshsig parts = {.key = (const uint8_t *)key,
                                 .key_len = key_len,
                                 .sig = (const uint8_t *)sig,
                                 .sig_len = sig_len};

    return sshsig_lacks_touch(&parts);
}

/* With the flag, without it, and cut at every length. */
static void test_touch(void **state)
{
    static const char key[] = FIDO_KEY, plain[] = "\0\0\0\13ssh-ed25519\0\0\0\1k";
    static const char touched[] = FIDO_SIG("\1"), not [] = FIDO_SIG("\4"), both[] = FIDO_SIG("\5");

    (void)state;
    assert_false(lacks_touch(key, sizeof(key) - 1, touched, sizeof(touched) - 1));
    assert_false(lacks_touch(key, sizeof(key) - 1, both, sizeof(both) - 1));
    assert_true(lacks_touch(key, sizeof(key) - 1, not, sizeof(not ) - 1));
    for (size_t len = 0; len < sizeof(touched) - 1; len++)
        assert_true(lacks_touch(key, sizeof(key) - 1, touched, len));
    assert_false(lacks_touch(plain, sizeof(plain) - 1, not, sizeof(not ) - 1));
    assert_false(lacks_touch("", 0, "", 0));
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
        cmocka_unit_test(test_sniff),          cmocka_unit_test(test_parts),
        cmocka_unit_test(test_cut_and_longer), cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_touch),          cmocka_unit_test(test_unknown_container),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
