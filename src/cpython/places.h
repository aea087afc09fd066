/* SPDX-License-Identifier: Apache-2.0 */
/* Where in the program an event comes from: record's `at`, `in` and `stack`. */
#ifndef SPYTHON_CPYTHON_PLACES_H
#define SPYTHON_CPYTHON_PLACES_H

#include "cpython/compat.h"
#include "cpython/recorder.h"

/* How far out we look for the first frame that is not the standard library's. */
#define PLACES_MAX_FRAMES 32

/* Directories of the standard library: file names below them, but not in site-packages or
 * dist-packages, are the library's if the code was approved. Strings stay the caller's. */
void places_init(const char *const *library_dirs, unsigned count);

/*
 * Fills record->at and record->in (empty where there is no Python frame, or `in` where it is the
 * same frame as `at`), and, if `frames` is not 0, record->stack with up to that many of them.
 * Returns whether the innermost frame is the standard library's (or there is none). GIL held.
 */
bool places_fill(struct thread_context *context, struct record *record, unsigned frames,
                 struct record_place *stack);

#endif
