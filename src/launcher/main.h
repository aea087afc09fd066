/* SPDX-License-Identifier: Apache-2.0 */
/* The core's main(): what the steps of a start share. */
#ifndef SPYTHON_LAUNCHER_MAIN_H
#define SPYTHON_LAUNCHER_MAIN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "cpython/startup.h"
#include "policy/policy.h"
#include "stage1/handover_parse.h"
#include "stage1/interpreter_record.h"
#include "trust/digest_cache.h"

/* Everything that is known about this start, filled step by step. */
struct plan {
    int argc;
    char **argv;
    char *handover_text; /* our copy; handover points into it */
    struct handover handover;
    char prefix[PATH_MAX];
    char exe[PATH_MAX];    /* of the first stage */
    uid_t owner;           /* of the first stage's executable */
    char execfn[PATH_MAX]; /* invocation path, made absolute; "" if unknown */
    char removed[4096];    /* names of the variables that the first stage removed, separated by = */

    struct interpreter_record interpreter;
    char policy_path[PATH_MAX + 64];
    struct policy policy;
    const struct policy_settings *settings;
    struct digest_cache digests;

    struct startup startup;
    char script_real[PATH_MAX]; /* real path of the script; "" if there is none */
    char shebang[PATH_MAX]; /* interpreter in the script's first line, if that is how it was run */
    char script_sha256[65];
    uint64_t script_size;
    struct {
        const char *name; /* as it was given */
        int fd;           /* what the bytes were read from */
        struct stat st;
        char *data; /* NULL: there is nothing to verify, or it was */
        size_t len;
    } source;            /* of the script, until it is verified */
    char venv[PATH_MAX]; /* root of the virtual environment; "" for none */
    char executable[PATH_MAX + 64];
    const char *venv_warning; /* observe: what would have stopped us */
};

/* main() of the process. Never returns to Python's own. */
int launcher_main(int argc, char **argv, char **envp);

/* Ends the process: "spython: <message>\n" on stderr, then `status`. */
void launcher_die(int status, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* handover.c: takes the handover, LD_PRELOAD and LD_AUDIT out of environment and stack, restores
 * argv, and finds the audit object. */
void plan_take_handover(struct plan *plan, char **envp);

/* options.c: standard's and strict's command line. Dies on anything that is not admitted. */
void plan_parse_options(struct plan *plan);

/* options.c: the script's name as far as it can be told before CPython parses (observe), or NULL.
 */
const char *plan_guess_script(const struct plan *plan);

/* options.c: refuses what `entry` does not admit; returns if it is admitted. */
void plan_require_entry(const struct plan *plan, enum start_kind kind, const char *subject);

/* script.c: reads a script once into a sealed memfd. Returns the descriptor; dies if it cannot be
 * run. With `lenient` (observe) it returns -1 instead, and CPython opens the file itself. */
int plan_open_script(struct plan *plan, const char *path, bool lenient);

/* script.c: has the script that was read judged and recorded; dies if it is refused. After
 * spython.start was written. */
void plan_verify_script(struct plan *plan);

/* script.c: if the invocation path is the script itself, its #! line names how we were called. */
void plan_read_shebang(struct plan *plan, const char *path);

/* venv.c: which virtual environment, and sys.executable. */
void plan_choose_venv(struct plan *plan);

/* pins.c: pinned variables; executes the interpreter again if the dynamic linker must see one. */
void plan_pin_environment(struct plan *plan);

/* start_record.c: writes spython.start (and, in a forked child, that session's). */
void plan_write_start(void *plan);

#endif
