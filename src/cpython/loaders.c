/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/loaders.h"

#include "cpython/gate.h"

/* SourcelessFileLoader.get_data(path) through the open hook. */
static PyObject *sourceless_get_data(PyObject *self, PyObject *path)
{
    PyObject *name = PyObject_Str(path), *stream, *data;

    (void)self;
    stream = name ? PyFile_OpenCodeObject(name) : NULL;
    Py_XDECREF(name);
    data = stream ? PyObject_CallMethod(stream, "read", NULL) : NULL;
    Py_XDECREF(stream);
    return data;
}

static PyMethodDef sourceless_method = {
    "get_data", sourceless_get_data, METH_O,
    "Return the data from path as raw bytes, opened to be executed."};

static bool has_name(PyObject *names, const char *name)
{
    for (Py_ssize_t i = 0; PyTuple_Check(names) && i < PyTuple_GET_SIZE(names); i++)
        if (PyUnicode_Check(PyTuple_GET_ITEM(names, i)) &&
            PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), name) == 0)
            return true;
    return false;
}

static void give_method(PyObject *type, PyMethodDef *definition)
{
    PyObject *method = PyDescr_NewMethod((PyTypeObject *)type, definition);

    if (method &&
        PyDict_SetItemString(((PyTypeObject *)type)->tp_dict, definition->ml_name, method) == 0)
        PyType_Modified((PyTypeObject *)type);
    Py_XDECREF(method);
    PyErr_Clear();
}

/*
 * Up to the patch levels that mend CVE-2026-2297, .pyc files without a source are opened past the
 * open hook: FileLoader.get_data() names the loaders that it opens code for, and leaves out this
 * one. So it gets a method of its own, which does what the mended one does.
 */
void loaders_mend_sourceless(PyObject *external)
{
    PyObject *file_loader = PyDict_GetItemString(external, "FileLoader");
    PyObject *sourceless = PyDict_GetItemString(external, "SourcelessFileLoader");
    PyObject *get_data =
        file_loader && PyType_Check(file_loader)
            ? PyDict_GetItemString(((PyTypeObject *)file_loader)->tp_dict, "get_data")
            : NULL;

    if (get_data && PyFunction_Check(get_data) && sourceless && PyType_Check(sourceless) &&
        !has_name(((PyCodeObject *)PyFunction_GET_CODE(get_data))->co_names,
                  "SourcelessFileLoader"))
        give_method(sourceless, &sourceless_method);
    PyErr_Clear();
}

#if !MINOR_3(12)

/* The get_data() that is a Python function and comes first in the loader's bases: imp's own. */
static PyObject *inherited_get_data(PyObject *self)
{
    PyObject *bases = Py_TYPE(self)->tp_mro;

    for (Py_ssize_t i = 0; bases && i < PyTuple_GET_SIZE(bases); i++) {
        PyObject *base = PyTuple_GET_ITEM(bases, i);
        PyObject *found = PyType_Check(base)
                              ? PyDict_GetItemString(((PyTypeObject *)base)->tp_dict, "get_data")
                              : NULL;

        if (found && PyFunction_Check(found)) {
            Py_INCREF(found);
            return found;
        }
    }
    PyErr_SetString(PyExc_AttributeError, "get_data");
    return NULL;
}

/* 1: imp reads its `path` from a file object that the caller gave it, 0: as any loader, -1: error.
 */
static int reads_given_file(PyObject *self, PyObject *path)
{
    PyObject *file = PyObject_GetAttrString(self, "file");
    PyObject *own = PyObject_GetAttrString(self, "path");
    int r = file && own ? PyObject_IsTrue(file) : -1;

    if (r > 0)
        r = PyObject_RichCompareBool(path, own, Py_EQ);
    Py_XDECREF(file);
    Py_XDECREF(own);
    return r;
}

/*
 * imp's loaders read the file that load_source() and its kin were given, or, if that was opened as
 * text, open it once more as data: both go past the open hook (Lib/imp.py, _HackedGetData). What
 * they would return has to be what the gate has judged. The file is read as before, so that the
 * caller finds it as it would be.
 */
static PyObject *imp_get_data(PyObject *self, PyObject *path)
{
    int given = reads_given_file(self, path);
    PyObject *inherited = given < 0 ? NULL : inherited_get_data(self), *data, *name;

    data = inherited ? PyObject_CallFunctionObjArgs(inherited, self, path, NULL) : NULL;
    Py_XDECREF(inherited);
    if (!data || !given)
        return data;
    name = PyObject_Str(path);
    if (name)
        data = gate_admit(name, data);
    else
        Py_CLEAR(data);
    Py_XDECREF(name);
    return data;
}

static PyMethodDef imp_method = {"get_data", imp_get_data, METH_O,
                                 "Return the data from path as raw bytes, as the gate judged it."};

void loaders_mend_imp(PyObject *globals)
{
    static const char *const loaders[] = {"_LoadSourceCompatibility", "_LoadCompiledCompatibility"};
    PyObject *name = PyDict_CheckExact(globals) ? PyDict_GetItemString(globals, "__name__") : NULL;

    if (!name || !PyUnicode_Check(name) || PyUnicode_CompareWithASCIIString(name, "imp") != 0) {
        PyErr_Clear();
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        PyObject *loader = PyDict_GetItemString(globals, loaders[i]);

        if (loader && PyType_Check(loader) &&
            PyType_HasFeature((PyTypeObject *)loader, Py_TPFLAGS_HEAPTYPE) &&
            !PyDict_GetItemString(((PyTypeObject *)loader)->tp_dict, "get_data"))
            give_method(loader, &imp_method);
    }
    PyErr_Clear();
}

#else

void loaders_mend_imp(PyObject *globals)
{
    (void)globals;
}

#endif
