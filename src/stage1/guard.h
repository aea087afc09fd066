/* SPDX-License-Identifier: Apache-2.0 */
/* The argument that makes a python3 without our core refuse to start (handover.h). Pure. */
#ifndef SPYTHON_STAGE1_GUARD_H
#define SPYTHON_STAGE1_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "stage1/handover.h"

#define GUARD_EXTRA 3 /* argv[0] if there was none, the inserted guard, NULL */

/* Is argv[1] of this length replaced, or is the guard inserted in front of it? */
bool guard_is_replaced(size_t first_len);

/*
 * Builds the argument vector. `out` has room for argc + GUARD_EXTRA pointers, `buf` for
 * HANDOVER_ARGUMENT_MAX + 1 bytes; both live as long as *out is used. `name` becomes argv[0] if
 * there is none. Returns the argument that was replaced, or NULL if the guard was inserted.
 */
const char *guard_build(size_t argc, const char *const *argv, const char *name, const char **out,
                        char *buf);

#endif
