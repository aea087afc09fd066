/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/verify.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpython/approval.h"
#include "cpython/evidence.h"
#include "cpython/hashing.h"

#define RULE_HOOK "spython-startup-hook"

/* One file on its way. */
struct judgement {
    const struct verify_file *file;
    const struct policy_verify *policy;
    struct record *record;
    struct trust_file trust;
    struct trust_result result;
    char path[PATH_MAX]; /* real path of what is open */
    bool judged;
    struct evidence args;
};

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

enum trust_kind verify_kind(const char *path, const void *data, size_t len)
{
    if (ends_with(path, ".pyc"))
        return TRUST_BYTECODE;
    if (ends_with(path, ".pth") || ends_with(path, ".start"))
        return TRUST_PATH_FILE;
    if (len >= 4 && memcmp(data, "PK\3\4", 4) == 0)
        return TRUST_ARCHIVE;
    return TRUST_SOURCE;
}

void verify_opened(struct verify_file *file)
{
    const struct policy_verify *policy = &recorder.settings->verify;
    struct trust_file trust = {.fd = file->fd, .path = file->real_path};

    if (policy->mode == VERIFY_OFF || !file->real_path)
        return;
    trust_file_opened(&policy->trust, &trust);
    file->sealed_first = trust.sealed_first;
}

/* The name that the opened file has now, whatever links led to it. */
static bool find_path(struct judgement *j)
{
    char link[32];
    ssize_t len;

    if (j->file->real_path) {
        (void)snprintf(j->path, sizeof(j->path), "%s", j->file->real_path);
        return true;
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", j->file->fd);
    len = readlink(link, j->path, sizeof(j->path) - 1);
    if (len <= 0 || j->path[0] != '/')
        return false;
    j->path[len] = '\0';
    return true;
}

static uint64_t write_record(struct judgement *j, const char *name, enum level level,
                             enum verdict verdict, const char *rule)
{
    struct thread_context *context = recorder_context();
    struct record *record = j->record;
    uint64_t seq = 0;

    record->name = name;
    record->event = catalogue_find(name);
    evidence_give(&j->args, record);
    record->arg_redact = NULL;
    record->level = level;
    record->verdict = verdict;
    record->rule_count = rule ? 1 : 0;
    record->rules[0] = rule;
    record->claimed = false;
    record->source.present = false;
    record->extra = NULL;
    record->extra_len = 0;
    if (level > recorder.settings->stack_level)
        record->stack_count = 0;
    if (context)
        recorder_write(context, record, &seq);
    return seq;
}

static void judge(struct judgement *j)
{
    const struct verify_file *file = j->file;

    if (j->policy->mode == VERIFY_OFF || file->error || !find_path(j))
        return;
    j->trust = (struct trust_file){
        .fd = file->fd,
        .path = j->path,
        .st = file->st,
        .kind = file->kind,
        .data = file->data,
        .len = file->len,
        .sealed_first = file->sealed_first,
    };
    hashing_expect(file->len);
    approval_judge(&j->policy->trust, &j->trust, &j->result);
    j->judged = true;
}

static enum verdict verdict_of(enum verify_mode mode)
{
    return mode == VERIFY_ENFORCE ? VERDICT_DENY : VERDICT_WOULD_DENY;
}

static void count_verdict(enum verdict verdict)
{
    if (verdict == VERDICT_DENY)
        recorder.denied++;
    else if (verdict == VERDICT_WOULD_DENY)
        recorder.would_deny++;
}

/* Where bytecode is refused the source is used, and that is judged by itself: a stale cache is
 * nothing to wake anybody for. What runs although it is not approved is. */
static enum level level_of(const struct judgement *j, bool trusted)
{
    if (trusted)
        return LEVEL_INFORMATIONAL;
    if (j->file->kind == TRUST_BYTECODE && j->policy->mode == VERIFY_ENFORCE)
        return LEVEL_MEDIUM;
    return LEVEL_HIGH;
}

static void write_open_code(struct judgement *j, struct verify_verdict *ret)
{
    bool trusted = !j->judged || j->result.trusted;
    const char *error = j->file->error ? strerrorname_np(j->file->error) : NULL;
    const char *unknown = j->file->unknown ? j->file->unknown : "nobody can say which file it is";

    /* Nobody could say what is open, although policy wants it known: not approved. */
    if (!j->judged && !j->file->error && j->policy->mode != VERIFY_OFF)
        trusted = false;
    ret->verdict = trusted ? VERDICT_ALLOW : verdict_of(j->policy->mode);
    evidence_add(&j->args, "path", j->file->name);
    evidence_add(&j->args, "size", error ? value_none() : value_int((int64_t)j->file->len));
    evidence_add(&j->args, "error", error ? value_utf8(error, strlen(error)) : value_none());
    if (j->judged) {
        evidence_add_text(&j->args, "kind", trust_kind_name(j->file->kind));
        evidence_add_digest(&j->args, &j->trust);
        evidence_add_text(&j->args, "real_path", j->path);
        evidence_add_result(&j->args, &j->result, "");
    } else if (!trusted) {
        evidence_add_text(&j->args, "kind", trust_kind_name(j->file->kind));
        evidence_add_text(&j->args, "reason", unknown);
    }
    ret->seq = write_record(j, "spython.open_code", level_of(j, trusted), ret->verdict,
                            trusted ? NULL : RULE_CODE);
    count_verdict(ret->verdict);
    if (ret->verdict == VERDICT_DENY)
        evidence_explain(RULE_CODE, j->judged ? "" : unknown, evidence_deciding(&j->result),
                         ret->seq, ret->reason, sizeof(ret->reason));
}

/* How many bytes end a line at `p`, for some version of site.py: it reads with universal newlines,
 * or from 3.13 on splits as str.splitlines() does. 0: none. */
static size_t line_end(const char *p, const char *end)
{
    size_t left = (size_t)(end - p);

    if ((*p >= '\n' && *p <= '\r') || (*p >= '\x1c' && *p <= '\x1e'))
        return 1;
    if (left >= 2 && memcmp(p, "\xc2\x85", 2) == 0)
        return 2;
    if (left >= 3 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0))
        return 3;
    return 0;
}

/* Lines of a .pth file that site.py executes; all lines of a .start file that are not empty. Rather
 * one too many than one too few. */
static unsigned executable_lines(const struct verify_file *file, bool all)
{
    const char *p = file->data, *end = p + file->len;
    unsigned lines = 0;

    if (file->len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3; /* a byte order mark, which newer versions skip */
    while (p < end) {
        const char *stop = p;
        size_t len, gap = 0;

        while (stop < end && (gap = line_end(stop, end)) == 0)
            stop++;
        len = (size_t)(stop - p);
        if (all)
            lines += len > 0 && p[0] != '#';
        else
            lines += len >= 7 && memcmp(p, "import", 6) == 0 && (p[6] == ' ' || p[6] == '\t');
        p = stop + gap;
    }
    return lines;
}

/* Approved code may hook the start-up; other hooks must be those that were there when the
 * inventory was taken. */
static bool is_known_hook(struct judgement *j)
{
    const struct policy_hook *hook;
    uint8_t digest[DIGEST_SIZE];

    if (j->judged && j->result.trusted && evidence_deciding(&j->result)->verifier <= TRUST_BY_IMA)
        return true;
    hook = recorder.policy ? policy_find_hook(recorder.policy, j->path) : NULL;
    if (!hook)
        return false;
    if (j->trust.digest_known) {
        memcpy(digest, j->trust.digest, sizeof(digest));
    } else {
        hashing_expect(j->file->len);
        digest_sha256(j->file->data, j->file->len, digest);
    }
    return memcmp(digest, hook->digest, sizeof(digest)) == 0;
}

/* As level_of(): instead of a cache that is refused its source is used, which is judged by itself.
 */
static enum level hook_level(const struct judgement *j, bool known)
{
    if (known)
        return LEVEL_LOW;
    return j->file->hook == HOOK_CACHE && j->policy->hooks == VERIFY_ENFORCE ? LEVEL_MEDIUM
                                                                             : LEVEL_HIGH;
}

static void write_startup_hook(struct judgement *j, struct verify_verdict *ret)
{
    enum verdict verdict;
    unsigned lines;
    bool known;

    if (j->policy->hooks == VERIFY_OFF || j->file->error ||
        (j->file->kind != TRUST_PATH_FILE && j->file->hook == HOOK_NONE))
        return;
    if (!j->path[0] && !find_path(j))
        return;
    lines = j->file->kind == TRUST_PATH_FILE
                ? executable_lines(j->file, ends_with(j->path, ".start"))
                : 1;
    if (lines == 0)
        return;
    known = is_known_hook(j);
    verdict = known ? VERDICT_ALLOW : verdict_of(j->policy->hooks);
    j->args.count = 0;
    evidence_add(&j->args, "path", j->file->name);
    evidence_add_text(&j->args, "real_path", j->path);
    evidence_add(&j->args, "lines", value_int(lines));
    evidence_add(&j->args, "known", (struct value){.kind = VALUE_BOOL, .i = known});
    ret->seq = write_record(j, "spython.startup_hook", hook_level(j, known), verdict,
                            known ? NULL : RULE_HOOK);
    count_verdict(verdict);
    ret->verdict = verdict;
    if (verdict == VERDICT_DENY)
        evidence_explain(RULE_HOOK, "it runs code at start-up and is new or changed", NULL,
                         ret->seq, ret->reason, sizeof(ret->reason));
}

void verify_code(const struct verify_file *file, struct record *record, struct verify_verdict *ret)
{
    struct judgement j = {
        .file = file,
        .policy = &recorder.settings->verify,
        .record = record,
    };
    int saved = errno;

    *ret = (struct verify_verdict){.verdict = VERDICT_ALLOW};
    judge(&j);
    write_open_code(&j, ret);
    if (ret->verdict != VERDICT_DENY)
        write_startup_hook(&j, ret);
    errno = saved;
}
