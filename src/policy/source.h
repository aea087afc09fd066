/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One policy source, spython.yaml or apps.d/NAME.yml, as it was written: only what is given is set.
 * merge.c adds what the profile says and makes settings of it.
 */
#ifndef SPYTHON_POLICY_SOURCE_H
#define SPYTHON_POLICY_SOURCE_H

#include "policy/policy.h"
#include "policy/reader.h"

/* Where a file sink logs to unless it says otherwise: relative, so below the prefix. */
#define SOURCE_LOG_DIRECTORY "var/log/spython/"

struct opt_number {
    bool given;
    uint32_t value;
};

struct opt_text {
    const char *text; /* NULL: not given */
    struct place place;
};

struct source_pin {
    const char *name;
    const char *value;
};

struct source_sink {
    struct sink_config config;
    bool on_failure_given; /* otherwise the profile decides */
    struct place place;
};

enum source_mode {
    SOURCE_MODE_ENFORCE = 0,
    SOURCE_MODE_AUDIT,
    SOURCE_MODE_OFF,
};

struct source_denial {
    const char *event;
    int catalogue_index;
    const char *id;           /* NULL: from the event's name */
    struct opt_number mode;   /* enum source_mode */
    struct opt_number action; /* enum denial_action */
    struct opt_number level;
    struct string_list allow;
    struct place place;
};

/* An item of `roots`, or `elsewhere`. */
struct source_root {
    const char *path; /* "" for elsewhere */
    uint32_t all, any;
    const char *manifest; /* NULL: none */
    struct opt_number older;
    struct string_list labels;
    struct place place;
    bool is_elsewhere;
    const char *flaw; /* why `path` names no directory; NULL: it does */
};

struct source_verify {
    struct opt_number mode, native, hooks; /* enum verify_mode */
    struct opt_number fresh_digests;
    bool copy_given;
    uint64_t copy_max;
    bool roots_given;
    struct source_root *roots;
    uint32_t root_count;
    bool elsewhere_given;
    struct source_root elsewhere;
    struct place place;
};

struct source {
    const char *app; /* "" for spython.yaml */
    struct place place;
    struct opt_number profile; /* enum profile */
    struct opt_number entry;   /* enum entry_flag */
    struct place entry_place;
    struct string_list entry_modules;
    struct string_list permit;
    struct place permit_place;
    const struct source_pin *pins;
    uint32_t pin_count;
    struct string_list venvs; /* spython.yaml only */
    bool sinks_given;
    const struct source_sink *sinks;
    uint32_t sink_count;
    struct opt_text host;
    struct opt_number stack_level;
    struct opt_number stack_frames;
    struct opt_number source_max;
    struct string_list redact;
    const struct source_denial *denials;
    uint32_t denial_count;
    struct source_verify verify;

    /* apps.d/NAME.yml only */
    bool match_given;
    struct opt_text match_script;
    struct opt_text match_venv;
    int64_t match_uid; /* -1: any */
    struct opt_text venv;
};

/* Reads one document. `app` is the app's name, "" for spython.yaml; reader->is_app says the same.
 * What is wrong is reported; returns false if nothing at all could be read. */
bool source_read(struct reader *reader, const char *app, const char *data, size_t len,
                 struct source *ret);

/* Parts of it, each in a file of its own. */
void source_read_environment(struct reader *reader, const struct yaml_node *value, void *target);
void source_read_log(struct reader *reader, const struct yaml_node *value, void *target);
void source_read_denials(struct reader *reader, const struct yaml_node *value, void *target);
void source_read_verify(struct reader *reader, const struct yaml_node *value, void *target);

/* "did you mean ..." for an event that is not in the catalogue, or NULL. */
const char *source_event_hint(struct reader *reader, const char *event);

/* hooks.list: one start-up hook a line, its SHA-256 and its path; comments as below. Gives them
 * sorted by path, each path once (the last line counts). Returns false if memory ran out. */
bool source_read_hook_list(struct reader *reader, const char *data, size_t len,
                           struct policy_hook **ret, uint32_t *ret_count);

/* venvs.list: one absolute path a line, lines that begin with "#" and empty ones are comments. */
void source_read_venv_list(struct reader *reader, const char *data, size_t len,
                           struct string_list *ret);

#endif
