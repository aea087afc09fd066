/* SPDX-License-Identifier: Apache-2.0 */
/* Finding one record in logs. Lines are whole or torn; only the one that is looked for is parsed.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "ctl/explain.h"
#include "ctl/output.h"
#include "event/record.h"

bool explain_is_id(const char *id)
{
    size_t digits = strspn(id, "0123456789abcdef");

    return digits == RECORD_SESSION_DIGITS && id[digits] == '-' && id[digits + 1] &&
           strspn(id + digits + 1, "0123456789") == strlen(id + digits + 1) &&
           strlen(id) <= RECORD_SESSION_DIGITS + 21;
}

/* 1: found, 0: not in this file, or -errno. */
static int find_in_file(const char *path, const char *id, json_t **ret)
{
    CLEANUP_FREE char *line = NULL, *wanted = must_format("\"id\":\"%s\"", id);
    CLEANUP_FILE FILE *file = fopen(path, "re");
    struct stat st;
    size_t room = 0;
    ssize_t len;

    if (!file || fstat(fileno(file), &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    while ((len = getline(&line, &room, file)) >= 0) {
        json_t *record;

        if ((size_t)len > 2 * RECORD_MAX || !strstr(line, wanted))
            continue;
        record = json_loadb(line, (size_t)len, 0, NULL);
        if (record && strcmp(json_member(record, "id"), id) == 0) {
            *ret = record;
            return 1;
        }
        json_decref(record);
    }
    return ferror(file) ? -EIO : 0;
}

/* Files of the session first: their names end in it. Any other .jsonl file may be a shared one. */
static bool may_hold(const char *name, const char *session, bool of_session)
{
    size_t len = strlen(name);

    if (len < 6 || !strstr(name, ".jsonl"))
        return !of_session && strncmp(name, "spython-", 8) != 0 && name[0] != '.';
    return (strncmp(name, "spython-", 8) == 0 && strstr(name, session)) == of_session;
}

/* A place that could not be read, the first one: nobody needs to know if the record turns up. */
struct unread {
    char *path; /* NULL: all were */
    int error;
};

static void note_unread(struct unread *unread, const char *path, int error)
{
    if (unread->path || error == ENOENT)
        return;
    unread->path = must_copy(path);
    unread->error = error;
}

/* 1: found, 0: not here, as far as could be seen. */
static int find_in_directory(const char *directory, const char *id, bool of_session,
                             struct unread *unread, json_t **ret)
{
    char session[RECORD_SESSION_DIGITS + 1];
    DIR *dir = opendir(directory);
    struct dirent *entry;
    int found = 0;

    if (!dir) {
        note_unread(unread, directory, errno);
        return 0;
    }
    memcpy(session, id, RECORD_SESSION_DIGITS);
    session[RECORD_SESSION_DIGITS] = '\0';
    while (found <= 0 && (entry = readdir(dir))) {
        CLEANUP_FREE char *path = must_format("%s/%s", directory, entry->d_name);
        struct stat st;

        if (!may_hold(entry->d_name, session, of_session) || stat(path, &st) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        found = find_in_file(path, id, ret);
        if (found < 0)
            note_unread(unread, path, -found);
    }
    (void)closedir(dir);
    return found > 0;
}

static int find_in_places(const char *id, const char *const *places, size_t place_count,
                          json_t **ret, struct problem *problem)
{
    struct unread unread = {0};
    CLEANUP_FREE char *unread_path = NULL;
    int found = 0;

    for (size_t i = 0; place_count > 0 && !found && i < 2 * place_count; i++)
        found = find_in_directory(places[i % place_count], id, i < place_count, &unread, ret);
    unread_path = unread.path;
    if (found)
        return 0;
    if (unread_path) {
        problem_set(problem, -unread.error, "is in none of the logs that can be read; '%s': %s",
                    safe(unread_path), strerror(unread.error));
        return problem_todo(problem, "ask as the user who may read it, or name the log with --log "
                                     "FILE");
    }
    problem_set(problem, -ENOENT, "is in none of the logs here");
    return problem_todo(problem, "name the log with --log FILE");
}

int explain_find(const char *id, const char *log, const char *const *places, size_t place_count,
                 json_t **ret, struct problem *problem)
{
    int r;

    if (!explain_is_id(id)) {
        problem_set(problem, -EINVAL, "is not the id of a record");
        return problem_todo(problem, "copy it from the message or from \"id\" of the record");
    }
    if (!log)
        return find_in_places(id, places, place_count, ret, problem);
    r = find_in_file(log, id, ret);
    if (r > 0)
        return 0;
    if (r < 0)
        return problem_set(problem, r, "cannot read '%s': %s", safe(log), strerror(-r));
    problem_set(problem, -ENOENT, "is not in that log");
    return problem_todo(problem, "name the log with --log FILE");
}
