/* SPDX-License-Identifier: Apache-2.0 */
/* Reading RECORD files, whose paths come from whoever built the package; see tree.h. */
#include <errno.h>
#include <string.h>

#include "ctl/tree.h"

/* Puts one byte; false if there is no room for it and a NUL. */
static bool put(char *out, size_t size, size_t *at, char c)
{
    if (*at + 1 >= size)
        return false;
    out[(*at)++] = c;
    return true;
}

/* The first field. *at is then at the comma or line end behind it. */
static int take_field(const char **at, const char *end, char *out, size_t size)
{
    const char *p = *at;
    bool quoted = p < end && *p == '"';
    size_t len = 0;

    if (quoted)
        p++;
    for (;; p++) {
        if (p == end) {
            if (quoted)
                return -EBADMSG;
            break;
        }
        if (*p == '\0')
            return -EBADMSG;
        if (quoted && *p == '"') {
            if (p + 1 < end && p[1] == '"') {
                p++;
            } else {
                p++;
                break;
            }
        } else if (!quoted && (*p == ',' || *p == '\n' || *p == '\r')) {
            break;
        }
        if (!put(out, size, &len, *p))
            return -EBADMSG;
    }
    if (p < end && *p != ',' && *p != '\n' && *p != '\r')
        return -EBADMSG;
    out[len] = '\0';
    *at = p;
    return 0;
}

/* Digest and size are not looked at, but may be quoted as well. */
static int skip_row(const char **at, const char *end)
{
    bool quoted = false;
    const char *p;

    for (p = *at; p < end && (quoted || *p != '\n'); p++)
        if (*p == '"')
            quoted = !quoted;
    if (quoted)
        return -EBADMSG;
    *at = p < end ? p + 1 : p;
    return 0;
}

int record_next(const char **at, const char *end, char *out, size_t size)
{
    int r;

    while (*at < end && (**at == '\n' || **at == '\r'))
        (*at)++;
    if (*at == end)
        return 0;
    r = take_field(at, end, out, size);
    if (r == 0)
        r = skip_row(at, end);
    return r < 0 ? r : 1;
}

/* Adds the parts of `path` to `out`, which holds *len bytes. */
static bool add_parts(const char *path, char out[PATH_MAX], size_t *len)
{
    while (*path) {
        size_t part = strcspn(path, "/");

        if (part == 2 && path[0] == '.' && path[1] == '.') {
            if (*len == 0)
                return false;
            while (*len > 0 && out[--*len] != '/')
                ;
        } else if (part > 0 && !(part == 1 && path[0] == '.')) {
            if (*len + 1 + part >= PATH_MAX)
                return false;
            if (*len > 0)
                out[(*len)++] = '/';
            memcpy(out + *len, path, part);
            *len += part;
        }
        path += part + (path[part] == '/');
    }
    return true;
}

bool path_join(const char *dir, const char *path, char out[PATH_MAX])
{
    size_t len = 0;

    if (path[0] == '/' || !add_parts(dir, out, &len) || !add_parts(path, out, &len))
        return false;
    out[len] = '\0';
    return len > 0;
}
