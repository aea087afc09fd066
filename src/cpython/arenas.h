/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for Python's small objects, asked for by the half arena instead of page by page. */
#ifndef SPYTHON_CPYTHON_ARENAS_H
#define SPYTHON_CPYTHON_ARENAS_H

/* Lets arenas (256 KiB, from 3.10 on 1 MiB: Objects/obmalloc.c) come with their first half present.
 * It will be written at once: what a start saves in page faults is about what recording costs it,
 * for at most half an arena of memory that is not used yet. Between Py_PreInitialize() and
 * Py_InitializeFromConfig(). */
void arenas_init(void);

#endif
