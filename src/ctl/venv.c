/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/venv.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/output.h"

#define CONFIG_MAX 65536

/* The text between `from` and `to` without blanks around it, malloc'ed. */
static char *trimmed(const char *from, const char *to)
{
    char *text;

    while (from < to && isspace((unsigned char)*from))
        from++;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    text = must_alloc((size_t)(to - from) + 1);
    memcpy(text, from, (size_t)(to - from));
    return text;
}

static void take(char **slot, char **value)
{
    free(*slot);
    *slot = STEAL(*value);
}

void venv_config_parse(const char *text, struct venv_config *ret)
{
    const char *line = text, *end;

    *ret = (struct venv_config){0};
    for (; *line; line = *end ? end + 1 : end) {
        const char *equals;
        CLEANUP_FREE char *key = NULL, *value = NULL;

        end = line + strcspn(line, "\n");
        equals = memchr(line, '=', (size_t)(end - line));
        if (!equals)
            continue;
        key = trimmed(line, equals);
        value = trimmed(equals + 1, end);
        if (strcasecmp(key, "home") == 0)
            take(&ret->home, &value);
        else if (strcasecmp(key, "version") == 0 || strcasecmp(key, "version_info") == 0)
            take(&ret->version, &value);
    }
}

void venv_config_done(struct venv_config *config)
{
    free(config->home);
    free(config->version);
    *config = (struct venv_config){0};
}

static int read_config(const char *path, struct venv_config *ret, struct problem *problem)
{
    CLEANUP_FREE char *text = NULL;
    size_t len;
    int r = file_read(path, CONFIG_MAX, &text, &len, problem);

    *ret = (struct venv_config){0};
    if (r == 0)
        venv_config_parse(text, ret);
    return r;
}

char *venv_home(const char *path, struct problem *problem)
{
    struct venv_config config;
    char *home = NULL;

    if (read_config(path, &config, problem) == 0)
        home = STEAL(config.home);
    venv_config_done(&config);
    return home;
}

/* "3.11" of "3.11.2" or "3.11.2.final.0". */
static bool minor_of_version(const char *version, char minor[MINOR_SIZE])
{
    const char *dot = strchr(version, '.');
    size_t len = dot ? (size_t)(dot + 1 - version) + strcspn(dot + 1, ".") : 0;

    if (len == 0 || len >= MINOR_SIZE)
        return false;
    memcpy(minor, version, len);
    minor[len] = '\0';
    if (!is_minor(minor))
        minor[0] = '\0';
    return minor[0] != '\0';
}

static bool leads_to(const char *link, const char *real)
{
    char found[PATH_MAX];

    return realpath(link, found) && strcmp(found, real) == 0;
}

static bool is_made_from(const char *root, const char *home, const char *minor, const char *real)
{
    CLEANUP_FREE char *exact = must_format("%s/python%s", home, minor);
    CLEANUP_FREE char *three = must_format("%s/python3", home);
    CLEANUP_FREE char *own = must_format("%s/bin/python", root);

    return leads_to(exact, real) || leads_to(three, real) || leads_to(own, real);
}

static int check_base(const struct ctl *ctl, const char *root, const char *minor, const char *home,
                      struct problem *problem)
{
    struct interpreter *in = must_alloc(sizeof(*in));
    int r = interpreter_need(ctl, minor, home, in, problem);

    if (r == 0 && !is_made_from(root, home, minor, in->record.path)) {
        problem_set(problem, UNFIT, "was made from the Python in '%s', but '%s' is registered",
                    home, in->record.path);
        r = problem_todo(problem,
                         "make it again with the registered interpreter, or register that one");
    }
    free(in);
    return r;
}

static int check_owners(const struct ctl *ctl, const char *root, const char *minor,
                        struct problem *problem)
{
    static const char *const parts[] = {"", "/pyvenv.cfg", "/bin", "/lib", "/lib64"};
    static const char *const libraries[] = {"lib", "lib64"};
    struct offenders offenders = {0};
    CLEANUP_FREE char *bin = must_format("%s/bin", root);
    int r;

    offenders_look_above(&offenders, root, ctl->owner);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        CLEANUP_FREE char *path = must_format("%s%s", root, parts[i]);

        offenders_look_at(&offenders, path, ctl->owner);
    }
    offenders_walk(&offenders, bin, ctl->owner);
    for (size_t i = 0; i < 2; i++) {
        CLEANUP_FREE char *python = must_format("%s/%s/python%s", root, libraries[i], minor);
        CLEANUP_FREE char *real = realpath(python, NULL);
        CLEANUP_FREE char *packages = must_format("%s/site-packages", python);

        /* Where lib64 is a link to lib, it is the same directory a second time. */
        if (!real || (i == 1 && strncmp(real + strlen(root), "/lib/", 5) == 0))
            continue;
        offenders_look_at(&offenders, python, ctl->owner);
        offenders_walk(&offenders, packages, ctl->owner);
    }
    r = offenders_problem(&offenders, problem);
    offenders_done(&offenders);
    return r;
}

int venv_check(const struct ctl *ctl, const char *root, char minor[MINOR_SIZE],
               struct problem *problem)
{
    CLEANUP_FREE char *path = must_format("%s/pyvenv.cfg", root);
    struct venv_config config;
    int r = read_config(path, &config, problem);

    minor[0] = '\0';
    if (r == -ENOENT) {
        problem_set(problem, access(root, F_OK) < 0 ? -ENOENT : UNFIT,
                    "is not a virtual environment: it has no pyvenv.cfg");
        return problem_todo(problem, "name the directory that `python3 -m venv` made");
    }
    if (r < 0)
        return r;
    if (!config.home || config.home[0] != '/') {
        problem_set(problem, UNFIT, "its pyvenv.cfg names no home");
        r = problem_todo(problem, "make it again with `python3 -m venv`");
    } else if (!config.version || !minor_of_version(config.version, minor)) {
        problem_set(problem, UNFIT, "its pyvenv.cfg names no version of Python");
        r = problem_todo(problem, "make it again with `python3 -m venv`");
    } else {
        r = check_base(ctl, root, minor, config.home, problem);
    }
    venv_config_done(&config);
    return r < 0 ? r : check_owners(ctl, root, minor, problem);
}

int venv_check_links(const struct ctl *ctl, const char *root, const char *minor,
                     struct problem *problem)
{
    CLEANUP_FREE char *program = ctl_path(ctl, "bin/spython%s", minor);
    CLEANUP_FREE char *plain = must_format("%s/bin/spython", root);
    CLEANUP_FREE char *versioned = must_format("%s/bin/spython%s", root, minor);

    if (leads_to(plain, program) && leads_to(versioned, program))
        return 0;
    problem_set(problem, UNFIT, "bin/spython or bin/spython%s does not lead to '%s'", minor,
                program);
    return problem_todo(problem, "spythonctl venv adopt %s", root);
}
