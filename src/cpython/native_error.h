/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the developer sees of a refused library. The dynamic linker can only say that a file cannot
 * be opened; the functions of CPython that load one get their message replaced by the gate's.
 */
#ifndef SPYTHON_CPYTHON_NATIVE_ERROR_H
#define SPYTHON_CPYTHON_NATIVE_ERROR_H

#include <stdbool.h>

/* Wraps _imp.create_dynamic in its method table. False: it is not there yet. */
bool native_error_wrap_import(void);

/* The same for _ctypes.dlopen, which is there when the first ctypes.dlopen event comes; that is
 * one of ctypes' own. */
void native_error_wrap_ctypes(void);

#endif
