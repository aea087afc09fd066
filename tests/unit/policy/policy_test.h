/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of src/policy/ share: artefacts from text, directories of their own, findings. */
#ifndef SPYTHON_POLICY_TEST_H
#define SPYTHON_POLICY_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unavailable.h"
#include "policy/policy.h"
#include "policy/policy_compile.h"

/* A compiled policy and the bytes it points into. */
struct artefact {
    void *data;
    size_t len;
    struct policy policy;
};

/* Compiles a spython.yaml; it must have no finding at all. artefact_done() frees. */
void artefact_from_text(struct artefact *artefact, const char *yaml);

/* Compiles a directory; it must have no errors. */
void artefact_from_dir(struct artefact *artefact, const char *etc);
void artefact_done(struct artefact *artefact);

/* Puts the right digest and size into bytes that were changed, so that only the decoder can notice.
 */
void artefact_seal(void *data, size_t len);

/* Every finding of a compilation, one a line: "FILE:LINE:COLUMN: [warning: ]TEXT [HINT]". The file
 * is shown without its directory. *ret_result is what the compiler returned. The caller frees. */
char *findings_of_text(const char *yaml, size_t len, int *ret_result);
char *findings_of_dir(const char *etc, int *ret_result);

/* A new directory as an absolute real path, and things in it. Paths are malloc'ed. */
char *temp_dir(void);
char *path_in(const char *dir, const char *name);
void write_file(const char *path, const void *data, size_t len, unsigned mode);
void write_text(const char *dir, const char *name, const char *text);
void remove_tree(char *dir); /* frees `dir` as well */

#define assert_contains(text, part) assert_contains_at((text), (part), __FILE__, __LINE__)
void assert_contains_at(const char *text, const char *part, const char *file, int line);

#endif
