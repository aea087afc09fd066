/* SPDX-License-Identifier: Apache-2.0 */
/* Every change of policy.bin goes through here. At each moment there is a whole policy in place:
 * the new one is on disk before the old one is moved on. */
#include "ctl/policy_apply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/digest_table.h"
#include "ctl/files.h"
#include "ctl/manifest_source.h"
#include "ctl/output.h"
#include "ctl/pending.h"
#include "ctl/policy_back.h"
#include "ctl/policy_trial.h"
#include "ctl/policy_view.h"

char *policy_path(const struct ctl *ctl, unsigned number)
{
    if (number == 0)
        return must_format("%s/policy.bin", ctl->etc);
    return must_format("%s/policy.bin.%u", ctl->etc, number);
}

char *policy_undone_path(const struct ctl *ctl)
{
    return must_format("%s/policy.bin.undone", ctl->etc);
}

int policy_in_force(const struct ctl *ctl, struct policy *ret, bool *ret_built_in,
                    struct problem *problem)
{
    CLEANUP_FREE char *path = policy_path(ctl, 0);
    struct err err = ERR_INIT;
    int r = policy_load(path, ctl->owner, ret, &err);

    *ret_built_in = r == -ENOENT;
    if (r == -ENOENT)
        r = policy_builtin(ret, &err);
    return r < 0 ? problem_from_err(problem, &err) : 0;
}

int policy_lock(const struct ctl *ctl, struct problem *problem)
{
    CLEANUP_FREE char *path = must_format("%s/.lock", ctl->etc);
    int fd = file_lock(path, problem);

    if (fd == -ENOENT) {
        problem_set(problem, -ENOENT, "there is no directory '%s'", ctl->etc);
        return problem_todo(problem, "make it, or install spython again");
    }
    return fd;
}

int policy_check_sources(const struct ctl *ctl, struct problem *problem)
{
    struct offenders offenders = {0};
    int r;

    offenders_look_above(&offenders, ctl->etc, ctl->owner);
    offenders_walk(&offenders, ctl->etc, ctl->owner);
    r = offenders_problem(&offenders, problem);
    offenders_done(&offenders);
    return r;
}

static uint64_t serial_of(const struct ctl *ctl, const char *path)
{
    struct policy policy;
    struct err err = ERR_INIT;
    uint64_t serial;

    if (policy_load(path, ctl->owner, &policy, &err) < 0)
        return 0; /* absent or damaged: it was not in force under any number that counts */
    serial = policy.serial;
    policy_done(&policy);
    return serial;
}

/* The highest serial that was ever given out, as noted; the files may all have gone since. */
static char *serial_path(const struct ctl *ctl)
{
    return must_format("%s/.serial", ctl->etc);
}

static uint64_t noted_serial(const struct ctl *ctl)
{
    CLEANUP_FREE char *path = serial_path(ctl), *text = NULL;
    struct problem ignored = {0};
    size_t len;

    if (file_read(path, 32, &text, &len, &ignored) < 0)
        return 0; /* the policies that are there say enough */
    return strtoull(text, NULL, 10);
}

static int note_serial(const struct ctl *ctl, uint64_t serial, struct problem *problem)
{
    CLEANUP_FREE char *path = serial_path(ctl);
    CLEANUP_FREE char *text = must_format("%" PRIu64 "\n", serial);

    return file_replace(path, text, strlen(text), problem);
}

uint64_t policy_next_serial(const struct ctl *ctl)
{
    CLEANUP_FREE char *undone = policy_undone_path(ctl);
    uint64_t highest = serial_of(ctl, undone), noted = noted_serial(ctl);

    if (noted > highest)
        highest = noted;

    for (unsigned i = 0; i <= POLICY_HISTORY; i++) {
        CLEANUP_FREE char *path = policy_path(ctl, i);
        uint64_t serial = serial_of(ctl, path);

        if (serial > highest)
            highest = serial;
    }
    return highest + 1;
}

void policy_print_message(FILE *stream, const struct policy_message *message)
{
    (void)fprintf(stream, "%s", safe(message->file ? message->file : "policy"));
    /* What is about the whole file is shown at its beginning, so that every line has one form. */
    (void)fprintf(stream, ":%u:%u: %s: %s\n", message->line > 0 ? message->line : 1,
                  message->line > 0 && message->column > 0 ? message->column : 1,
                  message->severity == POLICY_WARNING ? "warning" : "error", safe(message->text));
    (void)fprintf(stream, "    hint: %s\n",
                  message->hint ? safe(message->hint) : "see spython.yaml(5)");
}

/* One compilation; messages and data are the caller's. */
static int compile(const struct ctl *ctl, const char *more_venv, uint64_t serial, int64_t applied,
                   void **ret_data, size_t *ret_len, struct policy_messages *messages,
                   struct problem *problem)
{
    const struct policy_manifest_source manifests = manifest_source_of(ctl);
    const struct policy_compile_input input = {
        .etc_dir = ctl->etc,
        .manifests = &manifests,
        .venvs = more_venv ? &more_venv : NULL,
        .venv_count = more_venv ? 1 : 0,
        .serial = serial,
        .applied = applied,
    };
    struct err err = ERR_INIT;
    int r = policy_compile(&input, ret_data, ret_len, messages, &err);

    if (r < 0 && messages->errors > 0) {
        problem_set(problem, -EINVAL, "its sources have %zu error%s", messages->errors,
                    messages->errors == 1 ? "" : "s");
        return problem_todo(problem, "correct them; spythonctl check looks at them again");
    }
    return r < 0 ? problem_from_err(problem, &err) : 0;
}

/* An artefact that does not load must never be put in force, whoever is to blame. */
static int prove_it_loads(const void *data, size_t len, struct problem *problem)
{
    struct policy policy;
    struct err err = ERR_INIT;
    int r = policy_load_memory(data, len, &policy, &err);

    if (r < 0) {
        problem_set(problem, -EBADMSG, "the compiled policy does not load: %s", err.msg);
        return problem_todo(problem, "nothing was changed; please report this error of spythonctl");
    }
    policy_done(&policy);
    return 0;
}

int policy_compile_sources(const struct ctl *ctl, const char *more_venv, uint64_t serial,
                           int64_t applied, FILE *stream, void **ret_data, size_t *ret_len,
                           struct problem *problem)
{
    struct policy_messages messages = {0};
    CLEANUP_FREE void *data = NULL;
    size_t len = 0;
    int r = compile(ctl, more_venv, serial, applied, &data, &len, &messages, problem);

    for (size_t i = 0; i < messages.count; i++)
        policy_print_message(stream, &messages.items[i]);
    policy_messages_done(&messages);
    if (r == 0)
        r = prove_it_loads(data, len, problem);
    if (r < 0)
        return r;
    *ret_data = STEAL(data);
    *ret_len = len;
    return 0;
}

/* policy.bin.1 becomes policy.bin.2 and so on; the oldest goes. */
static void move_history_on(const struct ctl *ctl)
{
    for (unsigned i = POLICY_HISTORY; i > 1; i--) {
        CLEANUP_FREE char *from = policy_path(ctl, i - 1);
        CLEANUP_FREE char *to = policy_path(ctl, i);

        (void)rename(from, to); /* a gap in the history is no reason not to apply */
    }
}

/* A second name for the policy in force, so that it never has none. */
static int keep_in_force_as(const struct ctl *ctl, const char *kept, struct problem *problem)
{
    CLEANUP_FREE char *path = policy_path(ctl, 0);

    (void)unlink(kept); /* link() does not replace */
    if (link(path, kept) < 0 && errno != ENOENT)
        return problem_set(problem, -errno, "cannot keep the policy in force as '%s': %s", kept,
                           strerror(errno));
    return 0;
}

int policy_install(const struct ctl *ctl, const void *data, size_t len, struct problem *problem)
{
    CLEANUP_FREE char *path = policy_path(ctl, 0);
    CLEANUP_FREE char *first = policy_path(ctl, 1);
    CLEANUP_FREE char *fresh = must_format("%s/.policy.bin.new", ctl->etc);
    int r = file_replace(fresh, data, len, problem);

    if (r < 0)
        return r;
    move_history_on(ctl);
    r = keep_in_force_as(ctl, first, problem);
    if (r == 0 && rename(fresh, path) < 0)
        r = problem_set(problem, -errno, "cannot write it: %s", strerror(errno));
    if (r < 0) {
        (void)unlink(fresh); /* the error that matters is already set */
        return r;
    }
    return file_sync_directory(path, problem);
}

static bool same_artefact(const struct policy *in_force, const void *data, size_t len)
{
    return in_force->map && in_force->map_len == len && memcmp(in_force->map, data, len) == 0;
}

enum sources_state policy_compare_sources(const struct ctl *ctl, const struct policy *in_force)
{
    struct policy_messages messages = {0};
    struct problem problem = {0};
    CLEANUP_FREE void *data = NULL;
    size_t len = 0;
    int r =
        compile(ctl, NULL, in_force->serial, in_force->applied, &data, &len, &messages, &problem);

    policy_messages_done(&messages);
    if (r == -EINVAL)
        return SOURCES_WRONG;
    if (r < 0)
        return SOURCES_UNKNOWN;
    return same_artefact(in_force, data, len) ? SOURCES_SAME : SOURCES_CHANGED;
}

/* What changes from `before` (NULL: none that is usable) to the artefact, and whether the host
 * would still start anything. */
static int look_at_changes(const struct ctl *ctl, const struct policy *before, const void *data,
                           size_t len, struct problem *problem)
{
    struct policy after;
    struct err err = ERR_INIT;
    struct trial trial;
    int r = policy_load_memory(data, len, &after, &err);

    if (r < 0)
        return problem_from_err(problem, &err);
    if (!before)
        printf("the policy in force is unusable and will be replaced\n");
    else if (view_print_changes(before, &after) == 0)
        printf("no setting changes\n");
    trial_run(ctl, &after, &trial);
    r = trial_problem(&trial, problem);
    trial_done(&trial);
    policy_done(&after);
    return r;
}

/* Also where the sources say the same as before: the files may be others. */
static void write_digests(const struct ctl *ctl, const void *data, size_t len)
{
    struct problem problem = {0};
    struct policy policy;
    struct err err = ERR_INIT;

    if (policy_load_memory(data, len, &policy, &err) < 0)
        return; /* it was proved that it does */
    if (digest_table_write(ctl, &policy, &problem) < 0) {
        (void)problem_todo(&problem, "starts are slower until spythonctl apply can write it");
        (void)problem_report(DIGEST_CACHE_NAME, &problem);
    }
    policy_done(&policy);
}

/* What is to come back is on disk before the policy changes. */
static int put_in_force(const struct ctl *ctl, const void *data, size_t len,
                        const struct pending *confirm, struct problem *problem)
{
    uint64_t serial = confirm->serial;
    int r = note_serial(ctl, serial, problem);

    if (r == 0 && confirm->deadline)
        r = pending_write(ctl, confirm, problem);
    if (r == 0)
        r = policy_install(ctl, data, len, problem);
    if (r < 0)
        return r;
    if (!confirm->deadline)
        pending_clear(ctl, PENDING_CONFIRM); /* of a policy that this one has replaced */
    policy_prepare_off(ctl);
    printf("applied: policy %" PRIu64 " is in force for new processes\n", serial);
    return 0;
}

/* A policy that has still to be confirmed is not in force for good by applying it again. */
static void print_confirm_pending(const struct ctl *ctl)
{
    struct problem unused = {0};
    struct pending pending;
    char until[32];

    if (pending_read(ctl, PENDING_CONFIRM, &pending, &unused) < 0)
        return;
    pending_format_time(pending.deadline, until);
    printf("the one before it comes back at %s unless spythonctl confirm is run\n", until);
}

int policy_apply_sources(const struct ctl *ctl, const struct policy_apply_options *options,
                         uint64_t *ret_serial, struct problem *problem)
{
    struct pending confirm = {.kind = PENDING_CONFIRM};
    struct policy in_force = {0};
    struct problem unusable = {0};
    CLEANUP_FREE void *data = NULL;
    bool built_in = false, has_before;
    uint64_t serial;
    size_t len = 0;
    int r = policy_check_sources(ctl, problem);

    *ret_serial = 0;
    if (r == 0 && !options->dry_run)
        r = policy_refuse_while_off(ctl, problem);
    if (r < 0)
        return r;
    serial = policy_next_serial(ctl);
    r = policy_compile_sources(ctl, NULL, serial, time(NULL), stderr, &data, &len, problem);
    if (r < 0)
        return r;
    has_before = policy_in_force(ctl, &in_force, &built_in, &unusable) == 0;
    if (has_before && !built_in && policy_compare_sources(ctl, &in_force) == SOURCES_SAME) {
        printf("nothing to apply: policy %" PRIu64 " is in force and says the same\n",
               in_force.serial);
        print_confirm_pending(ctl);
        if (!options->dry_run)
            write_digests(ctl, data, len);
    } else {
        r = look_at_changes(ctl, has_before ? &in_force : NULL, data, len, problem);
        confirm.serial = serial;
        confirm.previous = has_before && !built_in ? in_force.serial : 0;
        confirm.deadline = options->confirm_within ? pending_now() + options->confirm_within : 0;
        if (r == 0 && !options->dry_run &&
            (r = put_in_force(ctl, data, len, &confirm, problem)) == 0) {
            *ret_serial = serial;
            write_digests(ctl, data, len);
        }
    }
    if (has_before)
        policy_done(&in_force);
    return r;
}
