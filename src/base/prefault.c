/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prefault.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

void prefault(void *start, size_t len)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)start & ~(page - 1);
    uintptr_t to = ((uintptr_t)start + len + page - 1) & ~(page - 1);
    int saved = errno;

    (void)madvise((char *)start - ((uintptr_t)start - from), to - from, MADV_POPULATE_WRITE);
    errno = saved;
}
