/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/method_wraps.h"

#include "cpython/code_marks.h"
#include "cpython/dynamic.h"
#include "cpython/gate.h"
#include "cpython/loaders.h"
#include "cpython/native_error.h"
#include "cpython/refusals.h"

/* The shapes of C functions that we wrap (METH_* flags). */
typedef PyObject *(*fast_function)(PyObject *self, PyObject *const *args, Py_ssize_t count);
typedef PyObject *(*keyword_function)(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                      PyObject *names);

static fast_function real_audit;
static keyword_function real_compile;
static PyCFunction real_loads;          /* METH_O, up to 3.12 */
static keyword_function real_loads_kw;  /* 3.13 and later */
static keyword_function real_frozen_kw; /* _imp.get_frozen_object, 3.11 and later */
static fast_function real_frozen_fast;
static PyCFunction real_frozen;
static fast_function real_exec;       /* up to 3.10 */
static keyword_function real_exec_kw; /* 3.11 and later */

static PyObject *wrapped_audit(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct thread_context *context = recorder_context();
    PyObject *result;

    if (context)
        context->via_sys_audit = true;
    result = real_audit(self, args, count);
    if (context)
        context->via_sys_audit = false;
    return result;
}

static void approve_result(PyObject *result, bool from_gate)
{
    struct thread_context *context = recorder_context();

    if (context && from_gate && result && PyCode_Check(result))
        code_mark_approve(context, (PyCodeObject *)result);
}

static bool is_from_gate(PyObject *const *args, Py_ssize_t count)
{
    struct thread_context *context = recorder_context();

    return context && count > 0 && gate_is_source(context, args[0]);
}

static PyObject *wrapped_compile(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *names)
{
    bool from_gate = is_from_gate(args, count);
    PyObject *result = real_compile(self, args, count, names);

    approve_result(result, from_gate);
    if (!from_gate && result && PyCode_Check(result))
        dynamic_keep_source((PyCodeObject *)result);
    return result;
}

static PyObject *wrapped_loads(PyObject *self, PyObject *arg)
{
    bool from_gate = is_from_gate(&arg, 1);
    PyObject *result = real_loads(self, arg);

    approve_result(result, from_gate);
    return result;
}

static PyObject *wrapped_loads_kw(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                  PyObject *names)
{
    bool from_gate = is_from_gate(args, count);
    PyObject *result = real_loads_kw(self, args, count, names);

    approve_result(result, from_gate);
    return result;
}

/* Frozen modules are part of the interpreter: their code is approved. A second argument is data
 * that the caller supplies (3.11 and later), which is not. */
static PyObject *wrapped_frozen_fast(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *result = real_frozen_fast(self, args, count);

    approve_result(result, count == 1);
    return result;
}

static PyObject *wrapped_frozen_kw(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                   PyObject *names)
{
    PyObject *result = real_frozen_kw(self, args, count, names);

    approve_result(result, count == 1 && !names);
    return result;
}

static PyObject *wrapped_frozen(PyObject *self, PyObject *arg)
{
    PyObject *result = real_frozen(self, arg);

    approve_result(result, true);
    return result;
}

/* What has been executed is a module's body now and then: imp's is mended as soon as it is there.
 */
static PyObject *wrapped_exec(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *result = real_exec(self, args, count);

    if (result && count > 1)
        loaders_mend_imp(args[1]);
    return result;
}

static PyObject *wrapped_exec_kw(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *names)
{
    PyObject *result = real_exec_kw(self, args, count, names);

    if (result && count > 1)
        loaders_mend_imp(args[1]);
    return result;
}

/* The method table entry behind module.name if it is a C function, whatever the module's dictionary
 * looks like; NULL if it is not there yet. */
static PyMethodDef *find_method(const char *module, const char *name)
{
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *m = modules && PyDict_Check(modules) ? PyDict_GetItemString(modules, module) : NULL;
    PyObject *f = m && PyModule_Check(m) ? PyDict_GetItemString(PyModule_GetDict(m), name) : NULL;

    PyErr_Clear();
    return f && PyCFunction_CheckExact(f) ? ((PyCFunctionObject *)f)->m_ml : NULL;
}

#define FLAGS_OF(m) ((m)->ml_flags & ~(METH_CLASS | METH_STATIC | METH_COEXIST))

PyMethodDef *method_wraps_find(const char *module, const char *name, int flags)
{
    PyMethodDef *m = find_method(module, name);

    return m && FLAGS_OF(m) == flags ? m : NULL;
}

static bool wrap_audit(void)
{
    PyMethodDef *m = real_audit ? NULL : find_method("sys", "audit");

    if (m && FLAGS_OF(m) == METH_FASTCALL) {
        real_audit = (fast_function)(void (*)(void))m->ml_meth;
        m->ml_meth = (PyCFunction)(void (*)(void))wrapped_audit;
    }
    return real_audit != NULL;
}

static bool wrap_compile(void)
{
    PyMethodDef *m = real_compile ? NULL : find_method("builtins", "compile");

    if (m && FLAGS_OF(m) == (METH_FASTCALL | METH_KEYWORDS)) {
        real_compile = (keyword_function)(void (*)(void))m->ml_meth;
        m->ml_meth = (PyCFunction)(void (*)(void))wrapped_compile;
    }
    return real_compile != NULL;
}

static bool wrap_loads(void)
{
    PyMethodDef *m = real_loads || real_loads_kw ? NULL : find_method("marshal", "loads");

    if (m && FLAGS_OF(m) == METH_O) {
        real_loads = m->ml_meth;
        m->ml_meth = wrapped_loads;
    } else if (m && FLAGS_OF(m) == (METH_FASTCALL | METH_KEYWORDS)) {
        real_loads_kw = (keyword_function)(void (*)(void))m->ml_meth;
        m->ml_meth = (PyCFunction)(void (*)(void))wrapped_loads_kw;
    }
    return real_loads || real_loads_kw;
}

static bool wrap_frozen(void)
{
    PyMethodDef *m;

    if (real_frozen || real_frozen_fast || real_frozen_kw)
        return true;
    m = find_method("_imp", "get_frozen_object");
    if (!m)
        return false;
    if (FLAGS_OF(m) == METH_O) {
        real_frozen = m->ml_meth;
        m->ml_meth = wrapped_frozen;
    } else if (FLAGS_OF(m) == METH_FASTCALL) {
        real_frozen_fast = (fast_function)(void (*)(void))m->ml_meth;
        m->ml_meth = (PyCFunction)(void (*)(void))wrapped_frozen_fast;
    } else if (FLAGS_OF(m) == (METH_FASTCALL | METH_KEYWORDS)) {
        real_frozen_kw = (keyword_function)(void (*)(void))m->ml_meth;
        m->ml_meth = (PyCFunction)(void (*)(void))wrapped_frozen_kw;
    }
    return true;
}

static bool wrap_exec(void)
{
    PyMethodDef *m;

    if (MINOR_3(12) || real_exec || real_exec_kw)
        return true; /* 3.12 has no imp */
    m = find_method("builtins", "exec");
    if (m && FLAGS_OF(m) == METH_FASTCALL) {
        real_exec = (fast_function)(void (*)(void))m->ml_meth;
        m->ml_meth = (PyCFunction)(void (*)(void))wrapped_exec;
    } else if (m && FLAGS_OF(m) == (METH_FASTCALL | METH_KEYWORDS)) {
        real_exec_kw = (keyword_function)(void (*)(void))m->ml_meth;
        m->ml_meth = (PyCFunction)(void (*)(void))wrapped_exec_kw;
    }
    return real_exec || real_exec_kw;
}

static PyObject *module_dict(const char *name)
{
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *module = modules ? PyDict_GetItemString(modules, name) : NULL;

    PyErr_Clear();
    return module && PyModule_Check(module) ? PyModule_GetDict(module) : NULL;
}

/* importlib itself was made before anything could be wrapped. It is whole when its last function is
 * there; the first module that comes from a file (encodings) is imported after that. */
static bool approve_importlib(struct thread_context *context)
{
    PyObject *external = module_dict("_frozen_importlib_external");
    PyObject *last = external ? PyDict_GetItemString(external, "_install") : NULL;

    PyErr_Clear();
    if (!last)
        return false;
    code_mark_approve_module(context, module_dict("_frozen_importlib"));
    code_mark_approve_module(context, external);
    loaders_mend_sourceless(external);
    if (recorder.settings->verify.mode == VERIFY_ENFORCE ||
        recorder.settings->verify.hooks == VERIFY_ENFORCE)
        refusals_watch_imports(module_dict("_frozen_importlib"));
    PyErr_Clear();
    return true;
}

bool method_wraps_install(struct thread_context *context)
{
    bool audit = wrap_audit(), compile = wrap_compile(), loads = wrap_loads();
    bool frozen = wrap_frozen(), exec = wrap_exec(), native = native_error_wrap_import();

    return audit && compile && loads && frozen && exec && native && approve_importlib(context);
}
