/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes to an end by itself: a policy that waits to be confirmed (ETC/.confirm) and
 * enforcement that is off for a while (ETC/.off). Each is one small file that only root or the
 * owner can read; a detached spythonctl waits for the deadline, and every other spythonctl looks as
 * well. Deadlines are wall-clock time, since they hold across a restart of the machine.
 */
#ifndef SPYTHON_CTL_PENDING_H
#define SPYTHON_CTL_PENDING_H

#include <stdint.h>

#include "base/digest.h"
#include "base/hex.h"
#include "ctl/ctl.h"

enum pending_kind {
    PENDING_CONFIRM = 0,
    PENDING_OFF,
    PENDING_KIND_MAX,
};

#define PENDING_MAX_TEXT 200 /* bytes of a reason */

struct pending {
    enum pending_kind kind;
    int64_t deadline;             /* milliseconds since 1970 */
    int64_t pid;                  /* of the waiting process; 0: not started yet */
    uint64_t serial;              /* of the policy in force */
    uint64_t previous;            /* confirm: what comes back; 0: the built-in one */
    char digest[DIGEST_HEX_SIZE]; /* off: of the observing policy */
    char app[72];                 /* off: "" for all */
    char reason[PENDING_MAX_TEXT + 1];
};

int64_t pending_now(void);

/* "90s", "10m", "2h", at most seven days, into milliseconds. -EINVAL. */
int pending_parse_duration(const char *text, int64_t *ret);

/* A deadline for people, in UTC: "2026-11-24T07:00:00Z". */
void pending_format_time(int64_t deadline, char ret[32]);

/* Reads the file. -ENOENT: nothing is pending; -EACCES; -EBADMSG: damaged; -EPERM: of a stranger.
 */
int pending_read(const struct ctl *ctl, enum pending_kind kind, struct pending *ret,
                 struct problem *problem);

/* Writes it in place, so that it needs no room on the disk if it was there. Needs the lock. */
int pending_write(const struct ctl *ctl, const struct pending *pending, struct problem *problem);

/* Nothing is pending any more; the file of PENDING_OFF stays, empty of meaning. Needs the lock. */
void pending_clear(const struct ctl *ctl, enum pending_kind kind);

/* Makes the file of PENDING_OFF if there is none, for the day when the disk is full. */
void pending_reserve_off(const struct ctl *ctl);

/* Starts the process that waits, and notes its pid. Needs the lock, which it does not inherit. */
int pending_watch(const struct ctl *ctl, struct pending *pending, struct problem *problem);

/* Does what is due by now and says so on stderr. Takes the lock only if something is. */
void pending_expire(const struct ctl *ctl);

/* Ends one of them. `how` lands in the record: "expired", "on". Needs the lock. */
int pending_end(const struct ctl *ctl, const struct pending *pending, const char *how,
                struct problem *problem);

#endif
