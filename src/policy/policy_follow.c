/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy_follow.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static bool is_same(const struct policy_identity *a, const struct policy_identity *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static int open_directory(const struct policy_follower *follower, struct stat *ret)
{
    CLEANUP_FD int fd = open(follower->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, ret) < 0)
        return -errno;
    return steal_fd(&fd);
}

int policy_follow_start(struct policy_follower *follower, const char *path, uid_t owner,
                        const struct policy *started, const struct policy_settings *settings)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FD int fd = -1;
    struct stat st = {.st_ino = 0};

    memset(follower, 0, sizeof(*follower));
    if (!started->map)
        return -ENOENT;
    if (path[0] != '/' || slash == path || (size_t)(slash - path) >= sizeof(follower->directory))
        return -EINVAL;
    memcpy(follower->directory, path, (size_t)(slash - path));
    fd = open_directory(follower, &st);
    if (fd < 0)
        return fd;
    follower->path = path;
    follower->owner = owner;
    follower->settings = settings;
    follower->directory_device = st.st_dev;
    follower->directory_inode = st.st_ino;
    follower->seen = started->identity;
    return 0;
}

/*
 * A process may have come to see other mounts since, in which it is root: then its user could have
 * put a file of its own where policy.bin was. The directory of the start has a number that no other
 * one gets as long as it exists, and the policy that is mapped keeps it; below it, no mount is
 * crossed.
 */
static int open_now(const struct policy_follower *follower, struct err *err)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    CLEANUP_FD int directory = -1;
    struct stat st = {.st_ino = 0};
    long fd;

    directory = open_directory(follower, &st);
    if (directory < 0)
        return err_set(err, directory, "cannot look at directory '%s': %s", follower->directory,
                       strerror(-directory));
    if (st.st_dev != follower->directory_device || st.st_ino != follower->directory_inode)
        return err_set(err, -ESTALE, "policy '%s' is in another directory than at the start",
                       follower->path);
    fd = syscall(SYS_openat2, directory, strrchr(follower->path, '/') + 1, &how, sizeof(how));
    if (fd < 0)
        return err_set(err, -errno, "cannot open policy '%s' again: %s", follower->path,
                       strerror(errno));
    return (int)fd;
}

static const struct policy_settings *same_app(const struct policy *policy, const char *app)
{
    if (!app[0])
        return policy->host;
    for (uint32_t i = 0; i < policy->app_count; i++)
        if (strcmp(policy->apps[i].app, app) == 0)
            return &policy->apps[i];
    return NULL;
}

static void forget(struct policy_follower *follower)
{
    policy_done(&follower->newer);
    follower->newer_settings = NULL;
}

/* What a lack of memory or descriptors keeps us from is tried again. */
static bool is_passing(int code)
{
    return code == -ENOMEM || code == -EMFILE || code == -ENFILE || code == -EINTR ||
           code == -EAGAIN;
}

static void look(struct policy_follower *follower, struct policy_identity now, struct err *err)
{
    CLEANUP_FD int fd = open_now(follower, err);
    int r = fd;

    /* What is not in force any more does not count any more, whatever comes of the new one. */
    forget(follower);
    if (fd >= 0)
        r = policy_load_opened(fd, follower->path, follower->owner, &follower->newer, err);
    if (r < 0) {
        if (!is_passing(r))
            follower->seen = now;
        return;
    }
    follower->seen = follower->newer.identity;
    follower->newer_settings = same_app(&follower->newer, follower->settings->app);
}

static const struct trust_root *same_root(const struct policy_settings *settings, const char *path)
{
    const struct trust_policy *trust = &settings->verify.trust;

    for (uint32_t i = 0; i < trust->root_count; i++)
        if (strcmp(trust->roots[i].path, path) == 0)
            return &trust->roots[i];
    return NULL;
}

static bool has_name(const struct trust_root *root, const char *name)
{
    for (uint32_t i = 0; i < root->manifest_count; i++)
        if (strcmp(root->manifests[i]->name, name) == 0)
            return true;
    return false;
}

/* Manifests of names that `root` has, which are in force for it now; then its own. Returns how
 * many, 0 if there is none but its own. */
static uint32_t collect(struct policy_follower *follower, const struct trust_root *root)
{
    const struct trust_root *now =
        follower->newer_settings ? same_root(follower->newer_settings, root->path) : NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; now && i < now->manifest_count && count < POLICY_FOLLOW_MAX; i++)
        if (has_name(root, now->manifests[i]->name))
            follower->manifests[count++] = now->manifests[i];
    for (uint32_t i = 0; count > 0 && i < root->manifest_count && count < POLICY_FOLLOW_MAX; i++)
        follower->manifests[count++] = root->manifests[i];
    return count;
}

bool policy_follow_can_matter(const struct trust_result *result)
{
    if (result->trusted || result->root->manifest_count == 0)
        return false;
    for (unsigned i = 0; i < result->count; i++)
        if (result->evidence[i].verifier <= TRUST_BY_IMA &&
            result->evidence[i].answer != TRUST_TRUSTED)
            return true;
    return false;
}

static bool says_what_is_expected(const struct trust_result *result)
{
    return result->count > 0 && result->evidence[result->count - 1].expected[0];
}

void policy_follow_judge(struct policy_follower *follower, struct trust_file *file,
                         struct trust_result *result, struct policy_follow_news *ret)
{
    struct trust_result *again = &follower->again;
    struct trust_root root;
    struct trust_policy policy = {
        .owner = follower->owner, .roots = &root, .root_count = 1, .elsewhere = &root};
    struct stat st;

    *ret = (struct policy_follow_news){.looked = false};
    if (!follower->path || !policy_follow_can_matter(result))
        return;
    /* Mounts can lie to this about whether there is anything new, not about what it is. */
    if (stat(follower->path, &st) < 0) {
        forget(follower);
        follower->seen = (struct policy_identity){.inode = 0};
    } else {
        const struct policy_identity now = policy_identity_of(&st);

        ret->looked = !is_same(&now, &follower->seen);
        if (ret->looked)
            look(follower, now, &ret->err);
    }
    root = *result->root;
    root.manifest_count = collect(follower, result->root);
    if (root.manifest_count == 0)
        return;
    root.manifests = follower->manifests;
    trust_judge(&policy, file, again);
    again->root = result->root;
    if (again->trusted || says_what_is_expected(again))
        *result = *again;
}

const struct manifest_index *policy_follow_next(const struct policy_follower *follower,
                                                uint32_t *at)
{
    const struct trust_policy *trust;

    if (!follower->newer_settings)
        return NULL;
    /* `at` counts the manifests of all roots of the start, one root after the other. */
    trust = &follower->settings->verify.trust;
    for (uint32_t i = 0, before = 0; i < trust->root_count; i++) {
        const struct trust_root *root = &trust->roots[i];
        const struct trust_root *now = same_root(follower->newer_settings, root->path);

        for (uint32_t k = 0; now && k < now->manifest_count; k++, before++) {
            if (before < *at)
                continue;
            *at = before + 1;
            if (has_name(root, now->manifests[k]->name))
                return now->manifests[k];
        }
    }
    return NULL;
}

void policy_follow_done(struct policy_follower *follower)
{
    forget(follower);
    memset(follower, 0, sizeof(*follower));
}
