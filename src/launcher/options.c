/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the profiles standard and strict (PEP 551: a script, and little before it).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/main.h"
#include "stage1/handover.h"

static const char help_text[] =
    "usage: spython [-B -E -I -s -P -u] SCRIPT [ARG...]\n"
    "Runs a Python program and records every audit event that it raises.\n"
    "\n"
    "  -B         do not write .pyc files\n"
    "  -E         ignore the PYTHON* variables that policy permits, too\n"
    "  -I         isolated: -E, -P and -s together\n"
    "  -s         no user site-packages\n"
    "  -P         do not put the script's directory into sys.path (Python 3.11 and later)\n"
    "  -u         unbuffered standard output and error\n"
    "  --help     this text\n"
    "  --version  versions of spython and of the interpreter\n"
    "\n"
    "Everything else that python3 can be told (-c, -m, standard input, ...) is refused unless the\n"
    "policy of this host admits it: see spython(1), spython.yaml(5) and `spythonctl show`.\n";

static void print_version(void)
{
    const char *running = startup_running_version();

    (void)printf("spython %s (Python %.*s)\n", SPYTHON_VERSION, (int)strcspn(running, " "),
                 running);
    exit(0);
}

static const char *entry_name(enum start_kind kind)
{
    switch (kind) {
    case START_COMMAND:
        return "command";
    case START_MODULE:
        return "modules";
    case START_STDIN:
        return isatty(STDIN_FILENO) ? "interactive" : "stdin";
    case START_PATH:
        return "directory";
    case START_SCRIPT:
    case START_PYTHON:
    default:
        return "options";
    }
}

static bool is_module_named(const struct policy_settings *settings, const char *module)
{
    for (uint32_t i = 0; i < settings->entry_modules.count; i++)
        if (strcmp(settings->entry_modules.items[i], module) == 0)
            return true;
    return false;
}

void plan_require_entry(const struct plan *plan, enum start_kind kind, const char *subject)
{
    uint32_t entry = plan->settings->entry;
    bool admitted = true;
    const char *what = "";

    switch (kind) {
    case START_COMMAND:
        admitted = entry & ENTRY_COMMAND;
        what = "-c";
        break;
    case START_MODULE:
        admitted =
            (entry & ENTRY_ANY_MODULE) || (subject && is_module_named(plan->settings, subject));
        what = "-m";
        break;
    case START_STDIN:
        admitted = entry & (isatty(STDIN_FILENO) ? ENTRY_INTERACTIVE : ENTRY_STDIN);
        what = "standard input";
        break;
    case START_PATH:
    case START_SCRIPT:
    case START_PYTHON:
    default:
        break;
    }
    if (admitted)
        return;
    if (kind == START_MODULE)
        launcher_die(
            EXIT_SPY_REFUSED,
            "-m %s: refused by policy (to admit it: entry: {modules: [%s]} in spython.yaml)",
            subject ? subject : "", subject ? subject : "NAME");
    launcher_die(EXIT_SPY_REFUSED, "%s: refused by policy (to admit it: entry: {allow: [%s]})",
                 what, entry_name(kind));
}

/* One cluster of short options. Returns the one that ends the options (c or m), or 0. */
static int parse_cluster(struct plan *plan, const char *option)
{
    struct startup *s = &plan->startup;

    for (const char *p = option + 1; *p; p++) {
        switch (*p) {
        case 'B':
            s->dont_write_bytecode = true;
            break;
        case 'E':
            s->ignore_environment = true;
            break;
        case 'I':
            s->isolated = true;
            break;
        case 's':
            s->no_user_site = true;
            break;
        case 'P':
            if (startup_python_minor < 11)
                launcher_die(EXIT_SPY_USAGE, "-P: not known to Python 3.%d (leave it out)",
                             startup_python_minor);
            s->safe_path = true;
            break;
        case 'u':
            s->unbuffered = true;
            break;
        case 'c':
        case 'm':
            if (p[1])
                launcher_die(EXIT_SPY_USAGE, "%s: write -%c apart from its argument", option, *p);
            return *p;
        case 'h':
            (void)fputs(help_text, stdout);
            exit(0);
        case 'V':
            print_version();
            break;
        default:
            launcher_die(EXIT_SPY_USAGE,
                         "-%c: option not admitted (see spython --help; all of them: entry: "
                         "{allow: [options]})",
                         *p);
        }
    }
    return 0;
}

/* Directories and zip files run __main__.py; a path is only looked at here, and read in script.c.
 */
static enum start_kind kind_of_path(const struct plan *plan, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return START_SCRIPT; /* script.c says what is wrong with it */
    if (!S_ISDIR(st.st_mode))
        return START_SCRIPT;
    if (!(plan->settings->entry & ENTRY_DIRECTORY))
        launcher_die(EXIT_SPY_REFUSED,
                     "'%s': is a directory (to admit it: entry: {allow: [directory]})", path);
    return START_PATH;
}

void plan_parse_options(struct plan *plan)
{
    struct startup *s = &plan->startup;
    int i, last = 0;

    for (i = 1; i < plan->argc && !last; i++) {
        const char *arg = plan->argv[i];

        if (arg[0] != '-' || arg[1] == '\0')
            break;
        if (strcmp(arg, "--help") == 0) {
            (void)fputs(help_text, stdout);
            exit(0);
        }
        if (strcmp(arg, "--version") == 0)
            print_version();
        if (plan->settings->entry & ENTRY_OPTIONS) {
            s->kind = START_PYTHON;
            return;
        }
        if (arg[1] == '-')
            launcher_die(EXIT_SPY_USAGE, "%s: option not admitted (see spython --help)", arg);
        last = parse_cluster(plan, arg);
    }
    s->subject = i;
    if (last && i >= plan->argc)
        launcher_die(EXIT_SPY_USAGE, "-%c: argument missing", last);
    if (last) {
        s->kind = last == 'c' ? START_COMMAND : START_MODULE;
        plan_require_entry(plan, s->kind, plan->argv[i]);
        return;
    }
    if (i >= plan->argc) {
        if (plan->settings->entry & (isatty(STDIN_FILENO) ? ENTRY_INTERACTIVE : ENTRY_STDIN)) {
            s->kind = START_STDIN;
            return;
        }
        launcher_die(EXIT_SPY_USAGE,
                     "command line: no script given (usage: spython SCRIPT [ARG...])");
    }
    if (strcmp(plan->argv[i], "-") == 0) {
        s->kind = START_STDIN;
        plan_require_entry(plan, START_STDIN, NULL);
        return;
    }
    s->kind = kind_of_path(plan, plan->argv[i]);
}

const char *plan_guess_script(const struct plan *plan)
{
    for (int i = 1; i < plan->argc; i++) {
        const char *arg = plan->argv[i];
        size_t len = strlen(arg);

        if (arg[0] != '-')
            return arg;
        if (len == 1 || strpbrk(arg + 1, "cm"))
            return NULL;
        if (arg[len - 1] == 'W' || arg[len - 1] == 'X')
            i++; /* takes the next argument */
    }
    return NULL;
}
