/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dynamic code: what is compiled or executed but did not come from a file through the gate. Its
 * text goes into the record, once per process: script-block logging for Python (PEP 551).
 */
#ifndef SPYTHON_CPYTHON_DYNAMIC_H
#define SPYTHON_CPYTHON_DYNAMIC_H

#include "cpython/compat.h"
#include "cpython/recorder.h"

/* For a `compile` event: fills record->source unless the text came through the gate or is not text
 * (None, an AST). Remembers it for the `exec` that follows. */
void dynamic_fill_compile(struct thread_context *context, PyObject *args, struct record *record);

/* For an `exec` event: fills record->source if the code object was not approved and the text it was
 * compiled from is known. */
void dynamic_fill_exec(struct thread_context *context, PyObject *args, struct record *record);

/* Remembers that `code`, which compile() is about to return, was made from the text that this
 * thread compiled last. */
void dynamic_keep_source(PyCodeObject *code);

/* The next code object that this thread executes is the main script's, read by us. */
void dynamic_expect_main(void);

#endif
