/* SPDX-License-Identifier: Apache-2.0 */
/* Where an installation keeps what is not programs: etc/spython and var/log/spython. */
#ifndef SPYTHON_BASE_STATE_DIR_H
#define SPYTHON_BASE_STATE_DIR_H

#include <string.h>

/* The directory that etc/ and var/ lie in: the prefix, but "" for /usr, where the file system
 * hierarchy has them in the root. `prefix` has no slash at its end; the result is not malloc'ed. */
static inline const char *state_dir_of_prefix(const char *prefix)
{
    return strcmp(prefix, "/usr") == 0 ? "" : prefix;
}

#endif
