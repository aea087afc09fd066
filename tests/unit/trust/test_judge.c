/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust_judge() and what it is made of: which root holds a path, how `all` and `any` combine, which
 * verifiers are asked in which order, and how the exec securebits join in.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trust_test.h"

#define RESTRICT_FILE 0x100

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < TRUST_VERIFIER_MAX; i++) {
        const char *name = trust_verifiers[i]->name;

        assert_int_equal(trust_verifier_find(name, strlen(name)), i);
        assert_int_equal(trust_verifier_find(name, strlen(name) - 1), -1);
        assert_non_null(trust_verifiers[i]->check);
    }
    assert_int_equal(trust_verifier_find("", 0), -1);
    assert_int_equal(trust_verifier_find("manifests", 9), -1);
    assert_string_equal(trust_verifiers[TRUST_BY_EXECCHECK]->name, "execcheck");
    for (int i = 0; i < TRUST_ANSWER_MAX; i++)
        assert_true(trust_answer_name((enum trust_answer)i)[0]);
    for (int i = 0; i < TRUST_KIND_MAX; i++)
        assert_true(trust_kind_name((enum trust_kind)i)[0]);
    assert_string_equal(trust_answer_name((enum trust_answer)99), "rejected");
    assert_string_equal(trust_answer_name((enum trust_answer) - 1), "rejected");
    assert_string_equal(trust_kind_name((enum trust_kind)99), "source");
}

static void test_roots(void **state)
{
    static const struct trust_root elsewhere = {.path = ""};
    static const struct trust_root roots[] = {
        {.path = "/srv/app"}, {.path = "/srv"}, {.path = "/srv/app/lib/plugins"}, {.path = "/s"}};
    static const struct trust_root with_all[] = {{.path = "/srv"}, {.path = ""}};
    const struct trust_policy policy = {.roots = roots, .root_count = 4, .elsewhere = &elsewhere};
    const struct trust_policy slash = {.roots = with_all, .root_count = 2, .elsewhere = &elsewhere};
    const struct trust_policy none = {.elsewhere = &elsewhere};
    const struct {
        const char *path;
        const struct trust_root *root;
    } rows[] = {
        {"/srv/app/a.py", &roots[0]},
        {"/srv/app/lib/a.py", &roots[0]},
        {"/srv/app/lib/plugins/a.py", &roots[2]},
        {"/srv/app/lib/plugins2/a.py", &roots[0]},
        {"/srv/application/a.py", &roots[1]},
        {"/srv/app", &roots[1]}, /* the directory itself lies in the root above it */
        {"/srv/a.py", &roots[1]},
        {"/srvx/a.py", &elsewhere},
        {"/s/a.py", &roots[3]},
        {"/a.py", &elsewhere},
        {"srv/app/a.py", &elsewhere},
        {"", &elsewhere},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (trust_find_root(&policy, rows[i].path) != rows[i].root)
            fail_msg("%s: %s", rows[i].path, trust_find_root(&policy, rows[i].path)->path);
    assert_ptr_equal(trust_find_root(&slash, "/tmp/a.py"), &with_all[1]);
    assert_ptr_equal(trust_find_root(&slash, "/srv/a.py"), &with_all[0]);
    assert_ptr_equal(trust_find_root(&none, "/srv/a.py"), &elsewhere);
}

/* Four verifiers that give one answer each for the file of this test, which is 0666, has no
 * attribute, and lies where no manifest is. */
static const struct {
    enum trust_verifier_id id;
    enum trust_answer answer;
} voices[] = {
    {TRUST_BY_MANIFEST, TRUST_UNAVAILABLE},
    {TRUST_BY_OWNER, TRUST_REJECTED},
    {TRUST_BY_XATTR, TRUST_NO_OPINION},
    {TRUST_BY_NULL, TRUST_TRUSTED},
};

#define VOICES 4

static uint32_t bits_of(unsigned subset)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < VOICES; i++)
        if (subset & 1u << i)
            bits |= TRUST_BIT(voices[i].id);
    return bits;
}

/* What the header promises, said in another way: who is asked, and who ends the asking. */
static void expect_judged(unsigned all, unsigned any, const struct trust_result *result)
{
    unsigned list = all ? all : any, asked = 0;
    bool trusted = false, stopped = list == 0;

    for (unsigned i = 0; i < VOICES && !stopped; i++) {
        bool yes = voices[i].answer == TRUST_TRUSTED;

        if (!(list & 1u << i))
            continue;
        if (asked >= result->count)
            fail_msg("all %x any %x: only %u were asked", all, any, result->count);
        assert_int_equal(result->evidence[asked].verifier, voices[i].id);
        assert_int_equal(result->evidence[asked].answer, voices[i].answer);
        asked++;
        trusted = yes;
        stopped = all ? !yes : yes;
    }
    assert_int_equal(result->count, asked);
    if (result->trusted != trusted)
        fail_msg("all %x any %x: trusted %d", all, any, result->trusted);
}

static void test_combinations(void **state)
{
    const struct place *place = *state;
    struct trust_file file;

    assert_int_equal(chmod(place->file, 0666), 0);
    assert_true(file_open(&file, place->file, TRUST_SOURCE));
    for (unsigned all = 0; all < 1u << VOICES; all++)
        for (unsigned any = 0; any < 1u << VOICES; any++) {
            struct trust_root root = {.path = "", .all = bits_of(all), .any = bits_of(any)};
            struct trust_policy policy = {.elsewhere = &root};
            struct trust_result result;

            memset(&result, 0xff, sizeof(result));
            trust_judge(&policy, &file, &result);
            assert_ptr_equal(result.root, &root);
            expect_judged(all, any, &result);
        }
    file_close(&file);
}

static void test_owner_and_null_agree(void **state)
{
    const struct place *place = *state;
    struct trust_root root = {.path = "",
                              .all = TRUST_BIT(TRUST_BY_OWNER) | TRUST_BIT(TRUST_BY_NULL)};
    struct trust_policy policy = {.owner = geteuid(), .elsewhere = &root};
    struct trust_result result;
    struct trust_file file;

    assert_true(file_open(&file, place->file, TRUST_SOURCE));
    trust_judge(&policy, &file, &result);
    assert_true(result.trusted);
    assert_int_equal(result.count, 2);
    file_close(&file);
}

/* Judges in a child whose exec securebits are set. Returns false if the kernel has none. */
static bool judge_restricted(const struct place *place, const struct trust_root *root,
                             struct trust_result *ret)
{
    const struct trust_policy policy = {.elsewhere = root};
    struct trust_result *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct trust_file file;
    int status;
    pid_t pid;

    assert_ptr_not_equal(shared, MAP_FAILED);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (prctl(PR_SET_SECUREBITS, RESTRICT_FILE, 0, 0, 0) < 0)
            _exit(1);
        if (!file_open(&file, place->file, TRUST_SOURCE))
            _exit(2);
        trust_judge(&policy, &file, shared);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 2);
    *ret = *shared;
    (void)munmap(shared, sizeof(*shared));
    return WEXITSTATUS(status) == 0;
}

static void test_exec_restricted(void **state)
{
    const uint32_t null = TRUST_BIT(TRUST_BY_NULL), check = TRUST_BIT(TRUST_BY_EXECCHECK),
                   xattr = TRUST_BIT(TRUST_BY_XATTR);
    const struct {
        uint32_t all, any;
        bool free, executable, plain; /* trusted without the bits; with them, 0755 and 0644 */
        unsigned asked;               /* with the bits, 0755 */
    } rows[] = {
        {null, 0, true, true, false, 2},
        {0, null, true, true, false, 2},
        {0, null | check, true, true, false, 1}, /* execcheck has agreed already */
        {0, xattr, false, false, false, 2},      /* its agreement does not replace another's */
        {xattr, 0, false, false, false, 2},
        {0, 0, false, false, false, 0}, /* nor does it make a root without verifiers trusted */
        {null | check, 0, false, true, false, 2},
    };
    const struct place *place = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trust_root root = {.path = "", .all = rows[i].all, .any = rows[i].any};
        struct trust_policy policy = {.elsewhere = &root};
        struct trust_result result;
        struct trust_file file;

        assert_int_equal(chmod(place->file, 0644), 0);
        assert_true(file_open(&file, place->file, TRUST_SOURCE));
        trust_judge(&policy, &file, &result);
        if (result.trusted != rows[i].free)
            fail_msg("row %zu, free: %d", i, result.trusted);
        file_close(&file);
        if (!judge_restricted(place, &root, &result))
            unavailable("AT_EXECVE_CHECK needs Linux 6.14");
        if (result.trusted != rows[i].plain)
            fail_msg("row %zu, 0644: %d", i, result.trusted);
        assert_int_equal(chmod(place->file, 0755), 0);
        assert_true(judge_restricted(place, &root, &result));
        if (result.trusted != rows[i].executable || result.count != rows[i].asked)
            fail_msg("row %zu, 0755: %d, %u asked", i, result.trusted, result.count);
    }
}

static void test_digest(void **state)
{
    const struct place *place = *state;
    uint8_t of_text[DIGEST_SIZE], of_nothing[DIGEST_SIZE], got[DIGEST_SIZE];
    struct trust_file file;

    digest_sha256(TEXT, strlen(TEXT), of_text);
    digest_sha256("", 0, of_nothing);
    assert_true(file_open(&file, place->file, TRUST_NATIVE));
    assert_int_equal(trust_file_digest(&file, got), 0);
    assert_memory_equal(got, of_text, DIGEST_SIZE);
    file_close(&file);
    /* What was read counts, not what the file holds. */
    file = (struct trust_file){.fd = -1, .data = "", .len = 0};
    assert_int_equal(trust_file_digest(&file, got), 0);
    assert_memory_equal(got, of_nothing, DIGEST_SIZE);
    assert_true(file.digest_known);
    file.data = TEXT;
    assert_int_equal(trust_file_digest(&file, got), 0);
    assert_memory_equal(got, of_nothing, DIGEST_SIZE);
    /* No data is an empty script, and the file's own content only for native code. */
    file = (struct trust_file){.data = NULL};
    file.fd = open(place->file, O_RDONLY | O_CLOEXEC);
    assert_int_equal(trust_file_digest(&file, got), 0);
    assert_memory_equal(got, of_nothing, DIGEST_SIZE);
    file.digest_known = false;
    file.len = 1;
    assert_int_equal(trust_file_digest(&file, got), -EINVAL);
    assert_false(file.digest_known);
    assert_int_equal(close(file.fd), 0);
    file = (struct trust_file){.fd = -1, .kind = TRUST_NATIVE};
    assert_int_equal(trust_file_digest(&file, got), -EBADF);
}

static void test_opened_without_verity(void **state)
{
    const struct place *place = *state;
    struct trust_root root = {.path = "", .all = TRUST_BIT(TRUST_BY_FSVERITY)};
    const struct trust_policy policy = {.elsewhere = &root};
    struct trust_file file;

    assert_true(file_open(&file, place->file, TRUST_SOURCE));
    file.sealed_first = true;
    trust_file_opened(&policy, &file);
    assert_false(file.sealed_first);
    file.sealed_first = true;
    root.all = 0;
    trust_file_opened(&policy, &file);
    assert_false(file.sealed_first);
    file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_roots),
        cmocka_unit_test_setup_teardown(test_combinations, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_owner_and_null_agree, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_exec_restricted, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_digest, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_opened_without_verity, place_setup, place_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
