/* SPDX-License-Identifier: Apache-2.0 */
/* From the real path of the executable to the prefix and the minor version. Pure. */
#ifndef SPYTHON_STAGE1_LOCATION_H
#define SPYTHON_STAGE1_LOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCATION_PATH_MAX 4096 /* the kernel's PATH_MAX */

enum location_verdict {
    LOCATION_NOT_OURS = 0, /* does not end in /bin/spythonX.Y */
    LOCATION_DELETED,      /* the file was removed or replaced after it had been started */
    LOCATION_MISREAD,      /* a byte that ends or expands an entry of LD_PRELOAD */
    LOCATION_OK,
};

struct location {
    char prefix[LOCATION_PATH_MAX]; /* "" for / */
    char minor[8];                  /* "3.11" */
};

/* Takes apart what readlink(2) said of /proc/self/exe. *ret is filled only with LOCATION_OK. */
enum location_verdict location_parse(const char *path, size_t len, struct location *ret);

/* Is this sys.hexversion of the minor version "3.11"? */
bool location_is_minor(const char *minor, uint32_t version_hex);

#endif
