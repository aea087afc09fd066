/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the audit object and the core have agreed on. The audit object is named in LD_AUDIT by the
 * first stage, lies in a namespace of its own without any library, and has no symbol in common with
 * the core. So the core greets it: it asks the dynamic linker for a file whose name is a greeting
 * and the address of a table of functions in the core's read-only data. That name passes through
 * the audit interface as any other does, which at once proves that the interface is there; a file
 * of that name cannot exist. The audit object takes the first greeting and seals the page in which
 * it keeps the address; from then on a greeting is a file name like any other.
 */
#ifndef SPYTHON_RTLD_AUDIT_H
#define SPYTHON_RTLD_AUDIT_H

#include <link.h>
#include <stdint.h>

#define RTLD_GREETING "/proc/self/spython/native-gate/" /* and 16 lower-case hexadecimal digits */
#define RTLD_ADDRESS_DIGITS 16
#define RTLD_MAGIC 0x53505954484e4731u

/* All functions are called by the dynamic linker with its own lock held, from any thread. */
struct rtld_gate {
    uint64_t magic;
    void (*greeted)(void);
    /* As la_objsearch(): the name to go on with, good until the next call, or NULL. */
    const char *(*search)(const char *name, const struct link_map *requester, unsigned flag);
    /* As la_objopen(): this object has been mapped; nothing of it has run. */
    void (*opened)(const struct link_map *map);
};

#endif
