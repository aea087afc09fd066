/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common to the tests of the verifiers: real files in a directory of their own, and one question
 * put to one verifier, if wanted in a child process that is another user, in other mounts, or
 * restricted otherwise. A child only asks; what it was told is judged by the parent.
 */
#ifndef TRUST_TEST_H
#define TRUST_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unavailable.h"
#include "trust/trust.h"
#include "trust/trust_verifiers.h"

#define STRANGER 12345
#define OTHER 12346
#define TEXT "print('hello')\n"

/* A directory DIR/app that root owns, with the file DIR/app/mod.py in it: TEXT, 0644. */
struct place {
    char dir[64];
    char app[80];
    char file[96];
};

int place_setup(void **state);
int place_setup_in(const char *above, void **state);
int place_teardown(void **state);

void write_text(const char *path, const char *text, mode_t mode);

/* Opens and reads as the gate does. `path` is passed on as it is. Returns false if it cannot be
 * opened. */
bool file_open(struct trust_file *file, const char *path, enum trust_kind kind);
void file_close(struct trust_file *file);

/* Opens `path` and asks. */
void ask(const struct trust_verifier *verifier, const struct trust_policy *policy,
         const struct trust_root *root, const char *path, struct trust_evidence *ret);

/* What is done in the child before it asks; returns false if the machine does not permit it. */
typedef bool (*prepare_fn)(const struct place *place);

struct question {
    const struct trust_verifier *verifier;
    const struct trust_policy *policy;
    const struct trust_root *root;
    const struct place *place;
    prepare_fn prepare; /* may be NULL */
    prepare_fn after;   /* when the file is open, before it is judged; may be NULL */
    uid_t uid;          /* 0: stay who we are */
    bool keep_override; /* CAP_DAC_OVERRIDE survives the change of user */
    const char *path;   /* NULL: the place's file */
};

/* Returns false if it could not be asked. */
bool ask_in_child(const struct question *question, struct trust_evidence *ret);

/* Mounts of our own, which end with the child. */
bool enter_mounts(const struct place *place);

void expect_evidence(const struct trust_evidence *evidence, enum trust_answer answer,
                     const char *reason, const char *label);

#endif
