/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_load(): who may have written the file, and what else can lie in its place. Every test
 * first loads the good file from the same place, then spoils one thing and expects one clear line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy_test.h"

#define STRANGER 12345

/* PREFIX/etc/spython/policy.bin, good. */
struct place {
    char *prefix;
    char *dir;
    char *path;
    struct artefact good;
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    char *etc;

    assert_non_null(place);
    place->prefix = temp_dir();
    etc = path_in(place->prefix, "etc");
    place->dir = path_in(etc, "spython");
    place->path = path_in(place->dir, "policy.bin");
    assert_int_equal(chmod(place->prefix, 0755), 0);
    assert_int_equal(mkdir(etc, 0755), 0);
    assert_int_equal(mkdir(place->dir, 0755), 0);
    free(etc);
    artefact_from_text(&place->good, "profile: strict\n");
    write_file(place->path, place->good.data, place->good.len, 0644);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    artefact_done(&place->good);
    free(place->path);
    free(place->dir);
    remove_tree(place->prefix);
    free(place);
    return 0;
}

static void expect_loads(const struct place *place)
{
    struct policy policy;
    struct err err = ERR_INIT;

    if (policy_load(place->path, geteuid(), &policy, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(policy.host->profile, PROFILE_STRICT);
    assert_int_equal(policy.serial, 7);
    assert_int_equal(policy.applied, 1234567890);
    assert_memory_equal(policy.digest, (const uint8_t *)place->good.data + 16, DIGEST_SIZE);
    policy_done(&policy);
}

static void expect_refused(const char *path, int code, const char *part)
{
    struct policy policy = {.serial = 99};
    struct err err = ERR_INIT;

    assert_int_equal(policy_load(path, geteuid(), &policy, &err), code);
    assert_int_equal(err.code, code);
    assert_contains(err.msg, part);
    assert_null(strchr(err.msg, '\n'));
    assert_int_equal(policy.serial, 99); /* nothing is written on failure */
}

static void test_good(void **state)
{
    const struct place *place = *state;
    char line[4096], *maps = NULL;
    struct policy policy;
    size_t room = 0;
    bool found = false;
    FILE *in;

    expect_loads(place);
    assert_int_equal(policy_load(place->path, geteuid(), &policy, NULL), 0);
    in = fopen("/proc/self/maps", "re");
    assert_non_null(in);
    while (getline(&maps, &room, in) > 0)
        found = found || strstr(maps, place->path);
    assert_true(found); /* `spythonctl ps` looks for it there */
    free(maps);
    (void)fclose(in);
    policy_done(&policy);
    in = fopen("/proc/self/maps", "re");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in))
        assert_null(strstr(line, place->path));
    (void)fclose(in);
}

static void test_absent(void **state)
{
    struct place *place = *state;

    expect_loads(place);
    assert_int_equal(unlink(place->path), 0);
    expect_refused(place->path, -ENOENT, "No such file");
}

/* What happens to the file after loading does not reach the process. */
static void test_overwritten_while_in_use(void **state)
{
    struct place *place = *state;
    struct policy policy;

    assert_int_equal(policy_load(place->path, geteuid(), &policy, NULL), 0);
    assert_int_equal(truncate(place->path, 0), 0);
    assert_string_equal(policy.host->denials[1].event, "os.system");
    assert_string_equal(policy.host->sinks[0].path, "var/log/spython/");
    policy_done(&policy);
}

static void test_truncated_everywhere(void **state)
{
    struct place *place = *state;

    expect_loads(place);
    for (size_t len = 0; len < place->good.len; len++) {
        write_file(place->path, place->good.data, len, 0644);
        expect_refused(place->path, -EBADMSG, len ? "cut off" : "is empty");
    }
}

static void test_flipped_everywhere(void **state)
{
    struct place *place = *state;
    uint8_t *data = malloc(place->good.len);
    struct policy policy;

    assert_non_null(data);
    expect_loads(place);
    for (size_t bit = 0; bit < 8 * place->good.len; bit++) {
        struct err err = ERR_INIT;
        int r;

        memcpy(data, place->good.data, place->good.len);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        r = policy_load_memory(data, place->good.len, &policy, &err);
        if (r != (bit / 32 == 2 ? -EPROTO : -EBADMSG))
            fail_msg("bit %zu: %d %s", bit, r, err.msg);
        assert_true(err.msg[0] != '\0' && !strchr(err.msg, '\n'));
    }
    free(data);
}

static void test_longer(void **state)
{
    struct place *place = *state;
    uint8_t *data = calloc(1, place->good.len + 1);

    assert_non_null(data);
    expect_loads(place);
    memcpy(data, place->good.data, place->good.len);
    write_file(place->path, data, place->good.len + 1, 0644);
    expect_refused(place->path, -EBADMSG, "behind its end");
    free(data);
}

static void test_versions(void **state)
{
    struct place *place = *state;
    uint8_t *data = malloc(place->good.len);

    assert_non_null(data);
    expect_loads(place);
    memcpy(data, place->good.data, place->good.len);
    data[8] = 3;
    write_file(place->path, data, place->good.len, 0644);
    expect_refused(place->path, -EPROTO, "has format 3, newer than 2");
    expect_refused(place->path, -EPROTO, "apply the policy again");
    data[8] = 0;
    write_file(place->path, data, place->good.len, 0644);
    expect_refused(place->path, -EPROTO, "has format 0, older than 1");
    free(data);
}

static void test_huge(void **state)
{
    struct place *place = *state;

    expect_loads(place);
    assert_int_equal(truncate(place->path, (off_t)1 << 40), 0); /* sparse */
    expect_refused(place->path, -EFBIG, "cannot read policy");
}

static void test_modes(void **state)
{
    struct place *place = *state;

    expect_loads(place);
    assert_int_equal(chmod(place->path, 0664), 0);
    expect_refused(place->path, -EPERM, "can be written by its group");
    assert_int_equal(chmod(place->path, 0646), 0);
    expect_refused(place->path, -EPERM, "can be written by everybody");
    assert_int_equal(chmod(place->path, 0444), 0);
    expect_loads(place);
}

static void test_directories(void **state)
{
    struct place *place = *state;
    char *etc = path_in(place->prefix, "etc");

    expect_loads(place);
    assert_int_equal(chmod(place->dir, 0777), 0);
    expect_refused(place->path, -EPERM, "can be written by others");
    assert_int_equal(chmod(place->dir, 0775), 0);
    expect_refused(place->path, -EPERM, "can be written by others");
    assert_int_equal(chmod(place->dir, 0755), 0);
    assert_int_equal(chmod(etc, 0777), 0);
    expect_refused(place->path, -EPERM, "can be written by others");
    assert_int_equal(chmod(etc, 01777), 0); /* sticky: others cannot rename what is below */
    expect_loads(place);
    free(etc);
}

static void test_symlink(void **state)
{
    struct place *place = *state;
    char *real = path_in(place->dir, "real.bin");

    expect_loads(place);
    assert_int_equal(rename(place->path, real), 0);
    assert_int_equal(symlink("real.bin", place->path), 0);
    expect_refused(place->path, -EPERM, "is a symbolic link");
    assert_int_equal(unlink(real), 0);
    expect_refused(place->path, -EPERM, "is a symbolic link"); /* not "absent" */
    free(real);
}

static void test_other_kinds(void **state)
{
    struct place *place = *state;

    expect_loads(place);
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(mkdir(place->path, 0755), 0);
    expect_refused(place->path, -EPERM, "not a regular file");
    assert_int_equal(rmdir(place->path), 0);
    assert_int_equal(mkfifo(place->path, 0644), 0);
    expect_refused(place->path, -EPERM, "not a regular file"); /* and does not block */
    expect_refused("/dev/null", -EPERM, "not a regular file");
}

static void test_foreign_owner(void **state)
{
    struct place *place = *state;

    need_root();
    expect_loads(place);
    assert_int_equal(chown(place->path, STRANGER, 0), 0);
    expect_refused(place->path, -EPERM, "is owned by uid 12345");
    assert_int_equal(chown(place->path, 0, 0), 0);
    expect_loads(place);
    assert_int_equal(chown(place->dir, STRANGER, 0), 0);
    expect_refused(place->path, -EPERM, "is owned by uid 12345");
    assert_int_equal(chown(place->dir, 0, 0), 0);
    expect_loads(place);
}

/* A prefix of a user's own is fine for that user's spython, and for no other. */
static void test_owner_of_executable(void **state)
{
    struct place *place = *state;
    struct policy policy;

    need_root();
    assert_int_equal(chown(place->path, STRANGER, 0), 0);
    assert_int_equal(policy_load(place->path, STRANGER, &policy, NULL), 0);
    policy_done(&policy);
    assert_int_equal(policy_load(place->path, STRANGER + 1, &policy, NULL), -EPERM);
}

static void test_unreadable(void **state)
{
    struct place *place = *state;
    int status;
    pid_t pid;

    need_root(); /* to become somebody who may not read it */
    assert_int_equal(chmod(place->path, 0600), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct policy policy;

        if (setresuid(STRANGER, STRANGER, STRANGER) < 0)
            _exit(2);
        _exit(policy_load(place->path, 0, &policy, NULL) == -EACCES ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good),
        TEST(test_absent),
        TEST(test_overwritten_while_in_use),
        TEST(test_truncated_everywhere),
        TEST(test_flipped_everywhere),
        TEST(test_longer),
        TEST(test_versions),
        TEST(test_huge),
        TEST(test_modes),
        TEST(test_directories),
        TEST(test_symlink),
        TEST(test_other_kinds),
        TEST(test_foreign_owner),
        TEST(test_owner_of_executable),
        TEST(test_unreadable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
