/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One YAML document as a tree that remembers where everything stood. Plain YAML only: no anchors,
 * aliases, tags or second document, so that a small file cannot grow and a word is just a word.
 */
#ifndef SPYTHON_POLICY_YAML_TREE_H
#define SPYTHON_POLICY_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

struct reader;

#define YAML_MAX_SIZE (1u << 20) /* bytes of one file */
#define YAML_MAX_DEPTH 8
#define YAML_MAX_NODES 65536

enum yaml_kind {
    YAML_NULL = 0, /* nothing, ~ or null */
    YAML_TEXT,
    YAML_LIST,
    YAML_MAP,
};

struct yaml_node {
    enum yaml_kind kind;
    unsigned line, column; /* from 1 */
    const char *text;      /* YAML_TEXT: NUL-terminated, holds no other NUL */
    size_t len;
    const struct yaml_node *first; /* YAML_LIST, YAML_MAP: first item or value */
    const struct yaml_node *next;  /* the one after this in its list or map */
    const struct yaml_node *key;   /* in a map: the key of this value, a YAML_TEXT */
    unsigned count;
};

/* Reads `len` bytes. Returns the root in the reader's arena (YAML_NULL for an empty document), or
 * NULL after reporting what is wrong. Duplicate keys are errors. */
const struct yaml_node *yaml_tree_read(struct reader *reader, const char *data, size_t len);

#endif
