/* SPDX-License-Identifier: Apache-2.0 */
/* What a file's name, and a .pth file's lines, say of when its code runs; see tree.h. */
#include <stdio.h>
#include <string.h>

#include "ctl/tree.h"
#include "trust/hook_name.h"

static bool ends_with(const char *text, const char *tail)
{
    size_t len = strlen(text), tail_len = strlen(tail);

    return len >= tail_len && strcmp(text + len - tail_len, tail) == 0;
}

bool tree_source_of_bytecode(const char *path, char source[PATH_MAX])
{
    static const char folder[] = "__pycache__/";
    const char *slash = strrchr(path, '/'), *name, *dot;
    size_t dir_len;

    if (!slash || !ends_with(path, ".pyc") || strlen(path) + 4 > PATH_MAX)
        return false;
    name = slash + 1;
    dir_len = (size_t)(name - path);
    if (dir_len < strlen(folder) || strncmp(name - strlen(folder), folder, strlen(folder)) != 0 ||
        (dir_len > strlen(folder) && name[-(long)strlen(folder) - 1] != '/'))
        return false;
    dir_len -= strlen(folder);
    dot = strchr(name, '.'); /* a module's name has none, a script's may: take the last tag */
    for (const char *p = dot; p; p = strchr(p + 1, '.'))
        if (strncmp(p, ".cpython-", 9) == 0)
            dot = p;
    if (!dot || dot + 4 >= path + strlen(path))
        return false;
    (void)snprintf(source, PATH_MAX, "%.*s%.*s.py", (int)dir_len, path, (int)(dot - name), name);
    return true;
}

uint32_t tree_flags_of_name(const char *path)
{
    enum hook_form form = hook_name_form(path);
    uint32_t flags = 0;

    if (ends_with(path, ".pyc"))
        flags |= MANIFEST_BYTECODE;
    /* A cache is its source once more. */
    if (ends_with(path, ".start") || (form != HOOK_NONE && form != HOOK_CACHE))
        flags |= MANIFEST_HOOK;
    return flags;
}

/* site.addpackage(): "import" and a space or tab at the very beginning of a line. Newer Pythons
 * decode UTF-8 with a byte order mark. */
bool tree_path_file_runs_code(const char *text, size_t len)
{
    const char *end = text + len, *stop;

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    for (const char *line = text; line < end; line = stop + 1) {
        for (stop = line; stop < end && *stop != '\n' && *stop != '\r';)
            stop++;
        if (stop - line >= 7 && memcmp(line, "import", 6) == 0 &&
            (line[6] == ' ' || line[6] == '\t'))
            return true;
        if (memchr(line, '\f', (size_t)(stop - line)) || memchr(line, '\v', (size_t)(stop - line)))
            return true; /* read by another reader as a line's end: rather one hook too many */
    }
    return false;
}
