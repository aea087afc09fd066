/* SPDX-License-Identifier: Apache-2.0 */
/* Registered interpreters: is a file fit to be one, what does it say of itself, is it still the
 * file that was registered. The record's form is stage1/interpreter_record.h. */
#ifndef SPYTHON_CTL_INTERPRETER_H
#define SPYTHON_CTL_INTERPRETER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ctl/ctl.h"
#include "stage1/interpreter_record.h"

#define MINOR_SIZE 8 /* "3.11" with its NUL, and room */

/* Looks at an opened file: a program for this machine, dynamic with glibc, no set-user-ID bit, no
 * file capabilities. 0, or UNFIT with the way out. */
int interpreter_inspect_file(int fd, const struct stat *st, struct problem *problem);

/* Runs it with an empty environment and -I -S, as the file's owner if we are root, and fills the
 * members of `record` that it reports. `path` is its real path. 0, or a negative errno. */
int interpreter_ask(int fd, const struct stat *st, const char *path,
                    struct interpreter_record *record, struct problem *problem);

/* Opens, checks, asks: the whole of `record`. `path` may be a link. */
int interpreter_examine(const struct ctl *ctl, const char *path, struct interpreter_record *record,
                        struct problem *problem);

enum interpreter_state {
    INTERPRETER_UNUSABLE = 0,
    INTERPRETER_OK,
    INTERPRETER_COPIED,
    INTERPRETER_REPLACED,
    INTERPRETER_MISSING,
    INTERPRETER_UNTRUSTED,
    INTERPRETER_INCOMPLETE,
    INTERPRETER_STATE_MAX,
};

const char *interpreter_state_name(enum interpreter_state state);

/* One minor version of the prefix. */
struct interpreter {
    char minor[MINOR_SIZE];
    bool has_core;
    bool is_registered; /* there is a record; `state` and `problem` are about it */
    bool is_default;    /* bin/spython names it */
    enum interpreter_state state;
    struct problem problem;
    struct interpreter_record record;
};

/* Whether `text` is a version like "3.11". */
bool is_minor(const char *text);

/* All minor versions that have a core or a record, oldest first, each checked. Returns how many;
 * *ret is malloc'ed. */
size_t interpreter_all(const struct ctl *ctl, struct interpreter **ret);

/* The record of one minor version. -ENOENT: not registered. -EBADMSG: damaged. */
int interpreter_read(const struct ctl *ctl, const char *minor, struct interpreter_record *record,
                     struct problem *problem);

/* Looks at everything that a start needs. */
void interpreter_check(const struct ctl *ctl, struct interpreter *interpreter);

/*
 * The registered interpreter of one minor version, if it can be used: *ret is filled in any case.
 * `directory` is where to look for one to register. 0, or UNFIT with the way out.
 */
int interpreter_need(const struct ctl *ctl, const char *minor, const char *directory,
                     struct interpreter *ret, struct problem *problem);

/* "3.11.2" (with a1, b2, rc3) of a hexversion. */
void interpreter_version(uint32_t hex, char out[24]);

/* One interpreter as JSON, for list, check and status. */
json_t *interpreter_json(const struct interpreter *interpreter);

#endif
