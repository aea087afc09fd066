/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first stage tells the core, in the one environment variable SPYTHON_HANDOVER. The core
 * takes it out of the environment before anything else can see it. Freestanding: included by code
 * without a libc.
 *
 * Value: netstrings (LENGTH ":" BYTES ","), LENGTH decimal without leading zeros, in this order:
 *   1. format: "1"
 *   2. minor version that was asked for: "3.11"
 *   3. prefix: real path, what is left of the executable's path without /bin/spythonX.Y ("" for /)
 *   4. real path of the first stage's executable
 *   5. invocation path: AT_EXECFN as the kernel gave it, may be relative
 *   6. guard: "r" the first argument was replaced, "i" one was inserted (see below)
 *   7. first argument that was replaced; "" with "i"
 *   8. names of the variables that were removed, separated by "=" (a name cannot hold one), in the
 *      order in which they stood; "" for none. At most 4096 bytes; a list that was cut ends in "=".
 *   9. pass: "0" from the first stage; "1" when the core executes the interpreter once more because
 *      policy pins variables that only the dynamic linker reads
 *
 * Guard: a python3 that runs without our core must refuse to start. So argv[1] is replaced by a
 * string of the same length that begins with "-" and goes on with byte 0x01 ("unknown option",
 * exit status 2), and the core puts the original bytes back in place: the process title is then
 * exactly what it was, byte for byte. If there is no argv[1], or it is shorter than two bytes or
 * longer than HANDOVER_ARGUMENT_MAX (a variable cannot hold much more than 128 KiB), the string
 * "--spython" is inserted as argv[1] and the core takes it out again.
 * After an inserted guard the process title keeps empty strings at its end, as many as the guard
 * has bytes: the kernel takes the title's length from where the strings were.
 */
#ifndef SPYTHON_STAGE1_HANDOVER_H
#define SPYTHON_STAGE1_HANDOVER_H

#define HANDOVER_VARIABLE "SPYTHON_HANDOVER"
#define HANDOVER_FORMAT "1"
#define HANDOVER_GUARD "--spython"
#define HANDOVER_GUARD_BYTE '\001'
#define HANDOVER_REMOVED_MAX 4096
#define HANDOVER_ARGUMENT_MAX 65536 /* a longer first argument is not replaced */
#define HANDOVER_VALUE_MAX 98304    /* of the whole value; the kernel's limit is 131072 */

/* Exit statuses of ours (spython(1)). */
#define EXIT_SPY_USAGE 64    /* command line refused */
#define EXIT_SPY_NOINPUT 66  /* script unreadable */
#define EXIT_SPY_IO 74       /* a required log sink failed */
#define EXIT_SPY_REFUSED 77  /* refused by policy before the program ran */
#define EXIT_SPY_UNUSABLE 78 /* policy or installation unusable */

#endif
