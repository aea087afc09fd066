/* SPDX-License-Identifier: Apache-2.0 */
/* main() of spythonctl: finds the verb in the table, reads options, calls it. Help is printed from
 * the same tables, so the two cannot differ. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "ctl/ctl.h"
#include "ctl/output.h"

#ifndef SPYTHON_VERSION
#define SPYTHON_VERSION "unknown"
#endif

#define MAX_WORDS 4096

static const struct {
    const char *name;
    unsigned flag;
    const char *help;
} options[] = {
    {"--json", CTL_JSON, "print one JSON document"},
    {"--dry-run", CTL_DRY_RUN, "write nothing"},
    {"--stale", CTL_STALE, "only sessions that would get another policy now"},
};

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

static const struct ctl_verb verbs[] = {
    {"interpreter", "VERB", "which Python runs", "", 0, 0, 0, NULL, interpreter_verbs},
    {"venv", "VERB", "which virtual environments may run", "", 0, 0, 0, NULL, venv_verbs},
    {"check", "[DIR]", "look for errors in the policy's sources",
     "Compiles DIR (default: PREFIX/etc/spython) without using the result. Exit status 1 if there "
     "is\n"
     "an error; warnings alone give 0.",
     CTL_JSON, 0, 1, cmd_check, NULL},
    {"apply", "", "compile the sources and put the policy in force",
     "Prints which settings change. Earlier policies are kept for `rollback`.", CTL_DRY_RUN, 0, 0,
     cmd_apply, NULL},
    {"rollback", "", "put the policy before this one back in force",
     "The one that it replaces is kept as policy.bin.undone. Sources are left as they are.", 0, 0,
     0, cmd_rollback, NULL},
    {"show", "[APP]", "print the settings in force, and where each comes from", "", CTL_JSON, 0, 1,
     cmd_show, NULL},
    {"status", "", "check the whole installation", "Exit status 1 if anything is wrong.", CTL_JSON,
     0, 0, cmd_status, NULL},
    {"ps", "", "list running sessions and which policy each has",
     "Run as root to see the processes of all users.", CTL_JSON | CTL_STALE, 0, 0, cmd_ps, NULL},
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

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if ((verb->flags & options[i].flag) && n > 0 && (size_t)n < sizeof(line))
            n += snprintf(line + n, sizeof(line) - (size_t)n, " [%s]", options[i].name);
    printf("  %-34s %s\n", line, verb->summary);
}

static void print_verb_help(const struct ctl_verb *parent, const struct ctl_verb *verb)
{
    print_synopsis(parent, verb);
    if (verb->details[0])
        printf("\n%s\n", verb->details);
    for (const struct ctl_verb *sub = verb->subverbs; sub && sub->name; sub++)
        print_synopsis(verb, sub);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (verb->flags & options[i].flag)
            printf("\n  %-12s %s", options[i].name, options[i].help);
    if (verb->flags)
        (void)putchar('\n');
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
    printf("\nOptions:\n  %-12s %s\n", "--prefix DIR", "work on the installation below DIR");
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        printf("  %-12s %s\n", options[i].name, options[i].help);
    printf("  %-12s %s\n  %-12s %s\n\nSee spythonctl(1).\n", "--help", "print this, or about VERB",
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
    int count;
    char *words[MAX_WORDS];
};

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
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strcmp(text, options[i].name) == 0) {
            line->flags |= options[i].flag;
            return 0;
        }
    return usage_error(text, "there is no such option");
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
    if (verb->run != cmd_help && ctl_find_prefix(&ctl, line->prefix, &problem) < 0)
        return problem_report(line->prefix ? line->prefix : "installation", &problem);
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

/* With 0, 1 or 2 closed, a policy file could become our standard output. And a reader that goes
 * away must not end an apply half-way. */
static int prepare_process(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return -errno;
    fd_close(fd);
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
