/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that will certainly be written soon: asking for all its pages at once is several times
 * cheaper than one page fault for each, and every process pays for it at its start. */
#ifndef SPYTHON_BASE_PREFAULT_H
#define SPYTHON_BASE_PREFAULT_H

#include <stddef.h>

/* Makes the pages of [start, start + len) present and writable; those that it shares with its
 * neighbours too. Does nothing before Linux 5.14. Preserves errno. */
void prefault(void *start, size_t len);

#endif
