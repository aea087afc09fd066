/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.list: the inventory of files that run code when an interpreter starts (.pth with code,
 * .start, sitecustomize, usercustomize). Policy calls those in it, with the same contents, known.
 */
#ifndef SPYTHON_CTL_HOOK_LIST_H
#define SPYTHON_CTL_HOOK_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "ctl/ctl.h"
#include "ctl/problem.h"

struct hook {
    char *path; /* real path; owned */
    char digest[DIGEST_HEX_SIZE];
};

struct hook_list {
    struct hook *items; /* sorted by path */
    size_t count;
};

/* Directories that are looked into. */
struct hook_places {
    char **items; /* owned */
    size_t count;
};

/* Adds the site directories of every registered interpreter. */
void hook_places_add_interpreters(struct hook_places *places, const struct ctl *ctl);

/* Adds that of a virtual environment of Python `minor` ("3.11"). */
void hook_places_add_venv(struct hook_places *places, const char *root, const char *minor);
void hook_places_done(struct hook_places *places);

/* Reads hooks.list; absent is an empty list, and *ret_exists (may be NULL) says so. */
int hook_list_read(const struct ctl *ctl, struct hook_list *ret, bool *ret_exists,
                   struct problem *problem);
void hook_list_done(struct hook_list *list);

/*
 * Looks into `places` and writes hooks.list: what is there now in place of what was noted of these
 * directories, and the rest as it was. Prints what is new, changed or gone. Needs the lock. The
 * caller applies the policy.
 */
int hook_list_take(const struct ctl *ctl, const struct hook_places *places,
                   struct problem *problem);

#endif
