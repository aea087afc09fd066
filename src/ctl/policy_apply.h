/* SPDX-License-Identifier: Apache-2.0 */
/* From sources to the policy in force, and back: what apply, rollback and venv adopt share. */
#ifndef SPYTHON_CTL_POLICY_APPLY_H
#define SPYTHON_CTL_POLICY_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "policy/policy.h"
#include "policy/policy_compile.h"

#define POLICY_HISTORY 5 /* policy.bin.1 ... policy.bin.5 */

/* Paths below etc/spython, malloc'ed: number 0 is policy.bin itself. */
char *policy_path(const struct ctl *ctl, unsigned number);
char *policy_undone_path(const struct ctl *ctl);

/* The policy in force: policy.bin, or the built-in one (*ret_built_in). 0, or -errno: unusable. */
int policy_in_force(const struct ctl *ctl, struct policy *ret, bool *ret_built_in,
                    struct problem *problem);

/* Takes the lock that every change needs. A descriptor, or -errno. */
int policy_lock(const struct ctl *ctl, struct problem *problem);

/* Whether nobody else can change the sources. 0 or -EPERM. */
int policy_check_sources(const struct ctl *ctl, struct problem *problem);

/* The next serial: one more than any that was given out here, to undone policies as well. */
uint64_t policy_next_serial(const struct ctl *ctl);

/* Compiles the sources, with `more_venv` (may be NULL), into memory; proves that the result loads.
 * Findings are printed to `stream`. The caller frees *ret_data. 0, or -errno with a problem. */
int policy_compile_sources(const struct ctl *ctl, const char *more_venv, uint64_t serial,
                           int64_t applied, FILE *stream, void **ret_data, size_t *ret_len,
                           struct problem *problem);

/* Puts an artefact in force and moves the earlier ones on. Needs the lock. */
int policy_install(const struct ctl *ctl, const void *data, size_t len, struct problem *problem);

struct policy_apply_options {
    bool dry_run;           /* write nothing */
    int64_t confirm_within; /* milliseconds; 0: in force for good. Otherwise etc/spython/.confirm
                             * says when the policy before it comes back: see pending.h */
};

/* Checks owners, compiles, prints the changes of settings, refuses (UNFIT) what would keep the host
 * from starting anything, installs. Needs the lock. *ret_serial is 0 if nothing was installed. */
int policy_apply_sources(const struct ctl *ctl, const struct policy_apply_options *options,
                         uint64_t *ret_serial, struct problem *problem);

/* Prints one finding in the form that editors and CI understand. */
void policy_print_message(FILE *stream, const struct policy_message *message);

/* Does what the sources say lie in policy.bin? SOURCES_SAME needs no apply. */
enum sources_state {
    SOURCES_UNKNOWN = 0,
    SOURCES_SAME,
    SOURCES_CHANGED,
    SOURCES_WRONG, /* they do not compile */
};
enum sources_state policy_compare_sources(const struct ctl *ctl, const struct policy *in_force);

#endif
