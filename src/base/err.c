/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
    int saved = errno;

    if (err) {
        va_list ap;

        err->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap); /* cut is fine, see err.h */
        va_end(ap);
    }
    errno = saved;
    return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    int saved = errno;
    char old[ERR_MESSAGE_MAX];
    size_t len;
    va_list ap;

    if (!err)
        return 0;
    memcpy(old, err->msg, sizeof(old));
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    len = strlen(err->msg);
    (void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", old);
    errno = saved;
    return err->code;
}
