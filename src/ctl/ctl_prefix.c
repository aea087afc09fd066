/* SPDX-License-Identifier: Apache-2.0 */
/* Which installation: the one this executable belongs to, or the one that --prefix names. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/state_dir.h"
#include "ctl/ctl.h"
#include "ctl/output.h"

#define PROGRAM "/bin/spythonctl"

static int prefix_of_executable(char prefix[PATH_MAX], struct problem *problem)
{
    ssize_t n = readlink("/proc/self/exe", prefix, PATH_MAX - 1);
    size_t tail = strlen(PROGRAM), len;

    if (n < 0) {
        problem_set(problem, -EIO, "cannot read /proc/self/exe: %s", strerror(errno));
        return problem_todo(problem, "mount /proc, or name the installation with --prefix");
    }
    len = (size_t)n;
    prefix[len] = '\0';
    if (len < tail || strcmp(prefix + len - tail, PROGRAM) != 0) {
        problem_set(problem, -EIO, "'%s' is not in an installation", prefix);
        return problem_todo(problem,
                            "install it as PREFIX/bin/spythonctl, or name one with --prefix DIR");
    }
    prefix[len - tail] = '\0';
    return 0;
}

int ctl_find_prefix(struct ctl *ctl, const char *prefix_option, struct problem *problem)
{
    CLEANUP_FREE char *program = NULL, *etc = NULL;
    struct stat st;
    int r;

    if (prefix_option) {
        if (!realpath(prefix_option, ctl->prefix)) {
            problem_set(problem, -errno, "cannot resolve it: %s", strerror(errno));
            return problem_todo(problem, "name the directory that holds bin/spythonctl");
        }
        if (strcmp(ctl->prefix, "/") == 0)
            ctl->prefix[0] = '\0';
    } else {
        r = prefix_of_executable(ctl->prefix, problem);
        if (r < 0)
            return r;
    }
    program = ctl_path(ctl, "bin/spythonctl");
    if (stat(program, &st) < 0) {
        problem_set(problem, -EIO, "it has no bin/spythonctl: %s", strerror(errno));
        return problem_todo(problem, "name the directory that spython was installed to");
    }
    ctl->owner = st.st_uid;
    (void)snprintf(ctl->state, sizeof(ctl->state), "%s", state_dir_of_prefix(ctl->prefix));
    etc = must_format("%s/etc/spython", ctl->state);
    if (strlen(etc) + 64 > PATH_MAX) { /* room for the names below it */
        problem_set(problem, -ENAMETOOLONG, "its path is too long");
        return problem_todo(problem, "install to a shorter path");
    }
    (void)snprintf(ctl->etc, sizeof(ctl->etc), "%s", etc);
    return 0;
}

const char *ctl_value(const struct ctl *ctl, enum ctl_flag flag)
{
    for (size_t i = ctl->value_count; i-- > 0;)
        if (ctl->values[i].flag == (unsigned)flag)
            return ctl->values[i].text;
    return NULL;
}

const char **ctl_values(const struct ctl *ctl, enum ctl_flag flag)
{
    const char **all = must_alloc((ctl->value_count + 1) * sizeof(*all));
    size_t count = 0;

    for (size_t i = 0; i < ctl->value_count; i++)
        if (ctl->values[i].flag == (unsigned)flag)
            all[count++] = ctl->values[i].text;
    return all;
}

char *ctl_path(const struct ctl *ctl, const char *fmt, ...)
{
    va_list ap;
    char *rest, *path;

    va_start(ap, fmt);
    rest = must_vformat(fmt, ap);
    va_end(ap);
    path = must_format("%s/%s", ctl->prefix, rest);
    free(rest);
    return path;
}

const char *ctl_owner_name(const struct ctl *ctl)
{
    static char text[64];
    const struct passwd *user = getpwuid(ctl->owner);

    if (user)
        (void)snprintf(text, sizeof(text), "%s", user->pw_name);
    else
        (void)snprintf(text, sizeof(text), "uid %u", (unsigned)ctl->owner);
    return text;
}
