/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: what CPython opens to execute passes here (PEP 578's verified open hook). It opens
 * once, checks that it is a regular file, reads once, and hands out those bytes. Verifiers
 * (src/trust/) decide about them; without any, everything regular passes.
 */
#ifndef SPYTHON_CPYTHON_GATE_H
#define SPYTHON_CPYTHON_GATE_H

#include "cpython/compat.h"
#include "cpython/recorder.h"

/* PyFile_SetOpenCodeHook() callback. Returns a new BytesIO, or NULL with OSError set. */
PyObject *gate_open_code(PyObject *path, void *user_data);

/*
 * `data` (a bytes object, whose reference it takes) was read to be executed from a file that was
 * opened as data and is called `path`. Has the file of that name pass the gate. Returns its bytes,
 * as the gate hands them out, if they are the same; otherwise `data`, or, where policy enforces,
 * NULL with an OSError set.
 */
PyObject *gate_admit(PyObject *path, PyObject *data);

/* Whether `source` is, or is a view into, the bytes that the gate handed out last to this thread.
 */
bool gate_is_source(struct thread_context *context, PyObject *source);

/* Whether `text` is a bytes object with the same contents: CPython's parser makes a copy of the
 * source for the second of the two `compile` events that it raises. */
bool gate_has_text(struct thread_context *context, PyObject *text);

#endif
