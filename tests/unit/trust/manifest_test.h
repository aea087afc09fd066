/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of manifests share. */
#ifndef SPYTHON_MANIFEST_TEST_H
#define SPYTHON_MANIFEST_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trust/manifest.h"
#include "trust/manifest_index.h"

/* Three files with everything that an entry can have, and the text that has to come of them. */
extern const char small_text[];
const struct manifest *small_manifest(void);

/* `count` files in directories of twelve, with sizes and digests that follow from their number.
 * made_done() frees. */
struct made {
    struct manifest manifest;
    char *paths;
};
void made_init(struct made *made, uint32_t count);
void made_done(struct made *made);

void assert_same_entry(const struct manifest_entry *a, const struct manifest_entry *b);

/* A built index in memory of exactly its size, so that the sanitizer sees what lies beyond. */
struct built {
    uint8_t *blocks, *roots;
    size_t blocks_len;
    _Atomic uint8_t *seen;
    struct manifest_index index;
};
void built_init(struct built *built, const struct manifest *manifest);
void built_done(struct built *built);

/* Forgets what was checked. */
void built_forget(struct built *built);

/* Digests of all blocks and pages, from what lies there now: a forger's work. */
void built_seal(struct built *built);

#endif
