/* SPDX-License-Identifier: Apache-2.0 */
/* The files are opened and read as the gate does it (src/cpython/verify.c), so that the answer is
 * the one that a start would get. */
#include "ctl/policy_trial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "ctl/interpreter.h"
#include "ctl/output.h"

#define MAX_SOURCE (64u << 20)
#define MAX_MODULES 4096 /* of one site-packages */
#define WHY_SIZE 512

struct run {
    const struct policy_settings *settings;
    struct trust_policy trust;
    struct trial *trial;
};

static void find(struct run *run, const char *path, const char *why)
{
    if (run->trial->count < TRIAL_SHOWN)
        run->trial->shown[run->trial->count] = (struct trial_finding){
            must_copy(run->settings->app),
            must_copy(path),
            must_copy(why),
        };
    run->trial->count++;
}

/* The verifier that decided is the last that was asked. */
static void explain(const struct trust_result *result, char why[WHY_SIZE])
{
    const struct trust_evidence *last = result->count ? &result->evidence[result->count - 1] : NULL;

    if (!last)
        (void)snprintf(why, WHY_SIZE, "policy names no verifier for it");
    else
        (void)snprintf(why, WHY_SIZE, "%s: %s%s%s%s", trust_verifiers[last->verifier]->name,
                       last->reason[0] ? last->reason : trust_answer_name(last->answer),
                       last->source[0] ? " [" : "", last->source, last->source[0] ? "]" : "");
}

/* The linker opens a native object by its path after it was judged, so that path must be one that
 * nobody else can change, unless the kernel keeps the bytes or they are copied. */
static bool is_lasting(const struct run *run, struct trust_file *file, struct trust_result *result)
{
    struct trust_evidence *owner = &result->evidence[0];

    for (unsigned i = 0; i < result->count; i++)
        if (result->evidence[i].verifier == TRUST_BY_FSVERITY &&
            result->evidence[i].answer == TRUST_TRUSTED)
            return true;
    if ((uint64_t)file->st.st_size <= run->settings->verify.copy_max)
        return true;
    memset(owner, 0, sizeof(*owner));
    owner->verifier = TRUST_BY_OWNER;
    trust_verifiers[TRUST_BY_OWNER]->check(&run->trust, result->root, file, owner);
    result->count = 1;
    return owner->answer == TRUST_TRUSTED;
}

/* Whether the file would be allowed to run; if not, `why` says the reason. */
static bool would_load(const struct run *run, const char *path, enum trust_kind kind,
                       char why[WHY_SIZE])
{
    /* O_NONBLOCK: a FIFO in its place must not hang us. */
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    CLEANUP_FREE char *data = NULL;
    struct trust_file file = {.fd = fd, .kind = kind};
    struct trust_result result;
    char link[32], real[PATH_MAX];
    ssize_t n;
    int r;

    if (fd < 0 || fstat(fd, &file.st) < 0) {
        (void)snprintf(why, WHY_SIZE, "cannot be opened: %s", strerror(errno));
        return false;
    }
    if (!S_ISREG(file.st.st_mode)) {
        (void)snprintf(why, WHY_SIZE, "is not a regular file");
        return false;
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, real, sizeof(real) - 1);
    if (n <= 0 || real[0] != '/') {
        (void)snprintf(why, WHY_SIZE, "its real path cannot be found out");
        return false;
    }
    real[n] = '\0';
    file.path = real;
    trust_file_opened(&run->trust, &file);
    if (kind != TRUST_NATIVE) { /* that is its own content */
        r = fd_read_all(fd, MAX_SOURCE, &data, &file.len);
        if (r < 0) {
            (void)snprintf(why, WHY_SIZE, "cannot be read: %s", strerror(-r));
            return false;
        }
        file.data = data;
    }
    trust_judge(&run->trust, &file, &result);
    if (result.trusted && (kind != TRUST_NATIVE || is_lasting(run, &file, &result)))
        return true;
    explain(&result, why);
    return false;
}

static void try_file(struct run *run, const char *path, enum trust_kind kind)
{
    char why[WHY_SIZE];

    if (!would_load(run, path, kind, why))
        find(run, path, why);
}

static void try_standard_library(struct run *run, const char *stdlib)
{
    static const char *const needed[] = {"os.py", "site.py", "encodings/__init__.py"};

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        CLEANUP_FREE char *path = must_format("%s/%s", stdlib, needed[i]);

        try_file(run, path, TRUST_SOURCE);
    }
}

/* Modules of the standard library that are shared objects: _json, _ssl and their kind. */
static void try_native_library(struct run *run, const char *directory)
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        CLEANUP_FREE char *path = must_format("%s/%s", directory, entry->d_name);
        size_t len = strlen(entry->d_name);

        if (len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0)
            try_file(run, path, TRUST_NATIVE);
    }
    if (dir)
        (void)closedir(dir);
}

static void try_native_libraries(struct run *run, const struct interpreter_record *in)
{
    for (uint32_t i = 0; i < in->path_count && i < INTERPRETER_MAX_PATHS; i++) {
        const char *name = strrchr(in->paths[i], '/');

        if (name && strcmp(name, "/lib-dynload") == 0)
            try_native_library(run, in->paths[i]);
    }
}

/* The module that an entry of site-packages is: malloc'ed path, or NULL. */
static char *module_of(const char *site, const char *name)
{
    size_t len = strlen(name);
    char *path;

    if (name[0] == '.')
        return NULL;
    if (len > 3 && strcmp(name + len - 3, ".py") == 0)
        return must_format("%s/%s", site, name);
    path = must_format("%s/%s/__init__.py", site, name);
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* An administrator may have left single distributions out of what is approved on purpose; an
 * environment of which nothing is approved is a mistake. */
static void try_site_packages(struct run *run, const char *site)
{
    DIR *dir = opendir(site);
    CLEANUP_FREE char *first = NULL;
    char first_why[WHY_SIZE] = "", why[WHY_SIZE];
    const struct dirent *entry;
    unsigned modules = 0, loading = 0;

    while (dir && modules < MAX_MODULES && loading == 0 && (entry = readdir(dir)) != NULL) {
        CLEANUP_FREE char *path = module_of(site, entry->d_name);

        if (!path)
            continue;
        modules++;
        if (would_load(run, path, TRUST_SOURCE, why)) {
            loading++;
        } else if (!first) {
            first = STEAL(path);
            memcpy(first_why, why, sizeof(first_why));
        }
    }
    if (dir)
        (void)closedir(dir);
    if (loading == 0 && first)
        find(run, first, first_why);
}

static void try_venv(struct run *run, const char *root, const struct interpreter *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP_FREE char *site = must_format("%s/lib/python%s/site-packages", root, all[i].minor);

        if (all[i].is_registered)
            try_site_packages(run, site);
    }
}

static void try_settings(struct run *run, const struct interpreter *all, size_t count)
{
    const struct policy_settings *s = run->settings;

    for (size_t i = 0; i < count; i++) {
        if (!all[i].is_registered || !all[i].record.stdlib[0])
            continue;
        if (s->verify.mode == VERIFY_ENFORCE)
            try_standard_library(run, all[i].record.stdlib);
        if (s->verify.native == VERIFY_ENFORCE)
            try_native_libraries(run, &all[i].record);
    }
    if (s->verify.mode != VERIFY_ENFORCE)
        return;
    if (s->match_script[0])
        try_file(run, s->match_script, TRUST_SCRIPT);
    if (s->match_venv[0])
        try_venv(run, s->match_venv, all, count);
    if (s->venv[0] && strcmp(s->venv, s->match_venv) != 0)
        try_venv(run, s->venv, all, count);
}

static bool enforces(const struct policy_settings *settings)
{
    return settings->verify.mode == VERIFY_ENFORCE || settings->verify.native == VERIFY_ENFORCE;
}

void trial_run(const struct ctl *ctl, const struct policy *policy, struct trial *ret)
{
    CLEANUP_FREE struct interpreter *all = NULL;
    bool any = enforces(policy->host);
    size_t count;

    *ret = (struct trial){0};
    for (uint32_t i = 0; i < policy->app_count; i++)
        any |= enforces(&policy->apps[i]);
    if (!any)
        return; /* looking at the interpreters costs their digests */
    count = interpreter_all(ctl, &all);
    for (uint32_t i = 0; i <= policy->app_count; i++) {
        const struct policy_settings *s = i ? &policy->apps[i - 1] : policy->host;
        struct run run = {.settings = s, .trust = s->verify.trust, .trial = ret};

        run.trust.owner = ctl->owner;
        if (enforces(s))
            try_settings(&run, all, count);
    }
}

void trial_done(struct trial *trial)
{
    for (size_t i = 0; i < TRIAL_SHOWN; i++) {
        free(trial->shown[i].app);
        free(trial->shown[i].path);
        free(trial->shown[i].why);
    }
    *trial = (struct trial){0};
}

static size_t shown_of(const struct trial *trial)
{
    return trial->count < TRIAL_SHOWN ? trial->count : TRIAL_SHOWN;
}

int trial_problem(const struct trial *trial, struct problem *problem)
{
    if (trial->count == 0)
        return 0;
    for (size_t i = 0; i < shown_of(trial); i++) {
        const struct trial_finding *f = &trial->shown[i];

        (void)fprintf(stderr, "%s%s%s: would be refused: %s\n", f->app[0] ? "app " : "",
                      f->app[0] ? safe(f->app) : "", f->app[0] ? "" : "host", safe(f->why));
        (void)fprintf(stderr, "    file: %s\n", safe(f->path));
    }
    if (trial->count > TRIAL_SHOWN)
        (void)fprintf(stderr, "and %zu more\n", trial->count - TRIAL_SHOWN);
    problem_set(problem, UNFIT,
                "it enforces, and %zu file%s without which nothing starts would be "
                "refused; nothing was changed",
                trial->count, trial->count == 1 ? "" : "s");
    return problem_todo(problem, "get these files approved, or set mode: audit in 'verify' "
                                 "meanwhile: that records what would be refused and refuses "
                                 "nothing");
}

static void add_message(struct policy_messages *messages, char *file, char *text, const char *hint)
{
    messages->items = must_grow(messages->items, (messages->count + 1) * sizeof(*messages->items));
    messages->items[messages->count++] = (struct policy_message){
        .severity = POLICY_WARNING, .file = file, .text = text, .hint = must_copy(hint)};
}

void trial_add_messages(const struct ctl *ctl, const struct trial *trial,
                        struct policy_messages *messages)
{
    for (size_t i = 0; i < shown_of(trial); i++) {
        const struct trial_finding *f = &trial->shown[i];
        char *file = f->app[0] ? must_format("%s/apps.d/%s.yml", ctl->etc, f->app)
                               : must_format("%s/spython.yaml", ctl->etc);

        add_message(
            messages, file,
            must_format("apply will refuse this policy: '%s' would not load: %s", f->path, f->why),
            "get it approved, or set mode: audit in 'verify' meanwhile");
    }
    if (trial->count > TRIAL_SHOWN)
        add_message(messages, must_format("%s/spython.yaml", ctl->etc),
                    must_format("%zu more files would not load", trial->count - TRIAL_SHOWN),
                    "spythonctl apply --dry-run says the same");
}
