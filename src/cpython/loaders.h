/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaders of the standard library that get code past the open hook, in the versions that have them.
 * They get a method that asks the gate. GIL held; no error is left set.
 */
#ifndef SPYTHON_CPYTHON_LOADERS_H
#define SPYTHON_CPYTHON_LOADERS_H

#include "cpython/compat.h"

/* .pyc files without a source; `external` is the dictionary of _frozen_importlib_external. */
void loaders_mend_sourceless(PyObject *external);

/* imp.load_source(), load_compiled() and load_module(), if `globals` is the dictionary of a module
 * imp whose body has been executed. */
void loaders_mend_imp(PyObject *globals);

#endif
