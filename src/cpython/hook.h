/* SPDX-License-Identifier: Apache-2.0 */
/* The audit hook: from CPython's event to a record and a verdict. */
#ifndef SPYTHON_CPYTHON_HOOK_H
#define SPYTHON_CPYTHON_HOOK_H

#include "cpython/compat.h"
#include "cpython/recorder.h"

/*
 * Installs the audit hook and the open hook. After Py_PreInitialize() (a hook that is added before
 * is allocated by another allocator than the one that frees it under debug allocators) and before
 * Py_Initialize*(). Returns 0, or -1 if CPython has no memory.
 */
int hook_install(void);

/* Initialisation is over: the program's own code runs from now on. `by_name`: it is CPython that
 * finds and opens it. */
void hook_main_starts(bool by_name);
bool hook_main_has_started(void);

#endif
