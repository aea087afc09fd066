/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest: the readable list of the files of one tree, as `spythonctl sign` writes it and
 * `apply` reads it. docs/formats/manifest.md is the specification. Parsing is strict: a reader
 * accepts exactly the bytes that the writer makes of the same entries, so that nothing that was
 * signed can be read in two ways. Only for spythonctl: the core uses manifest_index.h.
 */
#ifndef SPYTHON_TRUST_MANIFEST_H
#define SPYTHON_TRUST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

#define MANIFEST_FORMAT 1
#define MANIFEST_MAX_SIZE ((size_t)512 << 20)
#define MANIFEST_MAX_ENTRIES 1000000u
#define MANIFEST_MAX_NAME 64
#define MANIFEST_MAX_SERIAL (((uint64_t)1 << 63) - 1)
#define MANIFEST_MAX_PATH 3840       /* with all else of its entry, it fits into a MANIFEST_BLOCK */
#define MANIFEST_MAX_DISTRIBUTION 95 /* "NAME VERSION" */
#define MANIFEST_MAX_FILE (((uint64_t)1 << 32) - 1) /* bytes of one listed file */

enum manifest_flag {
    MANIFEST_HOOK = 1,     /* runs at start-up: .pth with code, .start, sitecustomize */
    MANIFEST_BYTECODE = 2, /* .pyc made while signing */
    MANIFEST_NATIVE = 4,   /* ELF file */
};

struct manifest_entry {
    const char *path; /* relative to the root, decoded, NUL-terminated: no empty, "." or ".."
                       * component, no leading or trailing slash, no control byte */
    uint64_t size;
    uint8_t sha256[DIGEST_SIZE];
    bool has_verity;
    uint8_t verity[DIGEST_SIZE]; /* fs-verity digest: SHA-256, blocks of 4096, no salt */
    uint32_t flags;              /* enum manifest_flag */
    const char *distribution;    /* "NAME VERSION"; "" if it belongs to none */
};

struct manifest {
    char name[MANIFEST_MAX_NAME + 1]; /* A-Z a-z 0-9 . _ -, the first neither . nor - */
    uint64_t serial;                  /* at least 1; grows with every release of this name */
    int64_t created;                  /* seconds since 1970, up to the year 9999 */
    struct manifest_entry *entries;   /* sorted by the bytes of path, each path once */
    uint32_t count;
    void *store; /* what the texts are kept in */
};

/*
 * Parses. `name` is for messages; nothing of `data` is kept. Returns 0; then manifest_done() frees.
 * -EBADMSG with "NAME:LINE: what" for anything that the writer would not have written; -EPROTO: a
 * newer format; -EFBIG: more than MANIFEST_MAX_SIZE or MANIFEST_MAX_ENTRIES; -ENOMEM. On failure
 * *ret is left alone.
 */
int manifest_parse(const char *data, size_t len, const char *name, struct manifest *ret,
                   struct err *err);

/*
 * Writes. Entries must be as described above: -EINVAL with a message if not (unsorted, a path that
 * cannot be listed). -EFBIG as above, -ENOMEM. The caller frees *ret_data, which has a NUL behind
 * it (not counted); on failure it is left alone.
 */
int manifest_write(const struct manifest *manifest, char **ret_data, size_t *ret_len,
                   struct err *err);

/* Whether a path can be listed; if not, *ret_reason says why ("holds a control character"), else it
 * is NULL. Names are bytes: they need not be UTF-8, and what only looks the same is not the same.
 */
bool manifest_path_is_valid(const char *path, size_t len, const char **ret_reason);

/* Whether a distribution can be written: "", or name and version of printable ASCII characters but
 * '@', with one space between them, together at most MANIFEST_MAX_DISTRIBUTION. */
bool manifest_distribution_is_valid(const char *text, size_t len);

/* The entry of a path, or NULL. */
const struct manifest_entry *manifest_find(const struct manifest *manifest, const char *path);

/* Frees what manifest_parse() made, and zeroes it; a zeroed one may be done again. */
void manifest_done(struct manifest *manifest);

#endif
