/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of tool.h: made with mode 0700 under a name nobody can guess. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "trust/tool.h"

int tool_dir_make(struct tool_dir *ret, struct err *err)
{
    (void)snprintf(ret->path, sizeof(ret->path), "/tmp/spythonctl.XXXXXX");
    if (!mkdtemp(ret->path)) {
        int r = -errno;

        ret->path[0] = '\0';
        return err_set(err, r, "cannot make a directory in '/tmp': %s", strerror(-r));
    }
    return 0;
}

int tool_dir_write(const struct tool_dir *dir, const char *name, const void *data, size_t len,
                   char path[128], struct err *err)
{
    CLEANUP_FD int fd = -1;
    int r;

    (void)snprintf(path, 128, "%s/%s", dir->path, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, -errno, "cannot make '%s': %s", path, strerror(errno));
    r = fd_write_all(fd, data, len, NULL);
    if (r < 0)
        return err_set(err, r, "cannot write '%s': %s", path, strerror(-r));
    return 0;
}

void tool_dir_remove(struct tool_dir *dir)
{
    DIR *stream = dir->path[0] ? opendir(dir->path) : NULL;

    if (!stream)
        return;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(stream), entry->d_name, 0); /* what stays, rmdir keeps */
    (void)closedir(stream);
    (void)rmdir(dir->path); /* at worst an empty directory stays in /tmp */
    dir->path[0] = '\0';
}
