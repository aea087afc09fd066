/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/hook_list.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "ctl/files.h"
#include "ctl/interpreter.h"
#include "ctl/output.h"
#include "ctl/tree.h"
#include "trust/hook_name.h"

#define LIST_MAX ((size_t)64 << 20)
#define HOOK_MAX ((size_t)16 << 20) /* bytes of one hook */

static void add_place(struct hook_places *places, char *path)
{
    CLEANUP_FREE char *given = path;
    char real[PATH_MAX];

    if (!realpath(given, real))
        return; /* not every interpreter has every directory */
    for (size_t i = 0; i < places->count; i++)
        if (strcmp(places->items[i], real) == 0)
            return;
    places->items = must_grow(places->items, (places->count + 1) * sizeof(*places->items));
    places->items[places->count++] = must_copy(real);
}

void hook_places_add_interpreters(struct hook_places *places, const struct ctl *ctl)
{
    struct interpreter *all;
    size_t count = interpreter_all(ctl, &all);

    for (size_t i = 0; i < count; i++) {
        const char *prefix = all[i].record.prefix, *minor = all[i].minor;

        if (!all[i].is_registered || !prefix[0])
            continue;
        add_place(places, must_copy(all[i].record.stdlib));
        add_place(places, must_format("%s/lib/python%s/site-packages", prefix, minor));
        add_place(places, must_format("%s/lib/python%s/dist-packages", prefix, minor));
        add_place(places, must_format("%s/lib/python3/dist-packages", prefix)); /* Debian */
        add_place(places, must_format("%s/local/lib/python%s/dist-packages", prefix, minor));
    }
    free(all);
}

void hook_places_add_venv(struct hook_places *places, const char *root, const char *minor)
{
    add_place(places, must_format("%s/lib/python%s/site-packages", root, minor));
}

void hook_places_done(struct hook_places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free(places->items[i]);
    free(places->items);
    *places = (struct hook_places){.count = 0};
}

void hook_list_done(struct hook_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].path);
    free(list->items);
    *list = (struct hook_list){.count = 0};
}

static void add_hook(struct hook_list *list, const char *path, const char *digest)
{
    struct hook *hook;

    list->items = must_grow(list->items, (list->count + 1) * sizeof(*list->items));
    hook = &list->items[list->count++];
    hook->path = must_copy(path);
    (void)snprintf(hook->digest, sizeof(hook->digest), "%.64s", digest);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct hook *)a)->path, ((const struct hook *)b)->path);
}

static void sort(struct hook_list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof(*list->items), by_path);
}

static char *list_path(const struct ctl *ctl)
{
    return must_format("%s/hooks.list", ctl->etc);
}

int hook_list_read(const struct ctl *ctl, struct hook_list *ret, bool *ret_exists,
                   struct problem *problem)
{
    CLEANUP_FREE char *path = list_path(ctl), *text = NULL;
    size_t len;
    int r = file_read(path, LIST_MAX, &text, &len, problem);

    *ret = (struct hook_list){.count = 0};
    if (ret_exists)
        *ret_exists = r == 0;
    if (r == -ENOENT) {
        *problem = (struct problem){.todo = ""};
        return 0;
    }
    if (r < 0)
        return r;
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        /* What is no entry is the policy's compiler's to complain about. */
        if (strlen(line) > 66 && line[64] == ' ' && line[65] == ' ' && line[66] == '/')
            add_hook(ret, line + 66, line);
    }
    sort(ret);
    return 0;
}

static bool ends_with(const char *text, const char *tail)
{
    size_t len = strlen(text), tail_len = strlen(tail);

    return len >= tail_len && strcmp(text + len - tail_len, tail) == 0;
}

/* Adds the file if it runs code at start-up. One that cannot be read is not known. */
static int look_at(struct hook_list *list, const char *path, struct problem *problem)
{
    CLEANUP_FREE char *text = NULL;
    struct problem ignored = {0};
    uint8_t digest[DIGEST_SIZE];
    char real[PATH_MAX], hex[DIGEST_HEX_SIZE];
    struct stat st;
    size_t len;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !realpath(path, real) ||
        file_read(real, HOOK_MAX, &text, &len, &ignored) < 0)
        return 0;
    if (ends_with(path, ".pth") && !tree_path_file_runs_code(text, len))
        return 0;
    if (strchr(real, '\n')) {
        problem_set(problem, UNFIT, "the path of a start-up hook holds a newline: '%s'",
                    safe(real));
        return problem_todo(problem, "rename or remove it");
    }
    digest_sha256(text, len, digest);
    hex_encode(digest, sizeof(digest), hex);
    add_hook(list, real, hex);
    return 0;
}

/* Where hooks lie, from a place on. */
static const char *const below[] = {
    "",
    "/__pycache__",
    "/sitecustomize",
    "/sitecustomize/__pycache__",
    "/usercustomize",
    "/usercustomize/__pycache__",
};

/* Whether a file of this path may be a start-up hook. Caches are looked at one by one, because the
 * interpreter runs what is in them and not what is in their source. */
static bool is_hook_name(const char *path, bool in_place)
{
    enum hook_form form = hook_name_form(path);

    return form == HOOK_SOURCE || form == HOOK_CACHE || form == HOOK_SOURCELESS ||
           (in_place && (ends_with(path, ".pth") || ends_with(path, ".start")));
}

static int look_into_directory(struct hook_list *list, const char *path, bool is_place,
                               struct problem *problem)
{
    DIR *dir = opendir(path);
    int r = 0;

    if (!dir && !is_place && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (!dir)
        return problem_set(problem, -errno, "cannot open '%s': %s", safe(path), strerror(errno));
    for (const struct dirent *entry; r == 0 && (entry = readdir(dir)) != NULL;) {
        CLEANUP_FREE char *file = must_format("%s/%s", path, entry->d_name);

        if (is_hook_name(file, is_place))
            r = look_at(list, file, problem);
    }
    (void)closedir(dir);
    return r;
}

static int look_into(struct hook_list *list, const char *place, struct problem *problem)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(below) / sizeof(below[0]); i++) {
        CLEANUP_FREE char *path = must_format("%s%s", place, below[i]);

        r = look_into_directory(list, path, i == 0, problem);
    }
    return r;
}

static bool is_below(const char *path, const struct hook_places *places)
{
    for (size_t i = 0; i < places->count; i++) {
        size_t len = strlen(places->items[i]);
        const char *rest, *slash;

        if (strncmp(path, places->items[i], len) != 0 || path[len] != '/')
            continue;
        rest = path + len;
        slash = strrchr(rest, '/');
        for (size_t k = 0; k < sizeof(below) / sizeof(below[0]); k++)
            if (strlen(below[k]) == (size_t)(slash - rest) &&
                memcmp(below[k], rest, (size_t)(slash - rest)) == 0)
                return true;
    }
    return false;
}

static const struct hook *find(const struct hook_list *list, const char *path)
{
    struct hook wanted = {.path = (char *)(uintptr_t)path};

    return list->count ? bsearch(&wanted, list->items, list->count, sizeof(*list->items), by_path)
                       : NULL;
}

static void print_change(const char *what, const char *path)
{
    printf("start-up hook %s: %s\n", what, safe(path));
}

static void print_changes(const struct hook_list *before, const struct hook_list *after)
{
    for (size_t i = 0; i < after->count; i++) {
        const struct hook *old = find(before, after->items[i].path);

        if (!old || strcmp(old->digest, after->items[i].digest) != 0)
            print_change(old ? "changed" : "noted", after->items[i].path);
    }
    for (size_t i = 0; i < before->count; i++)
        if (!find(after, before->items[i].path))
            print_change("gone", before->items[i].path);
}

static int write_list(const struct ctl *ctl, const struct hook_list *list, struct problem *problem)
{
    CLEANUP_FREE char *path = list_path(ctl), *text = NULL;
    size_t len = 0, room = 256;

    text = must_alloc(room);
    len =
        (size_t)snprintf(text, room,
                         "# Files that run code when Python starts, as they were looked at last.\n"
                         "# spythonctl hooks take writes this list anew.\n");
    for (size_t i = 0; i < list->count; i++) {
        size_t need = 64 + 2 + strlen(list->items[i].path) + 1;

        text = must_grow(text, len + need + 1);
        len += (size_t)snprintf(text + len, need + 1, "%s  %s\n", list->items[i].digest,
                                list->items[i].path);
    }
    return file_replace(path, text, len, problem);
}

int hook_list_take(const struct ctl *ctl, const struct hook_places *places, struct problem *problem)
{
    struct hook_list before = {.count = 0}, found = {.count = 0}, after = {.count = 0};
    int r = hook_list_read(ctl, &before, NULL, problem);

    for (size_t i = 0; r == 0 && i < places->count; i++)
        r = look_into(&found, places->items[i], problem);
    sort(&found);
    /* Links lead several times to one file, and earlier lists may have it twice. */
    for (size_t i = 0; r == 0 && i < found.count; i++)
        if (i == 0 || strcmp(found.items[i].path, found.items[i - 1].path) != 0)
            add_hook(&after, found.items[i].path, found.items[i].digest);
    for (size_t i = 0; r == 0 && i < before.count; i++)
        if (!is_below(before.items[i].path, places) && !find(&found, before.items[i].path) &&
            (i == 0 || strcmp(before.items[i].path, before.items[i - 1].path) != 0))
            add_hook(&after, before.items[i].path, before.items[i].digest);
    sort(&after);
    if (r == 0)
        r = write_list(ctl, &after, problem);
    if (r == 0)
        print_changes(&before, &after);
    hook_list_done(&before);
    hook_list_done(&found);
    hook_list_done(&after);
    return r;
}
