/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From Python objects to plain values. Reads exact C layouts only: no user code runs (no repr, str,
 * ==, hash, attribute, iteration), the GIL is not released, no error is left set. What is returned
 * borrows from the objects and is valid until the hook returns.
 */
#ifndef SPYTHON_CPYTHON_VALUES_H
#define SPYTHON_CPYTHON_VALUES_H

#include "cpython/compat.h"
#include "cpython/recorder.h"

/* Begins a new event: forgets the values of the last one. */
static inline void values_reset(struct thread_context *context)
{
    context->value_count = 0;
    context->big_count = 0;
}

/* Takes `count` values from the thread's store, or NULL when the event has used it up. */
struct value *values_take(struct thread_context *context, unsigned count);

/* Converts one object, lists down to `depth` levels. NULL becomes VALUE_NONE. */
void values_from_object(struct thread_context *context, PyObject *object, int depth,
                        struct value *ret);

/* Converts a str. `object` must be one (PyUnicode_Check). Cuts at VALUE_MAX_TEXT code points. */
void values_from_text(PyObject *object, struct value *ret);

/* Converts the arguments of an event: up to VALUE_MAX_ARGS. *ret_total says how many there were. */
struct value *values_from_args(struct thread_context *context, PyObject *args, unsigned *ret_count,
                               uint64_t *ret_total);

/* Whether a value is a text or bytes with exactly these bytes (`expected` is UTF-8; only ASCII can
 * match). */
bool values_equal_text(const struct value *value, const char *expected);

#endif
