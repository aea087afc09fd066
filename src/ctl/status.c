/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "base/owner.h"
#include "ctl/files.h"
#include "ctl/interpreter.h"
#include "ctl/output.h"
#include "ctl/pending.h"
#include "ctl/policy_apply.h"
#include "ctl/policy_back.h"
#include "ctl/policy_trial.h"
#include "ctl/venv.h"

static void add_problem(json_t *problems, const char *object, const struct problem *problem)
{
    json_array_append_new(problems,
                          json_pack("{s:o, s:o, s:o}", "object", json_text(object), "problem",
                                    json_text(problem->err.msg), "todo", json_text(problem->todo)));
}

static void add_text_problem(json_t *problems, const char *object, const char *what,
                             const char *todo)
{
    struct problem problem = {0};

    problem_set(&problem, UNFIT, "%s", what);
    problem_todo(&problem, "%s", todo);
    add_problem(problems, object, &problem);
}

/* The dynamic linker would misread such a path in LD_PRELOAD, so the first stage refuses it. */
static void check_prefix(const struct ctl *ctl, json_t *problems)
{
    if (strpbrk(ctl->prefix, " :;$"))
        add_text_problem(problems, ctl->prefix[0] ? ctl->prefix : "/",
                         "a prefix with a blank, colon, semicolon or dollar sign cannot work",
                         "install spython to another directory");
}

static json_t *collect_interpreters(const struct ctl *ctl, json_t *problems)
{
    struct interpreter *all;
    size_t count = interpreter_all(ctl, &all), registered = 0, defaults = 0;
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct interpreter *in = &all[i];

        registered += in->is_registered;
        defaults += in->is_default && in->is_registered;
        json_array_append_new(array, interpreter_json(in));
        if (in->is_registered && in->state != INTERPRETER_OK && in->state != INTERPRETER_COPIED) {
            CLEANUP_FREE char *object = must_format("interpreter %s", in->minor);

            add_problem(problems, object, &in->problem);
        }
    }
    if (registered == 0)
        add_text_problem(problems, "interpreters", "none is registered",
                         "spythonctl interpreter add PATH");
    else if (defaults == 0)
        add_text_problem(problems, "bin/spython", "names no registered version",
                         "spythonctl interpreter default X.Y");
    free(all);
    return array;
}

static void check_owners(const struct ctl *ctl, json_t *problems)
{
    static const char *const trees[] = {"bin", "libexec/spython"};
    struct offenders offenders = {0};
    struct problem problem = {0};

    for (size_t i = 0; i < 2; i++) {
        CLEANUP_FREE char *path = ctl_path(ctl, "%s", trees[i]);

        offenders_look_above(&offenders, path, ctl->owner);
        /* A bin that is shared with the rest of the system is not ours to walk. */
        if (i == 1)
            offenders_walk(&offenders, path, ctl->owner);
        else
            offenders_look_at(&offenders, path, ctl->owner);
    }
    if (offenders_problem(&offenders, &problem) < 0)
        add_problem(problems, "programs", &problem);
    offenders_done(&offenders);
    if (policy_check_sources(ctl, &problem) < 0)
        add_problem(problems, ctl->etc, &problem);
}

/* Where a sink writes: a relative path is relative to the prefix. */
static char *sink_place(const struct ctl *ctl, const struct sink_config *sink)
{
    return sink->path[0] == '/' ? must_copy(sink->path)
                                : must_format("%s/%s", ctl->state, sink->path);
}

/* A mount that takes nothing, or nothing any more. */
static int check_sink_space(const char *directory, struct problem *problem)
{
    struct statvfs fs;

    if (statvfs(directory, &fs) < 0)
        return 0; /* whoever asks next says what is wrong */
    if (fs.f_flag & ST_RDONLY) {
        problem_set(problem, -EROFS, "is on a read-only file system");
        return problem_todo(problem, "name another place in the policy, or remount it");
    }
    if (fs.f_bavail == 0 || (fs.f_files > 0 && fs.f_favail == 0)) {
        problem_set(problem, -ENOSPC, "is on a file system that is full");
        return problem_todo(problem, "make room, or name another place in the policy");
    }
    return 0;
}

static int check_sink_directory(const struct ctl *ctl, const char *place, struct problem *problem)
{
    struct err err = ERR_INIT;
    struct stat st;

    if (stat(place, &st) < 0) {
        problem_set(problem, -errno, "cannot be used: %s", strerror(errno));
        return problem_todo(problem, "mkdir -m 1777 %s", place);
    }
    if (!S_ISDIR(st.st_mode)) {
        problem_set(problem, UNFIT, "is not a directory");
        return problem_todo(problem, "name a directory, or leave the last slash away");
    }
    if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)) {
        problem_set(problem, UNFIT, "everybody can remove the logs of others in it");
        return problem_todo(problem, "chmod +t %s", place);
    }
    if (owner_check_chain(place, ctl->owner, &err) < 0)
        return problem_from_err(problem, &err);
    return check_sink_space(place, problem);
}

static int check_sink_file(const struct ctl *ctl, const char *place, struct problem *problem)
{
    CLEANUP_FREE char *dir = must_copy(place);
    struct stat st;

    if (stat(place, &st) == 0) {
        if (S_ISREG(st.st_mode))
            return check_sink_space(place, problem);
        problem_set(problem, UNFIT, "is not a regular file");
        return problem_todo(problem, "name another path in the policy");
    }
    *strrchr(dir, '/') = '\0';
    (void)ctl;
    if (stat(dir[0] ? dir : "/", &st) == 0 && S_ISDIR(st.st_mode))
        return check_sink_space(dir[0] ? dir : "/", problem);
    problem_set(problem, -ENOENT, "its directory does not exist");
    return problem_todo(problem, "mkdir -p %s", dir);
}

static json_t *sink_json(const struct ctl *ctl, const struct sink_config *sink, const char *app,
                         json_t *problems)
{
    json_t *object = json_object();
    struct problem problem = {0};
    CLEANUP_FREE char *place = NULL, *name = NULL;
    size_t len;
    int r;

    json_object_set_new(object, "kind", json_text(sink_ops_of(sink->kind)->name));
    json_object_set_new(object, "level", json_text(level_name(sink->level)));
    json_object_set_new(object, "on_failure",
                        json_string(sink->on_failure == SINK_FAILURE_STOP ? "stop" : "count"));
    if (sink->kind != SINK_FILE || !sink->path || !sink->path[0])
        return object;
    place = sink_place(ctl, sink);
    len = strlen(place);
    r = place[len - 1] == '/' ? check_sink_directory(ctl, place, &problem)
                              : check_sink_file(ctl, place, &problem);
    json_object_set_new(object, "path", json_text(place));
    json_object_set_new(object, "exists", json_boolean(access(place, F_OK) == 0));
    json_object_set_new(object, "writable", json_boolean(access(place, W_OK) == 0));
    json_object_set_new(object, "ok", json_boolean(r == 0));
    if (r < 0) {
        name = must_format("sink %s%s%s", place, app[0] ? " of app " : "", app);
        add_problem(problems, name, &problem);
    }
    return object;
}

static json_t *app_json(const struct ctl *ctl, const struct policy_settings *settings,
                        json_t *problems)
{
    json_t *sinks = json_array();

    for (uint32_t i = 0; i < settings->sink_count; i++)
        json_array_append_new(sinks, sink_json(ctl, &settings->sinks[i], settings->app, problems));
    return json_pack("{s:o, s:s, s:o}", "app", json_text(settings->app), "profile",
                     profile_name(settings->profile), "sinks", sinks);
}

static const char *compare_sources(const struct ctl *ctl, const struct policy *policy,
                                   bool built_in, json_t *problems)
{
    struct problem off = {0};
    struct stat st;
    CLEANUP_FREE char *yaml = must_format("%s/spython.yaml", ctl->etc);

    if (built_in && stat(yaml, &st) < 0)
        return "none";
    if (built_in) {
        add_text_problem(problems, "policy", "the sources were never applied", "spythonctl apply");
        return "changed";
    }
    if (policy_refuse_while_off(ctl, &off) < 0)
        return "off"; /* what is in force for now has no sources */
    switch (policy_compare_sources(ctl, policy)) {
    case SOURCES_SAME:
        return "same";
    case SOURCES_CHANGED:
        add_text_problem(problems, "policy", "its sources say something else than what is in force",
                         "spythonctl apply --dry-run shows what, spythonctl apply applies it");
        return "changed";
    case SOURCES_WRONG:
        add_text_problem(problems, "policy", "its sources have errors",
                         "spythonctl check prints them");
        return "wrong";
    case SOURCES_UNKNOWN:
        break;
    }
    return "unknown";
}

/* Without an inventory all start-up hooks are unknown ones, the distribution's own as well. */
static void check_hooks(const struct ctl *ctl, const struct policy *policy, json_t *problems)
{
    CLEANUP_FREE char *path = must_format("%s/hooks.list", ctl->etc);
    bool enforced = policy->host->verify.hooks == VERIFY_ENFORCE;

    for (uint32_t i = 0; i < policy->app_count; i++)
        enforced |= policy->apps[i].verify.hooks == VERIFY_ENFORCE;
    if (enforced && access(path, F_OK) < 0)
        add_text_problem(problems, "hooks.list",
                         "start-up hooks are enforced, and no inventory was taken: all are refused",
                         "spythonctl hooks take");
}

/* Files may have changed since it was applied, such that a program does not start any more. */
static void check_trial(const struct ctl *ctl, const struct policy *policy, json_t *problems)
{
    struct trial trial;

    trial_run(ctl, policy, &trial);
    for (size_t i = 0; i < TRIAL_SHOWN && trial.shown[i].path; i++) {
        CLEANUP_FREE char *what = must_format("would be refused: %s", trial.shown[i].why);

        add_text_problem(problems, trial.shown[i].path, what,
                         "get it approved: sign, spythonctl manifest add, spythonctl apply");
    }
    trial_done(&trial);
}

static json_t *collect_policy(const struct ctl *ctl, json_t *apps, json_t *problems)
{
    json_t *object = json_object();
    char digest[DIGEST_HEX_SIZE], applied[32] = "";
    struct problem problem = {0};
    struct policy policy;
    bool built_in;
    struct tm tm;

    if (policy_in_force(ctl, &policy, &built_in, &problem) < 0) {
        json_object_set_new(object, "state", json_string("unusable"));
        add_problem(problems, "policy", &problem);
        return object;
    }
    hex_encode(policy.digest, DIGEST_SIZE, digest);
    if (!built_in && gmtime_r(&(time_t){policy.applied}, &tm))
        (void)strftime(applied, sizeof(applied), "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_object_set_new(object, "state", json_string(built_in ? "built-in" : "in force"));
    json_object_set_new(object, "digest", json_text(digest));
    json_object_set_new(object, "serial", json_integer((json_int_t)policy.serial));
    json_object_set_new(object, "applied", applied[0] ? json_text(applied) : json_null());
    json_object_set_new(object, "profile", json_text(profile_name(policy.host->profile)));
    json_object_set_new(object, "sources",
                        json_string(compare_sources(ctl, &policy, built_in, problems)));
    check_hooks(ctl, &policy, problems);
    check_trial(ctl, &policy, problems);
    json_array_append_new(apps, app_json(ctl, policy.host, problems));
    for (uint32_t i = 0; i < policy.app_count; i++)
        json_array_append_new(apps, app_json(ctl, &policy.apps[i], problems));
    policy_done(&policy);
    return object;
}

/* What ends by itself: an object for each that is pending, as far as the caller may see it. */
static json_t *collect_pending(const struct ctl *ctl, json_t *problems)
{
    static const char *const names[PENDING_KIND_MAX] = {"confirm", "off"};
    json_t *object = json_object();

    for (int kind = 0; kind < PENDING_KIND_MAX; kind++) {
        struct problem problem = {0};
        struct pending pending;
        char until[32];
        int r = pending_read(ctl, (enum pending_kind)kind, &pending, &problem);

        if (r == -ENOENT || r == -EACCES)
            continue;
        if (r < 0) {
            add_problem(problems, names[kind], &problem);
            continue;
        }
        pending_format_time(pending.deadline, until);
        json_object_set_new(object, names[kind],
                            json_pack("{s:s, s:I, s:o, s:o}", "until", until, "serial",
                                      (json_int_t)pending.serial, "app", json_text(pending.app),
                                      "reason", json_text(pending.reason)));
        if (kind == PENDING_OFF)
            add_text_problem(problems, "policy", "enforcement is off for a while",
                             "spythonctl on ends that");
    }
    return object;
}

static json_t *collect_venvs(const struct ctl *ctl, json_t *problems)
{
    struct problem problem = {0};
    struct venv_list list;
    json_t *array;
    const json_t *item;
    size_t bad, i;

    if (venv_list_all(ctl, &list, &problem) < 0) {
        add_problem(problems, "venvs.list", &problem);
        return json_array();
    }
    array = venv_list_json(ctl, &list, &bad);
    venv_list_done(&list);
    json_array_foreach(array, i, item) if (!json_is_true(json_object_get(item, "ok")))
        add_text_problem(problems, json_member(item, "root"), json_member(item, "problem"),
                         json_member(item, "todo"));
    return array;
}

json_t *status_collect(const struct ctl *ctl)
{
    json_t *status = json_object(), *problems = json_array(), *apps = json_array();

    json_object_set_new(status, "prefix", json_text(ctl->prefix[0] ? ctl->prefix : "/"));
    json_object_set_new(status, "owner", json_text(ctl_owner_name(ctl)));
    json_object_set_new(status, "interpreters", collect_interpreters(ctl, problems));
    json_object_set_new(status, "policy", collect_policy(ctl, apps, problems));
    json_object_set_new(status, "pending", collect_pending(ctl, problems));
    json_object_set_new(status, "apps", apps);
    json_object_set_new(status, "venvs", collect_venvs(ctl, problems));
    check_owners(ctl, problems);
    check_prefix(ctl, problems);
    json_object_set_new(status, "ok", json_boolean(json_array_size(problems) == 0));
    json_object_set_new(status, "problems", problems);
    return status;
}
