/* SPDX-License-Identifier: Apache-2.0 */
/* `spythonctl sign`: compiles, lists and signs a tree. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/output.h"
#include "ctl/sign.h"
#include "ctl/signed_manifest.h"

#define NAMES_SHOWN 5

/* One run of sign. */
struct job {
    const struct ctl *ctl;
    const char *name;
    char *out; /* owned */
    uint64_t serial;
    struct signature_signer signer;
    const char **tool_options; /* owned */
    struct tree_options options;
    struct tree tree;
    struct tree_bytecode bytecode;
    struct loaded loaded;
    bool compiled;
    size_t stale, unowned;
};

static int refuse(const char *object, const char *what, const char *todo)
{
    struct problem problem = {0};

    problem_set(&problem, UNFIT, "%s", what);
    problem_todo(&problem, "%s", todo);
    (void)problem_report(object, &problem);
    return CTL_USAGE;
}

static int read_signer(struct job *job)
{
    static const struct {
        const char *name;
        enum trust_key_kind kind;
    } formats[] = {{"ssh", TRUST_KEY_SSH}, {"cms", TRUST_KEY_X509}, {"openpgp", TRUST_KEY_OPENPGP}};
    const char *format = ctl_value(job->ctl, CTL_FORMAT);

    job->tool_options = ctl_values(job->ctl, CTL_TOOL_OPTION);
    job->signer = (struct signature_signer){.kind = format ? TRUST_KEY_NONE : TRUST_KEY_SSH,
                                            .key = ctl_value(job->ctl, CTL_KEY),
                                            .certificate = ctl_value(job->ctl, CTL_CERT),
                                            .options = job->tool_options};
    for (size_t i = 0; format && i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i].name, format) == 0)
            job->signer.kind = formats[i].kind;
    if (job->signer.kind == TRUST_KEY_NONE)
        return refuse("--format", "there is no such kind of signature", "ssh, cms or openpgp");
    if (!job->signer.key)
        return refuse("sign", "it is not said what to sign with", "name a key with --key");
    if (job->signer.kind == TRUST_KEY_X509 && !job->signer.certificate)
        return refuse("--format cms", "it is not said by which certificate",
                      "name it with --cert, with those between it and the root behind it");
    if (job->signer.kind != TRUST_KEY_X509 && job->signer.certificate)
        return refuse("--cert", "it goes with --format cms, and only with that",
                      "see spythonctl(1)");
    return CTL_OK;
}

static int read_options(struct job *job)
{
    const char *out = ctl_value(job->ctl, CTL_OUT), *serial = ctl_value(job->ctl, CTL_SERIAL);
    int status = read_signer(job);

    if (status != CTL_OK)
        return status;
    job->name = ctl_value(job->ctl, CTL_NAME);
    if (!job->name)
        return refuse("sign", "the manifest has no name", "give it one with --name");
    if (!manifest_name_is_installable(job->name))
        return refuse("--name", "this cannot be a manifest's name",
                      "up to 64 letters, digits, dots and dashes, not ending in a dot and digits");
    job->out = out ? must_copy(out) : must_format("%s.manifest", job->name);
    if (serial && !sign_read_number("--serial", serial, MANIFEST_MAX_SERIAL, &job->serial))
        return CTL_USAGE;
    return sign_read_tree_options(job->ctl, &job->options);
}

/* One more than the manifest that will be replaced has. */
static int choose_serial(struct job *job, struct problem *problem)
{
    struct signed_manifest before = {0};
    int r;

    if (job->serial)
        return 0;
    job->serial = 1;
    if (access(job->out, F_OK) < 0)
        return 0;
    r = signed_manifest_read(NULL, job->out, NULL, &before, problem);
    if (r < 0) {
        (void)err_prefix(&problem->err, "'%s' is in the way", job->out);
        return problem_todo(problem, "move it away, or say which --serial to use");
    }
    if (strcmp(before.manifest.name, job->name) != 0) {
        problem_set(problem, -EEXIST, "'%s' is the manifest of '%s'", job->out,
                    before.manifest.name);
        r = problem_todo(problem, "name another file with --out");
    } else if (before.manifest.serial >= MANIFEST_MAX_SERIAL) {
        r = problem_set(problem, UNFIT, "there is no higher serial than that of '%s'", job->out);
    } else {
        job->serial = before.manifest.serial + 1;
    }
    signed_manifest_done(&before);
    return r;
}

/* Bytecode that was not made now may be anything: it stays on the disk and is not listed, so that
 * it is never loaded. */
static bool is_fresh(void *arg, const struct tree_file *file)
{
    const struct job *job = arg;
    char source[PATH_MAX];

    return !tree_source_of_bytecode(file->path, source) ||
           tree_bytecode_has(&job->bytecode, file->path);
}

static bool is_loaded(void *arg, const struct tree_file *file)
{
    const struct job *job = arg;

    return sign_was_loaded(&job->loaded, file->path);
}

/* The manifest itself is not part of the tree, should it lie in it. */
static bool is_not_output(void *arg, const struct tree_file *file)
{
    const struct job *job = arg;
    const char *slash = strrchr(job->out, '/');
    char dir[PATH_MAX], path[PATH_MAX];
    size_t len = strlen(job->tree.root);
    CLEANUP_FREE char *copy =
        slash ? must_format("%.*s/", (int)(slash - job->out), job->out) : must_copy(".");
    const char *rest;

    if (!realpath(copy, dir) || strncmp(dir, job->tree.root, len) != 0 ||
        (dir[len] != '/' && dir[len] != '\0'))
        return true;
    if (!path_join(dir + len + (dir[len] == '/'), slash ? slash + 1 : job->out, path))
        return true;
    if (strncmp(file->path, path, strlen(path)) != 0)
        return true;
    rest = file->path + strlen(path);
    return strcmp(rest, "") != 0 && strcmp(rest, ".sig") != 0 && strcmp(rest, ".p7s") != 0 &&
           strcmp(rest, ".asc") != 0;
}

static int compile(struct job *job, struct problem *problem)
{
    char minor[MINOR_SIZE];
    int r = tree_minor(job->ctl, &job->tree, minor, problem);

    if (r == 0)
        r = tree_compile(job->ctl, &job->tree, minor, &job->options, &job->bytecode, problem);
    if (r < 0)
        return r;
    job->compiled = true;
    r = tree_walk(&job->tree, &job->options, problem);
    if (r == 0)
        job->stale = tree_filter(&job->tree, is_fresh, job);
    return r;
}

static int keep_loaded(struct job *job, struct problem *problem)
{
    CLEANUP_FREE const char **logs = ctl_values(job->ctl, CTL_FROM_LOG);
    size_t bad = 0;

    if (!logs[0])
        return 0;
    for (size_t i = 0; logs[i]; i++) {
        int r = sign_read_log(logs[i], job->tree.root, &job->loaded, &bad, problem);

        if (r < 0) {
            (void)err_prefix(&problem->err, "'%s'", logs[i]);
            return r;
        }
    }
    sign_sort_loaded(&job->loaded);
    if (bad)
        (void)fprintf(stderr, "%zu damaged lines of the logs were skipped\n", bad);
    (void)tree_filter(&job->tree, is_loaded, job);
    if (job->tree.count == 0) {
        problem_set(problem, UNFIT, "the logs tell of no file in it that was loaded");
        return problem_todo(problem, "record a run with verify in audit, see spython.yaml(5)");
    }
    return 0;
}

static int64_t creation_time(void)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    char *end = NULL;
    long long value = text ? strtoll(text, &end, 10) : 0;

    return text && *text && !*end && value >= 0 ? (int64_t)value : (int64_t)time(NULL);
}

static int write_text(const struct job *job, char **ret, size_t *ret_len, struct problem *problem)
{
    struct manifest manifest = {
        .serial = job->serial, .created = creation_time(), .count = (uint32_t)job->tree.count};
    CLEANUP_FREE struct manifest_entry *entries =
        must_alloc((job->tree.count + 1) * sizeof(*entries));
    struct err err = ERR_INIT;

    (void)snprintf(manifest.name, sizeof(manifest.name), "%s", job->name);
    for (size_t i = 0; i < job->tree.count; i++) {
        const struct tree_file *file = &job->tree.files[i];
        struct manifest_entry *entry = &entries[i];

        *entry = (struct manifest_entry){.path = file->path,
                                         .size = file->size,
                                         .has_verity = file->has_verity,
                                         .flags = file->flags,
                                         .distribution = file->distribution};
        memcpy(entry->sha256, file->sha256, sizeof(entry->sha256));
        memcpy(entry->verity, file->verity, sizeof(entry->verity));
    }
    manifest.entries = entries;
    if (manifest_write(&manifest, ret, ret_len, &err) < 0)
        return problem_from_err(problem, &err);
    return 0;
}

/* One signature beside the manifest, and no other that fits an earlier one. */
static int write_files(const struct job *job, const char *text, size_t len, const char *sig,
                       size_t sig_len, struct problem *problem)
{
    CLEANUP_FREE char *sig_path = must_format("%s%s", job->out, signature_suffix(job->signer.kind));
    int r;

    for (enum trust_key_kind kind = TRUST_KEY_SSH; kind <= TRUST_KEY_OPENPGP; kind++) {
        CLEANUP_FREE char *other = must_format("%s%s", job->out, signature_suffix(kind));

        if (kind != job->signer.kind && unlink(other) < 0 && errno != ENOENT)
            return problem_set(problem, -errno, "cannot remove '%s': %s", other, strerror(errno));
    }
    r = file_replace(sig_path, sig, sig_len, problem);
    if (r == 0)
        r = file_replace(job->out, text, len, problem);
    if (r < 0)
        (void)err_prefix(&problem->err, "'%s'", job->out);
    return r;
}

/* The tool has said what is wrong, in its own words; this says what can be done about it here. */
static int refuse_signature(const struct job *job, int code, const struct err *err,
                            struct problem *problem)
{
    CLEANUP_FD int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    const char *agent = job->signer.kind == TRUST_KEY_SSH       ? "ssh-add"
                        : job->signer.kind == TRUST_KEY_OPENPGP ? "gpg-agent"
                                                                : "a key on a token";

    problem_set(problem, code == -EKEYREJECTED || code == -ENOKEY ? UNFIT : code, "%s", err->msg);
    if (code == -ENOKEY)
        return problem_todo(problem, "start ssh-agent and give it the key with ssh-add, or name "
                                     "the private key's file");
    if (code != -EKEYREJECTED)
        return code; /* the common advice does */
    if (terminal < 0)
        return problem_todo(problem,
                            "see its message above; if a passphrase is needed, there is no "
                            "terminal to ask for it: run it on one, or use %s",
                            agent);
    return problem_todo(problem, "see its message above, and check --key%s",
                        job->signer.kind == TRUST_KEY_SSH    ? ", and with an agent ssh-add -l"
                        : job->signer.kind == TRUST_KEY_X509 ? " and --cert"
                                                             : " with gpg --list-secret-keys");
}

static int sign_text(struct job *job, struct problem *problem)
{
    CLEANUP_FREE char *text = NULL, *sig = NULL;
    size_t len = 0, sig_len = 0;
    struct err err = ERR_INIT;
    int r = write_text(job, &text, &len, problem);

    if (r < 0)
        return r;
    r = signature_make(&job->signer, text, len, &sig, &sig_len, &err);
    if (r < 0)
        return refuse_signature(job, r, &err, problem);
    return write_files(job, text, len, sig, sig_len, problem);
}

static void print_names(const char *what, char *const *names, size_t count)
{
    if (count == 0)
        return;
    (void)fprintf(stderr, "%zu %s:\n", count, what);
    for (size_t i = 0; i < count && i < NAMES_SHOWN; i++)
        (void)fprintf(stderr, "    %s\n", safe(names[i]));
    if (count > NAMES_SHOWN)
        (void)fprintf(stderr, "    ...\n");
}

static void report(const struct job *job)
{
    size_t hooks = 0, native = 0, bytecode = 0;

    for (size_t i = 0; i < job->tree.count; i++) {
        uint32_t flags = job->tree.files[i].flags;

        hooks += (flags & MANIFEST_HOOK) != 0;
        native += (flags & MANIFEST_NATIVE) != 0;
        bytecode += (flags & MANIFEST_BYTECODE) != 0;
    }
    print_names("files do not compile and have no bytecode in the manifest", job->bytecode.failed,
                job->bytecode.failed_count);
    printf("signed %s: %s, serial %" PRIu64 ", %zu files (%zu bytecode, %zu native)\n",
           safe(job->out), job->name, job->serial, job->tree.count, bytecode, native);
    if (job->stale)
        printf("%zu files of other bytecode are not listed: they will not be loaded\n", job->stale);
    printf("%zu files belong to no distribution%s\n", job->unowned,
           job->unowned && !(job->ctl->flags & CTL_LIST_UNOWNED) ? " (see them with --list-unowned)"
                                                                 : "");
    for (size_t i = 0; (job->ctl->flags & CTL_LIST_UNOWNED) && i < job->tree.count; i++)
        if (!job->tree.files[i].distribution[0])
            printf("    %s\n", safe(job->tree.files[i].path));
    printf("%zu files run code at every start\n", hooks);
    for (size_t i = 0; i < job->tree.count; i++)
        if (job->tree.files[i].flags & MANIFEST_HOOK)
            printf("    %s  %s\n", safe(job->tree.files[i].path),
                   safe(job->tree.files[i].distribution));
}

static int sign_tree(struct job *job, const char *dir, struct problem *problem)
{
    int r = choose_serial(job, problem);

    if (r < 0 || (r = tree_open(&job->tree, dir, problem)) < 0 ||
        (r = tree_walk(&job->tree, &job->options, problem)) < 0)
        return r;
    if (!(job->ctl->flags & CTL_NO_COMPILE) && (r = compile(job, problem)) < 0)
        return r;
    (void)tree_filter(&job->tree, is_not_output, job);
    /* Before files are left out: a RECORD that was not loaded still says whose the others are. */
    (void)tree_attribute(&job->tree);
    if ((r = keep_loaded(job, problem)) < 0 ||
        (r = tree_hash(&job->tree, &job->options, problem)) < 0)
        return r;
    for (size_t i = 0; i < job->tree.count; i++)
        job->unowned += !job->tree.files[i].distribution[0];
    return sign_text(job, problem);
}

int cmd_sign(struct ctl *ctl, int argc, char **argv)
{
    struct job job = {.ctl = ctl, .tree = {.fd = -1}};
    struct problem problem = {0};
    int status = read_options(&job);

    (void)argc;
    if (status == CTL_OK) {
        if (sign_tree(&job, argv[0], &problem) < 0)
            status = problem_report(argv[0], &problem);
        else
            report(&job);
    }
    tree_bytecode_done(&job.bytecode);
    sign_loaded_done(&job.loaded);
    tree_done(&job.tree);
    free(job.options.exclude);
    free(job.tool_options);
    free(job.out);
    return status;
}
