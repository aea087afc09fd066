/* SPDX-License-Identifier: Apache-2.0 */
/* How the first stage says no. Only for the freestanding build. */
#ifndef SPYTHON_STAGE1_REFUSE_H
#define SPYTHON_STAGE1_REFUSE_H

/*
 * Writes "spython: <object>: <wrong> (<what to do>)" as one line to stderr, with control bytes made
 * visible, and exits. `wrong` and `todo` may each be given in two parts; NULL is nothing.
 */
_Noreturn void refuse(int status, const char *object, const char *wrong, const char *wrong2,
                      const char *todo, const char *todo2);

/* A few words for a negative errno. */
const char *refuse_reason(long code);

#endif
