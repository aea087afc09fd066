/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading policy sources: where findings go, and typed access to YAML nodes. A reader never stops
 * at the first error; what it could not read counts as not given, and the findings say so.
 */
#ifndef SPYTHON_POLICY_READER_H
#define SPYTHON_POLICY_READER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/arena.h"
#include "policy/policy_compile.h"
#include "policy/yaml_tree.h"

#define READER_MAX_ERRORS 100 /* and as many warnings; what comes after is only counted */
#define READER_MAX_ITEMS 1024 /* of one list or map */
#define READER_MAX_TEXT 4095  /* bytes of one string */

struct manifest_set;

struct reader {
    struct arena *arena;
    struct manifest_set *manifests;
    bool has_inventory; /* hooks.list is there: somebody has looked at what runs at start-up */
    struct policy_messages *messages;
    const char *file; /* as shown in messages */
    bool is_app;      /* reading apps.d/NAME.yml */
};

/* A place in a source. Line 0 is the whole file. */
struct place {
    const char *file;
    unsigned line, column;
};

/* A list of strings as it was given. */
struct string_list {
    bool given;
    const char **items;
    struct place *places;
    uint32_t count;
};

struct place reader_place(const struct reader *reader, const struct yaml_node *node);

/* Adds one finding. `hint` may be NULL. */
void report(struct reader *reader, enum policy_severity severity, struct place place,
            const char *hint, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* An error at a node. */
#define report_node(reader, node, hint, ...)                                                       \
    report((reader), POLICY_ERROR, reader_place((reader), (node)), (hint), __VA_ARGS__)

/* One key of a map and what to do with its value. */
struct reader_key {
    const char *name;
    void (*read)(struct reader *reader, const struct yaml_node *value, void *target);
};

/*
 * Reads a map with known keys: calls the key's function for each. Unknown keys, and values that are
 * no map, are errors. `what` names the map in messages. A map with nothing in it counts as empty.
 */
void reader_map(struct reader *reader, const struct yaml_node *node, const char *what,
                const struct reader_key *keys, size_t key_count, void *target);

/* Whether the node is a map, reporting if not. For maps whose keys are names. */
bool reader_is_map(struct reader *reader, const struct yaml_node *node, const char *what);

/* A string without control characters, not empty; NULL if it was an error. */
const char *reader_text(struct reader *reader, const struct yaml_node *node, const char *what);

/* The same for strings that may hold anything but a NUL, or nothing. */
const char *reader_raw_text(struct reader *reader, const struct yaml_node *node, const char *what);

/* An absolute path without "." or ".." parts and without a "/" at its end. */
const char *reader_path(struct reader *reader, const struct yaml_node *node, const char *what);

/* A list of strings. Returns whether it could be read; *ret->given is true then. */
bool reader_list(struct reader *reader, const struct yaml_node *node, const char *what,
                 struct string_list *ret);

/* A whole number from min to max; with `is_size` a K, M or G (powers of 1024) may follow. */
bool reader_number(struct reader *reader, const struct yaml_node *node, const char *what,
                   bool is_size, uint64_t min, uint64_t max, uint64_t *ret);

/* One of `count` names; its index. */
bool reader_choice(struct reader *reader, const struct yaml_node *node, const char *what,
                   const char *const *names, size_t count, unsigned *ret);

/* A Sigma level; `noise` is none. */
bool reader_level(struct reader *reader, const struct yaml_node *node, const char *what,
                  unsigned *ret);

#endif
