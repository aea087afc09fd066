/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/digest_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/tree.h"

#define WANTS_DIGESTS                                                                              \
    (TRUST_BIT(TRUST_BY_MANIFEST) | TRUST_BIT(TRUST_BY_IMA) | TRUST_BIT(TRUST_BY_XATTR))
#define SECOND 1000000000

/* What is collected over all roots. */
struct table {
    struct digest_cache_entry *entries;
    size_t count, room;
};

char *digest_table_path(const struct ctl *ctl)
{
    return must_format("%s/" DIGEST_CACHE_NAME, ctl->etc);
}

/* Data may lie in the same tree, more of it than all code: only what can be executed is hashed. */
static bool is_code(void *arg, const struct tree_file *file)
{
    static const char *const ends[] = {".py",  ".pyc", ".pyw", ".pth", ".start", ".so",
                                       ".zip", ".egg", ".whl", ".pyz", ".pyzw"};
    const char *slash = strrchr(file->path, '/');
    const char *name = slash ? slash + 1 : file->path, *dot = strrchr(name, '.');

    (void)arg;
    for (size_t i = 0; dot && i < sizeof(ends) / sizeof(ends[0]); i++)
        if (strcmp(dot, ends[i]) == 0)
            return true;
    return !dot || strstr(name, ".so."); /* a script, a library with its version */
}

/*
 * Whether each later change gives the file another time of change. That time moves in steps of the
 * kernel's coarse clock, or of whole seconds on old file systems: it must have moved on since.
 */
static bool is_settled(const struct tree_file *file, int64_t begun)
{
    if (file->changed % SECOND == 0)
        return file->changed > 0 && file->changed < begun - 2 * (int64_t)SECOND;
    return file->changed > 0 && file->changed < begun;
}

static int64_t coarse_now(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

static void add(struct table *table, const struct tree_file *file)
{
    struct digest_cache_entry *entry;

    if (table->count == table->room) {
        table->room = table->room > 0 ? 2 * table->room : 4096;
        table->entries = must_grow(table->entries, table->room * sizeof(*table->entries));
    }
    entry = &table->entries[table->count++];
    *entry = (struct digest_cache_entry){
        .inode = file->inode, .changed = file->changed, .size = file->size};
    memcpy(entry->sha256, file->sha256, DIGEST_SIZE);
}

static int add_root(struct table *table, const char *root, struct problem *problem)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const struct tree_options options = {
        .jobs = processors > 0 ? (unsigned)processors : 1,
        .shows_progress = isatty(STDERR_FILENO),
        .keep_odd = true,
        .settles = true,
    };
    struct tree tree;
    int r = tree_open(&tree, root, problem);

    if (r == 0 && digest_cache_is_reliable(tree.fd))
        r = tree_walk(&tree, &options, problem);
    if (r == 0 && tree.count > 0) {
        int64_t begun = coarse_now();

        (void)tree_filter(&tree, is_code, NULL);
        r = tree_hash(&tree, &options, problem);
        for (size_t i = 0; r == 0 && i < tree.count && table->count < DIGEST_CACHE_MAX_ENTRIES; i++)
            if (is_settled(&tree.files[i], begun))
                add(table, &tree.files[i]);
    }
    tree_done(&tree);
    return r;
}

static int by_inode(const void *left, const void *right)
{
    const struct digest_cache_entry *a = left, *b = right;

    if (a->inode != b->inode)
        return a->inode < b->inode ? -1 : 1;
    return (a->changed > b->changed) - (a->changed < b->changed);
}

/* Two file systems may have the same number at the same time for different files: then neither. */
static void sort(struct table *table)
{
    size_t kept = 0;

    if (table->count == 0)
        return;
    qsort(table->entries, table->count, sizeof(*table->entries), by_inode);
    for (size_t i = 0, next; i < table->count; i = next) {
        bool same = true;

        for (next = i + 1;
             next < table->count && by_inode(&table->entries[i], &table->entries[next]) == 0;
             next++)
            same = same && memcmp(&table->entries[i], &table->entries[next],
                                  sizeof(table->entries[i])) == 0;
        if (same)
            table->entries[kept++] = table->entries[i];
    }
    table->count = kept;
}

static bool is_wanted(const struct policy_verify *verify, const struct trust_root *root)
{
    return (verify->mode != VERIFY_OFF || verify->native != VERIFY_OFF) && !verify->fresh_digests &&
           (root->all | root->any) & WANTS_DIGESTS;
}

/* Of the host, or of an app. */
static const struct policy_verify *verify_of(const struct policy *policy, uint32_t number)
{
    return number == 0 ? &policy->host->verify : &policy->apps[number - 1].verify;
}

/* Apps share roots with the host and with each other. */
static bool was_seen(const struct policy *policy, uint32_t settings, uint32_t root)
{
    const char *path = verify_of(policy, settings)->trust.roots[root].path;

    for (uint32_t i = 0; i <= settings; i++) {
        const struct policy_verify *verify = verify_of(policy, i);
        uint32_t end = i < settings ? verify->trust.root_count : root;

        for (uint32_t k = 0; k < end; k++)
            if (is_wanted(verify, &verify->trust.roots[k]) &&
                strcmp(verify->trust.roots[k].path, path) == 0)
                return true;
    }
    return false;
}

static int write_table(const char *path, const struct table *table, struct problem *problem)
{
    size_t size = table->count * sizeof(*table->entries);
    struct digest_cache_head head = {
        .magic = DIGEST_CACHE_MAGIC,
        .count = (uint32_t)table->count,
        .entry_size = sizeof(*table->entries),
    };
    CLEANUP_FREE char *data = must_alloc(sizeof(head) + size);

    memcpy(data, &head, sizeof(head));
    if (size > 0)
        memcpy(data + sizeof(head), table->entries, size);
    return file_replace(path, data, sizeof(head) + size, problem);
}

int digest_table_write(const struct ctl *ctl, const struct policy *policy, struct problem *problem)
{
    CLEANUP_FREE char *path = digest_table_path(ctl);
    struct table table = {.entries = NULL};
    bool wanted = false;
    int r = 0;

    for (uint32_t i = 0; i <= policy->app_count; i++) {
        const struct policy_verify *verify = verify_of(policy, i);

        for (uint32_t k = 0; k < verify->trust.root_count; k++) {
            struct problem unreadable = {0};

            if (!is_wanted(verify, &verify->trust.roots[k]) || was_seen(policy, i, k))
                continue;
            wanted = true;
            /* Its files are hashed when they are loaded. */
            (void)add_root(&table, verify->trust.roots[k].path, &unreadable);
        }
    }
    if (wanted) {
        sort(&table);
        r = write_table(path, &table, problem);
    } else if (unlink(path) < 0 && errno != ENOENT) {
        r = problem_set(problem, -errno, "cannot remove '%s': %s", path, strerror(errno));
    }
    free(table.entries);
    return r;
}
