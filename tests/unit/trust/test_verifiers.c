/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execcheck, xattr, selinux, null, and fsverity where there is none. execcheck asks the kernel that
 * the test runs on: where that has no AT_EXECVE_CHECK the answer has to be "unavailable", and
 * tests/kernel runs the rest on one that has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/hex.h"
#include "trust_test.h"

#define HASH "user.org.python.x-spython-hash"

static const struct trust_root root = {.path = ""};
static const struct trust_policy policy = {.elsewhere = &root};

static void test_null(void **state)
{
    const struct place *place = *state;
    struct trust_evidence evidence;

    ask(&trust_null, &policy, &root, place->file, &evidence);
    expect_evidence(&evidence, TRUST_TRUSTED, "null verifier: nothing was checked", "null");
}

static bool has_execve_check(void)
{
    char *none[] = {NULL};
    int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
    long r = syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH | 0x10000);
    int code = errno;

    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    return r == 0 || (code != EINVAL && code != ENOSYS);
}

static bool executable(const struct place *place)
{
    return chmod(place->file, 0755) == 0;
}

static bool executable_shebang(const struct place *place)
{
    write_text(place->file, "#!/no/such/interpreter\n" TEXT, 0755);
    return true;
}

static bool plain(const struct place *place)
{
    return chmod(place->file, 0644) == 0;
}

static bool on_noexec(const struct place *place)
{
    if (!enter_mounts(place) || mount("t", place->app, "tmpfs", MS_NOEXEC, "mode=755") < 0)
        return false;
    write_text(place->file, TEXT, 0755);
    return true;
}

static bool on_exec(const struct place *place)
{
    if (!enter_mounts(place) || mount("t", place->app, "tmpfs", 0, "mode=755") < 0)
        return false;
    write_text(place->file, TEXT, 0755);
    return true;
}

static bool open_for_writing(const struct place *place)
{
    return executable(place) && open(place->file, O_WRONLY | O_CLOEXEC) >= 0;
}

static bool open_for_writing_and_closed(const struct place *place)
{
    int fd = executable(place) ? open(place->file, O_WRONLY | O_CLOEXEC) : -1;

    return fd >= 0 && close(fd) == 0;
}

static void test_execcheck(void **state)
{
    const struct {
        const char *label;
        prepare_fn prepare;
        uid_t uid;
        enum trust_answer answer;
        const char *reason;
    } rows[] = {
        {"0755", executable, 0, TRUST_TRUSTED, ""},
        {"0755, user", executable, STRANGER, TRUST_TRUSTED, ""},
        {"0755, shebang", executable_shebang, 0, TRUST_TRUSTED, ""},
        {"0644", plain, 0, TRUST_REJECTED, "EACCES (not executable"},
        {"0644, user", plain, STRANGER, TRUST_REJECTED, "EACCES (not executable"},
        {"exec mount", on_exec, 0, TRUST_TRUSTED, ""},
        {"noexec mount", on_noexec, 0, TRUST_REJECTED, "EACCES (not executable, a noexec"},
        {"writer", open_for_writing, 0, TRUST_REJECTED, "ETXTBSY (somebody has it open"},
        {"writer gone", open_for_writing_and_closed, 0, TRUST_TRUSTED, ""},
    };
    const struct place *place = *state;
    bool has = has_execve_check();

    need_root();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct question question = {.verifier = &trust_execcheck,
                                    .policy = &policy,
                                    .root = &root,
                                    .place = place,
                                    .prepare = rows[i].prepare,
                                    .uid = rows[i].uid};
        struct trust_evidence evidence;

        if (!ask_in_child(&question, &evidence))
            fail_msg("%s: cannot be set up", rows[i].label);
        if (has)
            expect_evidence(&evidence, rows[i].answer, rows[i].reason, rows[i].label);
        else
            expect_evidence(&evidence, TRUST_UNAVAILABLE, "6.14", rows[i].label);
    }
}

static void test_execcheck_no_file(void **state)
{
    struct trust_evidence evidence = {0};
    struct trust_file file = {.fd = -1, .path = "/x"};

    (void)state;
    if (!has_execve_check())
        unavailable("AT_EXECVE_CHECK needs Linux 6.14");
    trust_execcheck.check(&policy, &root, &file, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "EBADF", "closed");
}

static void test_xattr_parse(void **state)
{
    char text[DIGEST_HEX_SIZE];
    uint8_t digest[DIGEST_SIZE], got[DIGEST_SIZE];

    (void)state;
    digest_sha256(TEXT, strlen(TEXT), digest);
    hex_encode(digest, DIGEST_SIZE, text);
    assert_int_equal(trust_xattr_parse(text, 64, got), 0);
    assert_memory_equal(got, digest, DIGEST_SIZE);
    for (size_t len = 0; len < 64; len++)
        assert_int_equal(trust_xattr_parse(text, len, got), -EINVAL);
    assert_int_equal(trust_xattr_parse(text, 65, got), -EINVAL); /* a NUL at the end is too much */
    for (size_t at = 0; at < 64; at++)
        for (int c = 0; c < 256; c++) {
            char kept = text[at];
            bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

            text[at] = (char)c;
            assert_int_equal(trust_xattr_parse(text, 64, got), digit ? 0 : -EINVAL);
            text[at] = kept;
        }
}

static void test_xattr(void **state)
{
    const struct place *place = *state;
    char right[DIGEST_HEX_SIZE], value[200];
    struct trust_evidence evidence;
    uint8_t digest[DIGEST_SIZE];

    digest_sha256(TEXT, strlen(TEXT), digest);
    hex_encode(digest, DIGEST_SIZE, right);
    ask(&trust_xattr, &policy, &root, place->file, &evidence);
    if (evidence.answer == TRUST_UNAVAILABLE)
        unavailable("the file system of /tmp has no user attributes");
    expect_evidence(&evidence, TRUST_NO_OPINION, "has no hash attribute", "none");

    assert_int_equal(setxattr(place->file, HASH, right, 64, 0), 0);
    ask(&trust_xattr, &policy, &root, place->file, &evidence);
    expect_evidence(&evidence, TRUST_TRUSTED, "unauthenticated", "right");

    for (unsigned bit = 0; bit < 8; bit++) {
        memcpy(value, right, 64);
        value[63] ^= (char)(1u << bit);
        assert_int_equal(setxattr(place->file, HASH, value, 64, 0), 0);
        ask(&trust_xattr, &policy, &root, place->file, &evidence);
        /* Bit 5 turns a letter into a capital, which is the same digit. */
        if (bit == 5 && right[63] >= 'a')
            expect_evidence(&evidence, TRUST_TRUSTED, "", "capital");
        else
            expect_evidence(&evidence, TRUST_REJECTED, "hash attribute", "flipped");
    }
    memset(value, '0', sizeof(value));
    for (size_t len = 0; len <= sizeof(value); len++) {
        assert_int_equal(setxattr(place->file, HASH, value, len, 0), 0);
        ask(&trust_xattr, &policy, &root, place->file, &evidence);
        expect_evidence(&evidence, TRUST_REJECTED,
                        len == 64 ? "has another digest" : "not a SHA-256", "length");
    }
    assert_int_equal(setxattr(place->file, HASH, right, 64, 0), 0);
    write_text(place->file, TEXT "#", 0644);
    ask(&trust_xattr, &policy, &root, place->file, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "has another digest", "changed file");
    assert_string_equal(evidence.expected, right);
    assert_int_equal(strlen(evidence.actual), 64);
}

static void test_xattr_nowhere(void **state)
{
    struct trust_evidence evidence;

    (void)state;
    ask(&trust_xattr, &policy, &root, "/proc/version", &evidence);
    expect_evidence(&evidence, TRUST_UNAVAILABLE, "without user attributes", "procfs");
}

static void test_selinux_parse(void **state)
{
    const struct {
        const char *label;
        size_t len;
        const char *type; /* NULL: not a label */
    } rows[] = {
        {"system_u:object_r:bin_t:s0", 26, "bin_t"},
        {"system_u:object_r:bin_t:s0", 27, "bin_t"}, /* the kernel counts the NUL */
        {"system_u:object_r:bin_t", 23, "bin_t"},
        {"system_u:object_r:bin_t:s0-s0:c0.c1023", 38, "bin_t"},
        {"a:b:c", 5, "c"},
        {"a:b:c\0", 7, NULL}, /* two of them */
        {"a:b:", 4, NULL},
        {"a:b:c:", 6, NULL},
        {"a:b::s0", 7, NULL},
        {":b:c", 4, NULL},
        {"a::c", 4, NULL},
        {"a:b", 3, NULL},
        {"a", 1, NULL},
        {"", 0, NULL},
        {"", 1, NULL},
        {":::", 3, NULL},
        {"a:b:c d", 7, NULL},
        {"a:b:c\n", 6, NULL},
        {"a:b\0:c", 6, NULL},
        {"a:b:\303\251", 6, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* A block of exactly that size: reading past its end is an error under the sanitizer. */
        char *label = malloc(rows[i].len + 1);
        const char *type = NULL;
        size_t len = 0;
        int r;

        assert_non_null(label);
        memcpy(label + 1, rows[i].label, rows[i].len);
        r = trust_selinux_parse(label + 1, rows[i].len, &type, &len);
        if (r != (rows[i].type ? 0 : -EINVAL))
            fail_msg("row %zu: %d", i, r);
        if (rows[i].type) {
            assert_int_equal(len, strlen(rows[i].type));
            assert_memory_equal(type, rows[i].type, len);
        }
        free(label);
    }
}

static void test_selinux_judge(void **state)
{
    static const char *const labels[] = {"lib_t", "bin_t"};
    static const struct trust_root two = {.path = "", .labels = labels, .label_count = 2};
    const struct {
        const char *label;
        const struct trust_root *root;
        enum trust_answer answer;
        const char *reason;
    } rows[] = {
        {"u:r:bin_t:s0", &two, TRUST_TRUSTED, ""},
        {"u:r:lib_t:s0", &two, TRUST_TRUSTED, ""},
        {"u:r:bin_tx:s0", &two, TRUST_REJECTED, "type that policy does not name"},
        {"u:r:bin_:s0", &two, TRUST_REJECTED, "type that policy does not name"},
        {"bin_t:r:tmp_t:s0", &two, TRUST_REJECTED, "type that policy does not name"},
        {"u:r:bin_t:s0", &root, TRUST_REJECTED, "type that policy does not name"},
        {"bin_t", &two, TRUST_REJECTED, "has a label that is none"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trust_evidence evidence = {0};

        trust_selinux_judge(rows[i].root, rows[i].label, strlen(rows[i].label), &evidence);
        expect_evidence(&evidence, rows[i].answer, rows[i].reason, rows[i].label);
    }
}

/* An attribute that root wrote proves nothing where no SELinux guards it. */
static void test_selinux_inactive(void **state)
{
    static const char *const labels[] = {"bin_t"};
    static const struct trust_root one = {.path = "", .labels = labels, .label_count = 1};
    static const char label[] = "system_u:object_r:bin_t:s0";
    const struct place *place = *state;
    struct trust_evidence evidence;

    need_root();
    if (access("/sys/fs/selinux/enforce", F_OK) == 0)
        unavailable("SELinux is active");
    if (setxattr(place->file, "security.selinux", label, sizeof(label), 0) < 0)
        unavailable("the file system of /tmp has no security attributes");
    ask(&trust_selinux, &policy, &one, place->file, &evidence);
    expect_evidence(&evidence, TRUST_UNAVAILABLE, "SELinux is not active", "inactive");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_null, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_execcheck, place_setup, place_teardown),
        cmocka_unit_test(test_execcheck_no_file),
        cmocka_unit_test(test_xattr_parse),
        cmocka_unit_test_setup_teardown(test_xattr, place_setup, place_teardown),
        cmocka_unit_test(test_xattr_nowhere),
        cmocka_unit_test(test_selinux_parse),
        cmocka_unit_test(test_selinux_judge),
        cmocka_unit_test_setup_teardown(test_selinux_inactive, place_setup, place_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
