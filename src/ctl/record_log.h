/* SPDX-License-Identifier: Apache-2.0 */
/* Records of what spythonctl does to enforcement: var/log/spython/spythonctl.jsonl, in the format
 * of every other record. */
#ifndef SPYTHON_CTL_RECORD_LOG_H
#define SPYTHON_CTL_RECORD_LOG_H

#include "ctl/pending.h"

/* Appends one record of level critical and brings it to disk. `event` is "spython.off" or
 * "spython.on"; `how` may be NULL. 0 or -errno. */
int record_log_off(const struct ctl *ctl, const char *event, const struct pending *pending,
                   const char *how, struct problem *problem);

/* Sets room aside for records to come, for the day when the disk is full. Best effort. */
void record_log_reserve(const struct ctl *ctl);

#endif
