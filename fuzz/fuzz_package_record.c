/* SPDX-License-Identifier: Apache-2.0 */
/* RECORD files of packages: each row moves on, and no path leads out of the tree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path)
{
    char out[PATH_MAX], again[PATH_MAX];

    if (!path_join("lib/site-packages", path, out))
        return;
    if (out[0] == '/' || strcmp(out, "..") == 0 || strncmp(out, "../", 3) == 0 ||
        strstr(out, "/../"))
        abort();
    if (!path_join("", out, again) || strcmp(out, again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size, *before = at;
    char path[256];

    (void)tree_path_file_runs_code(at, size);
    while (record_next(&at, end, path, sizeof(path)) == 1) {
        if (at <= before || at > end || strlen(path) >= sizeof(path))
            abort();
        before = at;
        check_path(path);
    }
    return 0;
}
