/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs for every audit event, in every thread and interpreter, from before there is an interpreter
 * until after there is one. What it may not do: run user code, release the GIL, import, leave an
 * error set where it returns 0, or change errno. Record first, then decide, then act.
 */
#include "cpython/hook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpython/dynamic.h"
#include "cpython/evidence.h"
#include "cpython/gate.h"
#include "cpython/method_wraps.h"
#include "cpython/native_error.h"
#include "cpython/places.h"
#include "cpython/refusals.h"
#include "cpython/values.h"
#include "cpython/verify.h"
#include "stage1/handover.h"

static int event_claim, event_import, event_compile, event_exec, event_addaudithook,
    event_find_class, event_dlopen, event_run_file;
static bool wraps_done, main_started, runs_by_name;

/* Whether a denial's allow-list admits this event. */
static bool is_allowed(const struct policy_denial *denial, int event, const struct value *args,
                       unsigned count)
{
    for (uint32_t i = 0; i < denial->allow.count; i++) {
        const char *entry = denial->allow.items[i];

        if (event == event_find_class && count >= 2) {
            const char *dot = strrchr(entry, '.');
            char module[256];

            if (!dot || (size_t)(dot - entry) >= sizeof(module))
                continue;
            memcpy(module, entry, (size_t)(dot - entry));
            module[dot - entry] = '\0';
            if (values_equal_text(&args[0], module) && values_equal_text(&args[1], dot + 1))
                return true;
        } else if (count >= 1 && values_equal_text(&args[0], entry)) {
            return true;
        }
    }
    return false;
}

static void judge(int event, struct record *record)
{
    const struct policy_denial *denial = event >= 0 ? recorder.denial[event] : NULL;

    record->verdict = VERDICT_ALLOW;
    if (!denial || is_allowed(denial, event, record->args, record->arg_count))
        return;
    record->rules[0] = denial->id;
    record->rule_count = 1;
    if (denial->mode == DENIAL_AUDIT)
        record->verdict = VERDICT_WOULD_DENY;
    else
        record->verdict = denial->action == DENIAL_KILL ? VERDICT_KILL : VERDICT_DENY;
}

/* CPython is about to open its main script by name, unread and unjudged: because of -i or -x, or
 * because it took what was to be an archive for none. */
static void judge_run_file(struct record *record)
{
    enum verify_mode mode = recorder.settings->verify.mode;

    if (mode == VERIFY_OFF || record->verdict == VERDICT_DENY || record->verdict == VERDICT_KILL)
        return;
    record->level = LEVEL_HIGH;
    record->rules[0] = RULE_CODE;
    record->rule_count = 1;
    record->verdict = mode == VERIFY_ENFORCE ? VERDICT_DENY : VERDICT_WOULD_DENY;
}

/* Denies: the program gets an exception that names rule and record. Out of line, because the text
 * has no place in the frame of every event. */
static int __attribute__((noinline, cold)) deny(int event, const struct record *record)
{
    char text[768];

    recorder.denied++;
    if (event == event_run_file && strcmp(record->rules[0], RULE_CODE) == 0) {
        evidence_explain(RULE_CODE, "CPython would open it once more by its name", NULL,
                         record->seq, text, sizeof(text));
        PyErr_SetString(PyExc_PermissionError, refusals_reason(&record->args[0], text));
        return -1;
    }
    (void)snprintf(text, sizeof(text), "%s denied by rule %s (record %s-%llu)", record->name,
                   record->rules[0], recorder.session.id, (unsigned long long)record->seq);
    /* CPython takes a RuntimeError here for "do not add the hook, and do not tell". */
    PyErr_SetString(event == event_addaudithook ? PyExc_RuntimeError : PyExc_PermissionError, text);
    return -1;
}

/* The record is written; now the act itself. */
static int carry_out(int event, const struct record *record)
{
    switch (record->verdict) {
    case VERDICT_KILL:
        _exit(EXIT_SPY_REFUSED);
    case VERDICT_DENY:
        return deny(event, record);
    case VERDICT_WOULD_DENY:
        recorder.would_deny++;
        return 0;
    case VERDICT_ALLOW:
    case VERDICT_MAX:
    default:
        return 0;
    }
}

/* Raised through sys.audit() by somebody who is not the standard library, or by a name that only
 * CPython's C code raises. */
static bool is_claim(bool via_sys_audit, int event, bool inner_is_library)
{
    if (!via_sys_audit)
        return false;
    return !inner_is_library || (event >= 0 && catalogue[event].raiser == RAISER_C);
}

static inline bool is_our_name(const char *name)
{
    return name[0] == 's' && strncmp(name, "spython.", 8) == 0;
}

/* Only spython itself says spython.*: what comes by this way is somebody else's word, and must not
 * look like ours in the log. The name that was used becomes the first argument. */
static void disown(struct record *record, struct thread_context *context)
{
    struct value *values = values_take(context, record->arg_count + 1);

    if (values) {
        for (unsigned i = 0; i < record->arg_count; i++)
            values[i + 1] = record->args[i];
        values[0] = value_utf8(record->name, strnlen(record->name, 256));
        record->args = values;
        record->arg_count++;
        record->arg_total++;
    }
    record->name = "spython.claim";
    record->event = event_claim;
    record->level = LEVEL_HIGH;
    record->claimed = true;
}

/* What policy and version say about a known event's arguments. */
static void name_arguments(struct record *record, int event)
{
    const struct catalogue_entry *entry = recorder.entry[event];

    if (entry && record->arg_count <= entry->arg_count) {
        record->arg_names = entry->arg_names;
        record->arg_redact = entry->arg_redact;
    }
    if (recorder.redact[event])
        record->arg_redact = recorder.redact[event];
}

/* Sets what an event may leave unset. Not by clearing the whole structure: it is large, and this
 * runs for every event. places_fill() and recorder_write() fill in the rest. */
static void begin_record(struct record *record, const char *name, int event)
{
    record->name = name;
    record->event = event;
    record->level = event >= 0 ? (enum level)recorder.level[event] : LEVEL_LOW;
    record->arg_names = NULL;
    record->arg_redact = NULL;
    record->source.present = false;
    record->rule_count = 0;
    record->extra = NULL;
    record->extra_len = 0;
}

static int handle(struct thread_context *context, int event, const char *name, PyObject *args)
{
    struct record *record = &context->record;
    bool inner_is_library, via_sys_audit = context->via_sys_audit;
    unsigned frames;

    context->via_sys_audit = false; /* a Python hook that runs next raises events of its own */
    values_reset(context);
    begin_record(record, name, event);
    record->args = values_from_args(context, args, &record->arg_count, &record->arg_total);
    if (event >= 0)
        name_arguments(record, event);
    frames = record->level <= recorder.settings->stack_level ? recorder.settings->stack_frames : 0;
    inner_is_library = places_fill(context, record, frames, context->stack);
    record->claimed = is_claim(via_sys_audit, event, inner_is_library);
    if (event < 0 ? is_our_name(name) : catalogue[event].raiser == RAISER_SELF)
        disown(record, context);
    if (event == event_compile && !record->claimed)
        dynamic_fill_compile(context, args, record);
    else if (event == event_exec && !record->claimed)
        dynamic_fill_exec(context, args, record);
    if (event == event_dlopen && recorder.settings->verify.native != VERIFY_OFF)
        native_error_wrap_ctypes();
    judge(record->event, record);
    if (event == event_run_file && runs_by_name && !record->claimed)
        judge_run_file(record);
    recorder_write(context, record, NULL);
    return carry_out(record->event, record);
}

static int audit_hook(const char *name, PyObject *args, void *user_data)
{
    struct thread_context *context = recorder_context();
    int event, saved, r;

    (void)user_data;
    if (__builtin_expect(!context, 0))
        return 0; /* counted as unrecorded */
    event = catalogue_find_memo(&context->memo, name);
    if (event >= 0 && recorder.level[event] == LEVEL_NOISE && !recorder.denial[event]) {
        recorder_count(context, event);
        return 0;
    }
    if (__builtin_expect(context->busy, 0))
        return 0; /* nothing that the hook does raises events */
    saved = errno;
    context->busy = true;
    if (__builtin_expect(!wraps_done, 0) && event == event_import)
        wraps_done = method_wraps_install(context);
    r = handle(context, event, name, args);
    context->busy = false;
    errno = saved;
    return r;
}

int hook_install(void)
{
    event_claim = catalogue_find("spython.claim");
    event_import = catalogue_find("import");
    event_compile = catalogue_find("compile");
    event_exec = catalogue_find("exec");
    event_addaudithook = catalogue_find("sys.addaudithook");
    event_find_class = catalogue_find("pickle.find_class");
    event_dlopen = catalogue_find("ctypes.dlopen");
    event_run_file = catalogue_find("cpython.run_file");
    if (PySys_AddAuditHook(audit_hook, NULL) < 0)
        return -1;
    /* Set even when nothing is verified, so that nobody else can (PEP 551). */
    return PyFile_SetOpenCodeHook(gate_open_code, NULL);
}

void hook_main_starts(bool by_name)
{
    main_started = true;
    runs_by_name = by_name;
    wraps_done = true; /* what is not wrapped by now will not be */
}

bool hook_main_has_started(void)
{
    return main_started;
}
