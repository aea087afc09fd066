/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the core becomes main() of the system's own python3: the first stage preloads it, the
 * executable's start code calls __libc_start_main, and the dynamic linker finds ours first. The
 * real one then gets our main() instead of Python's. The only symbol that the core exports.
 */
#include <dlfcn.h>
#include <unistd.h>

#include "launcher/main.h"
#include "stage1/handover.h"

typedef int (*main_function)(int, char **, char **);
typedef int (*start_function)(main_function, int, char **, void (*)(void), void (*)(void),
                              void (*)(void), void *);

__attribute__((visibility("default"))) int
__libc_start_main(main_function program, int argc, char **argv, void (*init)(void),
                  void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(main_function program, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    static const char text[] = "spython: libc: no __libc_start_main (is this glibc?)\n";
    start_function real = (start_function)dlsym(RTLD_NEXT, "__libc_start_main");

    (void)program; /* Python's main(): ours calls the same library functions */
    if (!real) {
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(EXIT_SPY_UNUSABLE);
    }
    return real(launcher_main, argc, argv, init, fini, rtld_fini, stack_end);
}
