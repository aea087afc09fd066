/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables that policy pins. Most are simply set. What only the dynamic linker reads (a preloaded
 * allocator, a library path) has to be there before the process begins: then the core executes the
 * interpreter once more, with its own object first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/main.h"
#include "stage1/guard.h"
#include "stage1/handover.h"
#include "stage1/handover_encode.h"

static bool is_for_linker(const char *name)
{
    return strncmp(name, "LD_", 3) == 0 || strcmp(name, "GLIBC_TUNABLES") == 0 ||
           strncmp(name, "MALLOC_", 7) == 0;
}

static const char *pinned(const struct policy_settings *settings, const char *name)
{
    for (uint32_t i = 0; i < settings->env_pin_count; i++)
        if (strcmp(settings->env_pin[i].name, name) == 0)
            return settings->env_pin[i].value;
    return NULL;
}

/* The handover of the second pass: as the first, but for the guard and the pass. `first` is the
 * argument that the guard replaced, NULL if it was inserted. */
static void encode_handover(const struct plan *plan, const char *first, struct text *out)
{
    char minor[16];
    struct handover_source source = {
        .minor = minor,
        .prefix = plan->prefix,
        .executable = plan->exe,
        .execfn = plan->execfn,
        .first_argument = first,
        .removed = plan->removed,
        .second_pass = true,
    };

    (void)snprintf(minor, sizeof(minor), "3.%d", startup_python_minor);
    handover_encode(&source, out);
    if (out->cut)
        launcher_die(EXIT_SPY_UNUSABLE, "start: the command line is too long");
}

/* A list for the dynamic linker: our object, then what policy pins. */
static void put_list(const struct plan *plan, const char *variable, const char *object)
{
    const char *more = pinned(plan->settings, variable);
    char *value;

    if (asprintf(&value, "%s/libexec/spython/3.%d/%s%s%s", plan->prefix, startup_python_minor,
                 object, more ? ":" : "", more ? more : "") < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    /* Last in the environment, where the core looks for it. */
    (void)unsetenv(variable);
    if (setenv(variable, value, 1) < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    free(value);
}

static void __attribute__((noreturn)) execute_again(const struct plan *plan)
{
    static char guard[HANDOVER_ARGUMENT_MAX + 1], handover[HANDOVER_VALUE_MAX + 1];
    const char **argv = calloc((size_t)plan->argc + GUARD_EXTRA, sizeof(*argv));
    const char *first;
    struct text text;

    if (!argv)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    first =
        guard_build((size_t)plan->argc, (const char *const *)plan->argv, plan->execfn, argv, guard);
    text_init(&text, handover, sizeof(handover));
    encode_handover(plan, first, &text);
    put_list(plan, "LD_AUDIT", "audit.so");
    put_list(plan, "LD_PRELOAD", "core.so");
    if (setenv(HANDOVER_VARIABLE, handover, 1) < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    /* The file that this process runs is the one that the first stage checked. execve() takes its
     * arguments as not constant for history's sake, and does not change them. */
    (void)execve("/proc/self/exe", (char *const *)(uintptr_t)argv, environ);
    launcher_die(EXIT_SPY_UNUSABLE, "'%s': %s", plan->interpreter.path, strerror(errno));
}

void plan_pin_environment(struct plan *plan)
{
    const struct policy_settings *settings = plan->settings;
    bool again = false;

    for (uint32_t i = 0; i < settings->env_pin_count; i++) {
        if (setenv(settings->env_pin[i].name, settings->env_pin[i].value, 1) < 0)
            launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
        again = again || is_for_linker(settings->env_pin[i].name);
    }
    if (again && !plan->handover.second_pass)
        execute_again(plan);
}
