/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/prefault.h"
#include "base/state_dir.h"
#include "cpython/approval.h"
#include "cpython/native_gate.h"
#include "cpython/recorder.h"
#include "stage1/handover.h"

static struct plan
    plan; /* lives as long as the process: forked children describe themselves by it */

void launcher_die(int status, const char *fmt, ...)
{
    char line[ERR_MESSAGE_MAX + 32];
    int len = snprintf(line, sizeof(line), "spython: ");
    va_list ap;

    va_start(ap, fmt);
    len += vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, ap);
    va_end(ap);
    if (len > (int)sizeof(line) - 2)
        len = (int)sizeof(line) - 2;
    for (int i = 0; i < len; i++)
        if ((unsigned char)line[i] < 32 || line[i] == 127)
            line[i] = '?'; /* a file's name must not write to the terminal what it likes */
    line[len++] = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)len);
    _exit(status);
}

static void step_read_interpreter(void)
{
    char path[PATH_MAX + 64];
    CLEANUP_FD int fd = -1;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "%s/libexec/spython/3.%d/interpreter", plan.prefix,
                   startup_python_minor);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    n = fd < 0 ? -1 : read(fd, &plan.interpreter, sizeof(plan.interpreter));
    if (n != (ssize_t)sizeof(plan.interpreter) ||
        memcmp(plan.interpreter.magic, INTERPRETER_MAGIC, 8) != 0 ||
        plan.interpreter.size != sizeof(plan.interpreter) ||
        plan.interpreter.path_count > INTERPRETER_MAX_PATHS)
        launcher_die(EXIT_SPY_UNUSABLE, "'%s': damaged (run: spythonctl interpreter add)", path);
    plan.startup.interpreter = &plan.interpreter;
}

static void step_load_policy(void)
{
    struct err err = ERR_INIT;
    int r;

    (void)snprintf(plan.policy_path, sizeof(plan.policy_path), "%s/etc/spython/policy.bin",
                   state_dir_of_prefix(plan.prefix));
    r = policy_load(plan.policy_path, plan.owner, &plan.policy, &err);
    if (r == -ENOENT)
        r = policy_builtin(&plan.policy, &err);
    if (r < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "policy: %s (see: spythonctl status)", err.msg);
}

/* Which app and venv: both may depend on the script, so its name is needed before it is read. */
static void step_choose_settings(void)
{
    const char *script = plan_guess_script(&plan);

    if (script && !realpath(script, plan.script_real))
        plan.script_real[0] = '\0';
    plan_read_shebang(&plan, script);
    plan_choose_venv(&plan);
}

static bool is_permitted(const char *name)
{
    for (uint32_t i = 0; i < plan.settings->env_permit.count; i++)
        if (strcmp(plan.settings->env_permit.items[i], name) == 0)
            return true;
    return false;
}

/*
 * Variables that are obeyed whatever sys.flags.ignore_environment says: PYTHONEXECUTABLE and
 * __PYVENV_LAUNCHER__ choose sys.executable and with it the environment that is entered (they are
 * meant for macOS, but Modules/getpath.py of 3.11 and later asks nobody), the others name files and
 * modules that the standard library reads or imports.
 */
static bool is_obeyed_unasked(const char *variable, size_t len)
{
    static const char *const names[] = {"__PYVENV_LAUNCHER__", "PYTHONEXECUTABLE", "PYTHONTZPATH",
                                        "PYTHONUSERBASE"};

    if (len > 7 && memcmp(variable, "_PYTHON", 7) == 0)
        return true; /* of CPython's own build: _PYTHON_SYSCONFIGDATA_NAME and its kind */
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == len && memcmp(names[i], variable, len) == 0)
            return true;
    return false;
}

static void step_forget_variables(void)
{
    if (plan.settings->profile == PROFILE_OBSERVE)
        return;
    for (char **p = environ; p && *p;) {
        size_t len = strcspn(*p, "="), used = strlen(plan.removed);
        char name[256];

        if (len >= sizeof(name) || !is_obeyed_unasked(*p, len)) {
            p++;
            continue;
        }
        memcpy(name, *p, len);
        name[len] = '\0';
        if (is_permitted(name)) {
            p++;
            continue;
        }
        (void)snprintf(plan.removed + used, sizeof(plan.removed) - used, "%s%s", used ? "=" : "",
                       name);
        if (unsetenv(name) < 0) /* moves the next one here */
            p++;
    }
}

static void step_command_line(void)
{
    plan.startup.argc = plan.argc;
    plan.startup.argv = plan.argv;
    plan.startup.script_fd = -1;
    if (plan.settings->profile == PROFILE_OBSERVE) {
        plan.startup.kind = START_PYTHON;
        return;
    }
    plan_parse_options(&plan);
    if (plan.startup.kind == START_SCRIPT)
        plan.startup.script_fd = plan_open_script(&plan, plan.argv[plan.startup.subject], false);
}

/* Besides root, whoever owns spython may change the code that it runs. The settings lie in memory
 * of ours: policy_load() has decoded them. */
static void step_prepare_verifying(void)
{
    struct policy_settings *settings = (struct policy_settings *)(uintptr_t)plan.settings;

    settings->verify.trust.owner = plan.owner;
    approval_start(plan.policy_path, plan.owner, &plan.policy, settings);
}

/* In the directory of policy.bin, which policy_load() has checked: where code is verified, policy
 * is not the built-in one. What cannot be used is not missed, but for the time that it saves. */
static void step_map_digests(void)
{
    struct policy_verify *verify = (struct policy_verify *)(uintptr_t)&plan.settings->verify;
    char path[PATH_MAX + 64];
    struct err err = ERR_INIT;

    if (verify->fresh_digests || (verify->mode == VERIFY_OFF && verify->native == VERIFY_OFF))
        return;
    (void)snprintf(path, sizeof(path), "%s/etc/spython/" DIGEST_CACHE_NAME,
                   state_dir_of_prefix(plan.prefix));
    if (digest_cache_open(path, plan.owner, &plan.digests, &err) == 0)
        verify->trust.digests = &plan.digests;
}

static void step_open_log(void)
{
    struct err err = ERR_INIT;

    recorder_write_child_start = NULL;
    if (recorder_open(&plan.policy, plan.settings, state_dir_of_prefix(plan.prefix),
                      startup_python_minor, &err) < 0)
        launcher_die(EXIT_SPY_IO, "log: %s (make it writable, or set on_failure: count)", err.msg);
}

static int open_script_for_python(void *ctx, const char *path)
{
    int fd = plan_open_script(ctx, path, true);

    if (fd >= 0)
        plan_verify_script(ctx);
    return fd;
}

static void refuse_parsed(void *ctx, enum start_kind kind, const char *subject)
{
    plan_require_entry(ctx, kind, subject);
}

static void write_child_start(void)
{
    plan_write_start(&plan);
}

static void step_guard_native_code(void)
{
    char own[PATH_MAX + 64];
    struct err err = ERR_INIT;

    (void)snprintf(own, sizeof(own), "%s/libexec/spython/3.%d", plan.prefix, startup_python_minor);
    if (native_gate_start(&plan.settings->verify, own, &err) < 0)
        launcher_die(EXIT_SPY_REFUSED, "%s", err.msg);
}

static void before_start(void *ctx)
{
    plan_write_start(ctx);
    recorder_write_child_start = write_child_start;
    step_guard_native_code();
    plan_verify_script(ctx);
}

static void write_stop(int status, void *unused)
{
    (void)unused;
    recorder_stop(status & 255, 0); /* what the parent will see */
}

int launcher_main(int argc, char **argv, char **envp)
{
    prefault(&plan, sizeof(plan));
    prefault(&recorder, sizeof(recorder));
    plan.argc = argc;
    plan.argv = argv;
    plan_take_handover(&plan, envp);
    step_read_interpreter();
    step_load_policy();
    step_choose_settings();
    plan_pin_environment(&plan);
    step_forget_variables();
    step_prepare_verifying();
    step_map_digests();
    step_command_line();
    step_open_log();
    if (on_exit(write_stop, NULL) != 0)
        launcher_die(EXIT_SPY_UNUSABLE, "start: out of memory");
    plan.startup.open_script = open_script_for_python;
    plan.startup.before_start = before_start;
    plan.startup.refuse = refuse_parsed;
    plan.startup.ctx = &plan;
    return startup_run(&plan.startup);
}
