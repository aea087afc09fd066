/* SPDX-License-Identifier: Apache-2.0 */
/* Running the main script from bytes that were read once. */
#ifndef SPYTHON_CPYTHON_MAIN_SCRIPT_H
#define SPYTHON_CPYTHON_MAIN_SCRIPT_H

#include <stdbool.h>
#include <wchar.h>

/* sys.path[0] as CPython computes it: the directory of the script, symlinks resolved. Returns a
 * malloc'ed string, or NULL without memory. */
char *main_script_directory(const char *script);

/*
 * Runs the script in `fd` as __main__ with CPython's own file runner, which keeps its parsing and
 * its messages exactly. `filename` is what __file__ and tracebacks show. Closes fd. GIL held, main
 * thread. Returns the exit status; *ret_interrupted is set if an unhandled KeyboardInterrupt ended
 * it.
 */
int main_script_run(int fd, const wchar_t *filename, bool *ret_interrupted);

#endif
