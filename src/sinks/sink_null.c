/* SPDX-License-Identifier: Apache-2.0 */
/* Takes every record and keeps none: for measuring, and for policies that only deny. */
#include "sinks/sink.h"

static int null_open(const struct sink_config *config, const char *session, struct sink **ret,
                     struct err *err)
{
    static struct sink only = {.ops = &sink_null_ops};

    (void)config;
    (void)session;
    (void)err;
    *ret = &only;
    return 0;
}

static int null_write(struct sink *sink, const char *data, size_t len)
{
    (void)sink;
    (void)data;
    (void)len;
    return 0;
}

static void null_after_fork(struct sink *sink, const char *session)
{
    (void)sink;
    (void)session;
}

static void null_close(struct sink *sink)
{
    (void)sink; /* shared by all that opened it */
}

const struct sink_ops sink_null_ops = {
    .name = "null",
    .open = null_open,
    .write = null_write,
    .after_fork = null_after_fork,
    .close = null_close,
};
