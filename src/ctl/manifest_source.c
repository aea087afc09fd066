/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/manifest_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ima_manifest.h"
#include "ctl/output.h"
#include "ctl/signed_manifest.h"

/* A problem becomes an error of one line: what is wrong, and what to do. */
static int as_err(const struct problem *problem, struct err *err)
{
    return err_set(err, problem->err.code, "%.600s (%.300s)", problem->err.msg, problem->todo);
}

/* Reads the releases list[first] and up to `older` behind it. */
static int read_releases(const struct trust_store *store, const struct installed_manifest *list,
                         size_t count, uint32_t older, struct manifest **ret, uint32_t *ret_count,
                         struct problem *problem)
{
    struct manifest *releases = must_alloc((older + 1u) * sizeof(*releases));
    uint32_t done = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < count && done <= older; i++) {
        struct signed_manifest m = {0};

        /* With --allow-older the newest was withdrawn: it is none of those before it. */
        if (done > 0 && list[i].serial >= releases[0].serial)
            continue;
        r = manifest_read_installed(store, &list[i], &m, problem);
        if (r == 0) {
            releases[done++] = m.manifest;
            m.manifest = (struct manifest){.count = 0};
        } else {
            const char *slash = strrchr(list[i].path, '/');

            (void)err_prefix(&problem->err, "'%s'", slash ? slash + 1 : list[i].path);
        }
        signed_manifest_done(&m);
    }
    if (r == 0) {
        *ret = releases;
        *ret_count = done;
        return 0;
    }
    while (done > 0)
        manifest_done(&releases[--done]);
    free(releases);
    return r;
}

static int load(void *ctx, const char *name, uint32_t older, struct manifest **ret,
                uint32_t *ret_count, struct err *err)
{
    const struct ctl *ctl = ctx;
    struct installed_manifest *list = NULL;
    struct trust_store store = {0};
    struct problem problem = {0};
    size_t count = 0, first = 0, same = 0;
    int r = trust_read(ctl, &store, &problem);

    if (r == 0)
        r = manifest_list(ctl, &list, &count, &problem);
    while (first < count && strcmp(list[first].name, name) != 0)
        first++;
    while (first + same < count && strcmp(list[first + same].name, name) == 0)
        same++;
    if (r == 0 && (same == 0 || list[first].serial != 0)) {
        r = problem_set(&problem, -ENOENT, "is not installed");
        (void)problem_todo(&problem, "spythonctl manifest add FILE");
    }
    if (r == 0)
        r = read_releases(&store, list + first, same, older, ret, ret_count, &problem);
    manifest_list_done(list, count);
    trust_store_done(&store);
    return r < 0 ? as_err(&problem, err) : 0;
}

static int check_ima(void *ctx, const char *root, struct manifest *ret, struct err *err)
{
    const struct ctl *ctl = ctx;
    struct trust_store store = {0};
    struct problem problem = {0};
    int r = trust_read(ctl, &store, &problem);

    r = r < 0 ? as_err(&problem, err) : ima_manifest_make(&store, root, ret, err);
    trust_store_done(&store);
    return r;
}

/* Whether one of the installed releases of that name is this one, and its signature counts. */
static int find_counting(const struct trust_store *store, const struct installed_manifest *list,
                         size_t count, const struct manifest_index *wanted, struct problem *problem)
{
    int r = -ENOENT;

    for (size_t i = 0; i < count && r != 0; i++) {
        struct signed_manifest m = {0};
        struct problem one = {0};
        int found;

        if (strcmp(list[i].name, wanted->name) != 0 ||
            (list[i].serial && list[i].serial != wanted->serial))
            continue;
        found = manifest_read_installed(store, &list[i], &m, &one);
        if (found == 0 && m.manifest.serial == wanted->serial)
            r = 0;
        else if (found < 0 && list[i].serial == wanted->serial)
            r = problem_set(problem, UNFIT, "its manifest %s serial %" PRIu64 " counts no more: %s",
                            wanted->name, wanted->serial, one.err.msg);
        signed_manifest_done(&m);
    }
    if (r == -ENOENT)
        r = problem_set(problem, UNFIT, "its manifest %s serial %" PRIu64 " counts no more",
                        wanted->name, wanted->serial);
    return r;
}

int manifest_check_policy(const struct ctl *ctl, const struct policy *policy,
                          struct problem *problem)
{
    struct installed_manifest *list = NULL;
    struct trust_store store = {0};
    size_t count = 0;
    int r;

    if (policy->manifest_count == 0)
        return 0; /* there need not be any trust.d */
    r = trust_read(ctl, &store, problem);
    if (r == 0)
        r = manifest_list(ctl, &list, &count, problem);
    for (uint32_t i = 0; r == 0 && i < policy->manifest_count; i++)
        if (strcmp(policy->manifests[i].name, IMA_MANIFEST_NAME) != 0)
            r = find_counting(&store, list, count, &policy->manifests[i], problem);
    manifest_list_done(list, count);
    trust_store_done(&store);
    return r;
}

struct policy_manifest_source manifest_source_of(const struct ctl *ctl)
{
    return (struct policy_manifest_source){
        .load = load, .check_ima = check_ima, .ctx = (void *)(uintptr_t)ctl};
}
