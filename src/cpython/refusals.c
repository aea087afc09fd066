/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/refusals.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cpython/frames.h"
#include "cpython/hook.h"
#include "cpython/values.h"

#define MAX_KEPT 8 /* what comes later is counted */

/* Written once, then ready for all threads and for the children of a fork. */
static struct refusal {
    _Atomic bool ready;
    enum trust_kind kind;
    char path[PATH_MAX]; /* as it was asked for */
    char reason[640];
} kept[MAX_KEPT];
static _Atomic unsigned used;

static const struct refusal *find(const char *path)
{
    for (unsigned i = 0; i < MAX_KEPT; i++)
        if (atomic_load(&kept[i].ready) && strcmp(kept[i].path, path) == 0)
            return &kept[i];
    return NULL;
}

/* Whether it is the first time. */
static bool keep(const char *path, enum trust_kind kind, const char *reason)
{
    unsigned at;

    if (find(path) || strlen(path) >= sizeof(kept[0].path) || atomic_load(&used) >= MAX_KEPT)
        return false;
    at = atomic_fetch_add(&used, 1);
    if (at >= MAX_KEPT)
        return false;
    kept[at].kind = kind;
    (void)snprintf(kept[at].path, sizeof(kept[at].path), "%s", path);
    (void)snprintf(kept[at].reason, sizeof(kept[at].reason), "%s", reason);
    atomic_store(&kept[at].ready, true);
    return true;
}

/* Is it zipimport's _read_directory() that asks? It makes of every OSError a ZipImportError that
 * does not say what was wrong. */
static bool zipimport_asks(void)
{
    struct frame_walk walk;
    struct frame_ref frame;

    frame_walk_begin(&walk);
    return frame_walk_next(&walk, &frame) &&
           PyUnicode_CompareWithASCIIString(frame.code->co_name, "_read_directory") == 0 &&
           PyUnicode_CompareWithASCIIString(frame.code->co_filename, "<frozen zipimport>") == 0;
}

static bool raise_zip_error(PyObject *path, const char *reason)
{
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *module = modules ? PyDict_GetItemString(modules, "zipimport") : NULL;
    PyObject *type = module ? PyObject_GetAttrString(module, "ZipImportError") : NULL;
    PyObject *args = type ? Py_BuildValue("(N)", PyUnicode_FromFormat("can't open Zip file: %R: %s",
                                                                      path, reason))
                          : NULL;
    PyObject *names = args ? Py_BuildValue("{sO}", "path", path) : NULL;
    PyObject *error = names ? PyObject_Call(type, args, names) : NULL;

    if (error)
        PyErr_SetObject(type, error);
    else
        PyErr_Clear();
    Py_XDECREF(error);
    Py_XDECREF(names);
    Py_XDECREF(args);
    Py_XDECREF(type);
    return error != NULL;
}

/* site.py reads .pth files before the program begins, which has no way to see what became of them:
 * whoever sits at a terminal does. */
static void tell_terminal(PyObject *path, const char *reason)
{
    PyObject *line, *encoded;

    if (hook_main_has_started() || !isatty(STDERR_FILENO))
        return;
    line = PyUnicode_FromFormat("spython: %R: %s\n", path, reason);
    encoded = line ? PyUnicode_AsEncodedString(line, "utf-8", "backslashreplace") : NULL;
    if (encoded)
        (void)fd_write_all(STDERR_FILENO, PyBytes_AS_STRING(encoded),
                           (size_t)PyBytes_GET_SIZE(encoded), NULL);
    Py_XDECREF(encoded);
    Py_XDECREF(line);
    PyErr_Clear();
}

static void raise_permission_error(PyObject *path, const char *reason)
{
    PyObject *error = PyObject_CallFunction(PyExc_PermissionError, "isO", EACCES, reason, path);

    if (error)
        PyErr_SetObject(PyExc_PermissionError, error);
    Py_XDECREF(error);
}

void refusals_raise(PyObject *path, enum trust_kind kind, const struct verify_verdict *verdict)
{
    bool is_archive = zipimport_asks(), is_first = false;

    if (is_archive || kind == TRUST_PATH_FILE) {
        PyObject *encoded = PyUnicode_EncodeFSDefault(path);

        if (encoded)
            is_first = keep(PyBytes_AS_STRING(encoded), is_archive ? TRUST_ARCHIVE : kind,
                            verdict->reason);
        Py_XDECREF(encoded);
        PyErr_Clear();
    }
    if (is_first && kind == TRUST_PATH_FILE)
        tell_terminal(path, verdict->reason);
    if (!is_archive || !raise_zip_error(path, verdict->reason))
        raise_permission_error(path, verdict->reason);
}

const char *refusals_reason(const struct value *path, const char *otherwise)
{
    for (unsigned i = 0; i < MAX_KEPT; i++)
        if (atomic_load(&kept[i].ready) && values_equal_text(path, kept[i].path))
            return kept[i].reason;
    return otherwise;
}

/* Whether `entry`, of sys.path, is this archive or a directory in it. */
static bool is_in_archive(PyObject *entry, const char *archive)
{
    PyObject *encoded = PyUnicode_Check(entry) ? PyUnicode_EncodeFSDefault(entry) : NULL;
    size_t len = strlen(archive);
    bool is_in =
        encoded && strncmp(PyBytes_AS_STRING(encoded), archive, len) == 0 &&
        (PyBytes_AS_STRING(encoded)[len] == '\0' || PyBytes_AS_STRING(encoded)[len] == '/');

    Py_XDECREF(encoded);
    PyErr_Clear();
    return is_in;
}

/* Could it have made the module known? What a .pth file would have added nobody can say. */
static bool matters(const struct refusal *refusal)
{
    PyObject *path = PySys_GetObject("path");

    if (refusal->kind == TRUST_PATH_FILE)
        return true;
    for (Py_ssize_t i = 0; path && PyList_Check(path) && i < PyList_GET_SIZE(path); i++)
        if (is_in_archive(PyList_GET_ITEM(path, i), refusal->path))
            return true;
    return false;
}

/* What importlib says, and in brackets what was refused. A new reference, or NULL. */
static PyObject *new_text(PyObject *said)
{
    const struct refusal *first = NULL;
    unsigned more = 0;
    PyObject *path, *text;
    char rest[32] = "";

    for (unsigned i = 0; i < MAX_KEPT; i++) {
        if (!atomic_load(&kept[i].ready) || !matters(&kept[i]))
            continue;
        if (first)
            more++;
        else
            first = &kept[i];
    }
    if (!first || !said || !PyUnicode_Check(said))
        return NULL;
    if (more > 0)
        (void)snprintf(rest, sizeof(rest), ", and %u more", more);
    path = PyUnicode_DecodeFSDefault(first->path);
    text = path ? PyUnicode_FromFormat("%U (%R was %s%s)", said, path, first->reason, rest) : NULL;
    Py_XDECREF(path);
    return text;
}

/* Is it about this module, and not about one that it imports? */
static bool is_about(PyObject *error, PyObject *name)
{
    PyObject *of = PyObject_GetAttrString(error, "name");
    bool is =
        of && PyUnicode_Check(of) && PyUnicode_Check(name) && PyUnicode_Compare(of, name) == 0;

    Py_XDECREF(of);
    PyErr_Clear();
    return is;
}

static void explain_missing(PyObject *name)
{
    PyObject *type, *error, *traceback, *said, *text = NULL, *args;

    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (error && (PyObject *)Py_TYPE(error) == PyExc_ModuleNotFoundError && is_about(error, name)) {
        said = PyObject_GetAttrString(error, "msg");
        text = new_text(said);
        Py_XDECREF(said);
    }
    args = text ? PyTuple_Pack(1, text) : NULL;
    if (args && PyObject_SetAttrString(error, "msg", text) == 0)
        (void)PyObject_SetAttrString(error, "args", args);
    PyErr_Clear();
    Py_XDECREF(args);
    Py_XDECREF(text);
    PyErr_Restore(type, error, traceback);
}

/* importlib._bootstrap._find_and_load_unlocked(name, import_); `original` is its function. */
static PyObject *find_and_load(PyObject *original, PyObject *args)
{
    PyObject *module = PyObject_Call(original, args, NULL);

    if (!module && atomic_load(&used) > 0 && PyTuple_GET_SIZE(args) > 0 &&
        PyErr_ExceptionMatches(PyExc_ModuleNotFoundError))
        explain_missing(PyTuple_GET_ITEM(args, 0));
    return module;
}

static PyMethodDef watched = {"_find_and_load_unlocked", find_and_load, METH_VARARGS, NULL};

void refusals_watch_imports(PyObject *bootstrap)
{
    PyObject *original =
        bootstrap ? PyDict_GetItemString(bootstrap, "_find_and_load_unlocked") : NULL;
    PyObject *ours =
        original && PyFunction_Check(original) ? PyCFunction_New(&watched, original) : NULL;

    if (ours)
        (void)PyDict_SetItemString(bootstrap, "_find_and_load_unlocked", ours);
    Py_XDECREF(ours);
    PyErr_Clear();
}
