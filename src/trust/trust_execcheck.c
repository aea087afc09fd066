/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier `execcheck`: would the kernel execute this file? execveat(AT_EXECVE_CHECK) asks all
 * that an execve() would ask (mount options, execute bit, IMA, IPE and other security modules,
 * fanotify) and executes nothing. It is about the file as it is now, not about the bytes that were
 * read: where others can write the file, it needs a second verifier beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trust/trust_verifiers.h"

#define EXECVE_CHECK 0x10000 /* AT_EXECVE_CHECK, Linux 6.14; older headers lack it */

struct refusal {
    int code;
    const char *name;
    const char *meaning;
};

static const struct refusal refusals[] = {
    {EACCES, "EACCES", "not executable, a noexec mount, or a security module"},
    {EPERM, "EPERM", "a security module, a file access monitor, or a system call filter"},
    {ETXTBSY, "ETXTBSY", "somebody has it open for writing"},
    {ENOKEY, "ENOKEY", "signed with a key that the kernel does not know"},
    {EKEYREJECTED, "EKEYREJECTED", "a bad signature"},
    {ENOMEM, "ENOMEM", "no memory"},
    {EIO, "EIO", "cannot be read"},
    {E2BIG, "E2BIG", "no room for arguments"},
    {EBADF, "EBADF", "not an open file"},
};

static void check(const struct trust_policy *policy, const struct trust_root *root,
                  struct trust_file *file, struct trust_evidence *ret)
{
    char arg0[] = "python";
    char *argv[] = {arg0, NULL};
    char *envp[] = {NULL};

    (void)policy;
    (void)root;
    if (syscall(SYS_execveat, file->fd, "", argv, envp, AT_EMPTY_PATH | EXECVE_CHECK) == 0) {
        ret->answer = TRUST_TRUSTED;
        return;
    }
    if (errno == EINVAL || errno == ENOSYS) {
        ret->answer = TRUST_UNAVAILABLE;
        TRUST_TEXT(ret->reason, "the kernel has no AT_EXECVE_CHECK (Linux 6.14)");
        return;
    }
    /* Every errno means that it would not run: a list of the ones that do is open at its end. */
    ret->answer = TRUST_REJECTED;
    for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (refusals[i].code == errno) {
            TRUST_TEXT(ret->reason, "the kernel would not execute it: %s (%s)", refusals[i].name,
                       refusals[i].meaning);
            return;
        }
    TRUST_TEXT(ret->reason, "the kernel would not execute it: errno %d", errno);
}

const struct trust_verifier trust_execcheck = {.name = "execcheck", .check = check};
