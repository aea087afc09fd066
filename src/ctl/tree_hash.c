/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of all files of a tree, on every processor; see tree.h. */
#include <errno.h>
#include <fcntl.h>
#include <libfsverity.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/tree.h"
#include "trust/digest_cache.h"

#define BUFFER_SIZE ((size_t)256 << 10)
#define VERITY_BLOCK 4096
#define PATH_FILE_MAX ((size_t)1 << 20)
#define PROGRESS_STEP_MS 200

/* What all threads share. */
struct hashing {
    struct tree *tree;
    const struct tree_options *options;
    atomic_size_t next, done;
    atomic_bool failed;
    pthread_mutex_t lock; /* of problem */
    struct problem *problem;
};

/* What one thread has. */
struct hasher {
    struct hashing *all;
    EVP_MD *sha256;
    EVP_MD_CTX *ctx;
    char *buffer;
    int fd; /* of the file at hand */
    uint64_t read;
    uint8_t head[4];
    bool hash_failed;
};

static void fail(struct hashing *all, int code, const char *path, const char *what)
{
    (void)pthread_mutex_lock(&all->lock); /* an ordinary lock: cannot fail */
    if (!atomic_exchange(&all->failed, true)) {
        problem_set(all->problem, code, "'%s' %s", path, what);
        if (code == -EAGAIN)
            problem_todo(all->problem, "try again when nobody changes it");
    }
    (void)pthread_mutex_unlock(&all->lock);
}

static void take_bytes(struct hasher *h, const void *data, size_t len)
{
    for (size_t i = 0; i < len && h->read + i < sizeof(h->head); i++)
        h->head[h->read + i] = ((const uint8_t *)data)[i];
    h->read += len;
    if (!EVP_DigestUpdate(h->ctx, data, len))
        h->hash_failed = true;
}

static int read_plain(struct hasher *h)
{
    for (;;) {
        ssize_t n = read(h->fd, h->buffer, BUFFER_SIZE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        take_bytes(h, h->buffer, (size_t)n);
    }
}

/* For libfsverity: gives it the bytes that are hashed, so the file is read once. */
static int read_for_verity(void *arg, void *buf, size_t count)
{
    struct hasher *h = arg;
    size_t len = 0;

    while (len < count) {
        ssize_t n = read(h->fd, (char *)buf + len, count - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EAGAIN; /* shorter than it was */
        len += (size_t)n;
    }
    take_bytes(h, buf, count);
    return 0;
}

static int read_with_verity(struct hasher *h, struct tree_file *file, uint64_t size)
{
    const struct libfsverity_merkle_tree_params params = {
        .version = 1,
        .hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
        .file_size = size,
        .block_size = VERITY_BLOCK,
    };
    struct libfsverity_digest *digest = NULL;
    int r = libfsverity_compute_digest(h, read_for_verity, &params, &digest);

    if (r < 0)
        return r;
    if (digest->digest_size != DIGEST_SIZE) {
        free(digest);
        return -EIO;
    }
    memcpy(file->verity, digest->digest, DIGEST_SIZE);
    file->has_verity = true;
    free(digest);
    return 0;
}

static void look_into(struct hasher *h, struct tree_file *file)
{
    size_t len = strlen(file->path);

    if (h->read >= 4 && memcmp(h->head, "\177ELF", 4) == 0)
        file->flags |= MANIFEST_NATIVE;
    if (len > 4 && strcmp(file->path + len - 4, ".pth") == 0) {
        CLEANUP_FREE char *text = malloc(PATH_FILE_MAX);
        ssize_t n = text ? pread(h->fd, text, PATH_FILE_MAX, 0) : -1;

        if (n < 0 || (size_t)n == PATH_FILE_MAX || tree_path_file_runs_code(text, (size_t)n))
            file->flags |= MANIFEST_HOOK;
    }
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int hash_opened(struct hasher *h, struct tree_file *file)
{
    struct stat before, after;
    int r;

    h->read = 0;
    h->hash_failed = false;
    /* From then on a mapping that somebody has written through faults, and sets the time of change.
     */
    if (h->all->options->settles &&
        sync_file_range(h->fd, 0, 0,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER) < 0)
        return -errno;
    if (fstat(h->fd, &before) < 0)
        return -errno;
    if (!S_ISREG(before.st_mode))
        return -EAGAIN; /* it was, when it was found */
    if ((uint64_t)before.st_size > MANIFEST_MAX_FILE)
        return -EFBIG;
    if (!EVP_DigestInit_ex2(h->ctx, h->sha256, NULL))
        return -ENOMEM;
    r = h->all->options->wants_verity ? read_with_verity(h, file, (uint64_t)before.st_size)
                                      : read_plain(h);
    if (r < 0)
        return r;
    look_into(h, file);
    if (fstat(h->fd, &after) < 0)
        return -errno;
    if (!is_same(&before, &after) || h->read != (uint64_t)after.st_size)
        return -EAGAIN;
    if (h->hash_failed || !EVP_DigestFinal_ex(h->ctx, file->sha256, NULL))
        return -ENOMEM;
    file->size = h->read;
    file->inode = after.st_ino;
    file->changed = digest_cache_changed(&after);
    return 0;
}

static void hash_one(struct hasher *h, struct tree_file *file)
{
    int r;

    /* O_NONBLOCK: a FIFO that takes the file's place must not hang us. */
    h->fd = openat(h->all->tree->fd, file->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    r = h->fd < 0 ? -errno : hash_opened(h, file);
    fd_close(h->fd);
    if (h->all->options->settles && r != -ENOMEM)
        return;
    if (r == -EAGAIN)
        fail(h->all, r, file->path, "changed while it was read");
    else if (r == -EFBIG)
        fail(h->all, r, file->path, "is larger than 4 GiB");
    else if (r < 0)
        fail(h->all, r, file->path, strerror(-r));
}

static void *run_hasher(void *arg)
{
    struct hashing *all = arg;
    struct hasher h = {.all = all,
                       .sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
                       .ctx = EVP_MD_CTX_new(),
                       .buffer = malloc(BUFFER_SIZE)};
    size_t i;

    if (!h.sha256 || !h.ctx || !h.buffer)
        fail(all, -ENOMEM, all->tree->root, "cannot be hashed: out of memory");
    while (!atomic_load(&all->failed) && (i = atomic_fetch_add(&all->next, 1)) < all->tree->count) {
        hash_one(&h, &all->tree->files[i]);
        (void)atomic_fetch_add(&all->done, 1);
    }
    free(h.buffer);
    EVP_MD_CTX_free(h.ctx);
    EVP_MD_free(h.sha256);
    return NULL;
}

static void show_progress(struct hashing *all)
{
    const struct timespec step = {.tv_nsec = PROGRESS_STEP_MS * 1000000};
    size_t done;

    while ((done = atomic_load(&all->done)) < all->tree->count && !atomic_load(&all->failed)) {
        (void)fprintf(stderr, "\r%zu of %zu files", done, all->tree->count);
        (void)nanosleep(&step, NULL); /* a signal only makes the step shorter */
    }
    (void)fprintf(stderr, "\r\033[K");
}

int tree_hash(struct tree *tree, const struct tree_options *options, struct problem *problem)
{
    struct hashing all = {
        .tree = tree, .options = options, .lock = PTHREAD_MUTEX_INITIALIZER, .problem = problem};
    unsigned wanted = options->jobs > TREE_MAX_JOBS ? TREE_MAX_JOBS : options->jobs, count = 0;
    pthread_t threads[TREE_MAX_JOBS];

    if (wanted > tree->count)
        wanted = (unsigned)tree->count;
    while (count + 1 < wanted && pthread_create(&threads[count], NULL, run_hasher, &all) == 0)
        count++;
    if (options->shows_progress && count < TREE_MAX_JOBS &&
        pthread_create(&threads[count], NULL, run_hasher, &all) == 0) {
        count++;
        show_progress(&all);
    }
    (void)run_hasher(&all); /* this thread as well: what it cannot start it does itself */
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL); /* they are ours and joinable */
    return atomic_load(&all.failed) ? problem->err.code : 0;
}
