/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl manifest` verbs: which signed manifests the next apply finds. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/signed_manifest.h"

static const char *const suffixes[] = {".sig", ".p7s", ".asc"};

/* Removes the signatures beside a manifest, but for the one with suffix `but` (may be NULL). */
static int remove_signatures(const char *path, const char *but, struct problem *problem)
{
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        CLEANUP_FREE char *sig = must_format("%s%s", path, suffixes[i]);

        if (but && strcmp(but, suffixes[i]) == 0)
            continue;
        if (unlink(sig) < 0 && errno != ENOENT)
            return problem_set(problem, -errno, "cannot remove '%s': %s", sig, strerror(errno));
    }
    return 0;
}

/* Manifest and signature cannot be replaced in one step. In between the signature does not fit, and
 * apply says so: nothing is trusted that should not be. */
static int write_pair(const char *path, const struct signed_manifest *m, struct problem *problem)
{
    const char *suffix = signature_suffix(m->signature.kind);
    CLEANUP_FREE char *sig = must_format("%s%s", path, suffix);
    int r = remove_signatures(path, suffix, problem);

    if (r == 0)
        r = file_replace(sig, m->sig, m->sig_len, problem);
    if (r == 0)
        r = file_replace(path, m->data, m->len, problem);
    return r;
}

/* What is installed as the newest release of a name. -ENOENT: nothing. */
static int read_newest(const struct ctl *ctl, const struct trust_store *store, const char *name,
                       struct signed_manifest *ret, struct problem *problem)
{
    struct installed_manifest newest = {.path = trust_path(ctl, "manifests/%s.manifest", name)};
    int r = -ENOENT;

    (void)snprintf(newest.name, sizeof(newest.name), "%s", name);
    if (access(newest.path, F_OK) == 0)
        r = manifest_read_installed(store, &newest, ret, problem);
    free(newest.path);
    return r;
}

static int check_serial(const struct ctl *ctl, const struct signed_manifest *new,
                        const struct signed_manifest *newest, struct problem *problem)
{
    const char *reason = ctl_value(ctl, CTL_REASON);

    if (new->manifest.serial > newest->manifest.serial)
        return 0;
    if (new->manifest.serial == newest->manifest.serial) {
        problem_set(problem, -EEXIST,
                    "serial %" PRIu64 " of '%s' is installed, with other contents",
                    new->manifest.serial, new->manifest.name);
        return problem_todo(problem, "sign it with a higher --serial");
    }
    if (!(ctl->flags & CTL_ALLOW_OLDER) || !reason || !reason[0]) {
        problem_set(problem, -EEXIST,
                    "its serial %" PRIu64 " is older than %" PRIu64 ", which is installed",
                    new->manifest.serial, newest->manifest.serial);
        return problem_todo(problem,
                            "to go back on purpose: --allow-older --reason TEXT; it is recorded");
    }
    return 0;
}

/* The release that was the newest so far stays under its serial. */
static int keep_newest(const struct ctl *ctl, const struct signed_manifest *newest,
                       struct problem *problem)
{
    CLEANUP_FREE char *path = trust_path(ctl, "manifests/%s.%" PRIu64 ".manifest",
                                         newest->manifest.name, newest->manifest.serial);

    return write_pair(path, newest, problem);
}

static int install(const struct ctl *ctl, const struct signed_manifest *new,
                   struct problem *problem)
{
    const char *name = new->manifest.name, *reason = ctl_value(ctl, CTL_REASON);
    CLEANUP_FREE char *path = trust_path(ctl, "manifests/%s.manifest", name);
    CLEANUP_FREE char *older =
        trust_path(ctl, "manifests/%s.%" PRIu64 ".manifest", name, new->manifest.serial);
    int r = trust_make_directory(ctl, "manifests", problem);

    if (r == 0)
        r = write_pair(path, new, problem);
    /* Going back: it is the newest now, and not an earlier one as well. */
    if (r == 0 && unlink(older) == 0)
        r = remove_signatures(older, NULL, problem);
    if (r == 0)
        r = trust_note(ctl, problem, "manifest add %s serial %" PRIu64 " signed by %s %s%s%s", name,
                       new->manifest.serial, new->signature.signer, new->signature.fingerprint,
                       reason ? ": " : "", reason ? reason : "");
    return r;
}

static int add_checked(const struct ctl *ctl, const struct trust_store *store,
                       const struct signed_manifest *new, struct problem *problem)
{
    struct signed_manifest newest = {0};
    int r;

    if (!manifest_name_is_installable(new->manifest.name)) {
        problem_set(problem, UNFIT, "its name '%s' looks like an earlier release of another",
                    new->manifest.name);
        return problem_todo(problem, "sign it under a name that does not end in a dot and digits");
    }
    /* The one that is there may be signed by a key that counts no more: what matters is its serial.
     */
    r = read_newest(ctl, NULL, new->manifest.name, &newest, problem);
    if (r == 0 && newest.len == new->len && memcmp(newest.data, new->data, new->len) == 0) {
        struct signed_manifest again = {0};
        struct problem unused = {0};
        bool same = read_newest(ctl, store, new->manifest.name, &again, &unused) == 0 &&
                    again.sig_len == new->sig_len &&memcmp(again.sig, new->sig, new->sig_len) == 0;

        signed_manifest_done(&again);
        if (same)
            printf("%s, serial %" PRIu64 ", is installed already\n", new->manifest.name,
                   new->manifest.serial);
        else if ((r = install(ctl, new, problem)) == 0) /* with a signature that counts */
            printf("signed %s, serial %" PRIu64 ", anew\n", new->manifest.name,
                   new->manifest.serial);
        signed_manifest_done(&newest);
        return r;
    }
    if (r == 0 && (r = check_serial(ctl, new, &newest, problem)) == 0) {
        struct signed_manifest kept = {0};

        /* Only what still counts is worth keeping. */
        if (read_newest(ctl, store, new->manifest.name, &kept, problem) == 0)
            r = keep_newest(ctl, &kept, problem);
        signed_manifest_done(&kept);
    } else if (r == -ENOENT) {
        r = 0;
    }
    signed_manifest_done(&newest);
    if (r == 0 && (r = install(ctl, new, problem)) == 0)
        printf("installed %s, serial %" PRIu64 ", %u files, signed by %s\n"
               "run spythonctl apply to put it in force\n",
               new->manifest.name, new->manifest.serial, new->manifest.count,
               safe(new->signature.signer));
    return r;
}

int cmd_manifest_add(struct ctl *ctl, int argc, char **argv)
{
    struct problem problem = {0};
    CLEANUP_FD int lock = policy_lock(ctl, &problem);
    struct trust_store store = {0};
    struct signed_manifest new = {0};
    int r = lock;

    if (lock >= 0 && (r = trust_read(ctl, &store, &problem)) == 0 &&
        (r = signed_manifest_read(&store, argv[0], argc > 1 ? argv[1] : NULL, &new, &problem)) == 0)
        r = add_checked(ctl, &store, &new, &problem);
    signed_manifest_done(&new);
    trust_store_done(&store);
    return r < 0 ? problem_report(argv[0], &problem) : CTL_OK;
}

static json_t *manifest_json(const struct installed_manifest *installed,
                             const struct signed_manifest *m, const struct problem *problem)
{
    json_t *object = json_pack("{s:s, s:b, s:o}", "name", installed->name, "newest",
                               installed->serial == 0, "path", json_text(installed->path));

    json_object_set_new(object, "ok", json_boolean(problem->err.code == 0));
    if (problem->err.code) {
        json_object_set_new(object, "problem", json_text(problem->err.msg));
        json_object_set_new(object, "todo", json_text(problem->todo));
        return object;
    }
    json_object_set_new(object, "serial", json_integer((json_int_t)m->manifest.serial));
    json_object_set_new(object, "created", json_integer((json_int_t)m->manifest.created));
    json_object_set_new(object, "files", json_integer((json_int_t)m->manifest.count));
    json_object_set_new(object, "signer", json_text(m->signature.signer));
    json_object_set_new(object, "fingerprint", json_text(m->signature.fingerprint));
    return object;
}

static void print_manifest(const struct installed_manifest *installed,
                           const struct signed_manifest *m, const struct problem *problem)
{
    char serial[32];

    out_word(TONE_STRONG, installed->name, 20);
    if (problem->err.code) {
        out_word(TONE_BAD, "bad", 8);
        printf("%s\n    %s\n    hint: %s\n", safe(installed->path), safe(problem->err.msg),
               safe(problem->todo));
        return;
    }
    (void)snprintf(serial, sizeof(serial), "%" PRIu64, m->manifest.serial);
    out_word(installed->serial == 0 ? TONE_GOOD : TONE_PLAIN,
             installed->serial == 0 ? "newest" : "older", 8);
    printf("serial %-10s %7u files  signed by %s\n", serial, m->manifest.count,
           safe(m->signature.signer));
}

int cmd_manifest_list(struct ctl *ctl, int argc, char **argv)
{
    struct installed_manifest *list = NULL;
    struct trust_store store = {0};
    struct problem problem = {0};
    json_t *array = json_array();
    size_t count = 0;
    int status = CTL_OK;

    (void)argc;
    (void)argv;
    if (trust_read(ctl, &store, &problem) < 0 || manifest_list(ctl, &list, &count, &problem) < 0) {
        trust_store_done(&store);
        json_decref(array);
        return problem_report("trust.d", &problem);
    }
    for (size_t i = 0; i < count; i++) {
        struct signed_manifest m = {0};
        struct problem one = {0};

        if (manifest_read_installed(&store, &list[i], &m, &one) < 0 && status == CTL_OK)
            status = problem_status(&one);
        json_array_append_new(array, manifest_json(&list[i], &m, &one));
        if (!(ctl->flags & CTL_JSON))
            print_manifest(&list[i], &m, &one);
        signed_manifest_done(&m);
    }
    manifest_list_done(list, count);
    trust_store_done(&store);
    if (ctl->flags & CTL_JSON)
        out_json(json_pack("{s:o}", "manifests", array));
    else
        json_decref(array);
    return status;
}

/* `serial` 0: all releases. Nothing is read: what is damaged must be removable. */
static int remove_releases(const struct ctl *ctl, const char *name, uint64_t serial,
                           struct problem *problem)
{
    struct installed_manifest *list;
    size_t count, removed = 0;
    int r = manifest_list(ctl, &list, &count, problem);

    for (size_t i = 0; r == 0 && i < count; i++) {
        if (strcmp(list[i].name, name) != 0 || (serial != 0 && list[i].serial != serial))
            continue;
        if (unlink(list[i].path) < 0)
            r = problem_set(problem, -errno, "cannot remove '%s': %s", list[i].path,
                            strerror(errno));
        else if ((r = remove_signatures(list[i].path, NULL, problem)) == 0)
            r = file_sync_directory(list[i].path, problem);
        removed++;
    }
    manifest_list_done(list, count);
    if (r < 0)
        return r;
    if (removed == 0) {
        problem_set(problem, -ENOENT,
                    serial ? "no earlier release of this serial is installed"
                           : "no manifest of this name is installed");
        return problem_todo(problem, "see spythonctl manifest list");
    }
    printf("removed %zu release%s of %s: run spythonctl apply to put that in force\n", removed,
           removed == 1 ? "" : "s", safe(name));
    return serial ? trust_note(ctl, problem, "manifest remove %s serial %" PRIu64, name, serial)
                  : trust_note(ctl, problem, "manifest remove %s", name);
}

int cmd_manifest_remove(struct ctl *ctl, int argc, char **argv)
{
    struct problem problem = {0};
    CLEANUP_FD int lock = policy_lock(ctl, &problem);
    uint64_t serial = 0;
    char *end = NULL;

    if (lock < 0)
        return problem_report(argv[0], &problem);
    if (argc > 1) {
        errno = 0;
        serial = strtoull(argv[1], &end, 10);
        if (errno || serial == 0 || *end || argv[1][0] < '0' || argv[1][0] > '9') {
            problem_set(&problem, UNFIT, "is not a serial");
            problem_todo(&problem, "see spythonctl manifest list");
            (void)problem_report(argv[1], &problem);
            return CTL_USAGE;
        }
    }
    return remove_releases(ctl, argv[0], serial, &problem) < 0 ? problem_report(argv[0], &problem)
                                                               : CTL_OK;
}
