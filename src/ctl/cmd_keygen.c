/* SPDX-License-Identifier: Apache-2.0 */
/* `spythonctl keygen`: an Ed25519 key by ssh-keygen, in files that were not there before. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/ctl.h"
#include "ctl/files.h"
#include "ctl/output.h"
#include "trust/tool.h"

#define DEFAULT_FILE "spython-key"
#define KEYGEN_SECONDS 600 /* a person thinks of a passphrase */
#define CHECK_SECONDS 60

static int run_keygen(const struct ctl *ctl, const char *file, const char *comment,
                      struct problem *problem)
{
    const char *argv[] = {"ssh-keygen", "-q",    "-t", "ed25519", "-f", file,
                          "-C",         comment, NULL, NULL,      NULL};
    struct tool tool = {.name = "ssh-keygen",
                        .argv = argv,
                        .output_max = 0, /* "Passphrases do not match" is for the person */
                        .seconds = KEYGEN_SECONDS,
                        .for_person = true};
    struct err err = ERR_INIT;
    int r;

    if (ctl->flags & CTL_NO_PASSPHRASE) {
        argv[8] = "-N";
        argv[9] = "";
    }
    r = tool_run(&tool, &err);
    if (r < 0) {
        problem_from_err(problem, &err);
    } else if (tool.status != 0) {
        r = problem_set(problem, UNFIT, "ssh-keygen made no key (exit status %d)", tool.status);
        problem_todo(problem, "see its message above");
    }
    tool_done(&tool);
    return r;
}

/* Where ssh-keygen cannot ask (SSH_ASKPASS without a display, or a program that fails), it takes
 * the passphrase to be empty and says nothing: so whether there is one is found out. */
static int check_protected(const char *key, struct problem *problem)
{
    const char *argv[] = {"ssh-keygen", "-y", "-P", "", "-f", key, NULL};
    struct tool tool = {
        .name = "ssh-keygen", .argv = argv, .output_max = 65536, .seconds = CHECK_SECONDS};
    struct err err = ERR_INIT;
    int r = tool_run(&tool, &err);

    if (r < 0)
        return problem_from_err(problem, &err);
    if (tool.status == 0) {
        r = problem_set(problem, UNFIT, "no passphrase was given, and no key was made");
        problem_todo(problem, "give one, or say --no-passphrase");
    }
    tool_done(&tool);
    return r;
}

/* Moves a file to where nothing is yet. */
static int place(const char *from, const char *to, struct problem *problem)
{
    if (link(from, to) < 0) {
        int r = -errno;

        if (r == -EEXIST) {
            problem_set(problem, r, "'%s' is there already, and a key is never replaced", to);
            return problem_todo(problem, "name another file with --out");
        }
        return problem_set(problem, r, "cannot make '%s': %s", to, strerror(-r));
    }
    return 0;
}

/* The pair is made in a directory of its own, since ssh-keygen would offer to overwrite. */
static int make_pair(const struct ctl *ctl, const char *file, struct problem *problem)
{
    CLEANUP_FREE char *dir = must_format("%s.new.XXXXXX", file), *key = NULL, *pub = NULL;
    CLEANUP_FREE char *file_pub = must_format("%s.pub", file);
    const char *comment = ctl_value(ctl, CTL_COMMENT);
    int r;

    if (!mkdtemp(dir))
        return problem_set(problem, -errno, "cannot make '%s': %s", dir, strerror(errno));
    key = must_format("%s/key", dir);
    pub = must_format("%s/key.pub", dir);
    r = run_keygen(ctl, key, comment ? comment : "spython", problem);
    if (r == 0 && !(ctl->flags & CTL_NO_PASSPHRASE))
        r = check_protected(key, problem);
    if (r == 0 && (chmod(key, 0600) < 0 || chmod(pub, 0644) < 0))
        r = problem_set(problem, -errno, "cannot set its mode: %s", strerror(errno));
    if (r == 0)
        r = place(key, file, problem);
    if (r == 0) {
        r = place(pub, file_pub, problem);
        if (r < 0)
            (void)unlink(file); /* ours, made a moment ago */
    }
    if (r == 0)
        r = file_sync_directory(file, problem);
    (void)unlink(key); /* what is left of them after an error, or the second names */
    (void)unlink(pub);
    (void)rmdir(dir);
    return r;
}

int cmd_keygen(struct ctl *ctl, int argc, char **argv)
{
    const char *file = ctl_value(ctl, CTL_OUT);
    struct problem problem = {0};
    CLEANUP_FD int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    (void)argc;
    (void)argv;
    if (!file)
        file = DEFAULT_FILE;
    if (lstat(file, &st) == 0) { /* before anybody is asked for a passphrase */
        problem_set(&problem, -EEXIST, "is there already, and a key is never replaced");
        problem_todo(&problem, "name another file with --out");
        return problem_report(file, &problem);
    }
    if (!(ctl->flags & CTL_NO_PASSPHRASE) && terminal < 0 && !getenv("SSH_ASKPASS")) {
        problem_set(&problem, UNFIT, "there is no terminal to ask for a passphrase");
        problem_todo(&problem, "run it on a terminal, or with --no-passphrase");
        return problem_report(file, &problem);
    }
    if (make_pair(ctl, file, &problem) < 0)
        return problem_report(file, &problem);
    printf("made %s, to be kept secret, and %s.pub\n"
           "on the machines that run what it signs: spythonctl trust add %s.pub\n",
           safe(file), safe(file), safe(file));
    return CTL_OK;
}
