/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a compiled policy lies on disk, byte for byte; docs/formats/policy.md is the specification.
 * All numbers are little endian, all offsets are counted from the first byte of the file. Strings
 * are named by the offset of their first byte and end in a NUL.
 */
#ifndef SPYTHON_POLICY_POLICY_FORMAT_H
#define SPYTHON_POLICY_POLICY_FORMAT_H

#include <stdint.h>

#include "base/digest.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "records of the policy are copied as they lie in the file"
#endif

/* The line end shows what a transfer as text would have done. */
#define POLICY_MAGIC "SPYPOL\r\n"
#define POLICY_MAGIC_SIZE 8
#define POLICY_FORMAT 1

/* Every format begins like this, so that any build can say which format a file has and whether it
 * is whole. The digest covers all bytes behind it. */
struct policy_envelope {
    char magic[POLICY_MAGIC_SIZE];
    uint32_t format;
    uint32_t size; /* of the whole file */
    uint8_t digest[DIGEST_SIZE];
};

/* A run of records: where a table lies and how many records it has. */
struct policy_table {
    uint32_t offset;
    uint32_t count;
};

/* A run of records within a table: settings share the tables and own disjoint or equal parts. */
struct policy_slice {
    uint32_t first;
    uint32_t count;
};

enum policy_table_id {
    POLICY_TABLE_SETTINGS = 0, /* struct policy_settings_v1: the host's, then one for each app */
    POLICY_TABLE_STRINGS,      /* uint32_t: offsets of strings, for all lists of strings */
    POLICY_TABLE_PINS,         /* struct policy_pin_v1 */
    POLICY_TABLE_SINKS,        /* struct policy_sink_v1 */
    POLICY_TABLE_DENIALS,      /* struct policy_denial_v1 */
    POLICY_TABLE_TEXT,         /* bytes of all strings; the last one is a NUL */
    POLICY_TABLE_MAX,
};

/* Format 1, right behind the envelope. */
struct policy_header_v1 {
    uint64_t serial;
    int64_t applied;
    uint32_t header_size; /* envelope and this */
    uint32_t checked;     /* bytes from the start that `digest` vouches for: all of them. Later
                           * formats may add blocks that a tree below `checked` vouches for. */
    struct policy_table tables[POLICY_TABLE_MAX];
    struct policy_slice venvs; /* of POLICY_TABLE_STRINGS */
    uint32_t reserved[2];      /* 0 */
};

struct policy_settings_v1 {
    uint32_t app;
    uint32_t profile;
    int64_t match_uid;
    uint32_t match_script;
    uint32_t match_venv;
    uint32_t entry;
    uint32_t venv;
    uint32_t host;
    uint32_t stack_level;
    uint32_t stack_frames;
    uint32_t source_max;
    struct policy_slice entry_modules; /* of POLICY_TABLE_STRINGS */
    struct policy_slice env_permit;
    struct policy_slice redact;
    struct policy_slice env_pin;
    struct policy_slice sinks;
    struct policy_slice denials;
};

struct policy_pin_v1 {
    uint32_t name;
    uint32_t value;
};

struct policy_sink_v1 {
    uint32_t kind;
    uint32_t on_failure;
    uint32_t level;
    uint32_t path;
    uint64_t rotate_size;
    uint32_t rotate_keep;
    uint32_t reserved; /* 0 */
};

struct policy_denial_v1 {
    uint32_t event;
    uint32_t id;
    uint32_t mode;
    uint32_t action;
    uint32_t level;
    struct policy_slice allow; /* of POLICY_TABLE_STRINGS */
};

_Static_assert(sizeof(struct policy_envelope) == 48, "layout");
_Static_assert(sizeof(struct policy_header_v1) == 88, "layout");
_Static_assert(sizeof(struct policy_settings_v1) == 96, "layout");
_Static_assert(sizeof(struct policy_pin_v1) == 8, "layout");
_Static_assert(sizeof(struct policy_sink_v1) == 32, "layout");
_Static_assert(sizeof(struct policy_denial_v1) == 28, "layout");

#endif
