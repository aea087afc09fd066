/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/hook_name.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char *const names[] = {"sitecustomize", "usercustomize"};

/* Whether the text from `from` to `to` is one of the two names. */
static bool is_name(const char *from, const char *to)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == (size_t)(to - from) &&
            memcmp(from, names[i], (size_t)(to - from)) == 0)
            return true;
    return false;
}

/* The start of the last component of the path that ends at `end`. */
static const char *component(const char *path, const char *end)
{
    while (end > path && end[-1] != '/')
        end--;
    return end;
}

/* The name of the directory that `file`, within `path`, is in, __pycache__ left out, is one of the
 * two. */
static bool is_in_package(const char *path, const char *file)
{
    static const char folder[] = "__pycache__";
    const char *end = file, *start;

    for (int i = 0; i < 2 && end > path; i++) {
        end--; /* the slash */
        start = component(path, end);
        if ((size_t)(end - start) != strlen(folder) || memcmp(start, folder, strlen(folder)) != 0)
            return is_name(start, end);
        end = start;
    }
    return false;
}

enum hook_form hook_name_form(const char *path)
{
    const char *end = path + strlen(path), *file = component(path, end);
    const char *dot = strchr(file, '.'), *last = strrchr(file, '.');

    if (!dot ||
        !(is_name(file, dot) || (strncmp(file, "__init__.", 9) == 0 && is_in_package(path, file))))
        return HOOK_NONE;
    if (strcmp(dot, ".py") == 0)
        return HOOK_SOURCE;
    if (strcmp(dot, ".pyc") == 0)
        return HOOK_SOURCELESS;
    if (strcmp(last, ".pyc") == 0)
        return HOOK_CACHE;
    return strcmp(last, ".so") == 0 ? HOOK_NATIVE : HOOK_NONE;
}
