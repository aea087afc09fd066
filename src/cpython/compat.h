/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the minor versions, in one place. Everything in src/cpython/ includes this
 * instead of Python.h. */
#ifndef SPYTHON_CPYTHON_COMPAT_H
#define SPYTHON_CPYTHON_COMPAT_H

#define PY_SSIZE_T_CLEAN
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <Python.h>
#include <frameobject.h>
#include <structmember.h>
#pragma GCC diagnostic pop

#ifdef Py_GIL_DISABLED
#error "free-threaded builds of CPython are not supported yet"
#endif

#define MINOR_3(n) (PY_VERSION_HEX >= (0x03000000 | ((n) << 16)))

static inline PyThreadState *compat_thread_state(void)
{
#if MINOR_3(13)
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

/* Names of the code extra interface since 3.12. */
#if !MINOR_3(12)
#define PyUnstable_Eval_RequestCodeExtraIndex _PyEval_RequestCodeExtraIndex
#define PyUnstable_Code_GetExtra _PyCode_GetExtra
#define PyUnstable_Code_SetExtra _PyCode_SetExtra
#endif

#if !MINOR_3(9)
#define PyCFunction_CheckExact PyCFunction_Check
#endif

static inline PyInterpreterState *compat_interpreter(PyThreadState *tstate)
{
#if MINOR_3(9)
    return PyThreadState_GetInterpreter(tstate);
#else
    return tstate->interp;
#endif
}

#endif
