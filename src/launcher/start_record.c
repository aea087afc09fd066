/* SPDX-License-Identifier: Apache-2.0 */
/* spython.start: who runs what, where, under which policy. Written first in every session. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "cpython/environment.h"
#include "cpython/recorder.h"
#include "launcher/main.h"

#define MAX_FACTS 40
#define MAX_NAMES 64

struct facts {
    const char *names[MAX_FACTS];
    struct value values[MAX_FACTS];
    unsigned count;
};

static void add(struct facts *facts, const char *name, struct value value)
{
    if (facts->count < MAX_FACTS) {
        facts->names[facts->count] = name;
        facts->values[facts->count++] = value;
    }
}

static void add_text(struct facts *facts, const char *name, const char *text)
{
    add(facts, name, text && text[0] ? value_utf8(text, strlen(text)) : value_none());
}

/* First line of a small file of the system; "" if it cannot be read. */
static const char *read_line(const char *path, char *out, size_t cap)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, cap - 1);

    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return out;
}

/* Start time of a process in clock ticks since boot: with its pid it names a process for good. */
static int64_t start_time(int64_t pid)
{
    char path[64], line[1024];
    const char *p;

    (void)snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    p = strrchr(read_line(path, line, sizeof(line)), ')'); /* the name may hold anything */
    for (int field = 2; p && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }
    return p ? strtoll(p + 1, NULL, 10) : 0;
}

/* The id of the container, where the control group tells it (64 hexadecimal digits). */
static const char *container_id(char *out)
{
    char text[4096];
    CLEANUP_FD int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    out[0] = '\0';
    text[n > 0 ? n : 0] = '\0';
    for (const char *p = text; *p; p++) {
        size_t len = strspn(p, "0123456789abcdef");

        if (len == 64) {
            memcpy(out, p, 64);
            out[64] = '\0';
            return out;
        }
        if (len)
            p += len - 1;
    }
    return out;
}

static void add_process(struct facts *facts, char *cwd)
{
    static char auid[32], machine[64], boot[64], container[65];
    static bool known;
    int64_t parent = getppid();

    if (!known) { /* do not change within a process and its forks */
        (void)read_line("/proc/self/loginuid", auid, sizeof(auid));
        (void)read_line("/etc/machine-id", machine, sizeof(machine));
        (void)read_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
        (void)container_id(container);
        known = true;
    }
    add(facts, "euid", value_int(geteuid()));
    add(facts, "gid", value_int(getgid()));
    add(facts, "auid",
        auid[0] && strcmp(auid, "4294967295") != 0 ? value_int(strtoll(auid, NULL, 10))
                                                   : value_none());
    add_text(facts, "cwd", getcwd(cwd, PATH_MAX));
    add_text(facts, "machine_id", machine);
    add_text(facts, "boot_id", boot);
    add_text(facts, "container", container);
    add(facts, "start_time", value_int(start_time(getpid())));
    add(facts, "parent_pid", value_int(parent));
    add(facts, "parent_start_time", value_int(start_time(parent)));
    add_text(facts, "parent_session", recorder.parent_session);
}

static unsigned ignored_variables(const struct plan *plan, struct value *items)
{
    unsigned count = 0;

    if (plan->settings->profile == PROFILE_OBSERVE)
        return 0;
    for (char **p = environment_whole(); p && *p && count < MAX_NAMES; p++)
        if (environment_is_ignored(*p, &plan->settings->env_permit))
            items[count++] = value_utf8(*p, strcspn(*p, "="));
    return count;
}

static unsigned split_names(const char *list, struct value *items)
{
    unsigned count = 0;

    while (*list && count < MAX_NAMES) {
        size_t len = strcspn(list, "=");

        items[count++] = value_utf8(list, len);
        list += len + (list[len] == '=');
    }
    return count;
}

static void add_list(struct facts *facts, const char *name, const struct value *items,
                     unsigned count)
{
    add(facts, name, value_list(items, count));
}

static void add_policy(struct facts *facts, const struct plan *plan, char *digest)
{
    add_text(facts, "profile", profile_name(plan->settings->profile));
    if (plan->policy.map) {
        hex_encode(plan->policy.digest, DIGEST_SIZE, digest);
        add_text(facts, "policy_sha256", digest);
    } else {
        add_text(facts, "policy_sha256", "");
    }
    add(facts, "policy_serial", value_int((int64_t)plan->policy.serial));
    /* Kernel restrictions come with src/harden/: until then a record says that there are none. */
    add_list(facts, "hardened", NULL, 0);
}

static void add_warning(const struct plan *plan)
{
    static const char *const names[] = {"message"};
    struct value value;

    if (!plan->venv_warning)
        return;
    value = value_utf8(plan->venv_warning, strlen(plan->venv_warning));
    recorder_write_own("spython.warning", LEVEL_MEDIUM, names, &value, 1);
}

void plan_write_start(void *ctx)
{
    const struct plan *plan = ctx;
    struct facts facts = {.count = 0};
    char digest[65], interpreter[65], cwd[PATH_MAX];
    struct value argv[VALUE_MAX_ITEMS], ignored[MAX_NAMES], removed[MAX_NAMES], list;
    int argc = plan->argc < VALUE_MAX_ITEMS ? plan->argc : VALUE_MAX_ITEMS;
    const char *version = startup_running_version();

    hex_encode(plan->interpreter.sha256, 32, interpreter);
    for (int i = 0; i < argc; i++) {
        size_t len = strlen(plan->argv[i]);

        argv[i] = value_utf8(plan->argv[i], len < VALUE_MAX_TEXT ? len : VALUE_MAX_TEXT);
        if (len > VALUE_MAX_TEXT) {
            argv[i].flags |= VALUE_CUT;
            argv[i].full = len;
        }
    }
    list = value_list(argv, (unsigned)argc);
    if (argc < plan->argc) {
        list.flags |= VALUE_CUT;
        list.full = (uint64_t)plan->argc;
    }
    add_text(&facts, "spython", SPYTHON_VERSION);
    add(&facts, "python", value_utf8(version, strcspn(version, " ")));
    add_text(&facts, "interpreter", plan->interpreter.path);
    add_text(&facts, "interpreter_sha256", interpreter);
    add_text(&facts, "exe", plan->executable);
    add(&facts, "argv", list);
    add_text(&facts, "script", plan->script_real);
    add_text(&facts, "script_sha256", plan->script_sha256);
    add_text(&facts, "venv", plan->venv);
    add_process(&facts, cwd);
    add_policy(&facts, plan, digest);
    add_list(&facts, "ignored", ignored, ignored_variables(plan, ignored));
    add_list(&facts, "removed", removed, split_names(plan->removed, removed));
    recorder_write_own("spython.start", LEVEL_INFORMATIONAL, facts.names, facts.values,
                       facts.count);
    recorder.started = true;
    add_warning(plan);
}
