/* SPDX-License-Identifier: Apache-2.0 */
/* `sign --from-log`: what an audited run loaded. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "ctl/output.h"
#include "ctl/sign.h"

#define LINE_BYTES_MAX ((size_t)1 << 20) /* no record is that long */

/* The bytes of an argument: a string, {"text": ...} or {"bytes": ...} with \xHH; see
 * spython-record(5). NULL if it is none of these. malloc'ed. */
static char *decode_path(const json_t *value)
{
    const char *plain = json_string_value(value), *escaped;
    char *out;
    size_t at = 0;

    if (!plain)
        plain = json_string_value(json_object_get(value, "text"));
    if (plain)
        return must_copy(plain);
    escaped = json_string_value(json_object_get(value, "bytes"));
    if (!escaped)
        return NULL;
    out = must_alloc(strlen(escaped) + 1);
    for (const char *p = escaped; *p; p++) {
        char byte;

        if (p[0] == '\\' && p[1] == 'x' && p[2] && hex_decode(p + 2, 1, &byte) == 0) {
            out[at++] = byte;
            p += 3;
        } else if (p[0] == '\\' && p[1] == '\\') {
            out[at++] = *p++;
        } else {
            out[at++] = *p;
        }
    }
    return out;
}

static void take_record(const json_t *record, const char *root, struct loaded *ret)
{
    const char *event = json_string_value(json_object_get(record, "event"));
    size_t len = strlen(root);
    CLEANUP_FREE char *path = NULL;

    if (!event || (strcmp(event, "spython.open_code") != 0 && strcmp(event, "spython.native") != 0))
        return;
    path = decode_path(json_object_get(json_object_get(record, "args"), "path"));
    if (!path || strncmp(path, root, len) != 0 || path[len] != '/')
        return;
    ret->paths = must_grow(ret->paths, (ret->count + 1) * sizeof(*ret->paths));
    ret->paths[ret->count++] = must_copy(path + len + 1);
}

int sign_read_log(const char *log, const char *root, struct loaded *ret, size_t *ret_bad,
                  struct problem *problem)
{
    CLEANUP_FILE FILE *stream = fopen(log, "re");
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;
    ssize_t len;

    if (!stream)
        return problem_set(problem, -errno, "cannot open it: %s", strerror(errno));
    while ((errno = 0, len = getline(&line, &size, stream)) >= 0) {
        json_t *record;

        if (len <= 1)
            continue;
        record = (size_t)len > LINE_BYTES_MAX ? NULL : json_loadb(line, (size_t)len, 0, NULL);
        if (record)
            take_record(record, root, ret);
        else
            (*ret_bad)++;
        json_decref(record);
    }
    if (errno)
        return problem_set(problem, -errno, "cannot read it: %s", strerror(errno));
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void sign_sort_loaded(struct loaded *loaded)
{
    size_t kept = 0;

    if (loaded->count == 0)
        return;
    qsort(loaded->paths, loaded->count, sizeof(*loaded->paths), compare);
    for (size_t i = 0; i < loaded->count; i++) {
        if (kept > 0 && strcmp(loaded->paths[kept - 1], loaded->paths[i]) == 0)
            free(loaded->paths[i]);
        else
            loaded->paths[kept++] = loaded->paths[i];
    }
    loaded->count = kept;
}

void sign_loaded_done(struct loaded *loaded)
{
    for (size_t i = 0; i < loaded->count; i++)
        free(loaded->paths[i]);
    free(loaded->paths);
    *loaded = (struct loaded){0};
}

static bool has(const struct loaded *loaded, const char *path)
{
    return loaded->count > 0 &&
           bsearch(&path, loaded->paths, loaded->count, sizeof(*loaded->paths), compare) != NULL;
}

/* Whether some bytecode of the source was loaded. */
static bool has_bytecode_of(const struct loaded *loaded, const char *path)
{
    const char *slash = strrchr(path, '/');
    int dir_len = slash ? (int)(slash + 1 - path) : 0;
    size_t name_len = strlen(path) - (size_t)dir_len;
    CLEANUP_FREE char *front = NULL;
    size_t low = 0, high = loaded->count;

    if (name_len <= 3 || strcmp(path + strlen(path) - 3, ".py") != 0)
        return false;
    front = must_format("%.*s__pycache__/%.*s.", dir_len, path, (int)name_len - 3, path + dir_len);
    while (low < high) { /* the first that is not before `front` */
        size_t middle = low + (high - low) / 2;

        if (strcmp(loaded->paths[middle], front) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < loaded->count && strncmp(loaded->paths[low], front, strlen(front)) == 0;
}

bool sign_was_loaded(const struct loaded *loaded, const char *path)
{
    char source[PATH_MAX];

    if (has(loaded, path) || has_bytecode_of(loaded, path))
        return true;
    return tree_source_of_bytecode(path, source) &&
           (has(loaded, source) || has_bytecode_of(loaded, source));
}
