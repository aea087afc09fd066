/* SPDX-License-Identifier: Apache-2.0 */
/* The last step: new arguments, new environment, and the opened interpreter executed. */
#include <linux/errno.h>

#include "stage1/env.h"
#include "stage1/fmt.h"
#include "stage1/guard.h"
#include "stage1/handover.h"
#include "stage1/handover_encode.h"
#include "stage1/refuse.h"
#include "stage1/stage1.h"
#include "stage1/sys.h"

#define ENV_EXTRA 4 /* LD_AUDIT, LD_PRELOAD, the handover, NULL */

static const char AUDIT[] = "LD_AUDIT=";
static const char PRELOAD[] = "LD_PRELOAD=";
static const char HANDOVER[] = HANDOVER_VARIABLE "=";

static void encode_handover(const struct stage1 *s, const char *first, const char *removed,
                            struct text *out)
{
    struct handover_source source = {
        .minor = s->location.minor,
        .prefix = s->location.prefix,
        .executable = s->executable,
        .execfn = s->execfn,
        .first_argument = first,
        .removed = removed,
    };

    handover_encode(&source, out);
    if (out->cut)
        refuse(EXIT_SPY_UNUSABLE, s->executable, "paths and arguments are too long together", NULL,
               "shorten the path under which spython is started", NULL);
}

void step_execute(struct stage1 *s)
{
    static char guard[HANDOVER_ARGUMENT_MAX + 1], removed_names[HANDOVER_REMOVED_MAX + 1];
    static char handover[sizeof(HANDOVER) + HANDOVER_VALUE_MAX];
    static char audit[sizeof(AUDIT) + STAGE1_PATH_SIZE];
    static char preload[sizeof(PRELOAD) + STAGE1_PATH_SIZE];
    size_t argv_room = s->argc + GUARD_EXTRA, envp_room = s->envc + ENV_EXTRA;
    const char **argv = sys_memory((argv_room + envp_room) * sizeof(*argv)), **envp;
    struct text removed, value, object;
    const char *first;
    size_t kept;
    long r;

    if (!argv)
        refuse(EXIT_SPY_UNUSABLE, s->executable, "out of memory", NULL, "raise the limits (ulimit)",
               NULL);
    first = guard_build(s->argc, s->argv, s->execfn, argv, guard);
    envp = argv + argv_room;
    text_init(&removed, removed_names, sizeof(removed_names));
    kept = env_filter(s->envp, envp, &removed);
    text_init(&object, audit, sizeof(audit));
    text_add(&object, AUDIT);
    text_add(&object, s->audit);
    text_init(&object, preload, sizeof(preload));
    text_add(&object, PRELOAD);
    text_add(&object, s->core);
    text_init(&value, handover, sizeof(handover));
    text_add(&value, HANDOVER);
    encode_handover(s, first, removed_names, &value);
    envp[kept++] = audit;
    envp[kept++] = preload;
    envp[kept++] = handover;
    envp[kept] = NULL;
    r = sys_exec_fd(s->interpreter_fd, argv, envp);
    if (r == -E2BIG)
        refuse(EXIT_SPY_UNUSABLE, s->executable, refuse_reason(r), NULL,
               "shorten them; spython needs up to 100 KB more than python3", NULL);
    refuse(EXIT_SPY_UNUSABLE, s->interpreter,
           "the interpreter cannot be executed: ", refuse_reason(r),
           "check its permissions and what it is mounted with", NULL);
}
