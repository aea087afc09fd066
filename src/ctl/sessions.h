/* SPDX-License-Identifier: Apache-2.0 */
/* Running sessions, as /proc shows them. A process can lie about itself; this is for finding one's
 * way, not for proof. */
#ifndef SPYTHON_CTL_SESSIONS_H
#define SPYTHON_CTL_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "ctl/interpreter.h"
#include "event/record.h"

enum session_policy {
    SESSION_POLICY_STALE = 0, /* maps a policy that is not in force */
    SESSION_POLICY_CURRENT,
    SESSION_POLICY_BUILT_IN,
};

struct session {
    pid_t pid;
    uid_t uid;
    bool is_readable; /* if not, only pid, uid and name are known */
    char minor[MINOR_SIZE];
    bool core_replaced; /* the core on disk is another one now */
    enum session_policy policy;
    char id[RECORD_SESSION_DIGITS + 1]; /* "" if it logs to no file of its own */
    char *log;                          /* owned, NULL if none */
    char *script;                       /* owned: what argv says is run */
    char **argv;                        /* owned, ends in NULL */
};

struct session_list {
    struct session *items;
    size_t count;
    size_t unreadable; /* processes that could not be read and do not look like Python */
};

/* Paths that tell our processes from others. */
struct session_paths {
    const char *libexec;            /* PREFIX/libexec/spython */
    const char *policy;             /* PREFIX/etc/spython/policy.bin */
    const struct stat *policy_stat; /* NULL: there is none */
};

/* Looks at all processes below `proc` ("/proc"). 0 or -errno. */
int session_list_scan(const char *proc, const struct session_paths *paths,
                      struct session_list *ret);
void session_list_done(struct session_list *list);

/* Reads the text of a maps file. True if a core is mapped; then minor, core_replaced and policy of
 * `ret` are set. */
bool session_read_maps(const char *maps, const struct session_paths *paths, struct session *ret);

/* What `argv` runs: the script, "-m MODULE", "-c", "-" or "". Malloc'ed. */
char *session_script(char *const *argv);

/* The session in the name of a log file "spython-...-<16 digits>.jsonl"; false if it is none. */
bool session_of_log(const char *path, char id[RECORD_SESSION_DIGITS + 1]);

#endif
