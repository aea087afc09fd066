/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder: what one process needs to turn events into records. Session, sequence numbers,
 * per-thread contexts, counters of noise, and the way to the log. No Python object comes in here.
 */
#ifndef SPYTHON_CPYTHON_RECORDER_H
#define SPYTHON_CPYTHON_RECORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "event/catalogue.h"
#include "event/record.h"
#include "policy/policy.h"
#include "sinks/log.h"

#define RECORDER_MAX_EVENTS 320 /* more than the catalogue has; checked at start */
#define PLACE_SLOTS 128         /* per thread; a power of two */
#define PLACE_JSON_MAX 216

/* A location that was resolved and encoded before. `id` names the code object for its whole life
 * (code_marks.h), so an entry can never be taken for one of another code object. */
struct place_slot {
    uint64_t id; /* 0: empty */
    int32_t lasti;
    uint16_t json_len;
    char json[PLACE_JSON_MAX];
};

/* All that one thread needs; mapped at its first event, never shared while the thread lives. */
struct thread_context {
    struct thread_context *next, *prev;
    int64_t tid;
    uint64_t generation; /* of the recorder; differs after a fork */
    bool busy;           /* inside the hook */
    bool via_sys_audit;  /* the next event comes from sys.audit(), see method_wraps.c */
    struct record_clock clock;
    struct catalogue_memo memo;

    /* Counted events. Only this thread writes; others read them for summaries. */
    _Atomic uint64_t noise[RECORDER_MAX_EVENTS];
    uint32_t noise_pending; /* not yet added to the process's running count */

    /* Interpreter whose code extra index is known (code_marks.c). */
    int64_t mark_interpreter;
    int64_t mark_index;

    /* Bytes that the gate handed out last: a strong reference, and whose interpreter it is of. */
    void *gate_bytes;
    int64_t gate_interpreter;
    void *stream_type; /* io.BytesIO, the same */
    int64_t stream_interpreter;

    /* Source text that was compiled last, to tell of it when its code is executed. */
    struct {
        bool valid;
        char sha256[65];
        uint64_t length;
        char file[128];
        uint32_t file_len;
    } last_source;

    char native_refusal[896]; /* native_gate.h */

    /* Of the event at hand. Here and not on the stack: nobody has to clear it for each event, and
     * threads with small stacks raise events too. */
    struct record record;
    struct record_place stack[RECORD_MAX_FRAMES];

    unsigned value_count;
    struct value values[VALUE_MAX_TOTAL];
    uint8_t big[8][VALUE_MAX_BIG];
    unsigned big_count;
    struct place_slot places[PLACE_SLOTS];
    struct place_slot scratch[RECORD_MAX_FRAMES + 1]; /* resolved for the event at hand */
    unsigned scratch_used;
    char out[RECORD_MAX];
};

struct recorder {
    struct record_session session;
    uint64_t session_id;
    char parent_session[RECORD_SESSION_DIGITS + 1]; /* "" unless this process was forked */
    int64_t pid, parent_pid;
    _Atomic uint64_t seq;
    _Atomic uint64_t noise;      /* running count of counted events */
    _Atomic uint64_t unrecorded; /* events for which there was no memory */
    uint64_t denied, would_deny;
    uint64_t generation; /* 1 + number of forks that led to this process */
    bool start_pending;  /* forked, and no record written yet */
    bool started, stopped;
    struct log *log;
    const struct policy_settings *settings;
    const struct policy *policy;
    const char *host;
    uid_t uid;
    int python_minor;
    uint8_t level[RECORDER_MAX_EVENTS];
    const struct policy_denial *denial[RECORDER_MAX_EVENTS];
    /* Where this version or policy differs from the catalogue; NULL: it does not. */
    const struct catalogue_entry *entry[RECORDER_MAX_EVENTS];
    const uint8_t *redact[RECORDER_MAX_EVENTS]; /* VALUE_MAX_ARGS each */
    int64_t next_summary;                       /* CLOCK_MONOTONIC_COARSE seconds */
};

extern struct recorder recorder;

/* The context of this thread once it has one; see recorder_context(). Initial-exec: the core is
 * preloaded, so its thread-local storage is part of the static block and costs one instruction. */
extern __thread struct thread_context *recorder_thread __attribute__((tls_model("initial-exec")));

/* Context of this thread; NULL if there is no memory (then the event counts as unrecorded). */
struct thread_context *recorder_context_slow(void);

static inline struct thread_context *recorder_context(void)
{
    struct thread_context *context = recorder_thread;

    if (__builtin_expect(context != NULL && context->generation == recorder.generation, 1))
        return context;
    return recorder_context_slow();
}

/* Counts one event that gets no record of its own. The process's running count lags by at most
 * NOISE_BATCH for each other thread; spython.summary and spython.stop are exact. */
#define NOISE_BATCH 64
static inline void recorder_count(struct thread_context *context, int event)
{
    uint64_t n = atomic_load_explicit(&context->noise[event], memory_order_relaxed);

    atomic_store_explicit(&context->noise[event], n + 1, memory_order_relaxed);
    if (++context->noise_pending == NOISE_BATCH) {
        atomic_fetch_add_explicit(&recorder.noise, NOISE_BATCH, memory_order_relaxed);
        context->noise_pending = 0;
    }
}

/*
 * Sets the session up: random id, host name, levels and denials by event, and opens the sinks.
 * Before any other thread exists. Returns 0 or -errno with a message (a required sink failed).
 */
int recorder_open(const struct policy *policy, const struct policy_settings *settings,
                  const char *prefix, int python_minor, struct err *err);

/* Stamps time, sequence number, thread and noise count, encodes and writes. `record` has all else.
 * Ends the process with status 74 if a required sink fails. Fills *ret_seq if it is not NULL. */
void recorder_write(struct thread_context *context, struct record *record, uint64_t *ret_seq);

/* Writes a record of ours (spython.*) with named arguments. */
void recorder_write_own(const char *name, enum level level, const char *const *names,
                        const struct value *values, unsigned count);

/* Writes spython.summary if counted events have come since the last one. */
void recorder_summarise(void);

/* Writes spython.stop, once a session. `status` is the exit status, `signal` 0 or the number of the
 * signal that ends the process. */
void recorder_stop(int status, int signal);

/* Called when a forked child is about to write its first record. Set by the launcher. */
extern void (*recorder_write_child_start)(void);

static inline struct value value_none(void)
{
    return (struct value){.kind = VALUE_NONE};
}

static inline struct value value_int(int64_t i)
{
    return (struct value){.kind = VALUE_INT, .i = i};
}

static inline struct value value_utf8(const char *text, size_t len)
{
    return (struct value){.kind = VALUE_UTF8, .text = {text, len}};
}

static inline struct value value_bytes(const char *text, size_t len)
{
    return (struct value){.kind = VALUE_BYTES, .text = {text, len}};
}

static inline struct value value_list(const struct value *items, unsigned count)
{
    return (struct value){.kind = VALUE_LIST, .count = count, .items = items};
}

#endif
