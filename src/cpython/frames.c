/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that knows how a minor version keeps its frames. From 3.11 on the public interface
 * would create a frame object for every frame that we look at, which costs and can be seen; the
 * layouts read here are frozen within a minor version's life.
 */
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
#include <patchlevel.h>
#if PY_VERSION_HEX >= 0x030B0000
#define Py_BUILD_CORE 1
#endif
#include "cpython/frames.h"
#if PY_VERSION_HEX >= 0x030E0000
#include <internal/pycore_interpframe.h>
#elif PY_VERSION_HEX >= 0x030B0000
#include <internal/pycore_frame.h>
#endif

#if PY_VERSION_HEX >= 0x030B0000

void frame_walk_begin(struct frame_walk *walk)
{
    PyThreadState *tstate = compat_thread_state();

    walk->next = NULL;
    if (!tstate)
        return;
#if PY_VERSION_HEX >= 0x030D0000
    walk->next = tstate->current_frame;
#else
    walk->next = tstate->cframe ? tstate->cframe->current_frame : NULL;
#endif
}

/* Frames that have not begun, and those that only mark an entry from C, have no location. */
static int is_hidden(_PyInterpreterFrame *frame)
{
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
    if (frame->owner == FRAME_OWNED_BY_CSTACK)
        return 1;
#endif
    return _PyFrame_IsIncomplete(frame);
}

int frame_walk_next(struct frame_walk *walk, struct frame_ref *ret)
{
    _PyInterpreterFrame *frame = walk->next;

    while (frame && is_hidden(frame))
        frame = frame->previous;
    if (!frame)
        return 0;
#if PY_VERSION_HEX >= 0x030D0000
    ret->code = _PyFrame_GetCode(frame);
#else
    ret->code = frame->f_code;
#endif
    ret->lasti = (int)(_PyInterpreterFrame_LASTI(frame) * (int)sizeof(_Py_CODEUNIT));
    walk->next = frame->previous;
    return 1;
}

#else

void frame_walk_begin(struct frame_walk *walk)
{
    PyThreadState *tstate = compat_thread_state();

    walk->next = tstate ? tstate->frame : NULL;
}

int frame_walk_next(struct frame_walk *walk, struct frame_ref *ret)
{
    PyFrameObject *frame = walk->next;

    if (!frame)
        return 0;
    ret->code = frame->f_code;
#if PY_VERSION_HEX >= 0x030A0000
    ret->lasti = frame->f_lasti * 2; /* counted in instructions since 3.10 */
#else
    ret->lasti = frame->f_lasti;
#endif
    walk->next = frame->f_back;
    return 1;
}

#endif
