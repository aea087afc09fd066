/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes records to the sinks and keeps one account for each of what it did not take. A sink that
 * works is written to without a lock; one with an open account is written to under its own, so that
 * the account reaches it before the next record does.
 */
#include "sinks/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sinks/fork_lock.h"

#define LOSS_RECORD_MAX 4096
#define RECENT                                                                                     \
    512 /* more than any sink takes back at once, but for threads that were on the way             \
         */

struct account {
    uint64_t lost;
    uint64_t first, last; /* sequence numbers */
    int error;            /* errno of the last loss */
};

struct slot {
    struct sink_config config;
    const struct sink_ops *ops;
    int admits;            /* levels up to this one */
    _Atomic bool troubled; /* closed, or the account is open: take the lock */

    /* The last records the sink took, so that what it takes back has sequence numbers. */
    _Atomic uint64_t recent[RECENT];
    _Atomic uint64_t taken;

    bool fork_held; /* log_before_fork() has the lock */

    pthread_mutex_t lock; /* for what follows; `sink` is also read while not troubled */
    struct sink *sink;
    struct account account;
    time_t tried; /* when opening failed last; CLOCK_MONOTONIC */
};

struct log {
    unsigned count;
    log_loss_encoder encoder;
    void *encoder_ctx;
    char session[64];
    _Atomic uint64_t lost;
    struct slot slots[];
};

static time_t now_coarse(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return ts.tv_sec;
}

static void account_add(struct account *account, uint64_t lost, uint64_t first, uint64_t last,
                        int error)
{
    if (account->lost == 0 || first < account->first)
        account->first = first;
    if (account->lost == 0 || last > account->last)
        account->last = last;
    account->lost += lost;
    account->error = error;
}

static void note_taken(struct slot *slot, uint64_t seq)
{
    uint64_t at;

    if (!slot->ops->take_back)
        return;
    at = atomic_fetch_add_explicit(&slot->taken, 1, memory_order_relaxed);
    atomic_store_explicit(&slot->recent[at % RECENT], seq, memory_order_relaxed);
}

/* The sink takes back records it had accepted: they move from the taken ones into the account. */
static uint64_t take_back(struct slot *slot, int error)
{
    uint64_t back = slot->ops->take_back ? slot->ops->take_back(slot->sink) : 0;
    uint64_t end = atomic_load(&slot->taken), first = UINT64_MAX, last = 0;

    if (back == 0)
        return 0;
    for (uint64_t i = 1; i <= back && i <= end && i <= RECENT; i++) {
        uint64_t seq = atomic_load(&slot->recent[(end - i) % RECENT]);

        first = seq < first ? seq : first;
        last = seq > last ? seq : last;
    }
    account_add(&slot->account, back, first == UINT64_MAX ? 0 : first, last, error);
    return back;
}

/* Opening a sink again, at most once a second. */
static int reopen(const struct log *log, struct slot *slot)
{
    time_t now = now_coarse();
    int r;

    if (slot->tried && now - slot->tried < 1)
        return -slot->account.error;
    r = slot->ops->open(&slot->config, log->session, &slot->sink, NULL);
    if (r < 0) {
        slot->tried = now;
        slot->sink = NULL;
    }
    return r;
}

/*
 * Tells the sink what it lost. The encoder uses up a sequence number, so the sink must first show
 * with an empty line that it takes something; a loss record that fails all the same is a lost
 * record like others, only its number is not known here. Returns 0 or -errno.
 */
static int tell_account(struct log *log, struct slot *slot)
{
    const struct account *a = &slot->account;
    char text[LOSS_RECORD_MAX];
    size_t len;
    int r;

    if (a->lost == 0)
        return 0;
    r = slot->ops->write(slot->sink, "\n", 1);
    if (r < 0)
        return r;
    if (log->encoder) {
        len = log->encoder(log->encoder_ctx, slot->ops->name, a->lost, a->first, a->last, a->error,
                           text, sizeof(text));
        r = slot->ops->write(slot->sink, text, len);
        if (r < 0) {
            slot->account.lost++;
            (void)atomic_fetch_add(&log->lost, 1);
            return r;
        }
    }
    slot->account = (struct account){0};
    return 0;
}

/* One try of one record on a sink that may be closed and may have an account. Lock held. */
static int write_troubled(struct log *log, struct slot *slot, const char *data, size_t len)
{
    int r = slot->sink ? 0 : reopen(log, slot);

    if (r == 0)
        r = tell_account(log, slot);
    return r == 0 ? slot->ops->write(slot->sink, data, len) : r;
}

/*
 * The way of a record that its sink has not taken (`error`), or that comes after such a one
 * (`error` is 0: not tried yet). Adds to *ret_lost. Returns 0, or -errno if this record or earlier
 * ones did not arrive.
 */
static int handle_trouble(struct log *log, struct slot *slot, uint64_t seq, const char *data,
                          size_t len, int error, uint64_t *ret_lost)
{
    uint64_t back = 0;
    int r = error;

    pthread_mutex_lock(&slot->lock);
    if (r < 0)
        back += take_back(slot, -r);
    for (unsigned tries = 0; (r == 0 || r == -ESTALE) && tries < 2; tries++) {
        r = write_troubled(log, slot, data, len);
        if (r == 0) {
            note_taken(slot, seq);
            break;
        }
        if (slot->sink)
            back += take_back(slot, -r);
    }
    if (r < 0) {
        account_add(&slot->account, 1, seq, seq, -r);
        back++;
    }
    *ret_lost = back;
    atomic_store_explicit(&slot->troubled, !slot->sink || slot->account.lost > 0,
                          memory_order_release);
    pthread_mutex_unlock(&slot->lock);
    return r < 0 ? r : back > 0 ? -ESTALE : 0;
}

int log_write(struct log *log, enum level level, uint64_t seq, const char *data, size_t len)
{
    uint64_t most = 0;
    int saved = errno, result = 0;

    for (unsigned i = 0; i < log->count; i++) {
        struct slot *slot = &log->slots[i];
        uint64_t lost = 0;
        int r = 0;

        if ((int)level > slot->admits)
            continue;
        if (!atomic_load_explicit(&slot->troubled, memory_order_acquire)) {
            r = slot->ops->write(slot->sink, data, len);
            if (r == 0) {
                note_taken(slot, seq);
                continue;
            }
        }
        r = handle_trouble(log, slot, seq, data, len, r, &lost);
        most = lost > most ? lost : most;
        if (r < 0 && slot->config.on_failure == SINK_FAILURE_STOP && result == 0)
            result = r;
    }
    if (most > 0)
        (void)atomic_fetch_add(&log->lost, most);
    errno = saved;
    return result;
}

uint64_t log_lost(const struct log *log)
{
    return log ? atomic_load(&log->lost) : 0;
}

static int open_slot(struct slot *slot, const struct sink_config *config, const char *session,
                     struct err *err)
{
    const struct sink_ops *ops = sink_ops_of(config->kind);
    int r;

    if (!ops)
        return err_set(err, -EINVAL, "there is no sink of kind %d", (int)config->kind);
    slot->config = *config;
    slot->ops = ops;
    slot->admits = config->level >= LEVEL_INFORMATIONAL ? LEVEL_MAX : (int)config->level;
    (void)pthread_mutex_init(&slot->lock, NULL);
    r = ops->open(config, session, &slot->sink, err);
    if (r == 0)
        return 0;
    slot->sink = NULL;
    if (config->on_failure == SINK_FAILURE_STOP) {
        (void)err_prefix(err, "sink '%s'", ops->name);
        return r;
    }
    slot->account.error = -r;
    slot->tried = now_coarse();
    atomic_store(&slot->troubled, true);
    return 0;
}

int log_open(const struct sink_config *configs, unsigned count, const char *session,
             log_loss_encoder encoder, void *ctx, struct log **ret, struct err *err)
{
    struct log *log;

    if (count > LOG_MAX_SINKS)
        return err_set(err, -E2BIG, "%u sinks, at most %d are possible", count, LOG_MAX_SINKS);
    log = calloc(1, sizeof(*log) + count * sizeof(log->slots[0]));
    if (!log)
        return err_set(err, -ENOMEM, "out of memory");
    log->encoder = encoder;
    log->encoder_ctx = ctx;
    (void)snprintf(log->session, sizeof(log->session), "%s", session);
    for (unsigned i = 0; i < count; i++) {
        int r = open_slot(&log->slots[i], &configs[i], log->session, err);

        if (r < 0) {
            log_close(log);
            return r;
        }
        log->count++;
    }
    *ret = log;
    return 0;
}

void log_before_fork(struct log *log)
{
    for (unsigned i = 0; log && i < log->count; i++) {
        struct slot *slot = &log->slots[i];

        slot->fork_held = lock_for_fork(&slot->lock);
        if (slot->sink && slot->ops->before_fork)
            slot->ops->before_fork(slot->sink);
    }
}

void log_after_fork_parent(struct log *log)
{
    for (unsigned i = 0; log && i < log->count; i++) {
        struct slot *slot = &log->slots[i];

        if (slot->sink && slot->ops->after_fork_parent)
            slot->ops->after_fork_parent(slot->sink);
        if (slot->fork_held)
            pthread_mutex_unlock(&slot->lock);
    }
}

void log_after_fork(struct log *log, const char *session)
{
    if (!log)
        return;
    (void)snprintf(log->session, sizeof(log->session), "%s", session);
    atomic_store(&log->lost, 0);
    for (unsigned i = 0; i < log->count; i++) {
        struct slot *slot = &log->slots[i];

        (void)pthread_mutex_init(&slot->lock, NULL);
        slot->account = (struct account){.error = slot->account.error};
        slot->tried = 0;
        atomic_store(&slot->taken, 0);
        if (slot->sink)
            slot->ops->after_fork(slot->sink, log->session);
        atomic_store(&slot->troubled, !slot->sink);
    }
}

/* The last chance to find a loss, and to tell an open account. */
static void settle(struct log *log, struct slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    if (slot->sink)
        (void)atomic_fetch_add(&log->lost, take_back(slot, ESTALE));
    if (slot->account.lost > 0) {
        slot->tried = 0;
        if (slot->sink || reopen(log, slot) == 0)
            (void)tell_account(log, slot); /* what cannot be told stays in log_lost() */
        atomic_store_explicit(&slot->troubled, !slot->sink || slot->account.lost > 0,
                              memory_order_release);
    }
    pthread_mutex_unlock(&slot->lock);
}

void log_settle(struct log *log)
{
    for (unsigned i = 0; log && i < log->count; i++)
        settle(log, &log->slots[i]);
}

void log_close(struct log *log)
{
    if (!log)
        return;
    for (unsigned i = 0; i < log->count; i++) {
        struct slot *slot = &log->slots[i];

        settle(log, slot);
        if (slot->sink)
            slot->ops->close(slot->sink);
        (void)pthread_mutex_destroy(&slot->lock);
    }
    free(log);
}
