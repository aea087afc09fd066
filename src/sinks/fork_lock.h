/* SPDX-License-Identifier: Apache-2.0 */
/* Holding a mutex over fork(2), so that the child finds what it guards whole. Private to
 * src/sinks/. */
#ifndef SPYTHON_SINKS_FORK_LOCK_H
#define SPYTHON_SINKS_FORK_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#define FORK_LOCK_PATIENCE_NS 200000000

/*
 * Locks for a fork that must not wait for ever: the holder may be stuck on a dead file system, or
 * be this very thread (a signal handler that forks). Returns whether the mutex is held; if not, the
 * child may inherit a descriptor too many, and that is all. Preserves errno.
 */
static inline bool lock_for_fork(pthread_mutex_t *lock)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += FORK_LOCK_PATIENCE_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return pthread_mutex_timedlock(lock, &until) == 0;
}

#endif
