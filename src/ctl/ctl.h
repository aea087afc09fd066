/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spythonctl: what its verbs share. Each verb is one cmd_VERB.c with a run function that returns an
 * exit status; ctl_main.c dispatches by the table from which --help is printed as well.
 * Nothing here includes Python.h, and nothing below main() exits.
 */
#ifndef SPYTHON_CTL_CTL_H
#define SPYTHON_CTL_CTL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ctl/problem.h"

/* Options a verb may take. */
enum ctl_flag {
    CTL_JSON = 1,
    CTL_DRY_RUN = 2,
    CTL_STALE = 4,
    CTL_NAME = 8, /* from here on each takes a value, but for those that say so */
    CTL_KEY = 16,
    CTL_FORMAT = 32,
    CTL_CERT = 64,
    CTL_OUT = 128,
    CTL_SERIAL = 256,
    CTL_EXCLUDE = 512, /* may be repeated, as --from-log and --tool-option */
    CTL_JOBS = 1024,
    CTL_FROM_LOG = 2048,
    CTL_MANIFEST = 4096,
    CTL_REASON = 8192,
    CTL_COMMENT = 16384,
    CTL_TOOL_OPTION = 32768,
    CTL_VERITY = 65536, /* no value, as those below */
    CTL_NO_COMPILE = 131072,
    CTL_LIST_UNOWNED = 262144,
    CTL_NO_SIGNATURE = 524288,
    CTL_ALLOW_OLDER = 1048576,
    CTL_NO_PASSPHRASE = 2097152,
    CTL_LOG = 4194304, /* takes a value, as those below */
    CTL_CONFIRM_WITHIN = 8388608,
    CTL_FOR = 16777216,
};

#define CTL_MAX_VALUES 256

#define CTL_ANY_NUMBER INT_MAX

/* The installation that is worked on, and how. */
struct ctl {
    char prefix[PATH_MAX]; /* real path; "" for / */
    char
        state[PATH_MAX]; /* below it lie etc/spython and var/log/spython: the prefix, "" for /usr */
    char etc[PATH_MAX];  /* directory of the policy */
    uid_t owner;         /* of PREFIX/bin/spythonctl */
    unsigned flags;      /* enum ctl_flag, as given */
    struct ctl_value {
        unsigned flag;
        const char *text;
    } values[CTL_MAX_VALUES]; /* in the order of the command line */
    size_t value_count;
};

struct ctl_verb {
    const char *name;
    const char *args; /* shown behind the name, "" for none */
    const char *summary;
    const char *details; /* shown by `help VERB` */
    unsigned flags;      /* options it takes */
    int min_args, max_args;
    int (*run)(struct ctl *ctl, int argc, char **argv); /* returns an exit status */
    const struct ctl_verb *subverbs;                    /* up to one without a name; or NULL */
};

/* Finds the installation: `prefix_option` (may be NULL) or that of the running executable. */
int ctl_find_prefix(struct ctl *ctl, const char *prefix_option, struct problem *problem);

/* The value given with an option, the last one if there are several; NULL if it was not given. */
const char *ctl_value(const struct ctl *ctl, enum ctl_flag flag);

/* All values of an option that may be repeated, NULL at the end; malloc'ed. */
const char **ctl_values(const struct ctl *ctl, enum ctl_flag flag);

/* malloc'ed "PREFIX/" + the formatted rest. */
char *ctl_path(const struct ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Name of the owner for people: "root", or "uid 1001". Valid until the next call. */
const char *ctl_owner_name(const struct ctl *ctl);

int cmd_interpreter_add(struct ctl *ctl, int argc, char **argv);
int cmd_interpreter_list(struct ctl *ctl, int argc, char **argv);
int cmd_interpreter_remove(struct ctl *ctl, int argc, char **argv);
int cmd_interpreter_check(struct ctl *ctl, int argc, char **argv);
int cmd_interpreter_default(struct ctl *ctl, int argc, char **argv);
int cmd_venv_adopt(struct ctl *ctl, int argc, char **argv);
int cmd_venv_list(struct ctl *ctl, int argc, char **argv);
int cmd_venv_remove(struct ctl *ctl, int argc, char **argv);
int cmd_check(struct ctl *ctl, int argc, char **argv);
int cmd_apply(struct ctl *ctl, int argc, char **argv);
int cmd_confirm(struct ctl *ctl, int argc, char **argv);
int cmd_off(struct ctl *ctl, int argc, char **argv);
int cmd_on(struct ctl *ctl, int argc, char **argv);
int cmd_rollback(struct ctl *ctl, int argc, char **argv);
int cmd_show(struct ctl *ctl, int argc, char **argv);
int cmd_status(struct ctl *ctl, int argc, char **argv);
int cmd_ps(struct ctl *ctl, int argc, char **argv);
int cmd_hooks_take(struct ctl *ctl, int argc, char **argv);
int cmd_hooks_list(struct ctl *ctl, int argc, char **argv);
int cmd_explain(struct ctl *ctl, int argc, char **argv);
int cmd_keygen(struct ctl *ctl, int argc, char **argv);
int cmd_sign(struct ctl *ctl, int argc, char **argv);
int cmd_verify(struct ctl *ctl, int argc, char **argv);
int cmd_trust_add(struct ctl *ctl, int argc, char **argv);
int cmd_trust_list(struct ctl *ctl, int argc, char **argv);
int cmd_trust_revoke(struct ctl *ctl, int argc, char **argv);
int cmd_trust_remove(struct ctl *ctl, int argc, char **argv);
int cmd_manifest_add(struct ctl *ctl, int argc, char **argv);
int cmd_manifest_list(struct ctl *ctl, int argc, char **argv);
int cmd_manifest_remove(struct ctl *ctl, int argc, char **argv);

#endif
