/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appends records to a file: one file per session in a directory, or one file that all sessions
 * share. The usual path is one write(2) between two atomic operations. Everything else happens
 * under a mutex: after an error, and once in CHECK_INTERVAL records, because the program can close
 * or replace our descriptor and anybody can remove the file without an error ever showing.
 */
#include "sinks/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "sinks/file_place.h"
#include "sinks/file_recover.h"
#include "sinks/fork_lock.h"
#include "sinks/gate.h"
#include "sinks/put.h"

#define CHECK_INTERVAL 256
#define SESSION_MAX 64
#define PROOF_MAX (256 << 20) /* bytes that are read in one go to be sure of a loss */
#define WORTH_A_FILE 8192     /* bytes: less room than this holds hardly any record */
#define TRIES_MAX 8           /* of one record: each finds another file, or makes one ready */

struct sink_file {
    struct sink base;
    struct gate gate;      /* closed: take the mutex and see what is wrong */
    _Atomic uint64_t size; /* of the file, for rotation; about */
    _Atomic bool guarded;  /* a write may raise SIGXFSZ */
    _Atomic bool torn; /* somewhere the file has a piece of a record: lines begin with a newline */
    _Atomic unsigned lossy;  /* 1 + the generation whose file went away, records and all */
    _Atomic uint64_t astray; /* for take_back() */
    uint64_t rotate_size;
    uint32_t rotate_keep;

    bool fork_held;       /* file_before_fork() has the lock */
    pthread_mutex_t lock; /* for all that follows */
    struct file_place place;
    char session[SESSION_MAX + 1];
    int fd;
    struct file_id id;
    off_t checked;     /* its size when nobody was writing and it was in its place, */
    uint64_t suspects; /* and the records since then that the gate does not count any more */
};

/* From one file to the next. */
struct change {
    enum file_state was; /* the file we have; FILE_HERE: it is full */
    const char *record;  /* the record that the caller has written; NULL: none */
    size_t record_len;
    bool record_found; /* it is known to have arrived */
    uint64_t lost;     /* how many did not, of all since the last check */
};

/* Has nobody changed the file, or closed the gate for good, since `generation` was seen? */
static bool is_current(struct sink_file *f, unsigned generation)
{
    struct gate_pass pass = gate_pass_of(atomic_load(&f->gate.state));

    return pass.generation == generation && pass.fd >= 0;
}

static void note_limit(struct sink_file *f)
{
    struct rlimit limit;

    atomic_store(&f->guarded,
                 getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY);
}

static int put_record(struct sink_file *f, int fd, const char *data, size_t len, size_t *ret_done)
{
    struct put put = {
        .fd = fd,
        .newline = f->place.shared || atomic_load_explicit(&f->torn, memory_order_relaxed),
        .patience = PUT_PATIENCE_MS,
    };
    struct put_guard guard;
    int r;

    if (!atomic_load_explicit(&f->guarded, memory_order_relaxed))
        return put_all(&put, data, len, ret_done);
    put_guard_enter(&guard);
    r = put_all(&put, data, len, ret_done);
    put_guard_leave(&guard, r);
    return r;
}

/* The file was seen in its place, with `size` bytes. If nobody was writing (`quiet`), what was
 * written before is not our worry any more; otherwise it could not be told apart from what comes
 * later. */
static void note_checked(struct sink_file *f, off_t size, bool quiet)
{
    if (quiet) {
        f->checked = size;
        f->suspects = 0;
    }
    if (f->rotate_size)
        atomic_store(&f->size, (uint64_t)size);
    note_limit(f);
}

/*
 * Puts `fd` in the place of the descriptor we had. If that number is still ours, the new file takes
 * it over in one step: a thread that is about to write there writes into the new file, never into
 * something the program opened in between. A number that is not ours any more is left alone.
 */
static int take_number(int old, bool ours, int fd)
{
    int moved;

    if (ours && dup3(fd, old, O_CLOEXEC) >= 0) {
        fd_close(fd);
        return old;
    }
    if (old < PUT_FD_MIN)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, old);
    if (moved < 0)
        return fd;
    fd_close(fd);
    return moved;
}

/* Finds out which records since the last check are not lost. `to`: those of a deleted file are
 * copied. Returns their number. */
static uint64_t recover(struct sink_file *f, struct change *change, int to)
{
    struct file_recover work = {
        .from = -1,
        .start = f->checked,
        .session = f->place.shared ? f->session : NULL,
        .to = to,
        .record = change->record,
        .record_len = change->record_len,
    };
    struct put_guard guard;

    if (change->was == FILE_DELETED) {
        char name[sizeof("/proc/self/fd/") + 16];

        (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", f->fd);
        work.from = open(name, O_RDONLY | O_CLOEXEC);
    } else if (file_place_read(&f->place, &f->id, &work.from) < 0) {
        return 0;
    }
    if (work.from < 0)
        return 0;
    put_guard_enter(&guard);
    file_recover_tail(&work);
    put_guard_leave(&guard, -EFBIG); /* one of many writes may have raised it */
    fd_close(work.from);
    change->record_found = work.record_found;
    return work.lines;
}

/*
 * Goes on in another file, because the one we have is `was`; FILE_HERE means that it is full. Mutex
 * held. Returns 0 or -errno, and in either case says in `change` what was lost. A file that was
 * merely moved or is full stays in use if there is no other.
 */
static int change_file(struct sink_file *f, struct change *change)
{
    enum file_state was = change->was;
    bool ours = was != FILE_GONE && was != FILE_FOREIGN, whole = was >= FILE_MOVED;
    uint64_t found = 0, inside;
    struct file_id id;
    int fd, r;

    if (was == FILE_FOREIGN || was == FILE_DELETED)
        atomic_store(&f->lossy, 1 + gate_pass_of(atomic_load(&f->gate.state)).generation);
    inside = gate_close(&f->gate, true, &f->suspects);
    if (!ours && f->suspects > 0)
        found = recover(f, change, -1); /* while the place still has the old file's name */
    r = file_place_open(&f->place, &fd, &id);
    if (r == 0 && was == FILE_DELETED && f->suspects > 0)
        found = recover(f, change, fd);
    found -= found < inside ? found : inside; /* rather too few than too many */
    change->lost = whole || found >= f->suspects ? 0 : f->suspects - found;
    f->suspects = 0;
    if (r < 0) {
        /* A number that is ours stays open, so that nobody gets it while a writer may still use it;
         * the next file takes it over. */
        f->fd = ours ? f->fd : -1;
        gate_open(&f->gate, whole ? f->fd : -1, true);
        return r;
    }
    f->fd = take_number(f->fd, ours, fd);
    if (f->fd >= (int)GATE_CLOSED) {
        fd_close(f->fd);
        f->fd = -1;
        gate_open(&f->gate, -1, true);
        return -EMFILE;
    }
    f->id = id;
    atomic_store(&f->torn, false);
    f->checked = 0;
    (void)file_place_look(&f->place, f->fd, &id, &f->checked);
    note_checked(f, f->checked, true);
    gate_open(&f->gate, f->fd, true);
    return 0;
}

/*
 * After every CHECK_INTERVAL-th record, here `data`: is the file still where it was? Returns 0, or
 * -errno if records were lost; *ret_again says that this record was the only one.
 */
static int check_file(struct sink_file *f, unsigned generation, const char *data, size_t len,
                      bool *ret_again)
{
    struct change change = {.record = data, .record_len = len};
    off_t size = 0;
    bool quiet;
    int r = 0;

    pthread_mutex_lock(&f->lock);
    if (!is_current(f, generation))
        goto out; /* somebody else has just looked */
    quiet = gate_close(&f->gate, false, &f->suspects) == 0;
    change.was = file_place_look(&f->place, f->fd, &f->id, &size);
    if (change.was == FILE_HERE) {
        int flags = fcntl(f->fd, F_GETFL);

        if (flags >= 0 && !(flags & O_APPEND))
            (void)fcntl(f->fd, F_SETFL, flags | O_APPEND);
        note_checked(f, size, quiet);
        gate_open(&f->gate, f->fd, false);
        goto out;
    }
    r = change_file(f, &change);
    if (change.lost == 0) {
        r = 0; /* if there is no other file, the next record will find out */
        goto out;
    }
    /* The record is given again, so it is not lost. If it did arrive (another thread wrote later
     * but was counted earlier), it is there twice; better so than an account that hides a loss. */
    if (!change.record_found)
        change.lost--;
    *ret_again = change.lost == 0;
    (void)atomic_fetch_add(&f->astray, change.lost);
    if (r == 0 && change.lost > 0)
        r = -ESTALE;
out:
    pthread_mutex_unlock(&f->lock);
    return r;
}

/* The file is full. */
static void rotate_file(struct sink_file *f, unsigned generation)
{
    struct change change = {.was = FILE_HERE};

    pthread_mutex_lock(&f->lock);
    if (is_current(f, generation) && atomic_load(&f->size) >= f->rotate_size) {
        int r = 0;

        /* If it cannot be rotated, it is tried again when the next check has told the size. */
        atomic_store(&f->size, 0);
        if (f->place.shared)
            r = file_place_retire(&f->place, f->fd, &f->id, f->rotate_keep);
        if (r == 0 && change_file(f, &change) == 0)
            file_place_prune(&f->place, f->rotate_keep);
    }
    pthread_mutex_unlock(&f->lock);
}

/* The file is not in its place: changes it and adds what is lost to the account. Returns 0, -ESTALE
 * if there is another file but records were lost, or -errno; then *ret_usable says whether the old
 * one still takes records. Mutex held. */
static int replace_file(struct sink_file *f, enum file_state state, bool *ret_usable)
{
    struct change change = {.was = state};
    int r = change_file(f, &change);

    (void)atomic_fetch_add(&f->astray, change.lost);
    *ret_usable = r < 0 && state == FILE_MOVED;
    return r == 0 && change.lost > 0 ? -ESTALE : r;
}

/* RLIMIT_FSIZE is a limit of each file, so the next one takes more: if this one has taken any, and
 * if it is worth a file. Gate closed, mutex held. */
static bool is_full(const struct sink_file *f)
{
    struct rlimit limit;

    return !f->place.shared && (f->suspects > 0 || f->checked > 0) &&
           getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= WORTH_A_FILE;
}

/*
 * A record was not written, or only a piece of it, because of `error`: looks why. Returns 0 if it
 * should be given again, or -errno.
 */
static int handle_fault(struct sink_file *f, unsigned generation, int error)
{
    bool usable = true, quiet;
    enum file_state state;
    off_t size = 0;
    int r = 0;

    pthread_mutex_lock(&f->lock);
    if (!is_current(f, generation))
        goto out;
    quiet = gate_close(&f->gate, false, &f->suspects) == 0;
    state = file_place_look(&f->place, f->fd, &f->id, &size);
    if (state == FILE_HERE && error == -EFBIG && is_full(f)) {
        struct change change = {.was = FILE_HERE};

        r = change_file(f, &change);
        if (r == 0)
            goto out;
    }
    if (state != FILE_HERE)
        r = replace_file(f, state, &usable);
    if (!usable || (state != FILE_HERE && r >= 0))
        goto out;
    r = error;
    note_checked(f, size, quiet);
    gate_open(&f->gate, f->fd, false);
out:
    pthread_mutex_unlock(&f->lock);
    return r;
}

/* The gate is closed: opens a file. Returns 0 or -errno. */
static int get_ready(struct sink_file *f)
{
    bool usable = true;
    off_t size;
    int r = 0;

    pthread_mutex_lock(&f->lock);
    if (gate_pass_of(atomic_load(&f->gate.state)).fd < 0)
        r = replace_file(f, file_place_look(&f->place, f->fd, &f->id, &size), &usable);
    pthread_mutex_unlock(&f->lock);
    return r;
}

/* A record was written and counted. Returns as check_file(). */
static int note_written(struct sink_file *f, unsigned generation, unsigned count, const char *data,
                        size_t len, bool *ret_again)
{
    if (f->rotate_size && atomic_fetch_add(&f->size, len) + len >= f->rotate_size)
        rotate_file(f, generation);
    return count % CHECK_INTERVAL == 0 ? check_file(f, generation, data, len, ret_again) : 0;
}

static int file_write(struct sink *sink, const char *data, size_t len)
{
    struct sink_file *f = (struct sink_file *)sink;
    unsigned records = len > 1; /* an empty line is none */
    int saved = errno, r = 0, fault = -EIO;
    bool again = true;

    for (unsigned tries = 0; again && tries < TRIES_MAX; tries++) {
        struct gate_pass pass = gate_enter(&f->gate);
        unsigned generation, count;
        size_t done;

        if (pass.fd < 0) {
            r = get_ready(f);
            if (r < 0)
                break;
            continue;
        }
        r = put_record(f, pass.fd, data, len, &done);
        if (r < 0 && done > 0)
            atomic_store(&f->torn, true);
        count = gate_leave(&f->gate, r == 0 ? records : 0, &generation);
        if (r < 0) {
            fault = r;
            r = handle_fault(f, pass.generation, r);
            again = r == 0;
        } else {
            /* Somebody lost patience with us and went on without: did that record get lost? */
            again = generation != pass.generation && atomic_load(&f->lossy) == 1 + pass.generation;
            if (generation == pass.generation && records)
                r = note_written(f, generation, count, data, len, &again);
            again = again && r == 0;
        }
    }
    errno = saved;
    return r < 0 ? r : again ? fault : 0;
}

static uint64_t file_take_back(struct sink *sink)
{
    struct sink_file *f = (struct sink_file *)sink;
    unsigned generation = gate_pass_of(atomic_load(&f->gate.state)).generation;
    int saved = errno;

    (void)handle_fault(f, generation, 0);
    errno = saved;
    return atomic_exchange(&f->astray, 0);
}

static void begin_session(struct sink_file *f, const char *session)
{
    (void)snprintf(f->session, sizeof(f->session), "%s", session);
    file_place_begin(&f->place, session);
}

static void file_before_fork(struct sink *sink)
{
    struct sink_file *f = (struct sink_file *)sink;

    f->fork_held = lock_for_fork(&f->lock);
}

static void file_after_fork_parent(struct sink *sink)
{
    struct sink_file *f = (struct sink_file *)sink;

    if (f->fork_held)
        pthread_mutex_unlock(&f->lock);
}

static void file_after_fork(struct sink *sink, const char *session)
{
    struct sink_file *f = (struct sink_file *)sink;
    int saved = errno;

    (void)pthread_mutex_init(&f->lock, NULL);
    if (!f->place.shared || f->fd < 0) {
        if (file_place_is(f->fd, &f->id)) /* only what certainly is the log is closed */
            fd_close(f->fd);
        f->fd = -1;
    }
    begin_session(f, session);
    f->suspects = 0;
    atomic_store(&f->astray, 0);
    gate_reset(&f->gate);
    gate_open(&f->gate, f->fd, true);
    errno = saved;
}

static void file_close(struct sink *sink)
{
    struct sink_file *f = (struct sink_file *)sink;

    if (!f)
        return;
    if (file_place_is(f->fd, &f->id))
        fd_close(f->fd);
    file_place_done(&f->place);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

static int file_open(const struct sink_config *config, const char *session, struct sink **ret,
                     struct err *err)
{
    struct sink_file *f = calloc(1, sizeof(*f));
    struct change change = {.was = FILE_GONE};
    int r;

    if (!f)
        return err_set(err, -ENOMEM, "out of memory");
    r = file_place_init(&f->place, config->path, err);
    if (r < 0) {
        free(f);
        return r;
    }
    f->base.ops = &sink_file_ops;
    f->rotate_size = config->rotate_size;
    f->rotate_keep = config->rotate_keep;
    f->fd = -1;
    (void)pthread_mutex_init(&f->lock, NULL);
    gate_reset(&f->gate);
    begin_session(f, session);
    r = change_file(f, &change);
    if (r < 0) {
        (void)err_set(err, r, "cannot open a log file at '%s': %s", config->path, strerror(-r));
        file_close(&f->base);
        return r;
    }
    *ret = &f->base;
    return 0;
}

const struct sink_ops sink_file_ops = {
    .name = "file",
    .open = file_open,
    .write = file_write,
    .take_back = file_take_back,
    .before_fork = file_before_fork,
    .after_fork_parent = file_after_fork_parent,
    .after_fork = file_after_fork,
    .close = file_close,
};
