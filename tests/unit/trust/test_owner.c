/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier `owner`: each row of the table starts from a place that is trusted (which is
 * asserted first, by the same user), changes one thing, and names the answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/owner.h"
#include "trust_test.h"

static const struct trust_root root = {.path = ""};
static const struct trust_policy of_root = {.owner = 0, .elsewhere = &root};
static const struct trust_policy of_stranger = {.owner = STRANGER, .elsewhere = &root};

static void path_of(char out[256], const char *dir, const char *name)
{
    if (snprintf(out, 256, "%s/%s", dir, name) >= 256)
        abort();
}

static bool nothing(const struct place *place)
{
    (void)place;
    return true;
}

static bool group_writes(const struct place *place)
{
    return chmod(place->file, 0664) == 0;
}

static bool all_write(const struct place *place)
{
    return chmod(place->file, 0646) == 0;
}

static bool stranger_owns(const struct place *place)
{
    return chown(place->file, STRANGER, 0) == 0;
}

static bool directory_group_writes(const struct place *place)
{
    return chmod(place->app, 0775) == 0;
}

static bool directory_all_write(const struct place *place)
{
    return chmod(place->app, 0777) == 0;
}

static bool directory_sticky(const struct place *place)
{
    return chmod(place->app, 01777) == 0;
}

static bool sticky_strangers_file(const struct place *place)
{
    return directory_sticky(place) && stranger_owns(place);
}

static bool directory_strangers(const struct place *place)
{
    return chown(place->app, STRANGER, 0) == 0;
}

static bool grandparent_all_write(const struct place *place)
{
    return chmod(place->dir, 0777) == 0;
}

static bool grandparent_strangers(const struct place *place)
{
    return chown(place->dir, STRANGER, 0) == 0;
}

/* POSIX ACL as the kernel stores it: version 2, then entries (tag, rights, id), little-endian. */
struct acl_entry {
    uint16_t tag, rights;
    uint32_t id;
};

struct acl {
    uint32_t version;
    struct acl_entry entries[5];
};

static bool set_acl(const char *path, const char *attribute, uint16_t named, uint16_t mask)
{
    struct acl acl = {2,
                      {{0x01, 6, UINT32_MAX},    /* owner */
                       {0x02, named, STRANGER},  /* a user by name */
                       {0x04, 4, UINT32_MAX},    /* group */
                       {0x10, mask, UINT32_MAX}, /* mask */
                       {0x20, 4, UINT32_MAX}}};  /* others */

    return setxattr(path, attribute, &acl, sizeof(acl), 0) == 0;
}

static bool acl_lets_write(const struct place *place)
{
    return set_acl(place->file, "system.posix_acl_access", 6, 6);
}

static bool acl_is_masked(const struct place *place)
{
    return set_acl(place->file, "system.posix_acl_access", 6, 4);
}

static bool acl_lets_read(const struct place *place)
{
    return set_acl(place->file, "system.posix_acl_access", 4, 4);
}

static bool acl_on_directory(const struct place *place)
{
    return set_acl(place->app, "system.posix_acl_access", 7, 7);
}

static bool acl_for_new_files(const struct place *place)
{
    return set_acl(place->app, "system.posix_acl_default", 7, 7);
}

static bool tmpfs_on_app(const struct place *place, unsigned long flags)
{
    if (!enter_mounts(place) || mount("t", place->app, "tmpfs", flags, "mode=755") < 0)
        return false;
    write_text(place->file, TEXT, 0755);
    return true;
}

static bool on_tmpfs(const struct place *place)
{
    return tmpfs_on_app(place, 0);
}

static bool on_tmpfs_noexec(const struct place *place)
{
    return tmpfs_on_app(place, MS_NOEXEC);
}

static bool bound_readonly(const struct place *place)
{
    return enter_mounts(place) && mount(place->app, place->app, NULL, MS_BIND, NULL) == 0 &&
           mount(NULL, place->app, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
}

static bool bound_noexec(const struct place *place)
{
    return enter_mounts(place) && mount(place->app, place->app, NULL, MS_BIND, NULL) == 0 &&
           mount(NULL, place->app, NULL, MS_BIND | MS_REMOUNT | MS_NOEXEC, NULL) == 0;
}

static bool bind_on_itself(const char *path, unsigned long flags)
{
    return mount(path, path, NULL, MS_BIND, NULL) == 0 &&
           mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | flags, NULL) == 0;
}

/* Everything is read-only but for the file, or its directory: for whom modes do not bind, the mount
 * decides. */
static bool file_only_writable(const struct place *place)
{
    return enter_mounts(place) && bind_on_itself(place->dir, MS_RDONLY) &&
           bind_on_itself(place->file, 0) &&
           mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
}

static bool directory_only_writable(const struct place *place)
{
    return enter_mounts(place) && bind_on_itself(place->dir, MS_RDONLY) &&
           bind_on_itself(place->app, 0) && bind_on_itself(place->file, MS_RDONLY) &&
           mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
}

static bool nothing_writable(const struct place *place)
{
    return enter_mounts(place) && bind_on_itself(place->dir, MS_RDONLY) &&
           mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
}

/* A stranger's directory is bound over ours, holding a file of root's. */
static bool bound_strangers(const struct place *place)
{
    char other[256], file[256];

    path_of(other, place->dir, "other");
    path_of(file, other, "mod.py");
    if (mkdir(other, 0755) < 0)
        return false;
    write_text(file, TEXT, 0644);
    return chown(other, STRANGER, 0) == 0 && enter_mounts(place) &&
           mount(other, place->app, NULL, MS_BIND, NULL) == 0;
}

/* An overlay over app: what is asked about lies in the lower layer until it is written to. */
static bool on_overlay(const struct place *place)
{
    char options[1024], scratch[256], upper[256], work[256];

    path_of(scratch, place->dir, "scratch");
    path_of(upper, scratch, "upper");
    path_of(work, scratch, "work");
    if (mkdir(scratch, 0755) < 0 || !enter_mounts(place) ||
        mount("t", scratch, "tmpfs", 0, "mode=755") < 0 || mkdir(upper, 0755) < 0 ||
        mkdir(work, 0755) < 0)
        return false;
    (void)snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", place->app,
                   upper, work);
    return mount("o", place->app, "overlay", 0, options) == 0;
}

static bool on_overlay_writable(const struct place *place)
{
    return on_overlay(place) && chmod(place->file, 0666) == 0;
}

static bool file_is_moved(const struct place *place)
{
    char to[256];

    path_of(to, place->app, "gone.py");
    return rename(place->file, to) == 0;
}

static bool file_is_replaced(const struct place *place)
{
    if (!file_is_moved(place))
        return false;
    write_text(place->file, TEXT, 0644);
    return true;
}

static bool directory_becomes_link(const struct place *place)
{
    char to[256];

    path_of(to, place->dir, "real");
    return rename(place->app, to) == 0 && symlink(to, place->app) == 0;
}

/* The user is root in a user namespace of its own; root outside is nobody there. */
static bool root_of_own_namespace(const struct place *place)
{
    (void)place;
    return unshare(CLONE_NEWUSER) == 0;
}

struct row {
    const char *label;
    prepare_fn prepare;
    prepare_fn after;
    const struct trust_policy *policy;
    uid_t uid;
    bool keep_override;
    enum trust_answer answer;
    const char *reason;
    const char *source; /* directory that is named, below the place; NULL: none */
};

#define YES TRUST_TRUSTED, "", NULL
#define NO(reason, source) TRUST_REJECTED, reason, source

static const struct row rows[] = {
    {"root", nothing, NULL, &of_root, 0, false, YES},
    {"a user", nothing, NULL, &of_root, STRANGER, false, YES},
    {"group", group_writes, NULL, &of_root, STRANGER, false,
     NO("can be written by its group", NULL)},
    {"group, as root", group_writes, NULL, &of_root, 0, false,
     NO("can be written by its group", NULL)},
    {"others", all_write, NULL, &of_root, 0, false, NO("can be written by everybody", NULL)},
    {"stranger", stranger_owns, NULL, &of_root, 0, false, NO("owned by neither", NULL)},
    {"stranger, as stranger", stranger_owns, NULL, &of_root, STRANGER, false,
     NO("owned by neither", NULL)},
    {"owner", stranger_owns, NULL, &of_stranger, 0, false, YES},
    {"owner, as owner", stranger_owns, NULL, &of_stranger, STRANGER, false, YES},
    {"owner, as another", stranger_owns, NULL, &of_stranger, OTHER, false, YES},
    {"root's, as owner", nothing, NULL, &of_stranger, STRANGER, false, YES},
    {"directory, group", directory_group_writes, NULL, &of_root, 0, false,
     NO("a directory above it can be written by its group", "/app")},
    {"directory, others", directory_all_write, NULL, &of_root, STRANGER, false,
     NO("a directory above it can be written by everybody", "/app")},
    {"directory, sticky", directory_sticky, NULL, &of_root, STRANGER, false, YES},
    {"directory, sticky, stranger's file", sticky_strangers_file, NULL, &of_root, 0, false,
     NO("is owned by neither", NULL)},
    {"directory, sticky, owner's file", sticky_strangers_file, NULL, &of_stranger, 0, false, YES},
    {"directory, stranger's", directory_strangers, NULL, &of_root, 0, false,
     NO("a directory above it is owned by neither", "/app")},
    {"directory, owner's", directory_strangers, NULL, &of_stranger, 0, false, YES},
    {"grandparent, others", grandparent_all_write, NULL, &of_root, 0, false,
     NO("a directory above it can be written by everybody", "")},
    {"grandparent, stranger's", grandparent_strangers, NULL, &of_root, 0, false,
     NO("a directory above it is owned by neither", "")},
    {"acl", acl_lets_write, NULL, &of_root, 0, false, NO("an access control list", NULL)},
    {"acl, as stranger", acl_lets_write, NULL, &of_root, STRANGER, false,
     NO("an access control list", NULL)},
    {"acl, masked", acl_is_masked, NULL, &of_root, STRANGER, false, YES},
    {"acl, reading", acl_lets_read, NULL, &of_root, STRANGER, false, YES},
    {"acl on directory", acl_on_directory, NULL, &of_root, STRANGER, false,
     NO("a directory above it can be written by its group or by an access", "/app")},
    {"acl for new files", acl_for_new_files, NULL, &of_root, STRANGER, false, YES},
    {"user with override", nothing, NULL, &of_root, STRANGER, true,
     NO("can be written by the running user, uid 12345", "*")},
    {"user with override, file", file_only_writable, NULL, &of_root, STRANGER, true,
     NO("can be written by the running user, uid 12345", NULL)},
    {"user with override, directory", directory_only_writable, NULL, &of_root, STRANGER, true,
     NO("a directory above it can be written by the running user", "/app")},
    {"user with override, all read-only", nothing_writable, NULL, &of_root, STRANGER, true, YES},
    {"owner with override", nothing, NULL, &of_stranger, STRANGER, true, YES},
    {"tmpfs", on_tmpfs, NULL, &of_root, STRANGER, false, YES},
    {"tmpfs, noexec", on_tmpfs_noexec, NULL, &of_root, STRANGER, false,
     NO("is on a file system that is mounted noexec", NULL)},
    {"bound, read-only", bound_readonly, NULL, &of_root, STRANGER, false, YES},
    {"bound, noexec", bound_noexec, NULL, &of_root, STRANGER, false, NO("noexec", NULL)},
    {"bound, stranger's", bound_strangers, NULL, &of_root, STRANGER, false,
     NO("a directory above it is owned by neither", "/app")},
    {"overlay", on_overlay, NULL, &of_root, STRANGER, false, YES},
    {"overlay, writable", on_overlay_writable, NULL, &of_root, STRANGER, false,
     NO("can be written by everybody", NULL)},
    {"moved while open", nothing, file_is_moved, &of_root, 0, false,
     NO("its path does not lead to it", NULL)},
    {"replaced while open", nothing, file_is_replaced, &of_root, 0, false,
     NO("its path leads to another file now", NULL)},
    {"link above it", directory_becomes_link, NULL, &of_root, 0, false,
     NO("its path does not lead to it", "/app")},
    {"namespace", nothing, root_of_own_namespace, &of_root, STRANGER, false,
     NO("a directory above it is owned by neither", "*")},
};

static void test_rows(void **state)
{
    unsigned unable = 0;

    (void)state;
    need_root();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct question question = {
            .verifier = &trust_owner, .policy = row->policy, .root = &root, .uid = row->uid};
        struct trust_evidence evidence;
        char source[96];
        void *made;

        place_setup(&made);
        question.place = made;
        assert_true(ask_in_child(&question, &evidence));
        expect_evidence(&evidence, TRUST_TRUSTED, "", row->label);
        question.prepare = row->prepare;
        question.after = row->after;
        question.keep_override = row->keep_override;
        if (!ask_in_child(&question, &evidence)) {
            print_message("%s: this machine does not permit it\n", row->label);
            unable++;
        } else {
            expect_evidence(&evidence, row->answer, row->reason, row->label);
            (void)snprintf(source, sizeof(source), "%s%s", question.place->dir,
                           row->source ? row->source : "");
            if (!row->source)
                assert_string_equal(evidence.source, "");
            else if (row->source[0] != '*')
                assert_string_equal(evidence.source, source);
        }
        place_teardown(&made);
    }
    if (unable)
        unavailable("another user, or a mount, cannot be had here");
}

static void test_flaws(void **state)
{
    const struct {
        uid_t uid;
        mode_t mode;
        uid_t below;
        enum owner_flaw flaw, directory_flaw;
    } flaws[] = {
        {0, 0755, 0, OWNER_SOUND, OWNER_SOUND},
        {OTHER, 0755, 0, OWNER_SOUND, OWNER_SOUND},
        {0, 0755, STRANGER, OWNER_SOUND, OWNER_SOUND},
        {STRANGER, 0755, 0, OWNER_FOREIGN, OWNER_FOREIGN},
        {STRANGER, 01777, 0, OWNER_FOREIGN, OWNER_FOREIGN}, /* who owns it can remove its bit */
        {0, 0775, 0, OWNER_GROUP, OWNER_GROUP},
        {0, 0757, 0, OWNER_EVERYBODY, OWNER_EVERYBODY},
        {0, 01777, 0, OWNER_EVERYBODY, OWNER_SOUND},
        {0, 01777, OTHER, OWNER_EVERYBODY, OWNER_SOUND},
        {0, 01777, STRANGER, OWNER_EVERYBODY, OWNER_EVERYBODY},
        {0, 01775, STRANGER, OWNER_GROUP, OWNER_GROUP},
        {0, 01775, 0, OWNER_GROUP, OWNER_SOUND},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(flaws) / sizeof(flaws[0]); i++) {
        struct stat st = {.st_uid = flaws[i].uid, .st_mode = S_IFDIR | flaws[i].mode};

        if (owner_find_flaw(&st, OTHER) != flaws[i].flaw ||
            owner_find_directory_flaw(&st, OTHER, flaws[i].below) != flaws[i].directory_flaw)
            fail_msg("row %zu", i);
    }
}

/* A stranger makes hard links to root's files in a directory of its own: the path shows where. */
static void test_hard_link(void **state)
{
    struct place *place = *state;
    struct question question = {
        .verifier = &trust_owner, .policy = &of_root, .root = &root, .place = place};
    struct trust_evidence evidence;
    char dir[256], file[256];

    need_root();
    path_of(dir, place->dir, "mine");
    path_of(file, dir, "planted.py");
    assert_int_equal(mkdir(dir, 0755), 0);
    assert_int_equal(link(place->file, file), 0);
    question.path = file;
    assert_true(ask_in_child(&question, &evidence));
    expect_evidence(&evidence, TRUST_TRUSTED, "", "link in root's directory");
    assert_int_equal(chown(dir, STRANGER, 0), 0);
    assert_true(ask_in_child(&question, &evidence));
    expect_evidence(&evidence, TRUST_REJECTED, "a directory above it", "link in a stranger's");
    assert_string_equal(evidence.source, dir);
    question.path = NULL;
    assert_true(ask_in_child(&question, &evidence));
    expect_evidence(&evidence, TRUST_TRUSTED, "", "the file by its own name");
}

static void test_odd_paths(void **state)
{
    struct place *place = *state;
    struct trust_evidence evidence = {0};
    struct trust_file file;
    char too_long[5000];

    need_root();
    assert_true(file_open(&file, place->file, TRUST_SOURCE));
    memset(too_long, 'x', sizeof(too_long));
    too_long[0] = '/';
    too_long[sizeof(too_long) - 1] = '\0';
    const struct {
        const char *path;
        const char *reason;
    } odd[] = {
        {"mod.py", "not absolute"},
        {"", "not absolute"},
        {too_long, "too long"},
        {"/", "leads to another file"},
        {"/no/such", "does not lead"},
        {"/memfd:code (deleted)", "does not lead"},
        {"/usr/bin/env", "leads to another file"},
        {"/usr/bin/env/x", "does not lead"},
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        memset(&evidence, 0, sizeof(evidence));
        file.path = odd[i].path;
        trust_owner.check(&of_root, &root, &file, &evidence);
        expect_evidence(&evidence, TRUST_REJECTED, odd[i].reason, odd[i].path);
    }
    file_close(&file);
}

static void test_not_regular(void **state)
{
    struct place *place = *state;
    struct trust_evidence evidence = {0};
    struct trust_file file = {.path = place->app};

    need_root();
    file.fd = open(place->app, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(fstat(file.fd, &file.st), 0);
    trust_owner.check(&of_root, &root, &file, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "is not a regular file", "directory");
    assert_int_equal(close(file.fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flaws),
        cmocka_unit_test(test_rows),
        cmocka_unit_test_setup_teardown(test_hard_link, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_odd_paths, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_not_regular, place_setup, place_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
