/* SPDX-License-Identifier: Apache-2.0 */
/* Starting CPython the way the profile says, and running what the command line names. */
#ifndef SPYTHON_CPYTHON_STARTUP_H
#define SPYTHON_CPYTHON_STARTUP_H

#include <stdbool.h>

#include "policy/policy.h"
#include "stage1/interpreter_record.h"

enum start_kind {
    START_SCRIPT = 0, /* a script file, from the bytes in script_fd */
    START_PATH,       /* a directory or zip file with __main__.py */
    START_MODULE,     /* -m */
    START_COMMAND,    /* -c */
    START_STDIN,      /* standard input, or the prompt */
    START_PYTHON,     /* python3's own command line */
};

struct startup {
    int argc; /* the whole command line, argv[0] included */
    char **argv;
    enum start_kind kind;
    int subject; /* index in argv of the script, path, module or command */
    bool dont_write_bytecode, ignore_environment, isolated, no_user_site, safe_path, unbuffered;

    const struct policy_settings *settings;
    const struct interpreter_record *interpreter;
    const char *executable; /* sys.executable */

    int script_fd; /* START_SCRIPT: sealed memfd of the script; the run closes it */

    /* START_PYTHON: called with the script's name once the command line is parsed; returns a sealed
     * memfd, or -1 to let CPython open the name itself. */
    int (*open_script)(void *ctx, const char *path);

    /* Called after CPython has read its configuration and before it starts: writes spython.start.
     */
    void (*before_start)(void *ctx);

    /* Ends the process with a message of ours; for START_PYTHON with a policy that refuses. */
    void (*refuse)(void *ctx, enum start_kind kind, const char *subject);
    void *ctx;
};

/*
 * Runs the interpreter from pre-initialisation to finalisation. Returns the exit status, or does
 * not return (sys.exit(), death by SIGINT).
 */
int startup_run(struct startup *startup);

/* "3.11.2": the version of the headers that this core was built with. */
extern const char startup_python_version[];
extern const int startup_python_minor;

/* The version of the running interpreter, as sys.version begins. */
const char *startup_running_version(void);

#endif
