/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

#include "trust/digest_cache.h"
#include "trust/trust_verifiers.h"

#ifndef PR_GET_SECUREBITS
#define PR_GET_SECUREBITS 27
#endif
#define SECBIT_EXEC_RESTRICT 0x100 /* SECBIT_EXEC_RESTRICT_FILE, Linux 6.14 */

#ifndef STATX_ATTR_VERITY
#define STATX_ATTR_VERITY 0x00100000
#endif

static const char *const answer_names[TRUST_ANSWER_MAX] = {
    [TRUST_REJECTED] = "rejected",
    [TRUST_TRUSTED] = "trusted",
    [TRUST_NO_OPINION] = "no opinion",
    [TRUST_UNAVAILABLE] = "unavailable",
};

static const char *const kind_names[TRUST_KIND_MAX] = {
    [TRUST_SOURCE] = "source",   [TRUST_SCRIPT] = "script",       [TRUST_BYTECODE] = "bytecode",
    [TRUST_ARCHIVE] = "archive", [TRUST_PATH_FILE] = "path file", [TRUST_NATIVE] = "native",
};

const struct trust_verifier *const trust_verifiers[TRUST_VERIFIER_MAX] = {
    [TRUST_BY_MANIFEST] = &trust_manifest, [TRUST_BY_FSVERITY] = &trust_fsverity,
    [TRUST_BY_IMA] = &trust_ima,           [TRUST_BY_EXECCHECK] = &trust_execcheck,
    [TRUST_BY_OWNER] = &trust_owner,       [TRUST_BY_SELINUX] = &trust_selinux,
    [TRUST_BY_XATTR] = &trust_xattr,       [TRUST_BY_NULL] = &trust_null,
};

const char *trust_answer_name(enum trust_answer answer)
{
    return (unsigned)answer < TRUST_ANSWER_MAX ? answer_names[answer] : "rejected";
}

const char *trust_kind_name(enum trust_kind kind)
{
    return (unsigned)kind < TRUST_KIND_MAX ? kind_names[kind] : "source";
}

static bool has_bytes(const struct trust_file *file)
{
    /* An empty script may come as no data at all: only a native file is its own content. */
    return file->data || file->kind != TRUST_NATIVE;
}

/* Bytes that are not those of the file (a copy, what was read of one that grew) have another
 * length, or the file has another time of change. */
static bool find_digest(struct trust_file *file)
{
    uint64_t len = has_bytes(file) ? file->len : (uint64_t)file->st.st_size;

    return file->policy && file->fd >= 0 &&
           digest_cache_find(file->policy->digests, file->fd, len, file->policy->owner,
                             file->digest);
}

int trust_file_digest_again(struct trust_file *file, uint8_t ret[DIGEST_SIZE])
{
    if (file->digest_cached) {
        file->digest_known = file->digest_cached = false;
        file->policy = NULL;
    }
    return trust_file_digest(file, ret);
}

int trust_file_digest(struct trust_file *file, uint8_t ret[DIGEST_SIZE])
{
    if (!file->digest_known && find_digest(file))
        file->digest_known = file->digest_cached = true;
    if (!file->digest_known) {
        if (has_bytes(file)) {
            if (!file->data && file->len)
                return -EINVAL;
            digest_sha256(file->data ? file->data : "", file->len, file->digest);
        } else {
            int r = digest_sha256_fd(file->fd, file->digest);

            if (r < 0)
                return r;
        }
        file->digest_known = true;
    }
    memcpy(ret, file->digest, DIGEST_SIZE);
    return 0;
}

void trust_file_opened(const struct trust_policy *policy, struct trust_file *file)
{
    const struct trust_root *root = trust_find_root(policy, file->path);
    struct statx sx;

    file->sealed_first = (root->all | root->any) & TRUST_BIT(TRUST_BY_FSVERITY) &&
                         statx(file->fd, "", AT_EMPTY_PATH, 0, &sx) == 0 &&
                         sx.stx_attributes & STATX_ATTR_VERITY;
}

int trust_verifier_find(const char *name, size_t len)
{
    for (int i = 0; i < TRUST_VERIFIER_MAX; i++)
        if (strlen(trust_verifiers[i]->name) == len &&
            memcmp(trust_verifiers[i]->name, name, len) == 0)
            return i;
    return -1;
}

const struct trust_root *trust_find_root(const struct trust_policy *policy, const char *path)
{
    const struct trust_root *best = policy->elsewhere;
    size_t best_len = 0;

    for (uint32_t i = 0; i < policy->root_count; i++) {
        const struct trust_root *root = &policy->roots[i];
        size_t len = strlen(root->path);

        if (len >= best_len && strncmp(path, root->path, len) == 0 && path[len] == '/') {
            best = root;
            best_len = len;
        }
    }
    return best;
}

/* Says the kernel of this process: every file that is executed must pass AT_EXECVE_CHECK? Asked
 * each time, since a program may set it for itself at any moment, and it costs nothing beside a
 * file's digest. */
static bool is_exec_restricted(void)
{
    int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);

    return bits > 0 && (bits & SECBIT_EXEC_RESTRICT);
}

static enum trust_answer ask(const struct trust_policy *policy, struct trust_file *file, int id,
                             struct trust_result *ret)
{
    struct trust_evidence *evidence = &ret->evidence[ret->count++];

    memset(evidence, 0, sizeof(*evidence));
    evidence->verifier = (enum trust_verifier_id)id;
    trust_verifiers[id]->check(policy, ret->root, file, evidence);
    return evidence->answer;
}

void trust_judge(const struct trust_policy *policy, struct trust_file *file,
                 struct trust_result *ret)
{
    uint32_t all, any;

    file->policy = policy;
    ret->root = trust_find_root(policy, file->path);
    ret->count = 0;
    ret->trusted = false;
    all = ret->root->all;
    any = all ? 0 : ret->root->any;
    /* Before execcheck joins: the kernel's word alone is not what policy asks for. */
    if (!all && !any)
        return;
    if (is_exec_restricted())
        all |= TRUST_BIT(TRUST_BY_EXECCHECK);
    for (int i = 0; i < TRUST_VERIFIER_MAX; i++)
        if (all & TRUST_BIT(i) && ask(policy, file, i, ret) != TRUST_TRUSTED)
            return;
    /* What is in both lists has just agreed. */
    if (!any || any & all) {
        ret->trusted = true;
        return;
    }
    for (int i = 0; i < TRUST_VERIFIER_MAX && !ret->trusted; i++)
        ret->trusted = any & TRUST_BIT(i) && ask(policy, file, i, ret) == TRUST_TRUSTED;
}
