/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

char dir[64];
struct seen seen;

void make_dir(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/spython-sinks-XXXXXX");
    assert_non_null(mkdtemp(dir));
    dir[strlen(dir) + 1] = '\0';
    dir[strlen(dir)] = '/';
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void remove_dir(void)
{
    (void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *below(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof(paths[0]), "%s%s", dir, name);
    return path;
}

size_t make_record(char *out, size_t size, const char *session, unsigned tid, uint64_t seq)
{
    int head =
        snprintf(out, size, "{\"v\":1,\"session\":\"%s\",\"tid\":%u,\"seq\":%" PRIu64 ",\"p\":\"",
                 session, tid, seq);

    memset(out + head, 'x', size - (size_t)head - 3);
    memcpy(out + size - 3, "\"}\n", 3);
    return size;
}

int write_records(struct log *log, uint64_t first, uint64_t last)
{
    char text[300];
    int result = 0;

    for (uint64_t seq = first; seq <= last; seq++) {
        int r =
            log_write(log, LEVEL_LOW, seq, text, make_record(text, sizeof(text), SESSION, 1, seq));

        if (r < 0)
            result = r;
    }
    return result;
}

size_t encode_loss(void *ctx, const char *sink, uint64_t lost, uint64_t first, uint64_t last,
                   int error, char *out, size_t cap)
{
    if (ctx)
        ++*(unsigned *)ctx;
    return (size_t)snprintf(out, cap,
                            "{\"loss\":\"%s\",\"session\":\"%s\",\"lost\":%" PRIu64
                            ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"error\":%d}\n",
                            sink, SESSION, lost, first, last, error);
}

struct log *open_session_log(const char *path, enum sink_failure on_failure, const char *session)
{
    const struct sink_config config = {
        .kind = SINK_FILE, .on_failure = on_failure, .level = LEVEL_INFORMATIONAL, .path = path};
    struct err err = ERR_INIT;
    struct log *log = NULL;

    if (log_open(&config, 1, session, encode_loss, NULL, &log, &err) < 0)
        fail_msg("log_open: %s", err.msg);
    return log;
}

struct log *open_file_log(const char *path, enum sink_failure on_failure)
{
    return open_session_log(path, on_failure, SESSION);
}

void seen_clear(void)
{
    memset(&seen, 0, sizeof(seen));
}

static void see_line(const char *line, size_t len, const char *session, uint64_t *last_of)
{
    char id[32] = "", sink[16];
    uint64_t seq, lost, first, last;
    unsigned tid;
    int end = 0, error;

    if (len == 0)
        return;
    if (sscanf(line,
               "{\"loss\":\"%15[a-z]\",\"session\":\"%16[0-9a-f]\",\"lost\":%" SCNu64
               ",\"first\":%" SCNu64 ",\"last\":%" SCNu64 ",\"error\":%d}%n",
               sink, id, &lost, &first, &last, &error, &end) == 6 &&
        (size_t)end == len) {
        seen.loss_records++;
        seen.lost += lost;
        seen.first = first;
        seen.last = last;
        seen.error = error;
        return;
    }
    if (sscanf(line,
               "{\"v\":1,\"session\":\"%16[0-9a-f]\",\"tid\":%u,\"seq\":%" SCNu64 ",\"p\":\"%n", id,
               &tid, &seq, &end) != 3 ||
        end == 0 || strspn(line + end, "x") + (size_t)end + 2 != len ||
        strncmp(line + len - 2, "\"}", 2) != 0 || seq >= SEQ_MAX || tid >= 64) {
        seen.pieces++;
        return;
    }
    if (strcmp(id, session) != 0)
        return;
    seen.records++;
    seen.twice += seen.here[seq] > 0;
    seen.here[seq]++;
    seen.order += seq < last_of[tid];
    last_of[tid] = seq;
}

static void see_stream(const char *path, const char *session, uint64_t *last_of)
{
    CLEANUP_FILE FILE *f = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (!f)
        fail_msg("%s: %s", path, strerror(errno));
    while ((len = getline(&line, &cap, f)) >= 0) {
        bool whole = line[len - 1] == '\n';

        if (whole)
            line[--len] = '\0';
        if (whole)
            see_line(line, (size_t)len, session, last_of);
        else
            seen.pieces++;
    }
    seen.files++;
}

void see_file(const char *path, const char *session)
{
    uint64_t last_of[64] = {0};

    see_stream(path, session, last_of);
}

/* "…-SESSION.jsonl" is number 1, "…-SESSION.N.jsonl" number N; 0: another session's. */
static unsigned number_of(const char *name, const char *session)
{
    const char *at = strstr(name, session);
    unsigned number = 0;

    if (strncmp(name, "spython-", 8) != 0 || !at)
        return 0;
    at += strlen(session);
    if (strcmp(at, ".jsonl") == 0)
        return 1;
    return sscanf(at, ".%u.jsonl", &number) == 1 ? number : 0;
}

void see_session(const char *directory, const char *session)
{
    static char names[4096][128];
    uint64_t last_of[64] = {0};
    DIR *d = opendir(directory);
    struct dirent *entry;

    assert_non_null(d);
    memset(names, 0, sizeof(names));
    while ((entry = readdir(d))) {
        unsigned number = number_of(entry->d_name, session);

        if (number > 0 && number < 4096)
            (void)snprintf(names[number], sizeof(names[0]), "%.127s", entry->d_name);
    }
    closedir(d);
    for (unsigned i = 1; i < 4096; i++) {
        char path[256];

        if (!names[i][0])
            continue;
        (void)snprintf(path, sizeof(path), "%s%s", directory, names[i]);
        see_stream(path, session, last_of);
    }
}

uint64_t missing(uint64_t first, uint64_t last)
{
    uint64_t n = 0;

    for (uint64_t seq = first; seq <= last; seq++)
        n += seen.here[seq] == 0;
    return n;
}

static int max_of(int a, int b)
{
    return a > b ? a : b;
}

int find_fd(const char *prefix)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *entry;
    int found = -1;

    assert_non_null(d);
    while ((entry = readdir(d))) {
        char target[512] = "";
        ssize_t len = readlinkat(dirfd(d), entry->d_name, target, sizeof(target) - 1);

        if (len > 0 && strncmp(target, prefix, strlen(prefix)) == 0)
            found = max_of(found, (int)strtol(entry->d_name, NULL, 10));
    }
    closedir(d);
    return found;
}

unsigned count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}
