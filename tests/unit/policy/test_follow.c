/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_follow.h: a process that started under one policy meets files that only a later one
 * approves. Every refusal has its control: the same file is trusted by whoever loads the later
 * policy at a start, or after the one thing that was spoilt is put right.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "policy/policy_follow.h"
#include "policy_test.h"
#include "trust/manifest.h"

#define OLD "x = 1\n"
#define NEW "x = 2\n"
#define STRANGER 12345

/* PREFIX/etc/spython/policy.bin, and PREFIX/app/mod.py that it approves with the text OLD. */
struct place {
    char *prefix, *dir, *path, *app, *file;
    struct policy started;
    struct policy_follower follower;
    struct policy_follow_news news;
};

/* What the manifest of a policy says about mod.py. */
struct release {
    const char *name, *text;
    uint64_t serial;
};

static int load_release(void *ctx, const char *name, uint32_t older, struct manifest **ret,
                        uint32_t *ret_count, struct err *err)
{
    const struct release *release = ctx;
    struct manifest entry = {.serial = release->serial, .count = 1};
    struct manifest_entry item = {.path = "mod.py", .distribution = ""};
    char *data = NULL;
    size_t len = 0;

    (void)older;
    assert_string_equal(name, release->name);
    (void)snprintf(entry.name, sizeof(entry.name), "%s", name);
    digest_sha256(release->text, strlen(release->text), item.sha256);
    item.size = strlen(release->text);
    entry.entries = &item;
    assert_int_equal(manifest_write(&entry, &data, &len, err), 0);
    *ret = calloc(1, sizeof(**ret));
    assert_non_null(*ret);
    assert_int_equal(manifest_parse(data, len, "t", *ret, err), 0);
    *ret_count = 1;
    free(data);
    return 0;
}

static void compile(const struct place *place, const char *yaml, const struct release *release,
                    uint64_t serial, void **ret_data, size_t *ret_len)
{
    const struct policy_manifest_source source = {.load = load_release,
                                                  .ctx = (void *)(uintptr_t)release};
    struct policy_compile_input input = {
        .etc_dir = place->dir, .manifests = &source, .serial = serial, .applied = 1234567890};
    struct policy_messages messages;
    struct err err = ERR_INIT;

    write_text(place->dir, "spython.yaml", yaml);
    if (policy_compile(&input, ret_data, ret_len, &messages, &err) < 0)
        fail_msg("%s: %s", err.msg, messages.count ? messages.items[0].text : "no finding");
    policy_messages_done(&messages);
}

/* As apply does: a new file takes the place. */
static void put(const struct place *place, const void *data, size_t len)
{
    char *fresh = path_in(place->dir, "fresh");

    write_file(fresh, data, len, 0644);
    assert_int_equal(rename(fresh, place->path), 0);
    free(fresh);
}

static void apply(const struct place *place, const char *root, const char *name, const char *text,
                  uint64_t serial)
{
    const struct release release = {name, text, serial};
    char yaml[1024];
    void *data;
    size_t len;

    (void)snprintf(yaml, sizeof(yaml),
                   "verify:\n  mode: enforce\n  roots:\n"
                   "    - {path: %s, all: [manifest], manifest: %s}\n",
                   root, name);
    compile(place, yaml, &release, serial, &data, &len);
    put(place, data, len);
    free(data);
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    struct err err = ERR_INIT;
    char *etc;

    assert_non_null(place);
    place->prefix = temp_dir();
    etc = path_in(place->prefix, "etc");
    place->dir = path_in(etc, "spython");
    place->path = path_in(place->dir, "policy.bin");
    place->app = path_in(place->prefix, "app");
    place->file = path_in(place->app, "mod.py");
    assert_int_equal(chmod(place->prefix, 0755), 0);
    assert_int_equal(mkdir(etc, 0755), 0);
    assert_int_equal(mkdir(place->dir, 0755), 0);
    assert_int_equal(mkdir(place->app, 0755), 0);
    free(etc);
    write_text(place->app, "mod.py", OLD);
    apply(place, place->app, "shop", OLD, 1);
    if (policy_load(place->path, geteuid(), &place->started, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(policy_follow_start(&place->follower, place->path, geteuid(), &place->started,
                                         place->started.host),
                     0);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    policy_follow_done(&place->follower);
    policy_done(&place->started);
    free(place->path);
    free(place->dir);
    free(place->app);
    free(place->file);
    remove_tree(place->prefix);
    free(place);
    return 0;
}

/* As the gate does: by the policy of the start, and then what has come into force since. */
static bool is_trusted(struct place *place, const struct policy *policy,
                       struct policy_follower *follower, struct trust_result *ret)
{
    CLEANUP_FD int fd = open(place->file, O_RDONLY | O_CLOEXEC);
    char data[64];
    struct trust_file file = {.fd = fd, .path = place->file, .data = data};
    ssize_t n = read(fd, data, sizeof(data));

    assert_true(n > 0);
    file.len = (size_t)n;
    assert_int_equal(fstat(fd, &file.st), 0);
    trust_judge(&policy->host->verify.trust, &file, ret);
    memset(&place->news, 0, sizeof(place->news));
    if (follower)
        policy_follow_judge(follower, &file, ret, &place->news);
    return ret->trusted;
}

static bool runs(struct place *place)
{
    struct trust_result result;

    return is_trusted(place, &place->started, &place->follower, &result);
}

static bool runs_in_new_process(struct place *place)
{
    struct trust_result result;
    struct policy policy;
    struct err err = ERR_INIT;
    bool trusted;

    if (policy_load(place->path, geteuid(), &policy, &err) < 0)
        fail_msg("%s", err.msg);
    trusted = is_trusted(place, &policy, NULL, &result);
    policy_done(&policy);
    return trusted;
}

static const struct trust_evidence *last(const struct trust_result *result)
{
    assert_true(result->count > 0);
    return &result->evidence[result->count - 1];
}

static void test_upgraded(void **state)
{
    struct place *place = *state;
    const struct manifest_index *manifest;
    struct trust_result result;
    uint32_t at = 0;

    assert_true(runs(place));
    write_text(place->app, "mod.py", NEW);
    assert_false(runs(place)); /* nobody has said yes to it */
    assert_false(place->news.looked);

    apply(place, place->app, "shop", NEW, 2);
    assert_true(is_trusted(place, &place->started, &place->follower, &result));
    assert_true(place->news.looked);
    assert_int_equal(place->news.err.code, 0);
    assert_string_equal(last(&result)->source, "shop serial 2");
    assert_ptr_equal(result.root, &place->started.host->verify.trust.roots[0]);
    manifest = policy_follow_next(&place->follower, &at);
    assert_non_null(manifest);
    assert_int_equal(manifest->serial, 2);
    assert_null(policy_follow_next(&place->follower, &at));

    assert_true(runs(place));
    assert_false(place->news.looked); /* once for each policy */
    write_text(place->app, "mod.py", OLD);
    assert_true(runs(place)); /* the release of the start holds as well */
}

static void test_says_what_is_expected_now(void **state)
{
    struct place *place = *state;
    struct trust_result result;

    apply(place, place->app, "shop", NEW, 2);
    write_text(place->app, "mod.py", "x = 3\n");
    assert_false(is_trusted(place, &place->started, &place->follower, &result));
    assert_string_equal(last(&result)->source, "shop serial 2");
    assert_true(last(&result)->expected[0]);
    write_text(place->app, "mod.py", NEW);
    assert_true(runs(place));
}

static void test_withdrawn(void **state)
{
    struct place *place = *state;

    write_text(place->app, "mod.py", NEW);
    apply(place, place->app, "shop", NEW, 2);
    assert_true(runs(place));
    apply(place, place->app, "shop", "x = 3\n", 3);
    assert_false(runs(place)); /* 2 is in force no more */
    assert_false(runs_in_new_process(place));
    apply(place, place->app, "shop", NEW, 4);
    assert_true(runs(place));
    assert_int_equal(unlink(place->path), 0);
    assert_false(runs(place));
    assert_false(place->news.looked);
    apply(place, place->app, "shop", NEW, 5);
    assert_true(runs(place));
}

static void test_first_one_comes_back(void **state)
{
    struct place *place = *state;
    char *kept = path_in(place->dir, "policy.bin.1");

    write_text(place->app, "mod.py", NEW);
    assert_int_equal(rename(place->path, kept), 0);
    apply(place, place->app, "shop", NEW, 2);
    assert_true(runs(place));
    assert_int_equal(rename(kept, place->path), 0);
    assert_false(runs(place));
    assert_false(runs_in_new_process(place));
    free(kept);
}

/* A manifest counts where one of its name did, and nowhere else. */
static void test_other_name_or_root(void **state)
{
    struct place *place = *state;

    write_text(place->app, "mod.py", NEW);
    apply(place, place->app, "other", NEW, 2);
    assert_false(runs(place));
    assert_true(place->news.looked);
    assert_true(runs_in_new_process(place));
    apply(place, place->prefix, "shop", NEW, 3);
    assert_false(runs(place));
    assert_true(place->news.looked);
    apply(place, place->app, "shop", NEW, 4);
    assert_true(runs(place));
}

/* A policy that asks for less does not make a running process ask for less. */
static void test_nothing_else_is_taken_over(void **state)
{
    static const char *const easier[] = {
        "verify:\n  mode: off\n",
        "verify:\n  mode: audit\n  roots:\n    - {path: %s, any: ['null']}\n",
        "verify:\n  mode: enforce\n  elsewhere: {any: ['null']}\n",
        "verify:\n  roots:\n    - {path: %s, any: ['null', manifest], manifest: shop}\n",
    };
    const struct release release = {"shop", "x = 3\n", 2};
    struct place *place = *state;

    write_text(place->app, "mod.py", NEW);
    for (size_t i = 0; i < sizeof(easier) / sizeof(easier[0]); i++) {
        char yaml[1024];
        void *data;
        size_t len;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(yaml, sizeof(yaml), easier[i], place->app);
#pragma GCC diagnostic pop
        compile(place, yaml, &release, 2 + i, &data, &len);
        put(place, data, len);
        free(data);
        assert_false(runs(place));
        assert_true(place->news.looked);
        if (i == 3)
            assert_true(runs_in_new_process(place)); /* the control */
    }
}

/* Settings of an app are followed in those of the same app. */
static void test_app(void **state)
{
    static const char host[] = "profile: standard\n";
    struct place *place = *state;
    const struct release old = {"shop", OLD, 1}, new = {"shop", NEW, 2};
    struct policy_follower follower;
    struct trust_result result;
    struct policy started;
    char *apps = path_in(place->dir, "apps.d"), *gone, yaml[1024];
    void *data;
    size_t len;

    assert_int_equal(mkdir(apps, 0755), 0);
    (void)snprintf(yaml, sizeof(yaml),
                   "match: {script: %s}\nverify:\n  mode: enforce\n  roots:\n"
                   "    - {path: %s, all: [manifest], manifest: shop}\n",
                   place->file, place->app);
    write_text(apps, "shop.yml", yaml);
    compile(place, host, &old, 1, &data, &len);
    put(place, data, len);
    free(data);
    assert_int_equal(policy_load(place->path, geteuid(), &started, NULL), 0);
    assert_int_equal(started.app_count, 1);
    assert_int_equal(
        policy_follow_start(&follower, place->path, geteuid(), &started, &started.apps[0]), 0);
    started.host = &started.apps[0]; /* for is_trusted() */

    write_text(place->app, "mod.py", NEW);
    assert_false(is_trusted(place, &started, &follower, &result));
    compile(place, host, &new, 2, &data, &len);
    put(place, data, len);
    free(data);
    assert_true(is_trusted(place, &started, &follower, &result));

    write_text(apps, "other.yml", yaml); /* the app is gone, its settings are another's */
    gone = path_in(apps, "shop.yml");
    assert_int_equal(unlink(gone), 0);
    free(gone);
    compile(place, host, &new, 3, &data, &len);
    put(place, data, len);
    free(data);
    assert_false(is_trusted(place, &started, &follower, &result));
    policy_follow_done(&follower);
    policy_done(&started);
    free(apps);
}

static void expect_unusable(struct place *place, int code)
{
    assert_false(runs(place));
    assert_true(place->news.looked);
    assert_int_equal(place->news.err.code, code);
    assert_true(place->news.err.msg[0] && !strchr(place->news.err.msg, '\n'));
    assert_false(runs(place));
    assert_false(place->news.looked); /* it is not looked into again */
}

static void test_damaged(void **state)
{
    const struct release release = {"shop", NEW, 2};
    struct place *place = *state;
    char yaml[512];
    uint8_t *bytes;
    void *data;
    size_t len;

    write_text(place->app, "mod.py", NEW);
    (void)snprintf(yaml, sizeof(yaml),
                   "verify:\n  mode: enforce\n  roots:\n"
                   "    - {path: %s, all: [manifest], manifest: shop}\n",
                   place->app);
    compile(place, yaml, &release, 2, &data, &len);
    bytes = data;
    bytes[100] ^= 1;
    put(place, data, len);
    expect_unusable(place, -EBADMSG);
    bytes[100] ^= 1;
    bytes[len - 1] ^= 1; /* in a block, which is found damaged when it is used */
    bytes[len - MANIFEST_BLOCK] ^= 1;
    put(place, data, len);
    assert_false(runs(place));
    assert_int_equal(place->news.err.code, 0);
    bytes[len - 1] ^= 1;
    bytes[len - MANIFEST_BLOCK] ^= 1;
    put(place, data, len / 2);
    expect_unusable(place, -EBADMSG);
    put(place, "", 0);
    expect_unusable(place, -EBADMSG);
    put(place, data, len);
    assert_true(runs(place));
    free(data);
}

static void test_sound_one_goes_with_a_damaged_one(void **state)
{
    struct place *place = *state;

    write_text(place->app, "mod.py", NEW);
    apply(place, place->app, "shop", NEW, 2);
    assert_true(runs(place));
    put(place, "SPYPOL", 6);
    expect_unusable(place, -EBADMSG);
    write_text(place->app, "mod.py", OLD);
    assert_true(runs(place));
}

static void test_writable_or_foreign(void **state)
{
    struct place *place = *state;

    write_text(place->app, "mod.py", NEW);
    apply(place, place->app, "shop", NEW, 2);
    assert_int_equal(chmod(place->path, 0664), 0);
    expect_unusable(place, -EPERM);
    assert_int_equal(chmod(place->path, 0644), 0); /* a change of the file, which is looked into */
    assert_true(runs(place));
    assert_int_equal(chmod(place->dir, 0777), 0);
    apply(place, place->app, "shop", NEW, 3);
    expect_unusable(place, -EPERM);
    assert_int_equal(chmod(place->dir, 0755), 0);
    need_root();
    apply(place, place->app, "shop", NEW, 4);
    assert_int_equal(chown(place->path, STRANGER, STRANGER), 0);
    expect_unusable(place, -EPERM);
    assert_int_equal(chown(place->path, 0, 0), 0);
    assert_true(runs(place));
}

static void test_link_or_fifo(void **state)
{
    struct place *place = *state;
    char *elsewhere = path_in(place->prefix, "elsewhere");

    write_text(place->app, "mod.py", NEW);
    apply(place, place->app, "shop", NEW, 2);
    assert_int_equal(rename(place->path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, place->path), 0);
    expect_unusable(place, -ELOOP);
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(mkfifo(place->path, 0644), 0);
    expect_unusable(place, -EPERM);
    assert_int_equal(rename(elsewhere, place->path), 0);
    assert_true(runs(place));
    free(elsewhere);
}

static void test_other_directory(void **state)
{
    struct place *place = *state;
    char *moved = path_in(place->prefix, "moved"), *again;

    write_text(place->app, "mod.py", NEW);
    assert_int_equal(rename(place->dir, moved), 0);
    assert_int_equal(mkdir(place->dir, 0755), 0);
    apply(place, place->app, "shop", NEW, 2);
    expect_unusable(place, -ESTALE);
    assert_true(runs_in_new_process(place));
    again = path_in(place->prefix, "again");
    assert_int_equal(rename(place->dir, again), 0);
    assert_int_equal(rename(moved, place->dir), 0);
    apply(place, place->app, "shop", NEW, 2);
    assert_true(runs(place));
    free(again);
    free(moved);
}

/* What a process does that has come to see other mounts, where everything seems to be root's.
 * Status of the child: 0 it was not fooled; 1 it was; 2 mounts are not permitted here. */
static int in_other_mounts(struct place *place, const char *from, const char *to, int expected)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount(from, to, NULL, MS_BIND, NULL) < 0)
            _exit(2);
        if (!runs_in_new_process(place))
            _exit(3); /* the control: for a new process the forgery would do */
        _exit(runs(place) || place->news.err.code != expected ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_other_mounts(void **state)
{
    struct place *place = *state;
    char *forged = path_in(place->prefix, "forged"), *own = path_in(forged, "policy.bin");
    char *kept = path_in(place->dir, "kept");
    int status;

    need_root();
    write_text(place->app, "mod.py", NEW);
    assert_int_equal(mkdir(forged, 0755), 0);
    assert_int_equal(link(place->path, kept), 0);
    apply(place, place->app, "shop", NEW, 2);
    assert_int_equal(rename(place->path, own), 0);
    assert_int_equal(rename(kept, place->path), 0);
    status = in_other_mounts(place, own, place->path, -EXDEV);
    if (status != 2) {
        assert_int_equal(status, 0);
        assert_int_equal(in_other_mounts(place, forged, place->dir, -ESTALE), 0);
    } else {
        skip();
    }
    assert_int_equal(rename(own, place->path), 0);
    assert_true(runs(place));
    free(kept);
    free(own);
    free(forged);
}

static void test_no_descriptors(void **state)
{
    struct place *place = *state;
    struct policy_follow_news news;
    struct trust_result result;
    char data[] = NEW;
    struct trust_file file = {.path = place->file, .data = data, .len = strlen(data)};
    int fds[1024], count = 0;

    apply(place, place->app, "shop", NEW, 2);
    trust_judge(&place->started.host->verify.trust, &file, &result);
    while (count < 1024 && (fds[count] = dup(0)) >= 0)
        count++;
    assert_true(count < 1024);
    policy_follow_judge(&place->follower, &file, &result, &news);
    while (count > 0)
        assert_int_equal(close(fds[--count]), 0);
    assert_false(result.trusted);
    assert_int_equal(news.err.code, -EMFILE);
    policy_follow_judge(&place->follower, &file, &result, &news); /* that has passed */
    assert_true(result.trusted);
}

static void test_not_from_a_file(void **state)
{
    struct place *place = *state;
    struct policy_follower follower;
    struct trust_result result;
    struct policy built_in;

    assert_int_equal(policy_builtin(&built_in, NULL), 0);
    assert_int_equal(
        policy_follow_start(&follower, place->path, geteuid(), &built_in, built_in.host), -ENOENT);
    write_text(place->app, "mod.py", NEW);
    apply(place, place->app, "shop", NEW, 2);
    assert_false(is_trusted(place, &place->started, &follower, &result));
    assert_false(place->news.looked);
    policy_follow_done(&follower);
    policy_done(&built_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_upgraded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_says_what_is_expected_now, setup, teardown),
        cmocka_unit_test_setup_teardown(test_withdrawn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_one_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_name_or_root, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_else_is_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_app, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sound_one_goes_with_a_damaged_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writable_or_foreign, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_or_fifo, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_mounts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_from_a_file, setup, teardown),
    };

    /* So few that test_no_descriptors() can use them up. */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){256, 256}), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
