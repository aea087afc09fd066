/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/refuse.h"

#include <linux/errno.h>

#include "stage1/fmt.h"
#include "stage1/sys.h"

#define LINE_MAX 8192
#define STDERR 2

const char *refuse_reason(long code)
{
    static char number[32];
    struct text t;

    switch (-code) {
    case ENOENT:
        return "it does not exist";
    case EACCES:
    case EPERM:
        return "permission denied";
    case ELOOP:
        return "it is a symbolic link, or too many of them";
    case ENOTDIR:
        return "it is not a directory, or a symbolic link";
    case ENAMETOOLONG:
        return "the path is too long";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    case ENOMEM:
        return "out of memory";
    case EIO:
        return "input/output error";
    case E2BIG:
        return "arguments and environment are too long together";
    case ETXTBSY:
        return "it is open for writing";
    case ENOEXEC:
    case EINVAL:
        return "the kernel cannot run it";
    case ENOSYS:
        return "the kernel has no execveat(2), or a filter hides it";
    default:
        text_init(&t, number, sizeof(number));
        text_add(&t, "error ");
        text_add_number(&t, (uint64_t)-code);
        return number;
    }
}

void refuse(int status, const char *object, const char *wrong, const char *wrong2, const char *todo,
            const char *todo2)
{
    static char line[LINE_MAX];
    struct text t;

    text_init(&t, line, sizeof(line) - 1); /* the newline has its place in any case */
    text_add(&t, "spython: ");
    text_add_clean(&t, object);
    text_add(&t, ": ");
    text_add_clean(&t, wrong);
    text_add_clean(&t, wrong2 ? wrong2 : "");
    text_add(&t, " (");
    text_add_clean(&t, todo);
    text_add_clean(&t, todo2 ? todo2 : "");
    t.cut = false; /* a line that was cut still ends properly, if one byte less */
    text_add(&t, ")");
    line[t.len] = '\n';
    (void)sys_write(STDERR, line, t.len + 1); /* nobody is left to tell */
    sys_exit(status);
}
