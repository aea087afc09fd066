/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.d: the list of revoked keys as a table of lines, names, and whole directories. Keys of
 * X.509 and OpenPGP are made by the tools of their own: tests/e2e/test_trust.py has them.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/fd.h"
#include "trust/trust_store.h"

/* A public key that was made for this test, and what ssh-keygen -l says of it. */
#define KEY                                                                                        \
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXkKuIF8pvTatGw1DjeTCD9QI434bZiqr4T+NJUA6a0 test\n"
#define KEY_FINGERPRINT "SHA256:8nXQgMPDnMVK1Y+goDQNqDl9NwT5v6klmwn5AWnJ2sI"
#define HEX40 "0123456789ABCDEF0123456789ABCDEF01234567"
#define LINE HEX40 " 2026-11-24 laptop stolen\n"

static int parse(const char *text, size_t len, size_t *ret_count)
{
    struct trust_revocation *all = NULL;
    struct err err = ERR_INIT;
    int r = trust_revoked_parse(text, len, &all, ret_count, &err);

    if (r < 0)
        assert_true(err.msg[0] != '\0');
    free(all);
    return r;
}

static void test_revoked_lines(void **state)
{
    static const struct {
        const char *text;
        int count; /* -1: refused */
    } cases[] = {
        {"", 0},
        {"\n\n# a remark\n", 0},
        {LINE, 1},
        {LINE "\n" LINE, 2},
        {KEY_FINGERPRINT " 2026-11-24 x\n", 1},
        {HEX40 "012345670123456701234567 2026-11-24 x\n", 1},
        {HEX40 " 2026-11-24 x", -1}, /* the end of the line is missing: cut? */
        {"# cut remark", -1},
        {HEX40 " 2026-11-24\n", -1},
        {HEX40 " 2026-11-24 \n", -1},
        {HEX40 "\n", -1},
        {HEX40 " 24.11.2026 x\n", -1},
        {HEX40 " 2026-11-2 x\n", -1},
        {HEX40 " 2026-11-244 x\n", -1},
        {HEX40 "\t2026-11-24 x\n", -1},
        {" " LINE, -1},
        {LINE "x\n", -1},
        {HEX40 "0 2026-11-24 x\n", -1}, /* no fingerprint of any kind */
        {"SHA256:short 2026-11-24 x\n", -1},
        {"release 2026-11-24 a name is no fingerprint\n", -1},
        {HEX40 " 2026-11-24 x\x1b[2J\n", -1},
        {HEX40 " 2026-11-24 x\r\n", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t count = 99;
        int r = parse(cases[i].text, strlen(cases[i].text), &count);

        if (r != (cases[i].count < 0 ? -EBADMSG : 0))
            fail_msg("line %zu: %d", i, r);
        if (cases[i].count >= 0)
            assert_int_equal(count, cases[i].count);
        else
            assert_int_equal(count, 99); /* left alone */
    }
}

static void test_revoked_with_nul(void **state)
{
    char text[] = HEX40 HEX40 " 2026-11-24 laptop stolen\n";
    size_t count;

    (void)state;
    text[40] = '\0'; /* would read as the key before it */
    assert_int_equal(parse(text, sizeof(text) - 1, &count), -EBADMSG);
    memcpy(text, LINE, sizeof(LINE));
    text[strlen(LINE) - 3] = '\0';
    assert_int_equal(parse(text, strlen(LINE), &count), -EBADMSG);
}

/* Cut anywhere but behind a line, it is refused: a revocation is not lost by a torn write. */
static void test_revoked_cut(void **state)
{
    static const char text[] = LINE LINE;
    size_t count;

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        int expected = len % strlen(LINE) == 0 ? 0 : -EBADMSG;

        assert_int_equal(parse(text, len, &count), expected);
    }
}

static void test_reason_of_any_length(void **state)
{
    char text[512];
    size_t count;

    (void)state;
    for (int len = 1; len <= TRUST_STORE_MAX_REASON + 1; len++) {
        (void)snprintf(text, sizeof(text), HEX40 " 2026-11-24 %0*d\n", len, 0);
        assert_int_equal(parse(text, strlen(text), &count),
                         len <= TRUST_STORE_MAX_REASON ? 0 : -EBADMSG);
    }
}

static void test_find_revoked(void **state)
{
    struct trust_store store = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(
        trust_revoked_parse(LINE, strlen(LINE), &store.revoked, &store.revoked_count, &err), 0);
    assert_non_null(trust_store_find_revoked(&store, HEX40));
    assert_non_null(trust_store_find_revoked(&store, "0123456789abcdef0123456789abcdef01234567"));
    assert_null(trust_store_find_revoked(&store, KEY_FINGERPRINT));
    assert_string_equal(store.revoked[0].date, "2026-11-24");
    assert_string_equal(store.revoked[0].reason, "laptop stolen");
    trust_store_done(&store);
}

static void test_names(void **state)
{
    char longest[TRUST_STORE_MAX_NAME + 2];

    (void)state;
    assert_true(trust_name_is_valid("a"));
    assert_true(trust_name_is_valid("Release_2026-1.x"));
    for (const char *const *bad =
             (const char *const[]){"", ".a", "-a", "a/b", "..", "a b", "a\n", "\xc3\xa4", NULL};
         *bad; bad++)
        assert_false(trust_name_is_valid(*bad));
    memset(longest, 'a', sizeof(longest));
    longest[TRUST_STORE_MAX_NAME + 1] = '\0';
    assert_false(trust_name_is_valid(longest));
    longest[TRUST_STORE_MAX_NAME] = '\0';
    assert_true(trust_name_is_valid(longest));
}

/* A public key cut anywhere is none, or, cut in its comment or line end, the same. */
static void test_ssh_key_cut(void **state)
{
    size_t whole = strlen(KEY) - strlen(" test\n");

    (void)state;
    for (size_t len = 0; len <= strlen(KEY); len++) {
        struct trust_key key = {0};
        struct err err = ERR_INIT;
        int r = trust_key_parse(TRUST_KEY_SSH, KEY, len, "x", &key, &err);

        assert_int_equal(r, len >= whole ? 0 : -EBADMSG);
        if (r == 0)
            assert_string_equal(key.fingerprint, KEY_FINGERPRINT);
        trust_key_done(&key);
    }
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text), NULL), 0);
    assert_int_equal(close(fd), 0);
}

static void drop(const char *dir, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(remove(path), 0);
}

static int load(const char *dir, struct trust_store *ret, const char *named)
{
    struct err err = ERR_INIT;
    int r = trust_store_load(dir, ret, &err);

    if (r < 0 && !strstr(err.msg, named))
        fail_msg("'%s' does not name %s", err.msg, named);
    return r;
}

/* Each allocation fails once, until there is no nth. */
static void check_without_memory(const char *dir)
{
    for (unsigned nth = 1;; nth++) {
        struct trust_store store;
        struct err err = ERR_INIT;
        int r;

        allocations = 0;
        failing = nth;
        r = trust_store_load(dir, &store, &err);
        failing = 0;
        if (allocations < nth) {
            assert_int_equal(r, 0);
            assert_true(nth > 3);
            trust_store_done(&store);
            return;
        }
        assert_int_equal(r, -ENOMEM);
    }
}

static void test_directory(void **state)
{
    char dir[] = "/tmp/trust_store.XXXXXX", path[256];
    struct trust_store store;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(load(dir, &store, ""), 0); /* nothing is there: no keys */
    assert_int_equal(store.key_count, 0);
    trust_store_done(&store);
    (void)snprintf(path, sizeof(path), "%s/keys", dir);
    assert_int_equal(mkdir(path, 0755), 0);
    put(dir, "keys/us.pub", KEY);
    put(dir, "keys/.hidden", "");
    put(dir, "revoked", LINE);
    assert_int_equal(load(dir, &store, ""), 0);
    assert_int_equal(store.key_count, 1);
    assert_int_equal(store.revoked_count, 1);
    assert_string_equal(store.keys[0].name, "us");
    assert_string_equal(store.keys[0].fingerprint, KEY_FINGERPRINT);
    trust_store_done(&store);
    check_without_memory(dir);
    /* What is not understood is never passed over. */
    for (const char *const *bad =
             (const char *const[]){"keys/x.pub", "keys/x.pem", "keys/x.gpg", "keys/README", NULL};
         *bad; bad++) {
        put(dir, *bad, "nonsense\n");
        assert_int_equal(load(dir, &store, *bad), -EBADMSG);
        drop(dir, *bad);
    }
    put(dir, "revoked", "nonsense\n");
    assert_int_equal(load(dir, &store, "revoked"), -EBADMSG);
    drop(dir, "revoked");
    (void)snprintf(path, sizeof(path), "%s/keys/fifo.pub", dir);
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_int_equal(load(dir, &store, "keys/fifo.pub"), -EINVAL); /* without waiting for it */
    drop(dir, "keys/fifo.pub");
    assert_int_equal(load(dir, &store, ""), 0);
    trust_store_done(&store);
    drop(dir, "keys/us.pub");
    drop(dir, "keys/.hidden");
    drop(dir, "keys");
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_revoked_lines), cmocka_unit_test(test_revoked_with_nul),
        cmocka_unit_test(test_revoked_cut),   cmocka_unit_test(test_reason_of_any_length),
        cmocka_unit_test(test_find_revoked),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_ssh_key_cut),   cmocka_unit_test(test_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
