/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/approval.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "cpython/recorder.h"
#include "policy/policy_follow.h"

#define MAX_MANIFESTS 32 /* in a record */

/* Taken only where a file is about to be refused. Nothing that is done under it loads a library,
 * so it may be taken under the linker's lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct policy_follower follower;
static struct policy_follow_news news;

void approval_start(const char *path, uid_t owner, const struct policy *policy,
                    const struct policy_settings *settings)
{
    const struct policy_verify *verify = &settings->verify;

    if (verify->mode == VERIFY_OFF && verify->native == VERIFY_OFF)
        return;
    /* Without it, the policy of the start decides alone: nothing is lost but convenience. */
    (void)policy_follow_start(&follower, path, owner, policy, settings);
}

/* What has come into force counts from this record on. */
static void record_news(void)
{
    static const char *const names[] = {"serial", "sha256", "manifests", "error"};
    static char digest[DIGEST_HEX_SIZE], texts[MAX_MANIFESTS][96];
    static struct value manifests[MAX_MANIFESTS];
    const struct manifest_index *manifest;
    bool failed = news.err.code != 0;
    struct value values[4];
    uint32_t at = 0;
    unsigned count = 0;

    while (count < MAX_MANIFESTS && (manifest = policy_follow_next(&follower, &at)) != NULL) {
        (void)snprintf(texts[count], sizeof(texts[count]), "%s serial %llu", manifest->name,
                       (unsigned long long)manifest->serial);
        manifests[count] = value_utf8(texts[count], strlen(texts[count]));
        count++;
    }
    values[0] = values[1] = values[3] = value_none();
    if (follower.newer.map) {
        hex_encode(follower.newer.digest, DIGEST_SIZE, digest);
        values[0] = value_int((int64_t)follower.newer.serial);
        values[1] = value_utf8(digest, strlen(digest));
    }
    values[2] = value_list(manifests, count);
    if (failed)
        values[3] = value_utf8(news.err.msg, strlen(news.err.msg));
    recorder_write_own("spython.newer_policy", failed ? LEVEL_HIGH : LEVEL_LOW, names, values, 4);
}

void approval_judge(const struct trust_policy *policy, struct trust_file *file,
                    struct trust_result *ret)
{
    int saved = errno;

    trust_judge(policy, file, ret);
    if (policy_follow_can_matter(ret)) {
        pthread_mutex_lock(&lock);
        policy_follow_judge(&follower, file, ret, &news);
        if (news.looked)
            record_news();
        pthread_mutex_unlock(&lock);
    }
    errno = saved;
}

void approval_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

void approval_after_fork_parent(void)
{
    pthread_mutex_unlock(&lock);
}

void approval_after_fork_child(void)
{
    pthread_mutex_init(&lock, NULL);
}
