/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few built-in functions get a C wrapper, put into their method table, so that it is called
 * whatever name or module they are reached by: sys.audit (to tell claims from CPython's own
 * events), builtins.compile and marshal.loads (to mark the code objects that come from the gate's
 * bytes), builtins.exec (to mend a module that has just been made, loaders.h), and what loads
 * native code (native_error.h).
 */
#ifndef SPYTHON_CPYTHON_METHOD_WRAPS_H
#define SPYTHON_CPYTHON_METHOD_WRAPS_H

#include "cpython/compat.h"
#include "cpython/recorder.h"

/* Wraps what exists already; called at import events until it returns true (all are wrapped).
 * GIL held; leaves no error set. */
bool method_wraps_install(struct thread_context *context);

/* The method table entry of a C function with these METH_* flags that is in a module's dictionary;
 * NULL if there is none yet. GIL held; leaves no error set. */
PyMethodDef *method_wraps_find(const char *module, const char *name, int flags);

#endif
