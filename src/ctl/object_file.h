/* SPDX-License-Identifier: Apache-2.0 */
/* Core and audit object as files: would the first stage take them? */
#ifndef SPYTHON_CTL_OBJECT_FILE_H
#define SPYTHON_CTL_OBJECT_FILE_H

#include <stdint.h>

#include "ctl/problem.h"

/*
 * Whether `path` is a whole shared object for this machine whose note of that type (object_note.h)
 * says `expected`. 0, or UNFIT with the way out; another negative errno if it cannot be read.
 */
int object_file_check(const char *path, uint32_t type, const char *expected,
                      struct problem *problem);

#endif
