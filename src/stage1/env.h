/* SPDX-License-Identifier: Apache-2.0 */
/* Which variables must not reach the interpreter's libraries. Pure. */
#ifndef SPYTHON_STAGE1_ENV_H
#define SPYTHON_STAGE1_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "stage1/fmt.h"

/* Is this entry of the environment ("NAME=value", or malformed without "=") taken out? */
bool env_is_removed(const char *entry);

/*
 * Copies pointers to the entries that stay, in their order, to `out`, which has room for as many as
 * `envp` has. Names of the others go to `removed` as handover.h says. Returns how many stay.
 */
size_t env_filter(const char *const *envp, const char **out, struct text *removed);

#endif
