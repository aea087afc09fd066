/* SPDX-License-Identifier: Apache-2.0 */
/* Scope-bound ownership for the three things every module has: memory, descriptors, streams. */
#ifndef SPYTHON_BASE_CLEANUP_H
#define SPYTHON_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"

static inline void cleanup_free_ptr(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close_fd(const int *fd)
{
    fd_close(*fd);
}

static inline void cleanup_close_file(FILE **f)
{
    if (*f)
        (void)fclose(*f); /* only for streams that were read */
}

#define CLEANUP_FREE __attribute__((cleanup(cleanup_free_ptr)))
#define CLEANUP_FD __attribute__((cleanup(cleanup_close_fd)))
#define CLEANUP_FILE __attribute__((cleanup(cleanup_close_file)))

/* Gives ownership of a pointer away: yields its value and leaves NULL behind. */
#define STEAL(p)                                                                                   \
    __extension__({                                                                                \
        __typeof__(p) stolen_ = (p);                                                               \
        (p) = NULL;                                                                                \
        stolen_;                                                                                   \
    })

static inline int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

#endif
