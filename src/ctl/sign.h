/* SPDX-License-Identifier: Apache-2.0 */
/* What `sign` and `verify` share, and the parts of `sign`. */
#ifndef SPYTHON_CTL_SIGN_H
#define SPYTHON_CTL_SIGN_H

#include "ctl/tree.h"

/* Options that both take, from the command line; `exclude` is malloc'ed. CTL_OK or CTL_USAGE after
 * a message. */
int sign_read_tree_options(const struct ctl *ctl, struct tree_options *ret);

/* Reads a number of at least 1 and at most `max`; false after a message about option `name`. */
bool sign_read_number(const char *name, const char *text, uint64_t max, uint64_t *ret);

/* Relative paths of the files below a tree that logs say were loaded. */
struct loaded {
    char **paths; /* sorted, each once; owned */
    size_t count;
};

/* Reads spython.open_code and spython.native records. Lines that are no records are counted. */
int sign_read_log(const char *log, const char *root, struct loaded *ret, size_t *ret_bad,
                  struct problem *problem);
void sign_sort_loaded(struct loaded *loaded);
void sign_loaded_done(struct loaded *loaded);

/* Whether a file was loaded, or is the source or bytecode of one that was. */
bool sign_was_loaded(const struct loaded *loaded, const char *path);

#endif
