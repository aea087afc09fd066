/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/code_marks.h"

#include <link.h>

#define MARK_APPROVED 1u
#define MARK_SHIFT 1
#define MAX_NESTING 100 /* the compiler itself stops at far fewer nested blocks */

static struct {
    uintptr_t start, end;
} image[4];
static unsigned image_count;
static _Atomic uintptr_t next_id;

/* A segment counts if it belongs to the object that defines PyLong_Type. */
static int find_image(struct dl_phdr_info *info, size_t size, void *data)
{
    uintptr_t probe = (uintptr_t)data;
    bool ours = false;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type == PT_LOAD && probe >= start &&
            probe < start + info->dlpi_phdr[i].p_memsz)
            ours = true;
    }
    if (!ours)
        return 0;
    for (int i = 0; i < info->dlpi_phnum && image_count < 4; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_W))
            continue;
        image[image_count].start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        image[image_count].end = image[image_count].start + info->dlpi_phdr[i].p_memsz;
        image_count++;
    }
    return 1;
}

void code_marks_init(void)
{
    /* PyLong_Type may have been copied into the executable (COPY relocation), a function cannot. */
    if (!dl_iterate_phdr(find_image, (void *)(uintptr_t)&PyCode_Addr2Line))
        image_count = 0;
}

static bool is_in_image(const void *p)
{
    for (unsigned i = 0; i < image_count; i++)
        if ((uintptr_t)p >= image[i].start && (uintptr_t)p < image[i].end)
            return true;
    return false;
}

/* Each interpreter hands out its own slot numbers. Returns -1 if it has none left. */
static Py_ssize_t slot_of(struct thread_context *context)
{
    PyThreadState *tstate = compat_thread_state();
    int64_t interpreter;

    if (!tstate)
        return -1;
    interpreter = PyInterpreterState_GetID(compat_interpreter(tstate));
    if (context->mark_interpreter != interpreter) {
        /* Slots are few, so the threads of an interpreter share one. The main interpreter's place
         * in this table is its own; two others that meet in one place only lose marks. */
        static struct {
            _Atomic int64_t interpreter; /* id + 1 */
            int64_t slot;
        } known[65];
        unsigned at = interpreter == 0 ? 64 : (unsigned)interpreter & 63;

        if (atomic_load(&known[at].interpreter) != interpreter + 1) {
            known[at].slot = PyUnstable_Eval_RequestCodeExtraIndex(NULL);
            atomic_store(&known[at].interpreter, interpreter + 1);
        }
        context->mark_interpreter = interpreter;
        context->mark_index = known[at].slot;
    }
    return (Py_ssize_t)context->mark_index;
}

static struct code_mark set_mark(struct thread_context *context, PyCodeObject *code, bool approve)
{
    struct code_mark mark = {0, false};
    Py_ssize_t slot = slot_of(context);
    void *extra = NULL;
    uintptr_t bits;

    if (slot < 0 || PyUnstable_Code_GetExtra((PyObject *)code, slot, &extra) < 0) {
        PyErr_Clear();
        return mark;
    }
    bits = (uintptr_t)extra;
    if (!bits || (approve && !(bits & MARK_APPROVED))) {
        if (!bits)
            bits = (atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed) + 1) << MARK_SHIFT;
        if (approve)
            bits |= MARK_APPROVED;
        if (PyUnstable_Code_SetExtra((PyObject *)code, slot, (void *)bits) < 0) {
            PyErr_Clear();
            return mark;
        }
    }
    mark.id = bits >> MARK_SHIFT;
    mark.approved = bits & MARK_APPROVED;
    return mark;
}

struct code_mark code_mark_get(struct thread_context *context, PyCodeObject *code)
{
    if (is_in_image(code))
        return (struct code_mark){(uint64_t)(uintptr_t)code | 1ull << 63, true};
    return set_mark(context, code, false);
}

static void approve_tree(struct thread_context *context, PyCodeObject *code, int depth)
{
    PyObject *consts = code->co_consts;

    if (is_in_image(code))
        return;
    (void)set_mark(context, code, true);
    if (!consts || !PyTuple_CheckExact(consts) || depth == 0)
        return;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(consts); i++) {
        PyObject *item = PyTuple_GET_ITEM(consts, i);

        if (item && PyCode_Check(item))
            approve_tree(context, (PyCodeObject *)item, depth - 1);
    }
}

void code_mark_approve(struct thread_context *context, PyCodeObject *code)
{
    approve_tree(context, code, MAX_NESTING);
}

static void approve_object(struct thread_context *context, PyObject *object, int depth)
{
    if (PyFunction_Check(object)) {
        code_mark_approve(context, (PyCodeObject *)PyFunction_GET_CODE(object));
    } else if (Py_TYPE(object) == &PyClassMethod_Type || Py_TYPE(object) == &PyStaticMethod_Type) {
        PyObject *function = PyObject_GetAttrString(object, "__func__"); /* a plain C member */

        if (function && PyFunction_Check(function))
            code_mark_approve(context, (PyCodeObject *)PyFunction_GET_CODE(function));
        Py_XDECREF(function);
        PyErr_Clear();
    } else if (PyType_CheckExact(object) && depth > 0 &&
               PyType_HasFeature((PyTypeObject *)object, Py_TPFLAGS_HEAPTYPE)) {
        PyObject *dict = ((PyTypeObject *)object)->tp_dict, *key, *value;
        Py_ssize_t at = 0;

        while (dict && PyDict_Next(dict, &at, &key, &value))
            approve_object(context, value, depth - 1);
    }
}

void code_mark_approve_module(struct thread_context *context, PyObject *dict)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;

    if (!dict || !PyDict_Check(dict))
        return;
    while (PyDict_Next(dict, &at, &key, &value))
        approve_object(context, value, 3);
}
