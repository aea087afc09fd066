/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first stage: what bin/spythonX.Y is. Runs before any libc, so that no variable has had any
 * effect yet; checks what it is going to execute, cleans the environment and executes the
 * registered interpreter with our core preloaded and our audit object beside it (handover.h).
 * Static, without relocations: nobody would apply them.
 */
#include <linux/auxvec.h>

#include "stage1/handover.h"
#include "stage1/refuse.h"
#include "stage1/relocate.h"
#include "stage1/stage1.h"
#include "stage1/sys.h"

_Noreturn void stage1_main(const long *stack);

SYS_ENTRY_POINT(stage1_main);

void step_read_stack(struct stage1 *s, const long *stack)
{
    const unsigned long *aux;

    s->argc = stack[0] > 0 ? (size_t)stack[0] : 0;
    s->argv = (const char *const *)(stack + 1);
    s->envp = s->argv + s->argc + 1;
    while (s->envp[s->envc])
        s->envc++;
    s->execfn = "";
    s->secure = true; /* not said is not clean */
    for (aux = (const unsigned long *)(s->envp + s->envc + 1); aux[0] != AT_NULL; aux += 2) {
        if (aux[0] == AT_SECURE)
            s->secure = aux[1] != 0;
        else if (aux[0] == AT_EXECFN)
            s->execfn = (const char *)aux[1]; /* NOLINT(performance-no-int-to-ptr) */
    }
}

void step_locate(struct stage1 *s)
{
    static const char self[] = "/proc/self/exe";
    struct file_facts facts;
    long len = sys_readlink(self, s->executable, sizeof(s->executable) - 1);
    int fd;

    if (len <= 0 || len >= (long)sizeof(s->executable) - 1)
        refuse(EXIT_SPY_UNUSABLE, self, "cannot be read: ", refuse_reason(len),
               "is /proc mounted here?", NULL);
    switch (location_parse(s->executable, (size_t)len, &s->location)) {
    case LOCATION_OK:
        break;
    case LOCATION_DELETED:
        refuse(EXIT_SPY_UNUSABLE, s->executable, "was removed or replaced while it started", NULL,
               "start it again", NULL);
    case LOCATION_MISREAD:
        refuse(EXIT_SPY_UNUSABLE, s->executable,
               "the path has a byte that the linker would misread", NULL,
               "use a prefix without space, ':', ';', '$' and control bytes", NULL);
    case LOCATION_NOT_OURS:
    default:
        refuse(EXIT_SPY_UNUSABLE, s->executable, "is not named bin/spythonX.Y", NULL,
               "make a symbolic link to PREFIX/bin/spythonX.Y instead of a copy", NULL);
    }
    fd = sys_open_at(SYS_NOWHERE, self, SYS_OPEN_PLACE);
    if (fd < 0 || sys_fstat(fd, &facts) < 0)
        refuse(EXIT_SPY_UNUSABLE, s->executable, "cannot be looked at", NULL,
               "is /proc mounted here?", NULL);
    s->owner = facts.uid;
}

void stage1_main(const long *stack)
{
    static struct stage1 state;

    relocate_self();
    step_read_stack(&state, stack);
    if (state.secure)
        refuse(EXIT_SPY_REFUSED, "this executable",
               "was started setuid, setgid, with file capabilities or by a security module's "
               "transition",
               NULL, "chmod ug-s or setcap -r it; a service manager can give ambient capabilities",
               NULL);
    step_locate(&state);
    step_check_directories(&state);
    step_check_core(&state);
    step_check_audit(&state);
    step_check_interpreter(&state);
    step_execute(&state);
}
