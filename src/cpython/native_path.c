/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/native_path.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/owner.h"

#define MAX_LINKS 40 /* as the kernel */

/* "" stands for the root directory while it is walked. */
static const char *shown(const char *path)
{
    return path[0] ? path : "/";
}

static bool is_below(const char *path, const char *directory)
{
    size_t len = strlen(directory);

    return strncmp(path, directory, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool is_forbidden(const char *path)
{
    return is_below(path, "/proc") || is_below(path, "/dev") || is_below(path, "/sys");
}

/* A procfs may be mounted somewhere else; its links lead where no path says. */
static bool is_in_procfs(const char *directory)
{
    struct statfs fs;

    return statfs(shown(directory), &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
}

static bool lose(struct native_walk *walk)
{
    walk->way = NATIVE_WAY_LOST;
    return false;
}

static bool append(struct native_walk *walk, const char *name, size_t len)
{
    size_t at = strlen(walk->real);

    if (at + 1 + len >= sizeof(walk->real))
        return lose(walk);
    walk->real[at] = '/';
    memcpy(walk->real + at + 1, name, len);
    walk->real[at + 1 + len] = '\0';
    return true;
}

static void strip(struct native_walk *walk)
{
    char *slash = strrchr(walk->real, '/');

    if (slash)
        *slash = '\0';
}

static void note_flaw(struct native_walk *walk, enum owner_flaw flaw, const char *path)
{
    if (flaw == OWNER_SOUND || walk->way == NATIVE_WAY_CHANGEABLE)
        return;
    walk->way = NATIVE_WAY_CHANGEABLE;
    (void)snprintf(walk->at, sizeof(walk->at), "%s", shown(path));
}

/* The entry that `real` names is a symbolic link: goes on with what it says. */
static bool follow(struct native_walk *walk, const char **rest, unsigned *links)
{
    char *next = walk->rest[*links & 1];
    ssize_t len = readlink(walk->real, next, PATH_MAX);
    size_t left = strlen(*rest);

    strip(walk);
    if (len <= 0 || (size_t)len + left + 2 > PATH_MAX || ++*links > MAX_LINKS)
        return lose(walk);
    if (is_in_procfs(walk->real)) {
        walk->way = NATIVE_WAY_FORBIDDEN;
        return false;
    }
    if (next[0] == '/')
        walk->real[0] = '\0';
    next[len] = '/';
    memcpy(next + len + 1, *rest, left + 1);
    *rest = next;
    return true;
}

/* One component. False: there is nothing more to find out. */
static bool step(struct native_walk *walk, uid_t owner, const char **rest, unsigned *links,
                 struct stat *st)
{
    const char *name = *rest;
    size_t len = strcspn(name, "/");
    struct stat entry;

    *rest += len + (name[len] == '/');
    if (len == 0 || (len == 1 && name[0] == '.'))
        return true;
    if (len == 2 && name[0] == '.' && name[1] == '.') {
        strip(walk);
        return lstat(shown(walk->real), st) == 0 || lose(walk);
    }
    if (!append(walk, name, len))
        return false;
    if (is_forbidden(walk->real)) {
        walk->way = NATIVE_WAY_FORBIDDEN;
        return false;
    }
    if (lstat(walk->real, &entry) < 0)
        return lose(walk);
    if (owner_find_directory_flaw(st, owner, entry.st_uid) != OWNER_SOUND) {
        char *slash = strrchr(walk->real, '/');

        *slash = '\0';
        note_flaw(walk, OWNER_EVERYBODY, walk->real);
        *slash = '/';
    }
    if (!S_ISLNK(entry.st_mode)) {
        *st = entry;
        return true;
    }
    if (!follow(walk, rest, links))
        return false;
    return lstat(shown(walk->real), st) == 0 || lose(walk);
}

void native_path_walk(const char *name, uid_t owner, const struct stat *st, struct native_walk *ret)
{
    unsigned links = 0;
    const char *rest = name;
    struct stat at;

    ret->way = NATIVE_WAY_GUARDED;
    ret->real[0] = ret->at[0] = '\0';
    if (name[0] != '/') {
        char *whole = ret->rest[1];
        size_t len;

        if (!getcwd(whole, PATH_MAX) || whole[0] != '/' ||
            (len = strlen(whole)) + strlen(name) + 2 > PATH_MAX) {
            (void)lose(ret);
            return;
        }
        whole[len] = '/';
        memcpy(whole + len + 1, name, strlen(name) + 1);
        rest = whole;
    }
    if (lstat("/", &at) < 0) {
        (void)lose(ret);
        return;
    }
    while (*rest)
        if (!step(ret, owner, &rest, &links, &at))
            return;
    if (at.st_dev != st->st_dev || at.st_ino != st->st_ino)
        (void)lose(ret);
    else
        note_flaw(ret, owner_find_flaw(&at, owner), ret->real);
}

/* The length of the token at `p`, which is a "$"; 0: it is none. */
static size_t token_length(const char *p, const char *name)
{
    size_t len = strlen(name), braces = p[1] == '{';

    if (strncmp(p + 1 + braces, name, len) != 0)
        return 0;
    if (braces)
        return p[len + 2] == '}' ? len + 3 : 0;
    return len + 1;
}

bool native_path_has_token(const char *name)
{
    for (const char *p = strchr(name, '$'); p; p = strchr(p + 1, '$'))
        if (token_length(p, "ORIGIN") || token_length(p, "LIB") || token_length(p, "PLATFORM"))
            return true;
    return false;
}

/* One directory of a list, with $ORIGIN in front replaced. False: cannot be told, or too long. */
static bool expand(const char *item, size_t len, const char *origin, const char *name,
                   char out[PATH_MAX])
{
    size_t token = len && item[0] == '$' ? token_length(item, "ORIGIN") : 0;
    int n;

    if (token > len || memchr(item + token, '$', len - token))
        return false;
    n = snprintf(out, PATH_MAX, "%s%.*s/%s",
                 token ? origin
                 : len ? ""
                       : ".",
                 (int)(len - token), item + token, name);
    return n > 0 && n < PATH_MAX;
}

bool native_path_search(const char *list, const char *origin, const char *name, char out[PATH_MAX])
{
    for (;;) {
        size_t len = strcspn(list, ":");

        if (len < PATH_MAX && expand(list, len, origin, name, out) && access(out, F_OK) == 0)
            return true;
        if (!list[len])
            return false;
        list += len + 1;
    }
}
