/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload that adds one audit hook which does nothing: what the mechanism alone costs. It takes
 * over main() as the core does, pre-initialises, adds the hook, and goes on as python3 would.
 */
#include <Python.h>
#include <dlfcn.h>
#include <stdlib.h>

typedef int main_function(int, char **, char **);
typedef int start_function(main_function *, int, char **, void (*)(void), void (*)(void),
                           void (*)(void), void *);

static int empty_hook(const char *event, PyObject *args, void *data)
{
    (void)event;
    (void)args;
    (void)data;
    return 0;
}

static int hooked_main(int argc, char **argv, char **envp)
{
    PyPreConfig config;

    (void)envp;
    PyPreConfig_InitPythonConfig(&config);
    if (PyStatus_Exception(Py_PreInitializeFromBytesArgs(&config, argc, argv)))
        return 70;
    if (PySys_AddAuditHook(empty_hook, NULL) < 0)
        return 70;
    return Py_BytesMain(argc, argv);
}

int __libc_start_main(main_function *original, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(main_function *original, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    start_function *start;

    (void)original;
    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    unsetenv("LD_PRELOAD");
    return start(hooked_main, argc, argv, init, fini, rtld_fini, stack_end);
}
