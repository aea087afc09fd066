/* SPDX-License-Identifier: Apache-2.0 */
/* Only for the freestanding build. */
#ifndef SPYTHON_STAGE1_RELOCATE_H
#define SPYTHON_STAGE1_RELOCATE_H

/*
 * Makes the pointers in our own static data right. A static PIE is loaded at a random address and
 * has no linker to do that; until then nothing but code and plain values may be used.
 */
void relocate_self(void);

#endif
