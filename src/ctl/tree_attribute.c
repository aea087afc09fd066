/* SPDX-License-Identifier: Apache-2.0 */
/* Whose is each file of a tree: dist-info/RECORD and egg-info/installed-files.txt; see tree.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/tree.h"

#define RECORD_MAX ((size_t)64 << 20)

/* Directories like "NAME-VERSION.dist-info". */
struct info {
    const char *path; /* of the directory, or of a file NAME-VERSION.egg-info; not terminated */
    size_t len;
    bool is_egg;
};

/* The part of `path` that is a directory (or the file itself) of such a name. */
static bool find_info(const char *path, struct info *ret)
{
    static const char *const tails[] = {".dist-info", ".egg-info"};

    for (const char *part = path; *part;) {
        size_t len = strcspn(part, "/");

        for (size_t i = 0; i < 2; i++) {
            size_t tail = strlen(tails[i]);

            if (len > tail && strncmp(part + len - tail, tails[i], tail) == 0) {
                *ret = (struct info){path, (size_t)(part - path) + len, i == 1};
                return true;
            }
        }
        part += len + (part[len] == '/');
    }
    return false;
}

/* "NAME VERSION" of "NAME-VERSION.dist-info" or "NAME-VERSION-py3.11.egg-info"; kept in the tree.
 * NULL if the directory's name does not have this form. */
static const char *name_distribution(struct tree *tree, const struct info *info)
{
    const char *end = info->path + info->len - (info->is_egg ? 9 : 10), *name = end, *dash, *stop;
    char *text;

    while (name > info->path && name[-1] != '/')
        name--;
    dash = memchr(name, '-', (size_t)(end - name));
    if (!dash)
        return NULL;
    stop = memchr(dash + 1, '-', (size_t)(end - dash - 1)); /* a tag of Python or platform */
    if (!stop)
        stop = end;
    text = must_format("%.*s %.*s", (int)(dash - name), name, (int)(stop - dash - 1), dash + 1);
    if (!manifest_distribution_is_valid(text, strlen(text))) {
        free(text);
        return NULL;
    }
    for (size_t i = tree->distribution_count; i-- > 0;)
        if (strcmp(tree->distributions[i], text) == 0) {
            free(text);
            return tree->distributions[i];
        }
    tree->distributions =
        must_grow(tree->distributions, (tree->distribution_count + 1) * sizeof(char *));
    tree->distributions[tree->distribution_count++] = text;
    return text;
}

static void claim(const struct tree *tree, const char *dir, const char *path, const char *whose)
{
    char joined[PATH_MAX];
    struct tree_file *file = path_join(dir, path, joined) ? tree_find(tree, joined) : NULL;

    if (file && !file->distribution[0]) /* two claims: the first in the order of names counts */
        file->distribution = whose;
}

/* Reads a list and claims what is in it. Damaged lists claim what comes before the damage. */
static void claim_listed(const struct tree *tree, const struct tree_file *list, const char *dir,
                         bool is_record, const char *whose)
{
    CLEANUP_FD int fd = openat(tree->fd, list->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP_FREE char *text = NULL;
    char path[PATH_MAX];
    const char *at, *end;
    size_t len;

    if (fd < 0 || fd_read_all(fd, RECORD_MAX, &text, &len) < 0)
        return; /* tree_hash() reads it as well and says so */
    at = text;
    end = text + len;
    if (is_record) {
        while (record_next(&at, end, path, sizeof(path)) > 0)
            claim(tree, dir, path, whose);
        return;
    }
    for (const char *stop; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        if ((size_t)(stop - at) < sizeof(path)) {
            memcpy(path, at, (size_t)(stop - at));
            path[stop - at] = '\0';
            claim(tree, dir, path, whose);
        }
    }
}

static void attribute_by(struct tree *tree, struct tree_file *file)
{
    struct info info;
    const char *whose;
    char dir[PATH_MAX];

    if (!find_info(file->path, &info) || info.len >= sizeof(dir))
        return;
    whose = name_distribution(tree, &info);
    if (!whose)
        return;
    if (!file->distribution[0])
        file->distribution = whose;
    memcpy(dir, info.path, info.len);
    dir[info.len] = '\0';
    if (!info.is_egg && strcmp(file->path + info.len, "/RECORD") == 0) {
        char *slash = strrchr(dir, '/'); /* its paths begin where the dist-info is */

        if (slash)
            *slash = '\0';
        else
            dir[0] = '\0';
        claim_listed(tree, file, dir, true, whose);
    } else if (info.is_egg && strcmp(file->path + info.len, "/installed-files.txt") == 0) {
        claim_listed(tree, file, dir, false, whose);
    }
}

size_t tree_attribute(struct tree *tree)
{
    char source[PATH_MAX];
    size_t unowned = 0;

    for (size_t i = 0; i < tree->count; i++)
        attribute_by(tree, &tree->files[i]);
    for (size_t i = 0; i < tree->count; i++) {
        struct tree_file *file = &tree->files[i];

        /* Bytecode that was made after the installation is its source's. */
        if (!file->distribution[0] && tree_source_of_bytecode(file->path, source)) {
            const struct tree_file *made_from = tree_find(tree, source);

            if (made_from)
                file->distribution = made_from->distribution;
        }
        unowned += !file->distribution[0];
    }
    return unowned;
}
