/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a compiled policy lies on disk, byte for byte; docs/formats/policy.md is the specification.
 * All numbers are little endian, all offsets are counted from the first byte of the file. Strings
 * are named by the offset of their first byte and end in a NUL.
 */
#ifndef SPYTHON_POLICY_POLICY_FORMAT_H
#define SPYTHON_POLICY_POLICY_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "records of the policy are copied as they lie in the file"
#endif

/* The line end shows what a transfer as text would have done. */
#define POLICY_MAGIC "SPYPOL\r\n"
#define POLICY_MAGIC_SIZE 8
#define POLICY_FORMAT 2
#define POLICY_BLOCK_ALIGN 4096u /* where manifests' blocks begin */

/* Every format begins like this, so that any build can say which format a file has and whether it
 * is whole. The digest covers all bytes behind it: in format 1 to the end of the file, in format 2
 * as many as `checked` says. */
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
    POLICY_TABLE_V1_MAX,

    /* Format 2 has these as well. */
    POLICY_TABLE_VERIFY = POLICY_TABLE_V1_MAX, /* struct policy_verify_v2: one for each settings */
    POLICY_TABLE_ROOTS,                        /* struct policy_root_v2 */
    POLICY_TABLE_USES,                         /* uint32_t: indices of manifests, for roots */
    POLICY_TABLE_MANIFESTS,                    /* struct policy_manifest_v2 */
    POLICY_TABLE_DIGESTS,                      /* DIGEST_SIZE bytes: of pages of digests */
    POLICY_TABLE_HOOKS,                        /* struct policy_hook_v2 */
    POLICY_TABLE_MAX,
};

/* Bytes of one record of each table: reading and writing go by the same numbers. */
extern const size_t policy_record_sizes[POLICY_TABLE_MAX];

/* Right behind the envelope. Then come the tables, POLICY_TABLE_V1_MAX of them in format 1 and
 * POLICY_TABLE_MAX in 2, and struct policy_header_end. */
struct policy_header {
    uint64_t serial;
    int64_t applied;
    uint32_t header_size; /* envelope and all of the header */
    uint32_t checked; /* bytes from the start that `digest` vouches for; behind them lie blocks of
                       * manifests, each vouched for by a digest (manifest_index.h) */
};

struct policy_header_end {
    struct policy_slice venvs; /* of POLICY_TABLE_STRINGS */
    uint32_t reserved[2];      /* 0 */
};

#define POLICY_HEADER_SIZE(tables)                                                                 \
    (sizeof(struct policy_envelope) + sizeof(struct policy_header) +                               \
     (tables) * sizeof(struct policy_table) + sizeof(struct policy_header_end))

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

struct policy_verify_v2 {
    uint32_t mode;
    uint32_t native;
    uint32_t hooks;
    uint32_t elsewhere; /* index of POLICY_TABLE_ROOTS */
    uint64_t copy_max;
    struct policy_slice roots;
    uint32_t fresh_digests; /* 0 or 1 */
    uint32_t reserved;      /* 0 */
};

struct policy_root_v2 {
    uint32_t path;
    uint32_t all;
    uint32_t any;
    struct policy_slice labels; /* of POLICY_TABLE_STRINGS */
    struct policy_slice uses;
};

struct policy_manifest_v2 {
    uint64_t serial;
    uint64_t blocks; /* offset in the file, a multiple of POLICY_BLOCK_ALIGN */
    uint32_t name;
    uint32_t entry_count;
    uint32_t block_count;
    struct policy_slice digests; /* of POLICY_TABLE_DIGESTS */
    uint32_t reserved;           /* 0 */
};

struct policy_hook_v2 {
    uint32_t path;
    uint8_t digest[DIGEST_SIZE];
};

_Static_assert(sizeof(struct policy_envelope) == 48, "layout");
_Static_assert(sizeof(struct policy_header) == 24, "layout");
_Static_assert(POLICY_HEADER_SIZE(POLICY_TABLE_V1_MAX) == 136, "layout");
_Static_assert(sizeof(struct policy_verify_v2) == 40, "layout");
_Static_assert(sizeof(struct policy_root_v2) == 28, "layout");
_Static_assert(sizeof(struct policy_manifest_v2) == 40, "layout");
_Static_assert(sizeof(struct policy_hook_v2) == 36, "layout");
_Static_assert(sizeof(struct policy_settings_v1) == 96, "layout");
_Static_assert(sizeof(struct policy_pin_v1) == 8, "layout");
_Static_assert(sizeof(struct policy_sink_v1) == 32, "layout");
_Static_assert(sizeof(struct policy_denial_v1) == 28, "layout");

#endif
