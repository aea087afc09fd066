/* SPDX-License-Identifier: Apache-2.0 */
/* The Python frames of this thread, without making a frame object and without running anything. */
#ifndef SPYTHON_CPYTHON_FRAMES_H
#define SPYTHON_CPYTHON_FRAMES_H

#include "cpython/compat.h"

struct frame_ref {
    PyCodeObject *code; /* borrowed; alive while the frame runs */
    int lasti;          /* byte offset of the current instruction, for PyCode_Addr2Line() */
};

/* An iterator: innermost first. GIL held. */
struct frame_walk {
    void *next;
};

/* Starts at the frame that runs now. Without a thread state there is none. */
void frame_walk_begin(struct frame_walk *walk);

/* The next frame outwards. Returns 0 when there is no more. */
int frame_walk_next(struct frame_walk *walk, struct frame_ref *ret);

#endif
