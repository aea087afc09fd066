/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs ssh-keygen, gpgv, gpg and openssl: the first is the only way to agents and hardware keys,
 * the others are what administrators already trust. Each from a fixed list of directories, without
 * a shell, with a clean environment, bounded in time and output. Only for spythonctl.
 */
#ifndef SPYTHON_TRUST_TOOL_H
#define SPYTHON_TRUST_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TOOL_COMPLAINT_MAX 512

/* One run. The first part is the caller's, the second is filled. */
struct tool {
    const char *name;  /* "ssh-keygen" */
    const char *path;  /* absolute path to run instead of looking `name` up; or NULL */
    const char **argv; /* from argv[0] on, NULL at the end */
    const void *input; /* standard input; NULL: /dev/null */
    size_t input_len;  /*  */
    size_t output_max; /* more than this is -EFBIG; 0: what it prints goes to standard error */
    unsigned seconds;  /* a longer run is killed: -ETIMEDOUT */
    bool for_person;   /* may ask on the terminal: keeps the variables that name agents, displays
                        * and homes, and lets complaints through */
    char *output;      /* malloc'ed, NUL behind it; NULL unless the run ended by itself */
    size_t output_len; /*  */
    int status;        /* exit status; 128 + signal */
    char
        complaint[TOOL_COMPLAINT_MAX]; /* the end of standard error in one line; "" if for_person */
};

/* Runs it to its end, whatever its exit status. Returns 0; -ENOPKG: it is not installed (the
 * message names Debian's package); -ETIMEDOUT, -EFBIG, -ENOMEM, or another -errno. */
int tool_run(struct tool *tool, struct err *err);

void tool_done(struct tool *tool);

/* A directory of our own for the files that tools want to read. */
struct tool_dir {
    char path[64];
};

int tool_dir_make(struct tool_dir *ret, struct err *err);

/* Writes a file NAME into it; `path` is then its name. */
int tool_dir_write(const struct tool_dir *dir, const char *name, const void *data, size_t len,
                   char path[128], struct err *err);

/* Removes it with the files in it. A zeroed one is fine. */
void tool_dir_remove(struct tool_dir *dir);

#endif
