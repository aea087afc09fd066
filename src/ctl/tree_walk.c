/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the files of a tree; see tree.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/tree.h"

struct walk {
    struct tree *tree;
    const struct tree_options *options;
    struct problem *problem;
    char path[PATH_MAX]; /* of what is looked at, relative */
    int depth;
};

int tree_open(struct tree *tree, const char *path, struct problem *problem)
{
    *tree = (struct tree){.fd = -1};
    if (!realpath(path, tree->root))
        return problem_set(problem, -errno, "cannot resolve it: %s", strerror(errno));
    tree->fd = open(tree->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree->fd < 0)
        return problem_set(problem, -errno, "cannot open it: %s", strerror(errno));
    return 0;
}

static void drop_files(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->files[i].path);
    for (size_t i = 0; i < tree->odd_count; i++)
        free(tree->odd[i]);
    tree->count = tree->odd_count = 0;
}

void tree_done(struct tree *tree)
{
    drop_files(tree);
    for (size_t i = 0; i < tree->distribution_count; i++)
        free(tree->distributions[i]);
    free(tree->distributions);
    free(tree->files);
    free(tree->odd);
    fd_close(tree->fd);
    *tree = (struct tree){.fd = -1};
}

static bool is_excluded(const struct walk *walk, const char *name)
{
    for (const char *const *glob = walk->options->exclude; glob && *glob; glob++)
        if (fnmatch(*glob, walk->path, 0) == 0 || fnmatch(*glob, name, 0) == 0)
            return true;
    return false;
}

/* Something that no manifest can list. */
static int note_odd(struct walk *walk, const char *what, const char *todo)
{
    struct tree *tree = walk->tree;

    if (walk->options->keep_odd) {
        tree->odd = must_grow(tree->odd, (tree->odd_count + 1) * sizeof(*tree->odd));
        tree->odd[tree->odd_count++] = must_copy(walk->path);
        return 0;
    }
    problem_set(walk->problem, UNFIT, "'%s' %s", walk->path, what);
    return problem_todo(walk->problem, "%s", todo);
}

static int add_file(struct walk *walk, uint64_t size)
{
    struct tree *tree = walk->tree;
    char text[128];
    const char *reason;

    if (!manifest_path_is_valid(walk->path, strlen(walk->path), &reason)) {
        (void)snprintf(text, sizeof(text), "cannot be listed: its name %s", reason);
        return note_odd(walk, text, "rename it, or leave it out with --exclude");
    }
    if (tree->count == MANIFEST_MAX_ENTRIES)
        return problem_set(walk->problem, -EFBIG, "it holds more than %u files",
                           MANIFEST_MAX_ENTRIES);
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity ? tree->capacity * 2 : 1024;
        tree->files = must_grow(tree->files, tree->capacity * sizeof(*tree->files));
    }
    tree->files[tree->count++] = (struct tree_file){.path = must_copy(walk->path),
                                                    .size = size,
                                                    .flags = tree_flags_of_name(walk->path),
                                                    .distribution = ""};
    return 0;
}

static int walk_directory(struct walk *walk, int parent, const char *name, size_t len);

static int look_at(struct walk *walk, int dir, const char *name, size_t len)
{
    struct stat st;

    if (is_excluded(walk, name))
        return 0;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return problem_set(walk->problem, -errno, "cannot look at '%s': %s", walk->path,
                           strerror(errno));
    if (S_ISLNK(st.st_mode))
        return 0;
    if (S_ISDIR(st.st_mode))
        return walk_directory(walk, dir, name, len);
    if (S_ISREG(st.st_mode))
        return add_file(walk, (uint64_t)st.st_size);
    return note_odd(walk, "is neither a file nor a directory",
                    "remove it, or leave it out with --exclude");
}

/* walk->path is that of the directory, `len` its length. */
static int walk_entries(struct walk *walk, DIR *stream, size_t len)
{
    const struct dirent *entry;
    int r = 0;

    while (r == 0 && (errno = 0, entry = readdir(stream)) != NULL) {
        const char *name = entry->d_name;
        size_t name_len = strlen(name), slash = len ? 1 : 0;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (len + slash + name_len >= sizeof(walk->path))
            return problem_set(walk->problem, -ENAMETOOLONG, "the path of '%s' in '%s' is too long",
                               name, walk->path);
        if (slash)
            walk->path[len] = '/';
        memcpy(walk->path + len + slash, name, name_len + 1);
        r = look_at(walk, dirfd(stream), name, len + slash + name_len);
        walk->path[len] = '\0';
    }
    if (r == 0 && errno != 0)
        r = problem_set(walk->problem, -errno, "cannot read '%s': %s", walk->path, strerror(errno));
    return r;
}

static int walk_directory(struct walk *walk, int parent, const char *name, size_t len)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (!stream) {
        r = problem_set(walk->problem, -errno, "cannot open '%s': %s", walk->path, strerror(errno));
        fd_close(fd);
        return r;
    }
    if (++walk->depth > TREE_MAX_DEPTH)
        r = problem_set(walk->problem, -ELOOP, "'%s' lies deeper than %d directories", walk->path,
                        TREE_MAX_DEPTH);
    else
        r = walk_entries(walk, stream, len);
    walk->depth--;
    (void)closedir(stream);
    return r;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct tree_file *)a)->path, ((const struct tree_file *)b)->path);
}

int tree_walk(struct tree *tree, const struct tree_options *options, struct problem *problem)
{
    struct walk *walk = must_alloc(sizeof(*walk));
    int r;

    *walk = (struct walk){.tree = tree, .options = options, .problem = problem};
    drop_files(tree);
    r = walk_directory(walk, tree->fd, ".", 0);
    free(walk);
    if (r == 0 && tree->count > 0)
        qsort(tree->files, tree->count, sizeof(*tree->files), compare_files);
    return r;
}

struct tree_file *tree_find(const struct tree *tree, const char *path)
{
    const struct tree_file key = {.path = (char *)(uintptr_t)path};

    if (tree->count == 0)
        return NULL;
    return bsearch(&key, tree->files, tree->count, sizeof(*tree->files), compare_files);
}

size_t tree_filter(struct tree *tree, bool (*keep)(void *arg, const struct tree_file *file),
                   void *arg)
{
    size_t kept = 0, before = tree->count;

    for (size_t i = 0; i < before; i++) {
        if (keep(arg, &tree->files[i]))
            tree->files[kept++] = tree->files[i];
        else
            free(tree->files[i].path);
    }
    tree->count = kept;
    return before - kept;
}
