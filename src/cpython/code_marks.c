/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/code_marks.h"

#include <link.h>

#include "base/prefault.h"

#define MARK_APPROVED 1u
#define MARK_LIBRARY_KNOWN 2u
#define MARK_LIBRARY 4u
#define MARK_SHIFT 3
#define MAX_NESTING 100 /* the compiler itself stops at far fewer nested blocks */

static struct {
    uintptr_t start, end, data_end; /* behind data_end: what begins as zeroes */
} image[4];
static uintptr_t relro_start, relro_end; /* of the same object: read-only by now */
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
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
            relro_start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            relro_end = relro_start + info->dlpi_phdr[i].p_memsz;
        }
        if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_W))
            continue;
        image[image_count].start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        image[image_count].end = image[image_count].start + info->dlpi_phdr[i].p_memsz;
        image[image_count].data_end = image[image_count].start + info->dlpi_phdr[i].p_filesz;
        image_count++;
    }
    return 1;
}

void code_marks_init(void)
{
    /* PyLong_Type may have been copied into the executable (COPY relocation), a function cannot. */
    if (!dl_iterate_phdr(find_image, (void *)(uintptr_t)&PyCode_Addr2Line))
        image_count = 0;
    /* Types, interned names and small integers lie there: a start writes to nearly every page. One
     * page of the range that cannot be written, as RELRO leaves it, and nothing is done. */
    for (unsigned i = 0; i < image_count; i++) {
        uintptr_t from = image[i].start;

        if (relro_start <= from && from < relro_end)
            from = relro_end;
        if (from < image[i].data_end)
            prefault((void *)from, image[i].data_end - from);
    }
}

static bool is_in_image(const void *p)
{
    for (unsigned i = 0; i < image_count; i++)
        if ((uintptr_t)p >= image[i].start && (uintptr_t)p < image[i].end)
            return true;
    return false;
}

/* Each interpreter hands out its own slot numbers. */
Py_ssize_t code_marks_place_slow(struct thread_context *context, int64_t interpreter)
{
    /* Slots are few, so the threads of an interpreter share one. The main interpreter's place in
     * this table is its own; two others that meet in one place only lose marks. */
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
    return (Py_ssize_t)context->mark_index;
}

/* Sets and clears flags of a mark, which is made if there is none. Returns the mark's bits, 0 if
 * there is no memory for it. */
static inline uintptr_t change_mark(Py_ssize_t place, PyCodeObject *code, uintptr_t set,
                                    uintptr_t clear)
{
    void *extra = NULL;
    uintptr_t old, bits;

    if (place < 0 || PyUnstable_Code_GetExtra((PyObject *)code, place, &extra) < 0) {
        PyErr_Clear();
        return 0;
    }
    bits = old = (uintptr_t)extra;
    if (!bits)
        bits = (atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed) + 1) << MARK_SHIFT;
    bits = (bits & ~clear) | set;
    if (bits != old && PyUnstable_Code_SetExtra((PyObject *)code, place, (void *)bits) < 0) {
        PyErr_Clear();
        return 0;
    }
    return bits;
}

struct code_mark code_mark_get_at(Py_ssize_t place, PyCodeObject *code)
{
    uintptr_t bits;

    if (is_in_image(code))
        return (struct code_mark){(uint64_t)(uintptr_t)code | 1ull << 63, true, true, true};
    bits = change_mark(place, code, 0, 0);
    return (struct code_mark){bits >> MARK_SHIFT, bits & MARK_APPROVED, bits & MARK_LIBRARY_KNOWN,
                              bits & MARK_LIBRARY};
}

struct code_mark code_mark_get(struct thread_context *context, PyCodeObject *code)
{
    return code_mark_get_at(code_marks_place(context), code);
}

void code_mark_set_library(Py_ssize_t place, PyCodeObject *code, bool library)
{
    if (!is_in_image(code))
        (void)change_mark(place, code, MARK_LIBRARY_KNOWN | (library ? MARK_LIBRARY : 0),
                          library ? 0 : MARK_LIBRARY);
}

static void approve_tree(Py_ssize_t place, PyCodeObject *code, int depth)
{
    PyObject *consts = code->co_consts;

    if (is_in_image(code))
        return;
    /* What was noted before approval says nothing about approved code. */
    (void)change_mark(place, code, MARK_APPROVED, MARK_LIBRARY_KNOWN | MARK_LIBRARY);
    if (!consts || !PyTuple_CheckExact(consts) || depth == 0)
        return;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(consts); i++) {
        PyObject *item = PyTuple_GET_ITEM(consts, i);

        if (item && PyCode_Check(item))
            approve_tree(place, (PyCodeObject *)item, depth - 1);
    }
}

void code_mark_approve(struct thread_context *context, PyCodeObject *code)
{
    approve_tree(code_marks_place(context), code, MAX_NESTING);
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
