/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From sources to policy.bin. Only spythonctl and the build link this; the core never does.
 */
#ifndef SPYTHON_POLICY_POLICY_COMPILE_H
#define SPYTHON_POLICY_POLICY_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum policy_severity {
    POLICY_ERROR = 0,
    POLICY_WARNING,
};

/* One finding about a source file, printed as "file:line:column: message" and "hint: ...". */
struct policy_message {
    enum policy_severity severity;
    char *file;
    unsigned line, column; /* from 1; 0: about the whole file */
    char *text;
    char *hint; /* may be NULL */
};

struct policy_messages {
    struct policy_message *items;
    size_t count;
    size_t errors; /* how many of them are errors */
};

void policy_messages_done(struct policy_messages *messages);

struct manifest;

/* Where manifests come from. */
struct policy_manifest_source {
    /* Gives the newest release of `name` and up to `older` before it, newest first, in a malloc'ed
     * array whose manifests the caller frees one by one. Their signatures have been checked.
     * Returns 0; -ENOENT: there is none; other -errno; with a message that does not name it. */
    int (*load)(void *ctx, const char *name, uint32_t older, struct manifest **ret,
                uint32_t *ret_count, struct err *err);
    /* The files below `root` whose IMA signatures hold now, as a manifest that the caller frees. */
    int (*check_ima)(void *ctx, const char *root, struct manifest *ret, struct err *err);
    void *ctx;
};

struct policy_compile_input {
    const char *etc_dir;      /* spython.yaml, apps.d/NAME.yml, venvs.list, hooks.list; each may be
                               * missing */
    const char *const *venvs; /* more adopted roots, e.g. the one being adopted; may be NULL */
    size_t venv_count;
    const struct policy_manifest_source *manifests; /* NULL: none */
    uint64_t serial;
    int64_t applied;
};

/*
 * Reads, checks and compiles. Returns 0 and a malloc'ed artefact that policy_load_memory() accepts;
 * -EINVAL if messages->errors is not 0; other -errno with a message in `err` (out of memory, a
 * directory that cannot be read). `messages` is filled in any case and freed by the caller.
 */
int policy_compile(const struct policy_compile_input *input, void **ret_data, size_t *ret_len,
                   struct policy_messages *messages, struct err *err);

/* The same from texts in memory: `yaml` is a spython.yaml named `name`. For the built-in policy,
 * tests and the fuzzer. */
int policy_compile_text(const char *name, const char *yaml, size_t yaml_len, uint64_t serial,
                        int64_t applied, void **ret_data, size_t *ret_len,
                        struct policy_messages *messages, struct err *err);

#endif
