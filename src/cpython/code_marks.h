/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mark on a code object: a number that names it for its whole life, and whether its bytes came
 * through our gate. Kept in the code object's "extra" slot, which Python code can neither read nor
 * set, which code.replace() does not copy, and which goes with the object: a reused address never
 * inherits approval. Code objects that are part of the interpreter's own image (frozen modules of
 * 3.11 and 3.12) need no slot: their address is their name, and they are approved.
 */
#ifndef SPYTHON_CPYTHON_CODE_MARKS_H
#define SPYTHON_CPYTHON_CODE_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "cpython/compat.h"
#include "cpython/recorder.h"

struct code_mark {
    uint64_t id; /* never 0; 0 only if there is no memory for a mark */
    bool approved;
    bool library_known; /* code_mark_set_library() was called since it was approved, if it is */
    bool library;
};

/* Finds where the interpreter's image lies in memory, and makes its data present: nearly all of it
 * is written at every start. Once, before the hook is installed. */
void code_marks_init(void);

/* The running interpreter's place for marks, for code_mark_get_at(); -1 if it has none left. GIL
 * held. */
static inline Py_ssize_t code_marks_place(struct thread_context *context);

/* The mark of `code`; gives it one if it has none. GIL held; leaves no error set. */
struct code_mark code_mark_get_at(Py_ssize_t place, PyCodeObject *code);
struct code_mark code_mark_get(struct thread_context *context, PyCodeObject *code);

/* Notes whether `code`, which is approved, is the standard library's, so that its file's name is
 * compared once. Code of the interpreter's image remembers nothing. */
void code_mark_set_library(Py_ssize_t place, PyCodeObject *code, bool library);

/* Marks `code` and all code objects in its constants as having come through the gate. */
void code_mark_approve(struct thread_context *context, PyCodeObject *code);

/* The same for every function that a module's dictionary and its classes hold: for modules that
 * were made before we could watch (importlib's own). */
void code_mark_approve_module(struct thread_context *context, PyObject *dict);

Py_ssize_t code_marks_place_slow(struct thread_context *context, int64_t interpreter);

static inline Py_ssize_t code_marks_place(struct thread_context *context)
{
    PyThreadState *tstate = compat_thread_state();
    int64_t interpreter;

    if (!tstate)
        return -1;
    interpreter = PyInterpreterState_GetID(compat_interpreter(tstate));
    if (__builtin_expect(context->mark_interpreter == interpreter, 1))
        return (Py_ssize_t)context->mark_index;
    return code_marks_place_slow(context, interpreter);
}

#endif
