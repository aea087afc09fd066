/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/sys.h"

#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

static const int OPEN_FLAGS[] = {
    [SYS_OPEN_DIRECTORY] = O_PATH | O_DIRECTORY | O_NOFOLLOW,
    [SYS_OPEN_FILE] = O_RDONLY | O_NOFOLLOW,
    [SYS_OPEN_FOLLOW] = O_RDONLY,
    [SYS_OPEN_PLACE] = O_PATH,
};

static long address(const void *p)
{
    return (long)(uintptr_t)p;
}

int sys_open_at(int dir, const char *path, enum sys_open how)
{
    int flags = OPEN_FLAGS[how] | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    long r;

    do {
        r = sys_call6(__NR_openat, dir, address(path), flags, 0, 0, 0);
    } while (r == -EINTR);
    return (int)r;
}

int sys_fstat(int fd, struct file_facts *ret)
{
    struct stat st = {0};
    long r = sys_call6(__NR_fstat, fd, address(&st), 0, 0, 0, 0);

    if (r < 0)
        return (int)r;
    ret->dev = st.st_dev;
    ret->ino = st.st_ino;
    ret->size = (uint64_t)st.st_size;
    ret->mtime_sec = (int64_t)st.st_mtime;
    ret->mtime_nsec = (int64_t)st.st_mtime_nsec;
    ret->ctime_sec = (int64_t)st.st_ctime;
    ret->ctime_nsec = (int64_t)st.st_ctime_nsec;
    ret->mode = st.st_mode;
    ret->uid = st.st_uid;
    return 0;
}

long sys_read_at(int fd, void *buf, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        long r = sys_call6(__NR_pread64, fd, address((char *)buf + done), (long)(len - done),
                           (long)(offset + done), 0, 0);

        if (r == -EINTR)
            continue;
        if (r < 0)
            return r;
        if (r == 0)
            break;
        done += (size_t)r;
    }
    return (long)done;
}

long sys_write(int fd, const void *data, size_t len)
{
    return sys_call6(__NR_write, fd, address(data), (long)len, 0, 0, 0);
}

long sys_readlink(const char *path, char *buf, size_t cap)
{
    return sys_call6(__NR_readlinkat, AT_FDCWD, address(path), address(buf), (long)cap, 0, 0);
}

long sys_has_xattr(int fd, const char *name)
{
    long r = sys_call6(__NR_fgetxattr, fd, address(name), 0, 0, 0, 0);

    return r > 0 ? 0 : r;
}

void *sys_memory(size_t len)
{
    long r = sys_call6(__NR_mmap, 0, (long)len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);

    return r < 0 && r > -4096 ? NULL : (void *)(uintptr_t)r;
}

long sys_exec_fd(int fd, const char *const *argv, const char *const *envp)
{
    return sys_call6(__NR_execveat, fd, address(""), address(argv), address(envp), AT_EMPTY_PATH,
                     0);
}

void sys_exit(int status)
{
    for (;;)
        (void)sys_call6(__NR_exit_group, status, 0, 0, 0, 0, 0);
}
