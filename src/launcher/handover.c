/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpython/native_gate.h"
#include "launcher/main.h"
#include "stage1/handover.h"

static bool is_named(const char *variable, const char *name)
{
    size_t len = strlen(name);

    return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

/* Takes a variable out of the array and wipes it from the stack, where /proc/PID/environ shows it.
 * The last one counts: the first stage puts its own behind everything. */
static char *take_variable(char **envp, const char *name)
{
    char *copy = NULL;

    for (size_t i = 0; envp[i];) {
        if (!is_named(envp[i], name)) {
            i++;
            continue;
        }
        free(copy);
        copy = strdup(envp[i] + strlen(name) + 1);
        if (!copy)
            launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
        explicit_bzero(envp[i], strlen(envp[i]));
        for (size_t k = i; envp[k]; k++)
            envp[k] = envp[k + 1];
    }
    return copy;
}

/* The process title is the memory that argv points to: put back what the guard replaced there. */
static void restore_arguments(struct plan *plan)
{
    const struct handover *h = &plan->handover;

    if (plan->argc < 2)
        launcher_die(EXIT_SPY_UNUSABLE, "handover: no guard (start bin/spython, not the core)");
    if (h->guard == HANDOVER_GUARD_REPLACED) {
        if (strlen(plan->argv[1]) != h->first_argument.len)
            launcher_die(EXIT_SPY_UNUSABLE, "handover: the guard does not fit");
        memcpy(plan->argv[1], h->first_argument.data, h->first_argument.len);
        return;
    }
    if (strcmp(plan->argv[1], HANDOVER_GUARD) != 0)
        launcher_die(EXIT_SPY_UNUSABLE, "handover: no guard (start bin/spython, not the core)");
    /* Move the strings behind the guard over it, so that the title has no trace of it. */
    if (plan->argc > 2) {
        char *from = plan->argv[2];
        char *end = plan->argv[plan->argc - 1] + strlen(plan->argv[plan->argc - 1]) + 1;
        size_t shift = (size_t)(from - plan->argv[1]);

        memmove(plan->argv[1], from, (size_t)(end - from));
        memset(end - shift, 0, shift);
        for (int i = 1; i < plan->argc - 1; i++)
            plan->argv[i] = plan->argv[i + 1] - shift;
    } else {
        memset(plan->argv[1], 0, strlen(plan->argv[1]));
    }
    plan->argc--;
    plan->argv[plan->argc] = NULL;
}

static void copy_text(char *out, size_t cap, const struct handover_text *text, const char *what)
{
    if (text->len >= cap)
        launcher_die(EXIT_SPY_UNUSABLE, "handover: %s is too long", what);
    memcpy(out, text->data, text->len);
    out[text->len] = '\0';
}

/* The invocation path may be relative to the directory that we are still in. */
static void keep_execfn(struct plan *plan)
{
    char name[PATH_MAX], cwd[PATH_MAX];

    if (plan->handover.execfn.len >= sizeof(name))
        return;
    memcpy(name, plan->handover.execfn.data, plan->handover.execfn.len);
    name[plan->handover.execfn.len] = '\0';
    if (name[0] == '/') {
        memcpy(plan->execfn, name, sizeof(name));
    } else if (name[0] && getcwd(cwd, sizeof(cwd))) {
        if (snprintf(plan->execfn, sizeof(plan->execfn), "%s/%s", cwd, name) >=
            (int)sizeof(plan->execfn))
            plan->execfn[0] = '\0';
    }
}

void plan_take_handover(struct plan *plan, char **envp)
{
    char *text = take_variable(envp, HANDOVER_VARIABLE);
    char minor[16], expected[16];
    struct stat st;
    const char *slash;

    free(take_variable(envp, "LD_PRELOAD"));
    free(take_variable(envp, "LD_AUDIT"));
    if (!text)
        launcher_die(EXIT_SPY_UNUSABLE, "handover: missing (start bin/spython, not the core)");
    plan->handover_text = text;
    if (handover_parse(text, strlen(text), &plan->handover) < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "handover: damaged (reinstall spython)");
    restore_arguments(plan);
    copy_text(plan->prefix, sizeof(plan->prefix), &plan->handover.prefix, "the prefix");
    copy_text(plan->exe, sizeof(plan->exe), &plan->handover.executable, "the executable's path");
    copy_text(plan->removed, sizeof(plan->removed), &plan->handover.removed, "a list");
    copy_text(minor, sizeof(minor), &plan->handover.minor, "the version");
    keep_execfn(plan);
    (void)snprintf(expected, sizeof(expected), "3.%d", startup_python_minor);
    if (strcmp(minor, expected) != 0)
        launcher_die(
            EXIT_SPY_UNUSABLE,
            "'%s/libexec/spython/%s/core.so': is the core of Python %s (reinstall spython)",
            plan->prefix, minor, expected);
    if (strncmp(startup_running_version(), expected, strlen(expected)) != 0 ||
        startup_running_version()[strlen(expected)] != '.')
        launcher_die(EXIT_SPY_UNUSABLE,
                     "'%s/libexec/spython/%s/python': is Python %.16s (run: spythonctl interpreter "
                     "add)",
                     plan->prefix, minor, startup_running_version());
    if (!native_gate_greet()) /* the linker says so in a line of its own, and goes on */
        launcher_die(EXIT_SPY_UNUSABLE,
                     "'%s/libexec/spython/%s/audit.so': is not active (reinstall spython)",
                     plan->prefix, minor);
    if (stat(plan->exe, &st) < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "'%s': %s (reinstall spython)", plan->exe, strerror(errno));
    plan->owner = st.st_uid;
    /* The name that the kernel gives a program is that of the file it executed. */
    slash = strrchr(plan->execfn, '/');
    (void)prctl(PR_SET_NAME, slash ? slash + 1 : "spython", 0, 0, 0);
}
