/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/evidence.h"

#include <stdio.h>
#include <string.h>

void evidence_add(struct evidence *e, const char *name, struct value value)
{
    if (e->count < EVIDENCE_MAX_ARGS) {
        e->names[e->count] = name;
        e->values[e->count++] = value;
    }
}

void evidence_add_text(struct evidence *e, const char *name, const char *text)
{
    if (text && text[0])
        evidence_add(e, name, value_utf8(text, strlen(text)));
}

void evidence_add_digest(struct evidence *e, const struct trust_file *file)
{
    if (!file->digest_known)
        return;
    hex_encode(file->digest, DIGEST_SIZE, e->digest);
    evidence_add_text(e, "sha256", e->digest);
    if (file->digest_cached)
        evidence_add(e, "cached", (struct value){.kind = VALUE_BOOL, .i = 1});
}

const struct trust_evidence *evidence_deciding(const struct trust_result *result)
{
    return result->count ? &result->evidence[result->count - 1] : NULL;
}

void evidence_add_result(struct evidence *e, const struct trust_result *result, const char *why)
{
    const struct trust_evidence *last = evidence_deciding(result);

    evidence_add_text(e, "root", result->root->path);
    for (unsigned i = 0; i < result->count; i++) {
        const struct trust_evidence *one = &result->evidence[i];

        (void)snprintf(e->answer_texts[i], sizeof(e->answer_texts[i]), "%s: %s",
                       trust_verifiers[one->verifier]->name, trust_answer_name(one->answer));
        e->answers[i] = value_utf8(e->answer_texts[i], strlen(e->answer_texts[i]));
    }
    evidence_add(e, "answers", value_list(e->answers, result->count));
    evidence_add_text(e, "reason", why[0] || !last ? why : last->reason);
    if (!last)
        return;
    evidence_add_text(e, "expected", last->expected);
    evidence_add_text(e, "actual", last->actual);
    evidence_add_text(e, "source", last->source);
    evidence_add_text(e, "distribution", last->distribution);
}

void evidence_give(const struct evidence *e, struct record *record)
{
    record->args = e->values;
    record->arg_count = e->count;
    record->arg_total = e->count;
    record->arg_names = e->names;
}

void evidence_explain(const char *rule, const char *why, const struct trust_evidence *deciding,
                      uint64_t seq, char *out, size_t size)
{
    char id[48], detail[360];

    (void)snprintf(id, sizeof(id), "%s-%llu", recorder.session.id, (unsigned long long)seq);
    if (why[0] || !deciding)
        (void)snprintf(detail, sizeof(detail), "%s", why[0] ? why : "nothing vouches for it");
    else
        (void)snprintf(detail, sizeof(detail), "%s: %s%s%s%s",
                       trust_verifiers[deciding->verifier]->name, deciding->reason,
                       deciding->source[0] ? " [" : "", deciding->source,
                       deciding->source[0] ? "]" : "");
    (void)snprintf(out, size, "refused by rule %s: %s (record %s; spythonctl explain %s)", rule,
                   detail, id, id);
}
