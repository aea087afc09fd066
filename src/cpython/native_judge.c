/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/native_judge.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/machine.h"
#include "cpython/approval.h"
#include "cpython/evidence.h"
#include "cpython/hashing.h"
#include "cpython/native_copy.h"
#include "trust/trust.h"

#define RULE "spython-unapproved-native"
#define DIGEST_MAX ((off_t)64 << 20) /* of a refused file: for those who look into it later */

/* The question at hand. Not on the stack: threads with small ones load libraries too. */
static struct judgement {
    const struct policy_verify *policy;
    const struct native_question *question;
    struct native_answer *answer;
    int fd;
    struct stat st;
    struct native_walk walk;
    char asked[PATH_MAX]; /* the name, if it is not the way that is used */
    struct native_copy *copy;
    struct trust_file file;
    struct trust_result result;
    bool judged, pinned;
    char why[320]; /* refused by ourselves, not by a verifier */

    struct evidence args;
    struct record record;
} j;

static uint64_t write_record(enum level level, enum verdict verdict)
{
    struct thread_context *context = recorder_context();
    uint64_t seq = 0;

    j.record.name = "spython.native";
    j.record.event = catalogue_find("spython.native");
    evidence_give(&j.args, &j.record);
    j.record.level = level;
    j.record.verdict = verdict;
    j.record.rule_count = verdict == VERDICT_ALLOW ? 0 : 1;
    j.record.rules[0] = RULE;
    if (verdict == VERDICT_WOULD_DENY)
        recorder.would_deny++;
    else if (verdict != VERDICT_ALLOW)
        recorder.denied++;
    if (context)
        recorder_write(context, &j.record, &seq);
    return seq;
}

static void conclude(bool allowed)
{
    const char *name = j.question->name;
    bool refused = !allowed && j.policy->native == VERIFY_ENFORCE;
    bool killed = refused && j.question->moment != NATIVE_SEARCHED;

    if (!allowed && j.fd >= 0 && S_ISREG(j.st.st_mode) && j.st.st_size <= DIGEST_MAX) {
        uint8_t unused[DIGEST_SIZE];

        j.file.fd = j.fd;
        hashing_expect((size_t)j.st.st_size);
        (void)trust_file_digest(&j.file, unused);
    }
    evidence_add(&j.args, "path", value_utf8(name, strlen(name)));
    evidence_add_text(&j.args, "kind", trust_kind_name(TRUST_NATIVE));
    evidence_add_text(&j.args, "real_path", j.walk.real);
    if (j.question->requester)
        evidence_add(&j.args, "requester",
                     value_utf8(j.question->requester, strlen(j.question->requester)));
    if (j.question->moment == NATIVE_AT_START)
        evidence_add(&j.args, "startup", (struct value){.kind = VALUE_BOOL, .i = 1});
    if (j.copy)
        evidence_add(&j.args, "copied", (struct value){.kind = VALUE_BOOL, .i = 1});
    evidence_add_digest(&j.args, &j.file);
    if (j.judged)
        evidence_add_result(&j.args, &j.result, j.why);
    else
        evidence_add_text(&j.args, "reason", j.why);
    j.answer->seq = write_record(allowed  ? LEVEL_INFORMATIONAL
                                 : killed ? LEVEL_CRITICAL
                                          : LEVEL_HIGH,
                                 allowed   ? VERDICT_ALLOW
                                 : killed  ? VERDICT_KILL
                                 : refused ? VERDICT_DENY
                                           : VERDICT_WOULD_DENY);
    j.answer->outcome = allowed ? NATIVE_ALLOWED : NATIVE_REFUSED;
    if (!allowed)
        evidence_explain(RULE, j.why, j.judged ? evidence_deciding(&j.result) : NULL, j.answer->seq,
                         j.answer->reason, sizeof(j.answer->reason));
}

/* Is it something that the linker would map? What is not it passes over by itself, as libraries for
 * another machine. */
static bool is_object(void)
{
    unsigned char head[EI_NIDENT + 4];
    uint16_t machine;

    if (!S_ISREG(j.st.st_mode))
        return !S_ISDIR(j.st.st_mode); /* a pipe, say, is refused */
    if (pread(j.fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
        return false;
    memcpy(&machine, head + EI_NIDENT + 2, sizeof(machine));
    return memcmp(head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == ELFCLASS64 &&
           machine == THIS_MACHINE;
}

/* Finds the way by which the linker is to open it. False: there is none. */
static bool find_way(void)
{
    uid_t owner = j.policy->trust.owner;

    native_path_walk(j.question->name, owner, &j.st, &j.walk);
    switch (j.walk.way) {
    case NATIVE_WAY_FORBIDDEN:
        (void)snprintf(j.why, sizeof(j.why),
                       "its path leads through /proc, /dev or /sys, where it can become any file");
        return false;
    case NATIVE_WAY_LOST:
        (void)snprintf(j.why, sizeof(j.why), "its path does not lead to it");
        return false;
    case NATIVE_WAY_CHANGEABLE:
        /* If only a link to it lies where others can change it, the file itself is a way. */
        (void)snprintf(j.asked, sizeof(j.asked), "%s", j.walk.real);
        if (strcmp(j.asked, j.question->name) == 0)
            return true;
        native_path_walk(j.asked, owner, &j.st, &j.walk);
        if (j.walk.way != NATIVE_WAY_CHANGEABLE && j.walk.way != NATIVE_WAY_GUARDED) {
            (void)snprintf(j.why, sizeof(j.why), "its path does not lead to it");
            return false;
        }
        if (j.walk.way == NATIVE_WAY_GUARDED)
            j.answer->use = j.asked;
        return true;
    case NATIVE_WAY_GUARDED:
        return true;
    }
    return false;
}

/* Only with enforce: audit changes nothing, and tells what it says of the file as it is. */
static bool copy(void)
{
    if (j.walk.way == NATIVE_WAY_GUARDED || j.policy->copy_max == 0 ||
        j.policy->native != VERIFY_ENFORCE || j.question->moment != NATIVE_SEARCHED)
        return true;
    j.copy = native_copy_get(j.fd, &j.st, j.walk.real, j.policy->copy_max);
    if (!j.copy) {
        (void)snprintf(j.why, sizeof(j.why), "others can change '%.200s', and %s", j.walk.at,
                       errno == EFBIG ? "it is larger than verify.native.copy" : strerror(errno));
        return false;
    }
    j.file.data = j.copy->data;
    j.file.len = (size_t)j.copy->self.st_size;
    j.answer->use = j.copy->path;
    return true;
}

static bool is_vouched_by_kernel(void)
{
    for (unsigned i = 0; i < j.result.count; i++)
        if (j.result.evidence[i].verifier == TRUST_BY_FSVERITY &&
            j.result.evidence[i].answer == TRUST_TRUSTED)
            return true;
    return false;
}

/* What is trusted now must still be so when the linker has opened it. */
static bool is_lasting(void)
{
    if (j.copy) {
        j.pinned = true; /* the program can put another file under the copy's number */
        return true;
    }
    if (j.walk.way == NATIVE_WAY_GUARDED)
        return true;
    if (is_vouched_by_kernel()) {
        j.pinned = true; /* its contents are fixed, its name is not */
        return true;
    }
    (void)snprintf(j.why, sizeof(j.why),
                   "others can change '%.200s' after it was checked, and it has no fs-verity",
                   j.walk.at);
    return false;
}

static bool judge(void)
{
    if (!S_ISREG(j.st.st_mode)) {
        (void)snprintf(j.why, sizeof(j.why), "it is not a regular file");
        return false;
    }
    if (!find_way() || !copy())
        return false;
    j.file.fd = j.fd;
    j.file.path = j.walk.real;
    hashing_expect((size_t)j.st.st_size);
    approval_judge(&j.policy->trust, &j.file, &j.result);
    j.judged = true;
    return j.result.trusted && is_lasting();
}

static void begin(const struct policy_verify *policy, const struct native_question *question,
                  struct native_answer *answer)
{
    j.fd = -1;
    j.policy = policy;
    j.question = question;
    j.answer = answer;
    j.walk.real[0] = j.why[0] = '\0';
    j.copy = NULL;
    j.judged = j.pinned = false;
    j.args.count = 0;
    memset(&j.file, 0, sizeof(j.file));
    memset(&j.record, 0, sizeof(j.record));
}

void native_judge(const struct policy_verify *policy, const struct native_question *question,
                  struct native_answer *ret)
{
    bool allowed;

    *ret = (struct native_answer){.outcome = NATIVE_NOTHING, .use = question->name, .pin_fd = -1};
    begin(policy, question, ret);
    /* What the linker would make of it we cannot see. Nothing that Python does needs it. */
    if (policy->native == VERIFY_ENFORCE && question->moment == NATIVE_SEARCHED &&
        native_path_has_token(question->name)) {
        (void)snprintf(j.why, sizeof(j.why),
                       "only the dynamic linker could tell what its name means");
        conclude(false);
        return;
    }
    j.fd = open(question->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (j.fd < 0)
        return;
    if (fstat(j.fd, &j.st) == 0 && is_object()) {
        j.file = (struct trust_file){.st = j.st, .kind = TRUST_NATIVE};
        allowed = judge();
        conclude(allowed);
        if (j.copy)
            native_copy_release(j.copy);
        if (allowed && j.pinned) {
            ret->pinned = true;
            ret->pin = j.copy ? j.copy->self : j.st;
            ret->pin_fd = steal_fd(&j.fd);
        }
    }
    fd_close(j.fd);
}

void native_record_breach(const char *name, const char *reason)
{
    j.args.count = 0;
    memset(&j.record, 0, sizeof(j.record));
    evidence_add(&j.args, "path", value_utf8(name, strlen(name)));
    evidence_add_text(&j.args, "kind", trust_kind_name(TRUST_NATIVE));
    evidence_add_text(&j.args, "reason", reason);
    (void)write_record(LEVEL_CRITICAL, VERDICT_KILL);
}
