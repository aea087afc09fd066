/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "sinks/put.h"

/* Names that somebody planted are stepped over, up to this many at a time. */
#define PLANTED_MAX 64

/* yyyymmddThhmmss. gmtime_r() takes a lock of libc's that another thread may have held at fork. */
static void format_stamp(time_t when, char *out, size_t cap)
{
    int64_t days = when / 86400, second = when % 86400;
    /* Civil date from a day count: years begin in March, eras have 400 of them. */
    int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    unsigned day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    unsigned month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    unsigned year = (unsigned)(yoe + era * 400 + (month <= 2));

    (void)snprintf(out, cap, "%04u%02u%02uT%02u%02u%02u", year, month, day,
                   (unsigned)(second / 3600), (unsigned)(second / 60 % 60),
                   (unsigned)(second % 60));
}

/* Length of the directory part of `path`, without the slash that ends it; 0 means "/". */
static size_t directory_len(const char *path, bool shared)
{
    size_t len = strlen(path);

    if (shared)
        len = (size_t)(strrchr(path, '/') - path);
    while (len > 0 && path[len - 1] == '/')
        len--; /* O_NOFOLLOW would follow a link whose name ends in a slash */
    return len;
}

/* Opens the configured directory by its path. A shared file's directory may be reached by links,
 * which an administrator set; one that is itself the configured object may not be one. */
static int open_directory(struct file_place *place)
{
    int flags = O_PATH | O_DIRECTORY | O_CLOEXEC | (place->shared ? 0 : O_NOFOLLOW);
    size_t len = directory_len(place->path, place->shared);
    char text[PATH_MAX];
    struct stat st;
    int fd;

    if (len >= sizeof(text))
        return -ENAMETOOLONG;
    memcpy(text, len ? place->path : "/", len ? len : 1);
    text[len ? len : 1] = '\0';
    fd = open(text, flags);
    if (fd < 0)
        return -errno;
    fd = fd_move_high(fd, PUT_FD_MIN);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0) {
        int r = -errno;

        fd_close(fd);
        return r;
    }
    if (file_place_is(place->dir_fd, &place->dir_id))
        fd_close(place->dir_fd);
    place->dir_fd = fd;
    place->dir_id = (struct file_id){st.st_dev, st.st_ino};
    return 0;
}

bool file_place_is(int fd, const struct file_id *id)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == id->dev && st.st_ino == id->ino;
}

/* The program may have closed or reused the directory's descriptor like any other. */
static int need_directory(struct file_place *place)
{
    if (file_place_is(place->dir_fd, &place->dir_id))
        return 0;
    place->dir_fd = -1;
    return open_directory(place);
}

int file_place_init(struct file_place *place, const char *path, struct err *err)
{
    size_t len = path ? strlen(path) : 0;
    int r;

    memset(place, 0, sizeof(*place));
    place->dir_fd = -1;
    if (len == 0 || path[0] != '/')
        return err_set(err, -EINVAL, "'%s' is not an absolute path", path ? path : "");
    place->path = path;
    place->shared = path[len - 1] != '/';
    if (place->shared) {
        const char *name = strrchr(path, '/') + 1;

        if (strlen(name) + sizeof(".4294967295") > sizeof(place->stem))
            return err_set(err, -ENAMETOOLONG, "the name of '%s' is too long", path);
        (void)snprintf(place->stem, sizeof(place->stem), "%s", name);
    }
    r = open_directory(place);
    if (r < 0)
        return err_set(err, r, "cannot open the directory of '%s': %s", path, strerror(-r));
    return 0;
}

void file_place_begin(struct file_place *place, const char *session)
{
    char stamp[32];

    place->number = 0;
    if (place->shared)
        return;
    format_stamp(time(NULL), stamp, sizeof(stamp));
    (void)snprintf(place->stem, sizeof(place->stem), "spython-%s-%ld-%.64s", stamp, (long)getpid(),
                   session);
}

static void name_of(const struct file_place *place, uint32_t number, char *out, size_t cap)
{
    if (number <= 1)
        (void)snprintf(out, cap, "%.200s.jsonl", place->stem);
    else
        (void)snprintf(out, cap, "%.200s.%u.jsonl", place->stem, number);
}

/* Opens by name; O_NONBLOCK because a FIFO of that name would hold us for ever. */
static int open_name(const struct file_place *place, int flags)
{
    int fd = openat(place->dir_fd, place->name,
                    flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

    return fd < 0 ? -errno : fd;
}

static int open_new(struct file_place *place)
{
    int fd = -EEXIST;

    for (unsigned i = 0; i < PLANTED_MAX && fd == -EEXIST; i++) {
        name_of(place, ++place->number, place->name, sizeof(place->name));
        fd = open_name(place, O_WRONLY | O_APPEND | O_CREAT | O_EXCL);
    }
    return fd;
}

static int open_shared(struct file_place *place)
{
    memcpy(place->name, place->stem, sizeof(place->name));
    place->number++;
    return open_name(place, O_WRONLY | O_APPEND | O_CREAT);
}

static int open_next(struct file_place *place)
{
    int fd = place->shared ? open_shared(place) : open_new(place);

    if (fd == -ENOENT && open_directory(place) == 0) /* removed, and perhaps made again */
        fd = place->shared ? open_shared(place) : open_new(place);
    return fd;
}

int file_place_open(struct file_place *place, int *ret_fd, struct file_id *ret_id)
{
    uint32_t number = place->number;
    char name[sizeof(place->name)];
    struct stat st;
    int r, fd;

    r = need_directory(place);
    if (r < 0)
        return r;
    memcpy(name, place->name, sizeof(name));
    fd = open_next(place);
    if (fd < 0)
        r = fd;
    else if (fstat(fd, &st) < 0)
        r = -errno;
    else if (!S_ISREG(st.st_mode))
        r = -EINVAL;
    else if (fcntl(fd, F_SETFL, O_APPEND) < 0)
        r = -errno;
    if (r == 0)
        r = fd = fd_move_high(fd, PUT_FD_MIN);
    if (r < 0) {
        fd_close(fd);
        place->number = number;
        memcpy(place->name, name, sizeof(name));
        return r;
    }
    *ret_fd = fd;
    *ret_id = (struct file_id){st.st_dev, st.st_ino};
    return 0;
}

enum file_state file_place_look(struct file_place *place, int fd, const struct file_id *id,
                                off_t *ret_size)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return FILE_GONE;
    if (st.st_dev != id->dev || st.st_ino != id->ino)
        return FILE_FOREIGN;
    *ret_size = st.st_size;
    if (st.st_nlink == 0)
        return FILE_DELETED;
    if (need_directory(place) < 0)
        return FILE_HERE; /* out of reach, but what is open works */
    if (fstatat(place->dir_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? FILE_MOVED : FILE_HERE;
    return st.st_dev == id->dev && st.st_ino == id->ino ? FILE_HERE : FILE_MOVED;
}

int file_place_read(struct file_place *place, const struct file_id *id, int *ret_fd)
{
    int r = need_directory(place), fd;

    if (r < 0)
        return r;
    fd = open_name(place, O_RDONLY);
    if (fd < 0)
        return fd;
    if (!file_place_is(fd, id)) {
        fd_close(fd);
        return -ESTALE;
    }
    *ret_fd = fd;
    return 0;
}

void file_place_prune(struct file_place *place, uint32_t keep)
{
    char name[NAME_MAX + 1];
    struct stat st;

    if (keep == 0 || place->shared || place->number < keep + 2 || need_directory(place) < 0)
        return;
    name_of(place, place->number - keep - 1, name, sizeof(name));
    if (fstatat(place->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        (void)unlinkat(place->dir_fd, name, 0); /* one that cannot be removed stays */
}

/* Full shared files: with `keep`, PATH.1 is the newest and PATH.keep the oldest; without, the first
 * free number is taken and nothing is ever replaced. */
static int rename_full(const struct file_place *place, uint32_t keep)
{
    char from[NAME_MAX + 1], to[NAME_MAX + 1];

    if (keep == 0) {
        for (uint32_t i = 1; i != 0; i++) {
            (void)snprintf(to, sizeof(to), "%.240s.%u", place->stem, i);
            if (renameat2(place->dir_fd, place->stem, place->dir_fd, to, RENAME_NOREPLACE) == 0)
                return 0;
            if (errno != EEXIST)
                return -errno;
        }
        return -EEXIST;
    }
    for (uint32_t i = keep; i > 1; i--) {
        (void)snprintf(from, sizeof(from), "%.240s.%u", place->stem, i - 1);
        (void)snprintf(to, sizeof(to), "%.240s.%u", place->stem, i);
        if (renameat(place->dir_fd, from, place->dir_fd, to) < 0 && errno != ENOENT)
            return -errno;
    }
    (void)snprintf(to, sizeof(to), "%.240s.1", place->stem);
    return renameat(place->dir_fd, place->stem, place->dir_fd, to) < 0 ? -errno : 0;
}

int file_place_retire(struct file_place *place, int fd, const struct file_id *id, uint32_t keep)
{
    off_t size;
    int r;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    r = file_place_look(place, fd, id, &size) == FILE_HERE ? rename_full(place, keep) : -ESTALE;
    (void)flock(fd, LOCK_UN);
    return r;
}

void file_place_done(struct file_place *place)
{
    if (file_place_is(place->dir_fd, &place->dir_id))
        fd_close(place->dir_fd);
    place->dir_fd = -1;
}
