/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl interpreter` verbs: which Python runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/interpreter.h"
#include "ctl/output.h"
#include "ctl/venv.h"

static enum tone state_tone(const struct interpreter *in)
{
    if (!in->is_registered)
        return TONE_PLAIN;
    return in->state == INTERPRETER_OK       ? TONE_GOOD
           : in->state == INTERPRETER_COPIED ? TONE_WARN
                                             : TONE_BAD;
}

static bool is_bad(const struct interpreter *in)
{
    return in->is_registered && in->state != INTERPRETER_OK && in->state != INTERPRETER_COPIED;
}

/* Writes the record, then the link: the first stage looks at the record first. */
static int store(const struct ctl *ctl, const char *minor, const struct interpreter_record *record,
                 struct problem *problem)
{
    CLEANUP_FREE char *path = ctl_path(ctl, "libexec/spython/%s/interpreter", minor);
    CLEANUP_FREE char *link = ctl_path(ctl, "libexec/spython/%s/python", minor);
    int r = file_replace(path, record, sizeof(*record), problem);

    if (r < 0) {
        problem_set(problem, r, "cannot write '%s': %s", path, strerror(-r));
        return problem_todo(problem, "run spythonctl as root or as the owner of spython");
    }
    return file_link(record->path, link, problem);
}

/* bin/spython -> spythonX.Y; `only_if_absent` leaves what is there alone. */
static int make_default(const struct ctl *ctl, const char *minor, bool only_if_absent,
                        bool *ret_made, struct problem *problem)
{
    CLEANUP_FREE char *link = ctl_path(ctl, "bin/spython");
    CLEANUP_FREE char *target = must_format("spython%s", minor);
    char found[2];

    *ret_made = false;
    if (only_if_absent && (readlink(link, found, sizeof(found)) >= 0 || access(link, F_OK) == 0))
        return 0;
    *ret_made = true;
    return file_link(target, link, problem);
}

static int add_one(struct ctl *ctl, const char *path)
{
    struct interpreter_record *record = must_alloc(sizeof(*record));
    struct problem problem = {0};
    char minor[MINOR_SIZE], version[24];
    bool made_default = false;
    int r = interpreter_examine(ctl, path, record, &problem);

    if (r == 0) {
        (void)snprintf(minor, sizeof(minor), "%u.%u", record->version_hex >> 24,
                       record->version_hex >> 16 & 255);
        r = store(ctl, minor, record, &problem);
    }
    if (r == 0)
        r = make_default(ctl, minor, true, &made_default, &problem);
    if (r < 0) {
        free(record);
        return problem_report(path, &problem);
    }
    interpreter_version(record->version_hex, version);
    printf("registered %s: Python %s%s\n", safe(record->path), version,
           record->debug_build ? " (debug build)" : "");
    if (made_default)
        printf("bin/spython now names spython%s\n", minor);
    free(record);
    return CTL_OK;
}

int cmd_interpreter_add(struct ctl *ctl, int argc, char **argv)
{
    int status = CTL_OK;

    for (int i = 0; i < argc; i++) {
        int one = add_one(ctl, argv[i]);

        if (status == CTL_OK)
            status = one;
    }
    return status;
}

static int print_all(struct ctl *ctl, bool with_problems)
{
    struct interpreter *all;
    size_t count = interpreter_all(ctl, &all), registered = 0;
    bool wants_json = ctl->flags & CTL_JSON, found_bad = false;
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct interpreter *in = &all[i];
        char version[24];

        found_bad = found_bad || is_bad(in);
        registered += in->is_registered;
        json_array_append_new(array, interpreter_json(in));
        if (wants_json || !in->is_registered)
            continue;
        interpreter_version(in->record.version_hex, version);
        out_word(TONE_STRONG, in->record.path[0] ? version : in->minor, 10);
        out_word(state_tone(in), interpreter_state_name(in->state), 11);
        printf("%s%s\n", safe(in->record.path), in->is_default ? "  (default)" : "");
        if (with_problems && in->state != INTERPRETER_OK)
            printf("    %s\n    hint: %s\n", safe(in->problem.err.msg), safe(in->problem.todo));
    }
    free(all);
    if (wants_json)
        out_json(json_pack("{s:o}", "interpreters", array));
    else
        json_decref(array);
    if (with_problems && registered == 0) {
        struct problem problem = {0};

        problem_set(&problem, UNFIT, "none is registered");
        problem_todo(&problem, "spythonctl interpreter add PATH");
        return problem_report("interpreter", &problem);
    }
    return with_problems && found_bad ? CTL_NEGATIVE : CTL_OK;
}

int cmd_interpreter_list(struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return print_all(ctl, false);
}

int cmd_interpreter_check(struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return print_all(ctl, true);
}

static int refuse_version(const char *text)
{
    struct problem problem = {0};

    problem_set(&problem, UNFIT, "is not a version");
    problem_todo(&problem, "write it like 3.11; see spythonctl interpreter list");
    (void)problem_report(text, &problem);
    return CTL_USAGE;
}

/* The adopted environments that lose their interpreter. */
static void warn_about_venvs(const struct ctl *ctl, const char *minor)
{
    struct venv_list list = {0};
    struct problem problem = {0};

    if (venv_list_read(ctl, &list, &problem) < 0)
        return;
    for (size_t i = 0; i < list.count; i++) {
        CLEANUP_FREE char *link = must_format("%s/bin/spython%s", list.roots[i], minor);

        if (access(link, F_OK) == 0)
            printf("%s still uses it: spythonctl venv remove %s\n", safe(list.roots[i]),
                   safe(list.roots[i]));
    }
    venv_list_done(&list);
}

int cmd_interpreter_remove(struct ctl *ctl, int argc, char **argv)
{
    const char *minor = argv[0];
    CLEANUP_FREE char *path = NULL, *link = NULL, *program = NULL, *target = NULL;
    struct problem problem = {0};

    (void)argc;
    if (!is_minor(minor))
        return refuse_version(minor);
    path = ctl_path(ctl, "libexec/spython/%s/interpreter", minor);
    link = ctl_path(ctl, "libexec/spython/%s/python", minor);
    program = ctl_path(ctl, "bin/spython");
    target = must_format("spython%s", minor);
    if (unlink(path) < 0) {
        if (errno == ENOENT) {
            problem_set(&problem, -ENOENT, "no interpreter is registered for it");
            problem_todo(&problem, "see spythonctl interpreter list");
        } else {
            problem_set(&problem, -errno, "cannot remove '%s': %s", path, strerror(errno));
        }
        return problem_report(minor, &problem);
    }
    if (file_unlink_link(link, NULL, &problem) < 0)
        return problem_report(link, &problem);
    if (file_unlink_link(program, target, &problem) < 0)
        return problem_report(program, &problem);
    printf("removed the interpreter of %s\n", minor);
    warn_about_venvs(ctl, minor);
    return CTL_OK;
}

int cmd_interpreter_default(struct ctl *ctl, int argc, char **argv)
{
    struct interpreter_record *record;
    struct problem problem = {0};
    bool made;
    int r;

    (void)argc;
    if (!is_minor(argv[0]))
        return refuse_version(argv[0]);
    record = must_alloc(sizeof(*record));
    r = interpreter_read(ctl, argv[0], record, &problem);
    free(record);
    if (r == 0)
        r = make_default(ctl, argv[0], false, &made, &problem);
    if (r < 0)
        return problem_report(argv[0], &problem);
    printf("bin/spython now names spython%s\n", argv[0]);
    return CTL_OK;
}
