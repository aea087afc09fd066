/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPython opens its main script by name, long after anybody could have checked it (Modules/main.c,
 * pymain_run_file). Here the file runner gets a stream over a sealed memfd instead.
 */
#include "cpython/main_script.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "cpython/compat.h"
#include "cpython/dynamic.h"
#include "cpython/hook.h"

char *main_script_directory(const char *script)
{
    char real[PATH_MAX];
    char *directory, *slash;

    directory = strdup(realpath(script, real) ? real : script);
    if (!directory)
        return NULL;
    slash = strrchr(directory, '/');
    if (!slash)
        directory[0] = '\0';
    else if (slash == directory)
        slash[1] = '\0';
    else
        *slash = '\0';
    return directory;
}

int main_script_run(int fd, const wchar_t *filename, bool *ret_interrupted)
{
    PyObject *name = PyUnicode_FromWideChar(filename, -1), *encoded = NULL;
    PyCompilerFlags flags = {0};
    FILE *stream = NULL;
    int status = 1;

#if MINOR_3(8)
    flags.cf_feature_version = PY_MINOR_VERSION;
#endif
    *ret_interrupted = false;
    if (!name || PySys_Audit("cpython.run_file", "O", name) < 0)
        goto print;
    encoded = PyUnicode_EncodeFSDefault(name);
    if (!encoded)
        goto print;
    stream = fdopen(fd, "rb");
    if (!stream) {
        PyErr_SetFromErrno(PyExc_OSError);
        goto print;
    }
    fd = -1;
    if (Py_MakePendingCalls() < 0)
        goto print; /* SIGINT came before the first instruction */
    hook_main_starts(false);
    dynamic_expect_main();
    status = PyRun_SimpleFileExFlags(stream, PyBytes_AS_STRING(encoded), 1, &flags) != 0;
    stream = NULL;
    if (status != 0)
        *ret_interrupted = PySys_GetObject("last_type") == PyExc_KeyboardInterrupt;
    goto done;

print:
    *ret_interrupted = PyErr_Occurred() == PyExc_KeyboardInterrupt;
    PyErr_Print();
done:
    if (stream)
        (void)fclose(stream);
    fd_close(fd);
    Py_XDECREF(encoded);
    Py_XDECREF(name);
    return status;
}
