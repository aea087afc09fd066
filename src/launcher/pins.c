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
#include "stage1/handover.h"

static bool is_for_linker(const char *name)
{
    return strncmp(name, "LD_", 3) == 0 || strcmp(name, "GLIBC_TUNABLES") == 0 ||
           strncmp(name, "MALLOC_", 7) == 0;
}

static const char *pinned_preload(const struct policy_settings *settings)
{
    for (uint32_t i = 0; i < settings->env_pin_count; i++)
        if (strcmp(settings->env_pin[i].name, "LD_PRELOAD") == 0)
            return settings->env_pin[i].value;
    return NULL;
}

static void append(FILE *out, const char *text)
{
    (void)fprintf(out, "%zu:%s,", strlen(text), text);
}

/* The handover of the second pass: as the first, but for the guard and the pass. */
static char *encode_handover(const struct plan *plan, bool replaced)
{
    char *text = NULL, minor[16];
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    (void)snprintf(minor, sizeof(minor), "3.%d", startup_python_minor);
    append(out, HANDOVER_FORMAT);
    append(out, minor);
    append(out, plan->prefix);
    append(out, plan->exe);
    append(out, plan->execfn);
    append(out, replaced ? "r" : "i");
    append(out, replaced ? plan->argv[1] : "");
    append(out, plan->removed);
    append(out, "1");
    if (fclose(out) != 0)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    return text;
}

static char **guarded_arguments(const struct plan *plan, bool replaced)
{
    char **argv = calloc((size_t)plan->argc + 2, sizeof(*argv));
    int at = 0;

    if (!argv)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    argv[at++] = plan->argv[0];
    if (replaced) {
        char *guard = strdup(plan->argv[1]);

        if (!guard)
            launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
        memset(guard, HANDOVER_GUARD_BYTE, strlen(guard));
        guard[0] = '-';
        argv[at++] = guard;
    } else {
        static char guard[] = HANDOVER_GUARD;

        argv[at++] = guard;
        if (plan->argc > 1)
            argv[at++] = plan->argv[1];
    }
    for (int i = 2; i < plan->argc; i++)
        argv[at++] = plan->argv[i];
    return argv;
}

static void __attribute__((noreturn)) execute_again(const struct plan *plan)
{
    bool replaced = plan->argc > 1 && strlen(plan->argv[1]) >= 2;
    const char *preload = pinned_preload(plan->settings);
    char *handover = encode_handover(plan, replaced), *value;

    if (asprintf(&value, "%s/libexec/spython/3.%d/core.so%s%s", plan->prefix, startup_python_minor,
                 preload ? ":" : "", preload ? preload : "") < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    /* Last in the environment, where the core looks for them. */
    (void)unsetenv("LD_PRELOAD");
    if (setenv("LD_PRELOAD", value, 1) < 0 || setenv(HANDOVER_VARIABLE, handover, 1) < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    /* The file that this process runs is the one that the first stage checked. */
    (void)execve("/proc/self/exe", guarded_arguments(plan, replaced), environ);
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
