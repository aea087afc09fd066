/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of the first stage, raw: each returns what the kernel returns, a negative errno
 * on failure. Only for the freestanding build.
 */
#ifndef SPYTHON_STAGE1_SYS_H
#define SPYTHON_STAGE1_SYS_H

#include <stddef.h>
#include <stdint.h>

#include "stage1/identity.h"

#if defined(__x86_64__)
#include "stage1/sys_x86_64.h"
#elif defined(__aarch64__)
#include "stage1/sys_aarch64.h"
#else
#error "the first stage knows x86-64 and arm64"
#endif

/* All opens are O_CLOEXEC and never wait (a FIFO) or become a controlling terminal. */
enum sys_open {
    SYS_OPEN_DIRECTORY, /* a place only (O_PATH), no symlink */
    SYS_OPEN_FILE,      /* to read, no symlink */
    SYS_OPEN_FOLLOW,    /* to read, symlinks followed */
    SYS_OPEN_PLACE,     /* a place only, symlinks followed */
};

#define SYS_NOWHERE (-100) /* AT_FDCWD: for absolute paths */

int sys_open_at(int dir, const char *path, enum sys_open how);
int sys_fstat(int fd, struct file_facts *ret);

/* Restarts after EINTR; short only at the end of the file. */
long sys_read_at(int fd, void *buf, size_t len, uint64_t offset);
long sys_write(int fd, const void *data, size_t len);

/* Length, not NUL-terminated; `cap` itself means that the text may have been cut. */
long sys_readlink(const char *path, char *buf, size_t cap);

/* 0 if it has the attribute. */
long sys_has_xattr(int fd, const char *name);

/* Zeroed memory for the life of the process, or NULL. */
void *sys_memory(size_t len);

/* Executes the opened file. Returns only on failure. */
long sys_exec_fd(int fd, const char *const *argv, const char *const *envp);

_Noreturn void sys_exit(int status);

#endif
