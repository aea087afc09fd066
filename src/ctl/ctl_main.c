/* SPDX-License-Identifier: Apache-2.0 */
/* main() of spythonctl: finds the verb in the table, reads options, calls it. Help is printed from
 * the same tables, so the two cannot differ. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/fd.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/pending.h"

#ifndef SPYTHON_VERSION
#define SPYTHON_VERSION "unknown"
#endif

#define MAX_WORDS 4096

static const struct {
    const char *name;
    unsigned flag;
    const char *value; /* what follows it; NULL: nothing */
    const char *help;
} options[] = {
    {"--json", CTL_JSON, NULL, "print one JSON document"},
    {"--dry-run", CTL_DRY_RUN, NULL, "write nothing"},
    {"--stale", CTL_STALE, NULL, "only sessions that would get another policy now"},
    {"--name", CTL_NAME, "NAME", "name of the manifest or key"},
    {"--key", CTL_KEY, "KEY", "what to sign with: a key file; with openpgp a user id"},
    {"--format", CTL_FORMAT, "FORMAT", "kind of signature: ssh (default), cms, openpgp"},
    {"--cert", CTL_CERT, "FILE", "certificate to sign with (cms)"},
    {"--tool-option", CTL_TOOL_OPTION, "WORD", "one more word for the signing tool"},
    {"--out", CTL_OUT, "FILE", "where to write"},
    {"--serial", CTL_SERIAL, "N", "serial of the manifest; default: one more than FILE's, or 1"},
    {"--exclude", CTL_EXCLUDE, "GLOB", "leave these files out; may be repeated"},
    {"--jobs", CTL_JOBS, "N", "how many at once; default: one for each processor"},
    {"--from-log", CTL_FROM_LOG, "LOG",
     "only files that this log says were loaded; may be repeated"},
    {"--verity", CTL_VERITY, NULL, "with fs-verity digests"},
    {"--no-compile", CTL_NO_COMPILE, NULL, "sign the bytecode that is there"},
    {"--list-unowned", CTL_LIST_UNOWNED, NULL, "print the files that belong to no distribution"},
    {"--manifest", CTL_MANIFEST, "FILE", "the manifest to compare with"},
    {"--no-signature", CTL_NO_SIGNATURE, NULL, "do not check the manifest's signature"},
    {"--reason", CTL_REASON, "TEXT", "why; is kept"},
    {"--allow-older", CTL_ALLOW_OLDER, NULL, "accept a release that is older than the newest"},
    {"--comment", CTL_COMMENT, "TEXT", "comment in the key"},
    {"--no-passphrase", CTL_NO_PASSPHRASE, NULL, "do not protect the key"},
    {"--confirm-within", CTL_CONFIRM_WITHIN, "TIME",
     "let the policy before it come back unless confirmed: 90s, 10m, 2h"},
    {"--for", CTL_FOR, "TIME", "how long: 90s, 10m, 2h; at most 168h"},
    {"--log", CTL_LOG, "FILE", "the log that the record is in"},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))
#define SHOWN_IN_SYNOPSIS 3 /* a verb with more options says [OPTION...] */

static int cmd_help(struct ctl *ctl, int argc, char **argv);

static const struct ctl_verb interpreter_verbs[] = {
    {"add", "PATH...", "register the python3 of a minor version",
     "Checks the interpreter, asks it where its library is, and writes the record that spython "
     "reads.\n"
     "Registering again after an upgrade of Python replaces the record.",
     0, 1, CTL_ANY_NUMBER, cmd_interpreter_add, NULL},
    {"list", "", "print the registered interpreters", "", CTL_JSON, 0, 0, cmd_interpreter_list,
     NULL},
    {"remove", "X.Y", "take a registration back", "The interpreter itself is left alone.", 0, 1, 1,
     cmd_interpreter_remove, NULL},
    {"check", "", "say what is wrong with the registered interpreters",
     "Exit status 1 if anything is wrong.", CTL_JSON, 0, 0, cmd_interpreter_check, NULL},
    {"default", "X.Y", "let bin/spython name this version", "", 0, 1, 1, cmd_interpreter_default,
     NULL},
    {0},
};

static const struct ctl_verb venv_verbs[] = {
    {"adopt", "ROOT", "let a virtual environment run under spython",
     "Checks that ROOT is an environment of a registered interpreter and that nobody else can "
     "change\n"
     "it, places ROOT/bin/spython, lists ROOT in venvs.list and applies the policy.",
     0, 1, 1, cmd_venv_adopt, NULL},
    {"list", "", "print the adopted environments and what is wrong with them",
     "Exit status 1 if anything is wrong.", CTL_JSON, 0, 0, cmd_venv_list, NULL},
    {"remove", "ROOT", "undo adopt", "ROOT need not exist any more.", 0, 1, 1, cmd_venv_remove,
     NULL},
    {0},
};

static const struct ctl_verb trust_verbs[] = {
    {"add", "FILE", "let signatures by a key count",
     "FILE is an OpenSSH public key, an X.509 certificate (PEM) or an OpenPGP public key. Several\n"
     "keys count at once.",
     CTL_NAME, 1, 1, cmd_trust_add, NULL},
    {"list", "", "print the keys, when they expire and which are revoked", "", CTL_JSON, 0, 0,
     cmd_trust_list, NULL},
    {"revoke", "NAME|FINGERPRINT", "let no signature by a key count any more",
     "The key need not be in trust.d. --reason is required.", CTL_REASON, 1, 1, cmd_trust_revoke,
     NULL},
    {"remove", "NAME", "forget a key", "A revocation of it stays.", 0, 1, 1, cmd_trust_remove,
     NULL},
    {0},
};

static const struct ctl_verb manifest_verbs[] = {
    {"add", "FILE [SIGNATURE]", "install a signed manifest for the next apply",
     "Checks the signature (default: FILE.sig, FILE.p7s or FILE.asc) against trust.d. Releases "
     "before\n"
     "the newest one need --allow-older and --reason.",
     CTL_ALLOW_OLDER | CTL_REASON, 1, 2, cmd_manifest_add, NULL},
    {"list", "", "print the installed manifests and who signed them",
     "Exit status 65 if a signature is not good.", CTL_JSON, 0, 0, cmd_manifest_list, NULL},
    {"remove", "NAME [SERIAL]", "remove a manifest with all its releases, or one older release", "",
     0, 1, 2, cmd_manifest_remove, NULL},
    {0},
};

static const struct ctl_verb hooks_verbs[] = {
    {"take", "", "note the files that run code when Python starts, and apply the policy",
     "Looks at .pth, .start, sitecustomize and usercustomize files of every registered "
     "interpreter\n"
     "and adopted environment. Look at what it prints: from then on these files are known.",
     0, 0, 0, cmd_hooks_take, NULL},
    {"list", "", "print the files that were noted", "", CTL_JSON, 0, 0, cmd_hooks_list, NULL},
    {0},
};

static const struct ctl_verb verbs[] = {
    {"interpreter", "VERB", "which Python runs", "", 0, 0, 0, NULL, interpreter_verbs},
    {"venv", "VERB", "which virtual environments may run", "", 0, 0, 0, NULL, venv_verbs},
    {"keygen", "", "make a key to sign with",
     "Makes an Ed25519 key pair in FILE and FILE.pub (default: spython-key) and asks for a "
     "passphrase.\n"
     "It never replaces a file.",
     CTL_OUT | CTL_COMMENT | CTL_NO_PASSPHRASE, 0, 0, cmd_keygen, NULL},
    {"sign", "DIR", "compile, list and sign the files of a tree",
     "Writes NAME.manifest, or FILE of --out, and its signature beside it. --name and --key are "
     "required.",
     CTL_NAME | CTL_KEY | CTL_FORMAT | CTL_CERT | CTL_TOOL_OPTION | CTL_OUT | CTL_SERIAL |
         CTL_EXCLUDE | CTL_JOBS | CTL_FROM_LOG | CTL_VERITY | CTL_NO_COMPILE | CTL_LIST_UNOWNED,
     1, 1, cmd_sign, NULL},
    {"verify", "DIR", "compare a tree with its manifest",
     "Exit status 1 if files were added, changed or are missing; 65 if the signature is not good.\n"
     "--manifest is required.",
     CTL_MANIFEST | CTL_NO_SIGNATURE | CTL_EXCLUDE | CTL_JOBS | CTL_JSON, 1, 1, cmd_verify, NULL},
    {"trust", "VERB", "whose signatures count", "", 0, 0, 0, NULL, trust_verbs},
    {"manifest", "VERB", "which signed manifests the policy uses", "", 0, 0, 0, NULL,
     manifest_verbs},
    {"hooks", "VERB", "which files may run code at start-up", "", 0, 0, 0, NULL, hooks_verbs},
    {"check", "[DIR]", "look for errors in the policy's sources",
     "Compiles DIR (default: PREFIX/etc/spython) without using the result. Exit status 1 if there "
     "is\n"
     "an error; warnings alone give 0.",
     CTL_JSON, 0, 1, cmd_check, NULL},
    {"apply", "", "compile the sources and put the policy in force",
     "Prints which settings change. Earlier policies are kept for `rollback`. A policy under "
     "which\n"
     "the standard library or an app's script would be refused is not put in force.",
     CTL_DRY_RUN | CTL_CONFIRM_WITHIN, 0, 0, cmd_apply, NULL},
    {"confirm", "", "keep the policy that apply --confirm-within put in force", "", 0, 0, 0,
     cmd_confirm, NULL},
    {"off", "[APP]", "observe instead of enforcing, for a while",
     "--for and --reason are required. It is recorded, and over by itself.", CTL_FOR | CTL_REASON,
     0, 1, cmd_off, NULL},
    {"on", "", "end what off began", "", 0, 0, 0, cmd_on, NULL},
    {"rollback", "", "put the policy before this one back in force",
     "The one that it replaces is kept as policy.bin.undone. Sources are left as they are.", 0, 0,
     0, cmd_rollback, NULL},
    {"show", "[APP]", "print the settings in force, and where each comes from", "", CTL_JSON, 0, 1,
     cmd_show, NULL},
    {"status", "", "check the whole installation", "Exit status 1 if anything is wrong.", CTL_JSON,
     0, 0, cmd_status, NULL},
    {"ps", "", "list running sessions and which policy each has",
     "Run as root to see the processes of all users.", CTL_JSON | CTL_STALE, 0, 0, cmd_ps, NULL},
    {"explain", "RECORD-ID", "say why something was refused, and what would allow it",
     "Looks for the record in the logs of the policy in force; --log names another file.",
     CTL_JSON | CTL_LOG, 1, 1, cmd_explain, NULL},
    {"help", "[VERB]", "print what a verb does", "", 0, 0, 2, cmd_help, NULL},
    {0},
};

static const struct ctl_verb *find_verb(const struct ctl_verb *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

/* The synopsis of one verb: "  interpreter list [--json]". */
static void print_synopsis(const struct ctl_verb *parent, const struct ctl_verb *verb)
{
    char line[128];
    int n = snprintf(line, sizeof(line), "%s%s%s%s%s", parent ? parent->name : "",
                     parent ? " " : "", verb->name, verb->args[0] ? " " : "", verb->args);

    if (__builtin_popcount(verb->flags) > SHOWN_IN_SYNOPSIS)
        (void)snprintf(line + n, sizeof(line) - (size_t)n, " [OPTION...]");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if ((verb->flags & options[i].flag) && n > 0 && (size_t)n < sizeof(line) &&
            __builtin_popcount(verb->flags) <= SHOWN_IN_SYNOPSIS)
            n += snprintf(line + n, sizeof(line) - (size_t)n, " [%s%s%s]", options[i].name,
                          options[i].value ? " " : "", options[i].value ? options[i].value : "");
    printf("  %-34s %s\n", line, verb->summary);
}

static void print_option(size_t i)
{
    char line[64];

    (void)snprintf(line, sizeof(line), "%s %s", options[i].name,
                   options[i].value ? options[i].value : "");
    printf("  %-18s %s\n", line, options[i].help);
}

static void print_verb_help(const struct ctl_verb *parent, const struct ctl_verb *verb)
{
    print_synopsis(parent, verb);
    if (verb->details[0])
        printf("\n%s\n", verb->details);
    for (const struct ctl_verb *sub = verb->subverbs; sub && sub->name; sub++)
        print_synopsis(verb, sub);
    if (verb->flags)
        (void)putchar('\n');
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (verb->flags & options[i].flag)
            print_option(i);
}

static void print_help(void)
{
    printf("usage: spythonctl [--prefix DIR] VERB [ARG...]\n\n"
           "Administers spython: interpreters, virtual environments, policy, sessions.\n\n");
    for (const struct ctl_verb *verb = verbs; verb->name; verb++) {
        if (!verb->subverbs)
            print_synopsis(NULL, verb);
        for (const struct ctl_verb *sub = verb->subverbs; sub && sub->name; sub++)
            print_synopsis(verb, sub);
    }
    printf("\nOptions:\n  %-18s %s\n", "--prefix DIR", "work on the installation below DIR");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        print_option(i);
    printf("  %-18s %s\n  %-18s %s\n\nSee spythonctl(1).\n", "--help", "print this, or about VERB",
           "--version", "print the version");
}

static int usage_error(const char *object, const char *what)
{
    (void)fprintf(stderr, "spythonctl: %s: %s (see spythonctl --help)\n", safe(object), what);
    return CTL_USAGE;
}

/* Finds the verb at the front of `words`. Returns how many words named it, 0 after a message. */
static int resolve_verb(int count, char **words, const struct ctl_verb **ret_parent,
                        const struct ctl_verb **ret)
{
    const struct ctl_verb *verb = find_verb(verbs, words[0]), *sub;

    *ret_parent = NULL;
    if (!verb) {
        (void)usage_error(words[0], "there is no such verb");
        return 0;
    }
    *ret = verb;
    if (!verb->subverbs || count < 2)
        return 1;
    sub = find_verb(verb->subverbs, words[1]);
    if (!sub) {
        (void)usage_error(words[1], "there is no such verb");
        return 0;
    }
    *ret_parent = verb;
    *ret = sub;
    return 2;
}

static int cmd_help(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_verb *parent, *verb;

    (void)ctl;
    if (argc == 0) {
        print_help();
        return CTL_OK;
    }
    if (resolve_verb(argc, argv, &parent, &verb) != argc)
        return CTL_USAGE;
    print_verb_help(parent, verb);
    return CTL_OK;
}

struct command_line {
    const char *prefix;
    bool wants_help, wants_version;
    unsigned flags;
    struct ctl_value values[CTL_MAX_VALUES];
    size_t value_count;
    int count;
    char *words[MAX_WORDS];
};

/* An option of the table: "--name", "--name VALUE" or "--name=VALUE". */
static int parse_table_option(char **argv, int *at, struct command_line *line)
{
    const char *text = argv[*at];
    size_t len = strcspn(text, "=");

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *value = text[len] ? text + len + 1 : NULL;

        if (strlen(options[i].name) != len || memcmp(options[i].name, text, len) != 0)
            continue;
        line->flags |= options[i].flag;
        if (!options[i].value)
            return value ? usage_error(options[i].name, "it takes no value") : 0;
        if (!value && !(value = argv[++*at]))
            return usage_error(text, "a value must follow");
        if (line->value_count == CTL_MAX_VALUES)
            return usage_error(text, "too many options");
        line->values[line->value_count++] = (struct ctl_value){options[i].flag, value};
        return 0;
    }
    return usage_error(text, "there is no such option");
}

static int parse_option(char **argv, int *at, struct command_line *line)
{
    const char *text = argv[*at];

    if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
        line->wants_help = true;
        return 0;
    }
    if (strcmp(text, "--version") == 0) {
        line->wants_version = true;
        return 0;
    }
    if (strncmp(text, "--prefix=", 9) == 0) {
        line->prefix = text + 9;
        return 0;
    }
    if (strcmp(text, "--prefix") == 0) {
        if (!argv[*at + 1])
            return usage_error(text, "a directory must follow");
        line->prefix = argv[++*at];
        return 0;
    }
    return parse_table_option(argv, at, line);
}

static int parse_command_line(int argc, char **argv, struct command_line *line)
{
    bool only_words = false;

    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
            int status = parse_option(argv, &i, line);

            if (status)
                return status;
        } else if (line->count == MAX_WORDS) {
            return usage_error(argv[i], "too many arguments");
        } else {
            line->words[line->count++] = argv[i];
        }
    }
    return 0;
}

static int run_verb(const struct ctl_verb *verb, struct command_line *line, int used)
{
    struct problem problem = {0};
    struct ctl ctl = {0};
    int count = line->count - used;

    if (!verb->run)
        return usage_error(verb->name, "a verb must follow");
    if (line->flags & ~verb->flags)
        return usage_error(verb->name, "this option does not go with it");
    if (count < verb->min_args)
        return usage_error(verb->name, "an argument is missing");
    if (count > verb->max_args)
        return usage_error(line->words[used + verb->max_args], "one argument too many");
    ctl.flags = line->flags;
    memcpy(ctl.values, line->values, sizeof(ctl.values));
    ctl.value_count = line->value_count;
    if (verb->run != cmd_help && ctl_find_prefix(&ctl, line->prefix, &problem) < 0)
        return problem_report(line->prefix ? line->prefix : "installation", &problem);
    if (verb->run != cmd_help)
        pending_expire(&ctl);
    return verb->run(&ctl, count, line->words + used);
}

static int dispatch(int argc, char **argv)
{
    static struct command_line line;
    const struct ctl_verb *parent, *verb;
    int used, status = parse_command_line(argc, argv, &line);

    if (status)
        return status;
    if (line.wants_version) {
        printf("spythonctl %s\n", SPYTHON_VERSION);
        return CTL_OK;
    }
    if (line.count == 0) {
        if (line.wants_help) {
            print_help();
            return CTL_OK;
        }
        return usage_error("command line", "it names no verb");
    }
    used = resolve_verb(line.count, line.words, &parent, &verb);
    if (used == 0)
        return CTL_USAGE;
    if (line.wants_help) {
        print_verb_help(parent, verb);
        return CTL_OK;
    }
    return run_verb(verb, &line, used);
}

/* With 0, 1 or 2 closed, a policy file could become our standard output. A reader that goes away
 * must not end an apply half-way. And OPENSSL_CONF, which the first use of libcrypto would read,
 * may name code to be loaded: nothing here needs a configuration. */
static int prepare_process(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return -errno;
    fd_close(fd);
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return -ENOMEM;
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
}

int main(int argc, char **argv)
{
    int status;

    if (prepare_process() < 0)
        return CTL_UNUSABLE;
    status = dispatch(argc, argv);

    /* A full disk behind a redirection must not look like a clean answer. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "spythonctl: standard output: %s (redirect it elsewhere)\n",
                      strerror(errno));
        return CTL_IOERR;
    }
    return status;
}
