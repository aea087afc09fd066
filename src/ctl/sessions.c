/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/sessions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"

#define PROC_FILE_MAX (16u << 20)

static const char deleted[] = " (deleted)";

/* The fields of one line of maps that matter: inode and path. */
static bool split_map_line(char *line, unsigned long *ret_inode, char **ret_path)
{
    char *rest = line, *field = NULL;

    /* address perms offset dev inode, then blanks and the path, which may hold blanks */
    for (int i = 0; i < 5; i++) {
        while (rest && *rest == ' ')
            rest++;
        field = strsep(&rest, " ");
        if (!field || !rest)
            return false;
    }
    while (*rest == ' ')
        rest++;
    *ret_inode = strtoul(field, NULL, 10);
    *ret_path = rest;
    return rest[0] == '/';
}

/* Cuts " (deleted)" off; true if it was there. */
static bool cut_deleted(char *path)
{
    size_t len = strlen(path), tail = sizeof(deleted) - 1;

    if (len < tail || strcmp(path + len - tail, deleted) != 0)
        return false;
    path[len - tail] = '\0';
    return true;
}

static bool read_core_path(const char *path, const char *libexec, char minor[MINOR_SIZE])
{
    size_t len = strlen(libexec), digits;

    if (strncmp(path, libexec, len) != 0 || path[len] != '/')
        return false;
    path += len + 1;
    digits = strcspn(path, "/");
    if (digits >= MINOR_SIZE || strcmp(path + digits, "/core.so") != 0)
        return false;
    memcpy(minor, path, digits);
    minor[digits] = '\0';
    return is_minor(minor);
}

/* An overlay may show another inode number in maps than stat does: then the name decides. The name
 * follows renames, so an earlier policy shows as policy.bin.1 or as deleted. */
static enum session_policy judge_policy(const struct session_paths *paths, unsigned long inode,
                                        const char *path, bool is_deleted)
{
    if (!paths->policy_stat)
        return SESSION_POLICY_STALE;
    if (inode == paths->policy_stat->st_ino)
        return SESSION_POLICY_CURRENT;
    return !is_deleted && strcmp(path, paths->policy) == 0 ? SESSION_POLICY_CURRENT
                                                           : SESSION_POLICY_STALE;
}

bool session_read_maps(const char *maps, const struct session_paths *paths, struct session *ret)
{
    CLEANUP_FREE char *copy = must_copy(maps);
    size_t policy_len = strlen(paths->policy);
    char *rest = copy, *line, *path;
    bool has_core = false;

    ret->policy = SESSION_POLICY_BUILT_IN;
    while ((line = strsep(&rest, "\n")) != NULL) {
        unsigned long inode;
        bool is_deleted;

        if (!split_map_line(line, &inode, &path))
            continue;
        is_deleted = cut_deleted(path);
        if (read_core_path(path, paths->libexec, ret->minor)) {
            has_core = true;
            ret->core_replaced = is_deleted;
        } else if (ret->policy != SESSION_POLICY_STALE &&
                   strncmp(path, paths->policy, policy_len) == 0 &&
                   (path[policy_len] == '\0' || path[policy_len] == '.')) {
            /* One that has looked into a newer policy maps both: what it started with counts. */
            ret->policy = judge_policy(paths, inode, path, is_deleted);
        }
    }
    return has_core;
}

/* The name is spython-TIME-PID-SESSION.jsonl, after a rotation spython-TIME-PID-SESSION.N.jsonl. */
bool session_of_log(const char *path, char id[RECORD_SESSION_DIGITS + 1])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dash = strrchr(name, '-'), *rest;

    if (!dash || strncmp(name, "spython-", 8) != 0 ||
        strspn(dash + 1, "0123456789abcdef") != RECORD_SESSION_DIGITS)
        return false;
    rest = dash + 1 + RECORD_SESSION_DIGITS;
    if (rest[0] == '.' && rest[1] >= '0' && rest[1] <= '9')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (strcmp(rest, ".jsonl") != 0 && strcmp(rest, ".jsonl (deleted)") != 0)
        return false;
    memcpy(id, dash + 1, RECORD_SESSION_DIGITS);
    id[RECORD_SESSION_DIGITS] = '\0';
    return true;
}

char *session_script(char *const *argv)
{
    for (size_t i = argv[0] ? 1 : 0; argv[i]; i++) {
        const char *word = argv[i];

        if (word[0] != '-' || word[1] == '\0')
            return must_copy(word);
        if (word[1] == '-')
            continue;
        for (const char *letter = word + 1; *letter; letter++) {
            if (*letter == 'c')
                return must_copy("-c");
            if (*letter == 'm')
                return must_format("-m %s", letter[1]     ? letter + 1
                                            : argv[i + 1] ? argv[i + 1]
                                                          : "");
            if (*letter == 'W' || *letter == 'X') { /* their value may be the next word */
                i += !letter[1] && argv[i + 1];
                break;
            }
        }
    }
    return must_copy("");
}

static int read_proc_file(int dir, const char *name, char **ret, size_t *ret_len)
{
    CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    return fd_read_all(fd, PROC_FILE_MAX, ret, ret_len);
}

static void read_command_line(int dir, struct session *session)
{
    CLEANUP_FREE char *text = NULL;
    size_t len = 0, count = 0;

    if (read_proc_file(dir, "cmdline", &text, &len) < 0)
        len = 0;
    for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
        session->argv = must_grow(session->argv, (count + 2) * sizeof(char *));
        session->argv[count++] = must_copy(text + at);
    }
    session->argv = must_grow(session->argv, (count + 1) * sizeof(char *));
    session->argv[count] = NULL;
    session->script = session_script(session->argv);
}

static void find_log(int dir, struct session *session)
{
    int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *links = fd < 0 ? NULL : fdopendir(fd);

    if (!links)
        fd_close(fd);
    for (struct dirent *entry; links && !session->log && (entry = readdir(links)) != NULL;) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(dirfd(links), entry->d_name, target, sizeof(target) - 1);

        if (n <= 0)
            continue;
        target[n] = '\0';
        if (session_of_log(target, session->id))
            session->log = must_copy(target);
    }
    if (links)
        (void)closedir(links);
}

static uid_t read_uid(int dir)
{
    CLEANUP_FREE char *text = NULL;
    const char *line = NULL;
    size_t len;

    if (read_proc_file(dir, "status", &text, &len) == 0 && text)
        line = strstr(text, "\nUid:");
    return line ? (uid_t)strtoul(line + 5, NULL, 10) : (uid_t)-1;
}

static bool looks_like_python(int dir)
{
    CLEANUP_FREE char *name = NULL;
    size_t len;

    return read_proc_file(dir, "comm", &name, &len) == 0 && name && strstr(name, "python") != NULL;
}

static void append(struct session_list *list, const struct session *session)
{
    list->items = must_grow(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count++] = *session;
}

static void look_at_process(int dir, pid_t pid, const struct session_paths *paths,
                            struct session_list *list)
{
    struct session session = {.pid = pid};
    CLEANUP_FREE char *maps = NULL;
    size_t len;
    int r = read_proc_file(dir, "maps", &maps, &len);

    if (r == -EACCES || r == -EPERM) {
        if (!looks_like_python(dir)) {
            list->unreadable++;
            return;
        }
    } else if (r < 0 || !session_read_maps(maps, paths, &session)) {
        return; /* gone, or none of ours */
    } else {
        session.is_readable = true;
        find_log(dir, &session);
    }
    session.uid = read_uid(dir);
    read_command_line(dir, &session);
    append(list, &session);
}

int session_list_scan(const char *proc, const struct session_paths *paths, struct session_list *ret)
{
    DIR *processes = opendir(proc);

    *ret = (struct session_list){0};
    if (!processes)
        return -errno;
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        CLEANUP_FD int dir = -1;
        char *end;
        long pid = strtol(entry->d_name, &end, 10);

        if (pid <= 0 || *end)
            continue;
        dir = openat(dirfd(processes), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir >= 0)
            look_at_process(dir, (pid_t)pid, paths, ret);
    }
    (void)closedir(processes);
    return 0;
}

void session_list_done(struct session_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct session *session = &list->items[i];

        for (size_t j = 0; session->argv && session->argv[j]; j++)
            free(session->argv[j]);
        free(session->argv);
        free(session->log);
        free(session->script);
    }
    free(list->items);
    *list = (struct session_list){0};
}
