/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/prefault.h"
#include "cpython/approval.h"
#include "cpython/sources.h"
#include "stage1/handover.h"

#define SUMMARY_INTERVAL 60 /* seconds between summaries while records are written */
#define RECORD_USUAL 4096   /* bytes that nearly every record fits in */

struct recorder recorder;
__thread struct thread_context *recorder_thread __attribute__((tls_model("initial-exec")));
void (*recorder_write_child_start)(void);

/* All live contexts, for summaries. Taken when a thread comes, goes, or a summary is made; never
 * while an event is recorded. */
static pthread_mutex_t contexts_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread_context *contexts;
static uint64_t ended_noise[RECORDER_MAX_EVENTS]; /* of threads that are gone */
static pthread_key_t context_key;
static uint64_t summarised; /* running count at the last summary */

static void forget_context(void *p)
{
    struct thread_context *context = p;

    recorder_thread = NULL;
    pthread_mutex_lock(&contexts_lock);
    for (unsigned i = 0; i < catalogue_count; i++)
        ended_noise[i] += atomic_load_explicit(&context->noise[i], memory_order_relaxed);
    atomic_fetch_add_explicit(&recorder.noise, context->noise_pending, memory_order_relaxed);
    if (context->next)
        context->next->prev = context->prev;
    if (context->prev)
        context->prev->next = context->next;
    else
        contexts = context->next;
    pthread_mutex_unlock(&contexts_lock);
    (void)munmap(context, sizeof(*context));
}

struct thread_context *recorder_context_slow(void)
{
    struct thread_context *context = recorder_thread;
    int saved = errno;

    if (!context) {
        /* Pages that are never touched cost nothing, so the worst case of every buffer is mapped.
         */
        context = mmap(NULL, sizeof(*context), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);
        if (context == MAP_FAILED) {
            atomic_fetch_add_explicit(&recorder.unrecorded, 1, memory_order_relaxed);
            errno = saved;
            return NULL;
        }
        /* Threads that come later may raise one event in their life. */
        if (!contexts)
            prefault(context, offsetof(struct thread_context, out) + RECORD_USUAL);
        context->mark_interpreter = -1;
        context->gate_interpreter = -1;
        pthread_mutex_lock(&contexts_lock);
        context->next = contexts;
        if (contexts)
            contexts->prev = context;
        contexts = context;
        pthread_mutex_unlock(&contexts_lock);
        (void)pthread_setspecific(context_key, context);
        recorder_thread = context;
    }
    context->tid = syscall(SYS_gettid);
    context->generation = recorder.generation;
    if (recorder.start_pending && recorder_write_child_start) {
        recorder.start_pending = false;
        recorder_write_child_start();
    }
    errno = saved;
    return context;
}

static uint64_t random_id(void)
{
    uint64_t id = 0;
    struct timespec ts;

    if (getrandom(&id, sizeof(id), GRND_NONBLOCK) == (ssize_t)sizeof(id) && id)
        return id;
    /* Early boot without entropy: unique on this machine is all that a session id has to be. */
    clock_gettime(CLOCK_REALTIME, &ts);
    return ((uint64_t)getpid() << 40) ^ ((uint64_t)ts.tv_sec << 20) ^ (uint64_t)ts.tv_nsec;
}

static void begin_session(void)
{
    recorder.session_id = random_id();
    recorder.pid = getpid();
    recorder.parent_pid = getppid();
    recorder.uid = getuid();
    atomic_store(&recorder.seq, 0);
    atomic_store(&recorder.noise, 0);
    atomic_store(&recorder.unrecorded, 0);
    recorder.denied = recorder.would_deny = 0;
    recorder.started = recorder.stopped = false;
    summarised = 0;
    memset(ended_noise, 0, sizeof(ended_noise));
    record_session_encode(&recorder.session, recorder.session_id, recorder.pid,
                          recorder.settings->app, recorder.host, recorder.uid);
}

/* fork(2): the locks are held over the fork, so that the child finds them in a known state. */
static void before_fork(void)
{
    approval_before_fork();
    pthread_mutex_lock(&contexts_lock);
    log_before_fork(recorder.log);
}

static void after_fork_parent(void)
{
    log_after_fork_parent(recorder.log);
    pthread_mutex_unlock(&contexts_lock);
    approval_after_fork_parent();
}

static void after_fork_child(void)
{
    struct thread_context *mine = recorder_thread, *next;

    approval_after_fork_child();
    pthread_mutex_init(&contexts_lock, NULL);
    sources_after_fork();
    for (struct thread_context *c = contexts; c; c = next) {
        next = c->next;
        if (c != mine)
            (void)munmap(c, sizeof(*c));
    }
    contexts = mine;
    if (mine) {
        mine->next = mine->prev = NULL;
        mine->noise_pending = 0;
        for (unsigned i = 0; i < RECORDER_MAX_EVENTS; i++)
            atomic_store_explicit(&mine->noise[i], 0, memory_order_relaxed);
    }
    memcpy(recorder.parent_session, recorder.session.id, sizeof(recorder.parent_session));
    recorder.generation++;
    begin_session();
    recorder.start_pending = true;
    log_after_fork(recorder.log, recorder.session.id);
}

static size_t encode_loss(void *ctx, const char *sink_name, uint64_t lost, uint64_t first,
                          uint64_t last, int error, char *out, size_t cap)
{
    static const char *const names[] = {"sink", "lost", "first", "last", "error"};
    const char *text = strerrorname_np(error);
    struct value values[5];
    struct record_clock clock = {0};
    struct record record = {
        .seq = atomic_fetch_add(&recorder.seq, 1) + 1,
        .tid = syscall(SYS_gettid),
        .noise = atomic_load(&recorder.noise),
        .name = "spython.loss",
        .event = catalogue_find("spython.loss"),
        .args = values,
        .arg_count = 5,
        .arg_total = 5,
        .arg_names = names,
        .level = LEVEL_HIGH,
        .verdict = VERDICT_ALLOW,
    };

    (void)ctx;
    if (!text)
        text = "unknown";
    values[0] = value_utf8(sink_name, strlen(sink_name));
    values[1] = value_int((int64_t)lost);
    values[2] = value_int((int64_t)first);
    values[3] = value_int((int64_t)last);
    values[4] = value_utf8(text, strlen(text));
    clock_gettime(CLOCK_REALTIME, &record.time);
    return record_encode(&record, &recorder.session, &clock, out, cap);
}

/* What policy wants hidden: "EVENT:ARGUMENT". */
static int choose_redaction(void)
{
    for (uint32_t i = 0; i < recorder.settings->redact.count; i++) {
        const char *item = recorder.settings->redact.items[i], *colon = strchr(item, ':');
        const struct catalogue_entry *entry;
        char name[128];
        uint8_t *redact;
        int event;

        if (!colon || (size_t)(colon - item) >= sizeof(name))
            continue;
        memcpy(name, item, (size_t)(colon - item));
        name[colon - item] = '\0';
        event = catalogue_find(name);
        if (event < 0)
            continue;
        entry = recorder.entry[event] ? recorder.entry[event] : &catalogue[event];
        redact = calloc(VALUE_MAX_ARGS, 1);
        if (!redact)
            return -ENOMEM;
        for (unsigned k = 0; k < entry->arg_count && k < VALUE_MAX_ARGS; k++)
            redact[k] = strcmp(entry->arg_names[k], colon + 1) == 0 ? REDACT_SECRET
                        : recorder.redact[event]                    ? recorder.redact[event][k]
                                                                    : entry->arg_redact[k];
        recorder.redact[event] = redact; /* lives as long as the process */
    }
    return 0;
}

static void choose_levels(void)
{
    for (unsigned i = 0; i < catalogue_count; i++) {
        const struct catalogue_entry *entry =
            catalogue_for_version((int)i, (unsigned)recorder.python_minor);

        recorder.level[i] = entry->level;
        if (entry->arg_names != catalogue[i].arg_names)
            recorder.entry[i] = entry;
    }
    for (uint32_t i = 0; i < recorder.settings->denial_count; i++) {
        const struct policy_denial *denial = &recorder.settings->denials[i];
        int event = catalogue_find(denial->event);

        if (event >= 0) {
            recorder.denial[event] = denial;
            recorder.level[event] = (uint8_t)denial->level;
        }
    }
}

/* A relative path in policy is below the prefix, so that one policy fits every prefix. */
static int open_log(const char *prefix, struct err *err)
{
    static struct sink_config configs[LOG_MAX_SINKS];
    const struct policy_settings *settings = recorder.settings;
    unsigned count = settings->sink_count < LOG_MAX_SINKS ? settings->sink_count : LOG_MAX_SINKS;

    for (unsigned i = 0; i < count; i++) {
        configs[i] = settings->sinks[i];
        if (configs[i].path && configs[i].path[0] && configs[i].path[0] != '/') {
            char *full;

            if (asprintf(&full, "%s/%s", prefix, configs[i].path) < 0)
                return err_set(err, -ENOMEM, "out of memory");
            configs[i].path = full; /* lives as long as the process, like the log */
        }
    }
    return log_open(configs, count, recorder.session.id, encode_loss, NULL, &recorder.log, err);
}

int recorder_open(const struct policy *policy, const struct policy_settings *settings,
                  const char *prefix, int python_minor, struct err *err)
{
    static char host[256];

    if (catalogue_count > RECORDER_MAX_EVENTS)
        return err_set(err, -E2BIG, "the catalogue has %u events", catalogue_count);
    recorder.policy = policy;
    recorder.settings = settings;
    recorder.python_minor = python_minor;
    recorder.generation = 1;
    recorder.host = settings->host;
    if (!recorder.host[0]) {
        if (gethostname(host, sizeof(host) - 1) < 0)
            host[0] = '\0';
        recorder.host = host;
    }
    if (pthread_key_create(&context_key, forget_context) != 0 ||
        pthread_atfork(before_fork, after_fork_parent, after_fork_child) != 0)
        return err_set(err, -ENOMEM, "out of memory");
    begin_session();
    choose_levels();
    if (choose_redaction() < 0)
        return err_set(err, -ENOMEM, "out of memory");
    return open_log(prefix, err);
}

/* The program cannot go on without its log: policy says so. */
static void __attribute__((noreturn)) stop_for_sink(int error)
{
    char line[256];
    int len = snprintf(line, sizeof(line),
                       "spython: log: a required sink failed: %s (free space or repair it, or set "
                       "on_failure: count)\n",
                       strerror(-error));

    if (len > 0)
        (void)!write(STDERR_FILENO, line, (size_t)len);
    _exit(EXIT_SPY_IO);
}

void recorder_write(struct thread_context *context, struct record *record, uint64_t *ret_seq)
{
    size_t len;
    int r;

    clock_gettime(CLOCK_REALTIME, &record->time);
    record->seq = atomic_fetch_add_explicit(&recorder.seq, 1, memory_order_relaxed) + 1;
    record->tid = context->tid;
    /* What this thread counted is published first, so that the count never goes down from one
     * record to the next, whichever thread writes it. */
    if (context->noise_pending) {
        atomic_fetch_add_explicit(&recorder.noise, context->noise_pending, memory_order_relaxed);
        context->noise_pending = 0;
    }
    record->noise = atomic_load_explicit(&recorder.noise, memory_order_relaxed);
    if (ret_seq)
        *ret_seq = record->seq;
    len = record_encode(record, &recorder.session, &context->clock, context->out,
                        sizeof(context->out));
    r = log_write(recorder.log, record->level, record->seq, context->out, len);
    if (r < 0)
        stop_for_sink(r);
    if (__builtin_expect(record->time.tv_sec >= recorder.next_summary, 0)) {
        bool first = recorder.next_summary == 0;

        recorder.next_summary = record->time.tv_sec + SUMMARY_INTERVAL;
        if (!first)
            recorder_summarise();
    }
}

void recorder_write_own(const char *name, enum level level, const char *const *names,
                        const struct value *values, unsigned count)
{
    struct thread_context *context = recorder_context();
    struct record record = {
        .name = name,
        .event = catalogue_find(name),
        .args = values,
        .arg_count = count,
        .arg_total = count,
        .arg_names = names,
        .level = level,
        .verdict = VERDICT_ALLOW,
    };

    if (context)
        recorder_write(context, &record, NULL);
}

/* Sums the counted events of all threads by event. Returns the total. */
static uint64_t collect_noise(uint64_t *sums)
{
    uint64_t total = 0;

    pthread_mutex_lock(&contexts_lock);
    for (unsigned i = 0; i < catalogue_count; i++)
        sums[i] = ended_noise[i];
    for (struct thread_context *c = contexts; c; c = c->next)
        for (unsigned i = 0; i < catalogue_count; i++)
            sums[i] += atomic_load_explicit(&c->noise[i], memory_order_relaxed);
    pthread_mutex_unlock(&contexts_lock);
    for (unsigned i = 0; i < catalogue_count; i++)
        total += sums[i];
    return total;
}

void recorder_summarise(void)
{
    static const char *const names[] = {"total", "counts", "unrecorded"};
    uint64_t sums[RECORDER_MAX_EVENTS];
    struct value pairs[2 * 64], values[3];
    unsigned count = 0;
    uint64_t total = collect_noise(sums);

    if (total == summarised)
        return;
    summarised = total;
    for (unsigned i = 0; i < catalogue_count && count < 64; i++) {
        if (sums[i] == 0)
            continue;
        pairs[2 * count] = value_utf8(catalogue[i].name, catalogue[i].name_len);
        pairs[2 * count + 1] = value_int((int64_t)sums[i]);
        count++;
    }
    values[0] = value_int((int64_t)total);
    values[1] = (struct value){.kind = VALUE_MAP, .count = count, .items = pairs};
    values[2] = value_int((int64_t)atomic_load(&recorder.unrecorded));
    recorder_write_own("spython.summary", LEVEL_INFORMATIONAL, names, values, 3);
}

void recorder_stop(int status, int signal)
{
    static const char *const names[] = {"status", "signal", "records",    "noise",
                                        "denied", "lost",   "would_deny", "unrecorded"};
    struct value values[8];

    if (recorder.stopped || !recorder.started || recorder.pid != getpid())
        return;
    recorder.stopped = true;
    recorder_summarise();
    log_settle(recorder.log); /* so that `lost` is all that was lost until now */
    values[0] = signal ? value_none() : value_int(status);
    values[1] = signal ? value_int(signal) : value_none();
    values[2] = value_int((int64_t)atomic_load(&recorder.seq) + 1);
    values[3] = value_int((int64_t)summarised);
    values[4] = value_int((int64_t)recorder.denied);
    values[5] = value_int((int64_t)log_lost(recorder.log));
    values[6] = value_int((int64_t)recorder.would_deny);
    values[7] = value_int((int64_t)atomic_load(&recorder.unrecorded));
    recorder_write_own("spython.stop", LEVEL_INFORMATIONAL, names, values, 8);
}
