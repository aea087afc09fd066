/* SPDX-License-Identifier: Apache-2.0 */
/* Would the host still work under this policy? Asks the verifiers of a compiled policy about the
 * files without which nothing starts, before it is put in force. */
#ifndef SPYTHON_CTL_POLICY_TRIAL_H
#define SPYTHON_CTL_POLICY_TRIAL_H

#include "ctl/ctl.h"
#include "policy/policy.h"
#include "policy/policy_compile.h"

#define TRIAL_SHOWN 10

/* One file that an enforcing policy would refuse. */
struct trial_finding {
    char *app;  /* "" for the host; owned, as the others */
    char *path; /* of the file */
    char *why;
};

struct trial {
    size_t count;
    struct trial_finding shown[TRIAL_SHOWN]; /* the first ones */
};

/*
 * Judges, for the host and each app whose code is enforced: os.py, site.py and encodings of every
 * registered interpreter, and the shared objects of its lib-dynload; the app's script; the modules
 * right below site-packages of the app's environment, of which at least one must load. Bytecode is
 * not asked about, since the source is used instead. Done with trial_done().
 */
void trial_run(const struct ctl *ctl, const struct policy *policy, struct trial *ret);
void trial_done(struct trial *trial);

/* Prints the findings to stderr and sets UNFIT; 0 if there are none. */
int trial_problem(const struct trial *trial, struct problem *problem);

/* The findings as warnings about the sources in ctl->etc, one more if some are not shown. */
void trial_add_messages(const struct ctl *ctl, const struct trial *trial,
                        struct policy_messages *messages);

#endif
