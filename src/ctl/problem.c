/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output.h"

/* What helps against an error of a system call, by and large. */
static const char *advice(int code)
{
    switch (-code) {
    case EPERM:
        return "give it and the directories above it to root or to the owner of spython, and take "
               "write permission from group and others";
    case EACCES:
        return "run spythonctl as root or as the owner of spython";
    case ENOENT:
    case ENOTDIR:
        return "check the path";
    case EROFS:
        return "make the file system writable";
    case ENOSPC:
    case EDQUOT:
        return "make room on the file system";
    case EBADMSG:
    case EPROTO:
        return "run spythonctl apply";
    case EKEYREJECTED:
    case EKEYREVOKED:
    case EKEYEXPIRED:
        return "get it signed again by a key that spythonctl trust list shows";
    case ENOKEY:
        return "spythonctl trust add KEY, if you know whose it is";
    case ENOPKG:
        return "install it";
    case ENOMEM:
        return "free memory and try again";
    case ENOEXEC:
    case EINVAL:
        return "see spythonctl(1)";
    default:
        return "see the error and try again";
    }
}

int problem_set(struct problem *problem, int code, const char *fmt, ...)
{
    va_list ap;

    problem->err.code = code;
    (void)snprintf(problem->todo, sizeof(problem->todo), "%s", advice(code));
    va_start(ap, fmt);
    (void)vsnprintf(problem->err.msg, sizeof(problem->err.msg), fmt, ap); /* cut is fine */
    va_end(ap);
    return code;
}

int problem_todo(struct problem *problem, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(problem->todo, sizeof(problem->todo), fmt, ap); /* cut is fine */
    va_end(ap);
    return problem->err.code;
}

int problem_from_err(struct problem *problem, const struct err *err)
{
    return problem_set(problem, err->code, "%s", err->msg);
}

int problem_status(const struct problem *problem)
{
    switch (-problem->err.code) {
    case 0:
        return CTL_OK;
    case ENOEXEC:
    case EINVAL:
        return CTL_NEGATIVE;
    case EKEYREJECTED:
    case EKEYREVOKED:
    case EKEYEXPIRED:
    case ENOKEY:
        return CTL_BADSIGNATURE;
    case EPERM:
    case EACCES:
        return CTL_NOPERM;
    case ENOENT:
    case ENOTDIR:
        return CTL_NOINPUT;
    case EEXIST:
    case EBUSY:
    case EROFS:
    case ENOSPC:
    case EDQUOT:
    case EISDIR:
        return CTL_CANTCREAT;
    default:
        return CTL_UNUSABLE;
    }
}

int problem_report(const char *object, const struct problem *problem)
{
    (void)fprintf(stderr, "spythonctl: %s: %s (%s)\n", safe(object), safe(problem->err.msg),
                  safe(problem->todo));
    return problem_status(problem);
}
