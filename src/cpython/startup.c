/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/startup.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpython/arenas.h"
#include "cpython/code_marks.h"
#include "cpython/compat.h"
#include "cpython/environment.h"
#include "cpython/hook.h"
#include "cpython/main_script.h"
#include "cpython/places.h"
#include "cpython/recorder.h"

const char startup_python_version[] = PY_VERSION;
const int startup_python_minor = PY_MINOR_VERSION;

#define TRY(status, call)                                                                          \
    do {                                                                                           \
        (status) = (call);                                                                         \
        if (PyStatus_Exception(status))                                                            \
            return (status);                                                                       \
    } while (0)

const char *startup_running_version(void)
{
    return Py_GetVersion();
}

static PyStatus preinitialise(const struct startup *s)
{
    PyPreConfig pre;

    PyPreConfig_InitPythonConfig(&pre);
    if (s->kind == START_PYTHON)
        return Py_PreInitializeFromBytesArgs(&pre, s->argc, s->argv);
    pre.parse_argv = 0;
    pre.isolated = s->isolated;
    pre.use_environment = !s->ignore_environment && !s->isolated;
    return Py_PreInitialize(&pre);
}

/* Everything that CPython would otherwise derive from argv[0], PATH and files beside them. */
static PyStatus set_paths(PyConfig *config, const struct startup *s)
{
    const struct interpreter_record *in = s->interpreter;
    char home[sizeof(in->prefix) + sizeof(in->exec_prefix) + 1];
    PyStatus status;

    TRY(status, PyConfig_SetBytesString(config, &config->program_name, s->executable));
    TRY(status, PyConfig_SetBytesString(config, &config->executable, s->executable));
    TRY(status, PyConfig_SetBytesString(config, &config->base_executable, s->executable));
    if (strcmp(in->prefix, in->exec_prefix) == 0)
        (void)snprintf(home, sizeof(home), "%s", in->prefix);
    else
        (void)snprintf(home, sizeof(home), "%s:%s", in->prefix, in->exec_prefix);
    if (s->kind != START_PYTHON || !getenv("PYTHONHOME"))
        TRY(status, PyConfig_SetBytesString(config, &config->home, home));
    if (s->settings->profile == PROFILE_OBSERVE)
        return PyStatus_Ok(); /* the rest as PYTHONHOME, PYTHONPATH and -X say */
#if !MINOR_3(11)
    TRY(status, PyConfig_SetBytesString(config, &config->prefix, in->prefix));
    TRY(status, PyConfig_SetBytesString(config, &config->base_prefix, in->prefix));
    TRY(status, PyConfig_SetBytesString(config, &config->exec_prefix, in->exec_prefix));
    TRY(status, PyConfig_SetBytesString(config, &config->base_exec_prefix, in->exec_prefix));
#endif
#if MINOR_3(9)
    TRY(status, PyConfig_SetBytesString(config, &config->platlibdir, in->platlibdir));
#endif
#if MINOR_3(11)
    TRY(status, PyConfig_SetBytesString(config, &config->stdlib_dir, in->stdlib));
#endif
    return PyStatus_Ok();
}

/*
 * From 3.11 on CPython derives its search path from `home` alone, without looking at anything else,
 * and derives sys._stdlib_dir (and so os.__file__) only if it may do so. Before, it would look for
 * files beside the executable: there the path is given.
 */
#if MINOR_3(11)
static PyStatus set_search_paths(PyConfig *config, const struct startup *s)
{
    (void)config;
    (void)s;
    return PyStatus_Ok();
}
#else
static PyStatus append_path(PyConfig *config, const char *path)
{
    wchar_t *wide = Py_DecodeLocale(path, NULL);
    PyStatus status;

    if (!wide)
        return PyStatus_NoMemory();
    status = PyWideStringList_Append(&config->module_search_paths, wide);
    PyMem_RawFree(wide);
    return status;
}

static PyStatus set_search_paths(PyConfig *config, const struct startup *s)
{
    const char *extra = s->ignore_environment || s->isolated ? NULL : getenv("PYTHONPATH");
    PyStatus status;

    if (s->settings->profile == PROFILE_OBSERVE)
        return PyStatus_Ok();
    config->module_search_paths_set = 1;
    while (extra && *extra) { /* only there if policy permits it */
        size_t len = strcspn(extra, ":");
        char *one = strndup(extra, len);

        if (!one)
            return PyStatus_NoMemory();
        status = len ? append_path(config, one) : PyStatus_Ok();
        free(one);
        if (PyStatus_Exception(status))
            return status;
        extra += len + (extra[len] == ':');
    }
    for (uint32_t i = 0; i < s->interpreter->path_count && i < INTERPRETER_MAX_PATHS; i++)
        TRY(status, append_path(config, s->interpreter->paths[i]));
    return PyStatus_Ok();
}
#endif

static PyStatus set_subject(PyConfig *config, const struct startup *s)
{
    const char *subject = s->argv[s->subject];

    switch (s->kind) {
    case START_SCRIPT:
    case START_PATH:
        return PyConfig_SetBytesString(config, &config->run_filename, subject);
    case START_MODULE:
        return PyConfig_SetBytesString(config, &config->run_module, subject);
    case START_COMMAND: {
        /* CPython keeps the command with a newline behind it, whatever it was given. */
        size_t len = strlen(subject);
        char *line = malloc(len + 2);
        PyStatus status;

        if (!line)
            return PyStatus_NoMemory();
        memcpy(line, subject, len);
        memcpy(line + len, "\n", 2);
        status = PyConfig_SetBytesString(config, &config->run_command, line);
        free(line);
        return status;
    }
    case START_STDIN:
    case START_PYTHON:
    default:
        return PyStatus_Ok();
    }
}

static PyStatus set_original_arguments(PyConfig *config, const struct startup *s)
{
#if MINOR_3(10)
    for (int i = 0; i < s->argc; i++) {
        wchar_t *wide = Py_DecodeLocale(s->argv[i], NULL);
        PyStatus status;

        if (!wide)
            return PyStatus_NoMemory();
        status = PyWideStringList_Append(&config->orig_argv, wide);
        PyMem_RawFree(wide);
        if (PyStatus_Exception(status))
            return status;
    }
#else
    (void)config;
    (void)s;
#endif
    return PyStatus_Ok();
}

/* sys.argv as CPython's own parser leaves it. */
static PyStatus set_arguments(PyConfig *config, const struct startup *s)
{
    static char command[] = "-c", module[] = "-m", standard_input[] = "-";
    int count = s->argc - s->subject;
    char **argv;
    PyStatus status;

    if (count <= 0)
        return PyStatus_Ok();
    argv = calloc((size_t)count + 1, sizeof(*argv));
    if (!argv)
        return PyStatus_NoMemory();
    memcpy(argv, s->argv + s->subject, (size_t)count * sizeof(*argv));
    if (s->kind == START_COMMAND)
        argv[0] = command;
    else if (s->kind == START_MODULE)
        argv[0] = module;
    else if (s->kind == START_STDIN)
        argv[0] = standard_input;
    status = PyConfig_SetBytesArgv(config, count, argv);
    free(argv);
    return status;
}

static PyStatus set_options(PyConfig *config, const struct startup *s)
{
    PyStatus status;

    config->parse_argv = 0;
    config->isolated = s->isolated;
    config->use_environment = !s->ignore_environment && !s->isolated;
    config->user_site_directory =
        (s->settings->entry & ENTRY_USER_SITE) && !s->no_user_site && !s->isolated;
#if MINOR_3(11)
    config->safe_path = s->safe_path || s->isolated;
#endif
    if (s->dont_write_bytecode)
        config->write_bytecode = 0;
    if (s->unbuffered)
        config->buffered_stdio = 0;
    TRY(status, set_original_arguments(config, s));
    TRY(status, set_subject(config, s));
    return set_arguments(config, s);
}

static PyStatus configure(PyConfig *config, const struct startup *s)
{
    PyStatus status;

    if (s->kind == START_PYTHON)
        status = PyConfig_SetBytesArgv(config, s->argc, s->argv);
    else
        status = set_options(config, s);
    if (PyStatus_Exception(status))
        return status;
    /* What it would write could not run: nobody has approved it. */
    if (s->settings->verify.mode == VERIFY_ENFORCE)
        config->write_bytecode = 0;
    TRY(status, set_paths(config, s));
    TRY(status, set_search_paths(config, s));
#if MINOR_3(14)
    config->remote_debug = s->settings->profile == PROFILE_OBSERVE;
#endif
    return PyConfig_Read(config);
}

static bool insert_path(Py_ssize_t at, const char *directory)
{
    PyObject *path = PySys_GetObject("path");
    PyObject *first = PyUnicode_DecodeFSDefault(directory);
    bool ok = path && first && PyList_Check(path) && PyList_Insert(path, at, first) == 0;

    Py_XDECREF(first);
    if (!ok)
        PyErr_Print();
    return ok;
}

static int finish(int status, bool interrupted)
{
    if (Py_FinalizeEx() < 0)
        status = 120; /* CPython's own status for "could not flush standard output" */
    if (interrupted) {
        /* Death by SIGINT, so that a calling shell stops too (Modules/main.c, exit_sigint). */
        recorder_stop(0, SIGINT);
        (void)signal(SIGINT, SIG_DFL);
        (void)kill(getpid(), SIGINT);
        return SIGINT + 128;
    }
    return status;
}

static void hold_interrupt(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/*
 * Py_RunMain(), which after an unhandled KeyboardInterrupt kills the process with SIGINT itself
 * (Modules/main.c, exit_sigint). That comes after finalisation, whose last act is to call what
 * Py_AtExit() was given: from then on the signal waits, so that the stop record can be written.
 */
static int run_main(void)
{
    sigset_t set;
    int status;

    (void)Py_AtExit(hold_interrupt); /* if there is no place left, the record is missing */
    status = Py_RunMain();
    if (status == SIGINT + 128 && sigpending(&set) == 0 && sigismember(&set, SIGINT) == 1)
        recorder_stop(0, SIGINT);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return status;
}

/*
 * PYTHONPATH, if policy permits it. Up to 3.10 it is part of the search path that is given
 * (set_search_paths); later versions compute that path when the environment is already out of
 * bounds, so the directories go in front of it here. A sitecustomize in them is not found.
 */
static bool insert_python_path(const struct startup *s)
{
    bool ok = true;
#if MINOR_3(11)
    const char *at = getenv("PYTHONPATH");
    char one[PATH_MAX], real[PATH_MAX];
    Py_ssize_t index = 0;

    if (!at || s->settings->profile == PROFILE_OBSERVE || s->ignore_environment || s->isolated ||
        environment_is_ignored("PYTHONPATH", &s->settings->env_permit))
        return true;
    while (ok && *at) {
        size_t len = strcspn(at, ":");

        if (len > 0 && len < sizeof(one)) {
            memcpy(one, at, len);
            one[len] = '\0';
            ok = insert_path(index++, one[0] == '/' || !realpath(one, real) ? one : real);
        }
        at += len + (at[len] == ':');
    }
#else
    (void)s;
#endif
    return ok;
}

/* What START_PYTHON turned out to be. */
static enum start_kind parsed_kind(const PyConfig *config)
{
    if (config->run_command)
        return START_COMMAND;
    if (config->run_module)
        return START_MODULE;
    if (config->run_filename)
        return START_SCRIPT;
    return START_STDIN;
}

/* The script's name in the bytes that it came in. CPython has cut config->argv to begin with it;
 * its own encoder needs an interpreter from 3.12 on. NULL if there is no script. */
static const char *script_argument(const struct startup *s, const PyConfig *config)
{
    Py_ssize_t at = s->argc - config->argv.length;

    return config->run_filename && at > 0 && at < s->argc ? s->argv[at] : NULL;
}

static int take_script(struct startup *s, const PyConfig *config)
{
    const char *path = script_argument(s, config);

    if (s->kind == START_SCRIPT)
        return s->script_fd;
    /* -i and -x change how the file is run: CPython does that itself. */
    if (s->kind != START_PYTHON || parsed_kind(config) != START_SCRIPT || config->inspect ||
        config->skip_source_first_line)
        return -1;
    return path ? s->open_script(s->ctx, path) : -1;
}

static char *path0_of(const struct startup *s, const PyConfig *config)
{
    const char *path = script_argument(s, config);

#if MINOR_3(11)
    if (config->safe_path)
        return NULL;
#endif
    return config->isolated || !path ? NULL : main_script_directory(path);
}

static int run_script(struct startup *s, PyConfig *config, int fd)
{
    wchar_t *filename = wcsdup(config->run_filename);
    char *path0 = path0_of(s, config);
    bool interrupted = false, ready;
    PyStatus status = PyStatus_Ok();
    int result = 1;

#if MINOR_3(13)
    if (path0)
        status = PyConfig_SetBytesString(config, &config->sys_path_0, path0);
#endif
    if (!PyStatus_Exception(status))
        status = filename ? Py_InitializeFromConfig(config) : PyStatus_NoMemory();
    PyConfig_Clear(config);
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
    ready = insert_python_path(s) && (!path0 || insert_path(0, path0));
    free(path0);
    if (ready)
        result = main_script_run(fd, filename, &interrupted);
    free(filename);
    return finish(result, interrupted);
}

static void tell_places(const struct interpreter_record *in)
{
    static const char *dirs[2 + INTERPRETER_MAX_PATHS];
    unsigned count = 0;

    dirs[count++] = in->stdlib;
    for (uint32_t i = 0; i < in->path_count && i < INTERPRETER_MAX_PATHS; i++)
        dirs[count++] = in->paths[i];
    places_init(dirs, count);
}

int startup_run(struct startup *s)
{
    bool observe = s->settings->profile == PROFILE_OBSERVE;
    PyStatus status;
    PyConfig config;
    int fd;

    tell_places(s->interpreter);
    code_marks_init();
    if (!observe && environment_hide(&s->settings->env_permit) < 0)
        Py_ExitStatusException(PyStatus_NoMemory());
    status = preinitialise(s);
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
    arenas_init();
    if (hook_install() < 0)
        Py_ExitStatusException(PyStatus_NoMemory());
    s->before_start(s->ctx);
    PyConfig_InitPythonConfig(&config);
    status = configure(&config, s);
    environment_restore();
    if (PyStatus_Exception(status)) {
        PyConfig_Clear(&config);
        Py_ExitStatusException(status);
    }
    if (!observe) {
        if (s->kind == START_PYTHON)
            s->refuse(s->ctx, parsed_kind(&config), NULL);
        /* What policy permits has been read. Initialisation must not read the rest, nor may the
         * standard library, which asks sys.flags.ignore_environment before it does. */
        config.use_environment = 0;
    }
    config.parse_argv = 0; /* 3.8 would parse what is left of the command line again */
    fd = take_script(s, &config);
    if (fd >= 0)
        return run_script(s, &config, fd);
    status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
    if (!insert_python_path(s))
        return finish(1, false);
    hook_main_starts(true);
    return run_main();
}
