/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refused files of which the program would hear nothing: zipimport takes a refused archive for no
 * archive, site.py passes over a refused .pth file, and what the developer sees is that a module is
 * missing. What was refused is kept here, and goes into that error.
 */
#ifndef SPYTHON_CPYTHON_REFUSALS_H
#define SPYTHON_CPYTHON_REFUSALS_H

#include "cpython/compat.h"
#include "cpython/verify.h"

/*
 * The gate refuses `path`: sets the exception for that, PermissionError or, where zipimport reads
 * an archive's directory, the ZipImportError that it would make of one. Keeps what somebody
 * swallows. GIL held.
 */
void refusals_raise(PyObject *path, enum trust_kind kind, const struct verify_verdict *verdict);

/* Why the file of this name was refused, or `otherwise`. */
const char *refusals_reason(const struct value *path, const char *otherwise);

/* Has importlib ask here when it finds no module; `bootstrap` is the dictionary of
 * _frozen_importlib. GIL held; leaves no error set. */
void refusals_watch_imports(PyObject *bootstrap);

#endif
