/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sinks: the only place that knows all of them. */
#include "sinks/sink.h"

const struct sink_ops *sink_ops_of(enum sink_kind kind)
{
    static const struct sink_ops *const table[SINK_KIND_MAX] = {
        [SINK_NULL] = &sink_null_ops,
        [SINK_STDERR] = &sink_stderr_ops,
        [SINK_FILE] = &sink_file_ops,
    };

    return (unsigned)kind < SINK_KIND_MAX ? table[kind] : NULL;
}
