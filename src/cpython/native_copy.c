/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/native_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "cpython/native_path.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

#define MAX_COPIES 256
#define COPY_FD_MIN 512 /* out of the program's way */
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static struct native_copy copies[MAX_COPIES];
static unsigned copy_count;

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Is what lies under the copy's number still the copy? The program can close any descriptor. */
static bool is_alive(const struct native_copy *copy)
{
    struct stat st;

    return fstat(copy->fd, &st) == 0 && st.st_dev == copy->self.st_dev &&
           st.st_ino == copy->self.st_ino;
}

static struct native_copy *find(const struct stat *st)
{
    for (unsigned i = 0; i < copy_count; i++)
        if (is_same_file(&copies[i].of, st) && is_alive(&copies[i]))
            return &copies[i];
    return NULL;
}

/* Kernels from 6.3 on want to be told that it may be executed; older ones do not know the flag. */
static int make_memory(const char *real)
{
    const char *slash = strrchr(real, '/');
    char name[200];
    int fd;

    (void)snprintf(name, sizeof(name), "spython:%s", slash ? slash + 1 : real);
    fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd_move_high(fd, COPY_FD_MIN);
}

static int transfer(int from, int to, off_t size)
{
    char block[16384];
    off_t at = 0;

    while (at < size) {
        ssize_t n = pread(from, block, sizeof(block), at);
        int r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -ESTALE;
        r = fd_write_all(to, block, (size_t)n, NULL);
        if (r < 0)
            return r;
        at += n;
    }
    return 0;
}

static int map(struct native_copy *copy)
{
    void *data = mmap(NULL, (size_t)copy->self.st_size, PROT_READ, MAP_SHARED, copy->fd, 0);

    if (data == MAP_FAILED)
        return -errno;
    copy->data = data;
    return 0;
}

static int make(struct native_copy *copy, int fd, const struct stat *st, const char *real)
{
    CLEANUP_FD int memory = make_memory(real);
    const char *slash = strrchr(real, '/');
    int r;

    if (memory < 0)
        return memory;
    r = transfer(fd, memory, st->st_size);
    if (r < 0)
        return r;
    if (fcntl(memory, F_ADD_SEALS, SEALS) < 0 || fstat(memory, &copy->self) < 0)
        return -errno;
    copy->of = *st;
    copy->fd = memory;
    r = map(copy);
    if (r < 0)
        return r;
    (void)snprintf(copy->path, sizeof(copy->path), "/proc/self/fd/%d", memory);
    (void)snprintf(copy->directory, sizeof(copy->directory), "%.*s",
                   slash ? (int)(slash - real) : 0, real);
    copy->fd = steal_fd(&memory);
    return 0;
}

struct native_copy *native_copy_get(int fd, const struct stat *st, const char *real, size_t max)
{
    struct native_copy *copy = find(st);
    int r;

    if (copy) {
        r = map(copy);
    } else if ((size_t)st->st_size > max) {
        r = -EFBIG;
    } else if (copy_count == MAX_COPIES) {
        r = -ENOSPC;
    } else {
        copy = &copies[copy_count];
        r = make(copy, fd, st, real);
        copy_count += r == 0; /* last: a fork may fall in between */
    }
    if (r == 0)
        return copy;
    errno = -r;
    return NULL;
}

void native_copy_release(struct native_copy *copy)
{
    (void)munmap((void *)(uintptr_t)copy->data, (size_t)copy->self.st_size);
    copy->data = NULL;
}

/* The dynamic linker keeps addresses of the dynamic section relative on some machines. */
static const char *string_of(const struct link_map *map, const char *table, size_t size,
                             size_t offset)
{
    if ((uintptr_t)table < map->l_addr)
        table += map->l_addr;
    if (offset >= size || !memchr(table + offset, '\0', size - offset))
        return NULL;
    return table + offset;
}

static const char *search_list(const struct link_map *map)
{
    const char *table = NULL;
    size_t size = 0, run = 0, old = 0;

    for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_STRTAB)
            table = (const char *)d->d_un.d_ptr; /* NOLINT(performance-no-int-to-ptr) */
        else if (d->d_tag == DT_STRSZ)
            size = d->d_un.d_val;
        else if (d->d_tag == DT_RUNPATH)
            run = d->d_un.d_val;
        else if (d->d_tag == DT_RPATH)
            old = d->d_un.d_val;
    }
    if (!table || (!run && !old))
        return NULL;
    return string_of(map, table, size, run ? run : old);
}

bool native_copy_find_needed(const struct link_map *requester, const char *name, char out[PATH_MAX])
{
    const char *list;

    if (!requester || !requester->l_name)
        return false;
    for (unsigned i = 0; i < copy_count; i++) {
        if (strcmp(copies[i].path, requester->l_name) != 0)
            continue;
        list = search_list(requester);
        return list && native_path_search(list, copies[i].directory, name, out);
    }
    return false;
}
