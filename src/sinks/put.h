/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Getting the bytes of one record into a descriptor, whatever the program did to it: signals,
 * partial writes, O_NONBLOCK. Private to src/sinks/.
 */
#ifndef SPYTHON_SINKS_PUT_H
#define SPYTHON_SINKS_PUT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define PUT_PATIENCE_MS 1000 /* how long one record may wait for a full pipe */

/* Every number of ours is at least this: programs and daemonizers close and reuse low ones. */
#define PUT_FD_MIN 200

struct put {
    int fd;
    bool is_socket; /* send(2) without SIGPIPE and without blocking */
    bool newline;   /* one in front of the data, in the same call */
    size_t chunk;   /* ask poll(2) before each piece of this size; 0: one piece, no asking */
    int patience;   /* milliseconds, for all of the data together */
};

/*
 * Writes everything. Returns 0, or -errno (-EAGAIN when patience ran out); *ret_done bytes, the
 * newline included, went out then. Does not preserve errno.
 */
int put_all(const struct put *put, const char *data, size_t len, size_t *ret_done);

/* Keeps SIGPIPE and SIGXFSZ of one write from the program; both are sent to the writing thread. */
struct put_guard {
    sigset_t old;
    sigset_t ours; /* those that were not already waiting */
};

void put_guard_enter(struct put_guard *guard);

/* `error`: what the write returned. */
void put_guard_leave(const struct put_guard *guard, int error);

#endif
