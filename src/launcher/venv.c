/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which virtual environment a process runs in: what policy says for the app; else the invocation
 * path (also as the script's #! line names it); else where the script lies. Paths from outside can
 * only select a root that policy lists.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owner.h"
#include "launcher/main.h"
#include "stage1/handover.h"

/* ROOT of ROOT/bin/NAME as a real path, if it is listed or looks like a virtual environment. */
static bool root_of(const struct plan *plan, const char *program, char *ret_root)
{
    char path[PATH_MAX], config[PATH_MAX + 16];
    struct stat st;
    char *slash;

    if (!program[0] || strlen(program) >= sizeof(path))
        return false;
    memcpy(path, program, strlen(program) + 1);
    slash = strrchr(path, '/');
    if (!slash)
        return false;
    *slash = '\0'; /* the directory is resolved, the program itself is a link to spython */
    if (!realpath(path[0] ? path : "/", ret_root))
        return false;
    slash = strrchr(ret_root, '/');
    if (!slash || strcmp(slash, "/bin") != 0)
        return false;
    *slash = '\0';
    (void)snprintf(config, sizeof(config), "%s/pyvenv.cfg", ret_root);
    return stat(config, &st) == 0 || policy_has_venv(&plan->policy, ret_root);
}

/* The listed root that holds the script. */
static bool root_of_script(const struct plan *plan, char *ret_root)
{
    for (uint32_t i = 0; i < plan->policy.venvs.count; i++) {
        const char *root = plan->policy.venvs.items[i];
        size_t len = strlen(root);

        if (len < PATH_MAX && strncmp(plan->script_real, root, len) == 0 &&
            plan->script_real[len] == '/') {
            memcpy(ret_root, root, len + 1);
            return true;
        }
    }
    return false;
}

static bool is_trusted(const char *path, uid_t owner, struct err *err)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        err_set(err, -errno, "'%s': %s", path, strerror(errno));
        return false;
    }
    return owner_check_stat(&st, owner, path, err) == 0;
}

/* Stops, or under observe remembers what would have stopped us. */
static void __attribute__((format(printf, 3, 4)))
object_to(struct plan *plan, int status, const char *fmt, ...)
{
    static char text[ERR_MESSAGE_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (plan->settings->profile != PROFILE_OBSERVE)
        launcher_die(status, "%s", text);
    plan->venv_warning = text;
}

static void check_root(struct plan *plan)
{
    char path[PATH_MAX + 64];
    struct err err = ERR_INIT;
    struct stat st;

    if (!policy_has_venv(&plan->policy, plan->venv)) {
        object_to(plan, EXIT_SPY_REFUSED,
                  "'%s': is not an adopted virtual environment (run: spythonctl venv adopt %s)",
                  plan->venv, plan->venv);
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/lib/python3.%d", plan->venv, startup_python_minor);
    if (stat(path, &st) < 0) {
        object_to(
            plan, EXIT_SPY_UNUSABLE,
            "'%s': is not a virtual environment of Python 3.%d (use the spythonX.Y that it was "
            "made with, or make it anew)",
            plan->venv, startup_python_minor);
        return;
    }
    if (is_trusted(plan->venv, plan->owner, &err)) {
        (void)snprintf(path, sizeof(path), "%s/pyvenv.cfg", plan->venv);
        if (is_trusted(path, plan->owner, &err))
            return;
    }
    object_to(plan, EXIT_SPY_REFUSED, "%s (mend it, then run: spythonctl venv adopt %s)", err.msg,
              plan->venv);
}

/* Settings depend on the venv, and an app's settings may name another one. */
static void find_settings(struct plan *plan)
{
    plan->settings = policy_find(&plan->policy, plan->script_real, plan->venv, getuid());
}

void plan_choose_venv(struct plan *plan)
{
    if (!root_of(plan, plan->execfn, plan->venv) && !root_of(plan, plan->shebang, plan->venv) &&
        !root_of_script(plan, plan->venv))
        plan->venv[0] = '\0';
    find_settings(plan);
    if (plan->settings->venv[0] && strlen(plan->settings->venv) < sizeof(plan->venv))
        memcpy(plan->venv, plan->settings->venv, strlen(plan->settings->venv) + 1);
    if (plan->venv[0]) {
        check_root(plan);
        (void)snprintf(plan->executable, sizeof(plan->executable), "%s/bin/spython", plan->venv);
    } else {
        (void)snprintf(plan->executable, sizeof(plan->executable), "%s", plan->exe);
    }
    plan->startup.settings = plan->settings;
    plan->startup.executable = plan->executable;
}
