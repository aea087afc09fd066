/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/native_error.h"

#include <string.h>

#include "cpython/compat.h"
#include "cpython/method_wraps.h"
#include "cpython/native_gate.h"

typedef PyObject *(*fast_function)(PyObject *, PyObject *const *, Py_ssize_t);

static fast_function real_create;
static PyCFunction real_dlopen;

/* The text that goes in place of what the dynamic linker said; behind it, if that is something
 * else: the library may have been loaded, and have failed for a reason of its own. */
static PyObject *new_text(PyObject *value)
{
    PyObject *args = value ? PyObject_GetAttrString(value, "args") : NULL;
    PyObject *said = args && PyTuple_Check(args) && PyTuple_GET_SIZE(args) > 0
                         ? PyTuple_GET_ITEM(args, 0)
                         : NULL;
    PyObject *ours = PyUnicode_DecodeFSDefault(native_gate_refusal()), *text;
    const char *utf8 = said && PyUnicode_Check(said) ? PyUnicode_AsUTF8(said) : NULL;

    if (!ours || !utf8 || strstr(utf8, "cannot open shared object file")) {
        text = ours;
        ours = NULL;
    } else {
        text = PyUnicode_FromFormat("%U (%U)", said, ours);
    }
    Py_XDECREF(ours);
    Py_XDECREF(args);
    PyErr_Clear();
    return text;
}

/* Gives the exception that is set the gate's words, if the gate is what refused. Its type, and what
 * else it carries, stay. */
static void reword(PyObject *expected)
{
    PyObject *type, *value, *traceback, *text, *args;

    if (!native_gate_refusal()[0] || !PyErr_ExceptionMatches(expected))
        return;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    text = new_text(value);
    args = text ? PyTuple_Pack(1, text) : NULL;
    /* Both types read their message from these, as they were set when they were made. */
    if (!value || !args || PyObject_SetAttrString(value, "args", args) < 0 ||
        (expected == PyExc_ImportError && PyObject_SetAttrString(value, "msg", text) < 0))
        PyErr_Clear();
    Py_XDECREF(args);
    Py_XDECREF(text);
    PyErr_Restore(type, value, traceback);
}

static PyObject *wrapped_create(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *result;

    native_gate_forget();
    result = real_create(self, args, count);
    if (!result)
        reword(PyExc_ImportError);
    return result;
}

static PyObject *wrapped_dlopen(PyObject *self, PyObject *args)
{
    PyObject *result;

    native_gate_forget();
    result = real_dlopen(self, args);
    if (!result)
        reword(PyExc_OSError);
    return result;
}

bool native_error_wrap_import(void)
{
    PyMethodDef *m =
        real_create ? NULL : method_wraps_find("_imp", "create_dynamic", METH_FASTCALL);

    if (m) {
        real_create = (fast_function)(void (*)(void))m->ml_meth;
        m->ml_meth = (PyCFunction)(void (*)(void))wrapped_create;
    }
    return real_create != NULL;
}

void native_error_wrap_ctypes(void)
{
    PyMethodDef *m = real_dlopen ? NULL : method_wraps_find("_ctypes", "dlopen", METH_VARARGS);

    if (m) {
        real_dlopen = m->ml_meth;
        m->ml_meth = wrapped_dlopen;
    }
}
