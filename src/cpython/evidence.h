/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verifiers said about one file, as arguments of a record and as the line that the
 * developer gets: the same for code that the gate opens and for native code. No Python object comes
 * in here.
 */
#ifndef SPYTHON_CPYTHON_EVIDENCE_H
#define SPYTHON_CPYTHON_EVIDENCE_H

#include <stddef.h>

#include "base/hex.h"
#include "cpython/recorder.h"
#include "trust/trust.h"

#define EVIDENCE_MAX_ARGS 20

/* A record's arguments while they are gathered. Texts are the caller's until it is written; zero
 * `count` and it is empty. */
struct evidence {
    unsigned count;
    const char *names[EVIDENCE_MAX_ARGS];
    struct value values[EVIDENCE_MAX_ARGS], answers[TRUST_VERIFIER_MAX];
    char answer_texts[TRUST_VERIFIER_MAX][48];
    char digest[DIGEST_HEX_SIZE];
};

void evidence_add(struct evidence *e, const char *name, struct value value);

/* Nothing if `text` is NULL or empty. */
void evidence_add_text(struct evidence *e, const char *name, const char *text);

/* `sha256`, if it is known, and whether it is from the table of digests. */
void evidence_add_digest(struct evidence *e, const struct trust_file *file);

/* Root, answers, and what the verifier that decided has to say; `why`, unless it is empty, is the
 * reason instead of its own. */
void evidence_add_result(struct evidence *e, const struct trust_result *result, const char *why);

/* The verifier whose answer decided: the last that was asked. NULL if none was. */
const struct trust_evidence *evidence_deciding(const struct trust_result *result);

/* Makes them the arguments of `record`; e has to outlive it. */
void evidence_give(const struct evidence *e, struct record *record);

/* One line that says which rule, why, and where to read more: `why`, or what `deciding` has to say
 * if `why` is empty. `seq` is that of the record which says so. */
void evidence_explain(const char *rule, const char *why, const struct trust_evidence *deciding,
                      uint64_t seq, char *out, size_t size);

#endif
