/* SPDX-License-Identifier: Apache-2.0 */
/* The main script: opened once, read once, kept in a sealed memfd that nobody can change. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/hex.h"
#include "cpython/hashing.h"
#include "cpython/recorder.h"
#include "cpython/verify.h"
#include "launcher/main.h"
#include "stage1/handover.h"

#define SCRIPT_MAX ((size_t)64 << 20) /* CPython needs many times that in memory to compile it */

#define SCRIPT_FD_MIN 64

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* What a file turned out to be, before CPython sees it. */
static const char *what_is_wrong(const char *path, const char *data, size_t len)
{
    size_t name_len = strlen(path);
    unsigned magic = len >= 4 ? (unsigned char)data[0] | (unsigned)(unsigned char)data[1] << 8 : 0;

    /* CPython would open these again by name (Python/pythonrun.c, maybe_pyc_file). */
    if ((name_len > 4 && strcmp(path + name_len - 4, ".pyc") == 0) ||
        (magic >= 3000 && magic < 4000 && data[2] == '\r' && data[3] == '\n'))
        return "is bytecode (run its source)";
    if (memchr(data, '\0', len))
        return "holds NUL bytes, so it is not Python source text (give a script)";
    return NULL;
}

/* A zip file is recognised by its end record (zipimport looks in the last 64 KiB). */
static bool is_zip(const char *data, size_t len)
{
    size_t window = len < 65557 ? len : 65557;

    return memmem(data + len - window, window, "PK\5\6", 4) != NULL;
}

static bool is_same_state(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int seal(const char *data, size_t len)
{
    int fd = memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "memfd: %s", strerror(errno));
    if (fd_write_all(fd, data, len, NULL) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        launcher_die(EXIT_SPY_UNUSABLE, "memfd: %s", strerror(errno));
    /* With standard streams closed it could be one of them, and CPython would believe it. */
    return fd_move_high(fd, SCRIPT_FD_MIN);
}

/* Opens by a name that does not lead through a descriptor of ours (/dev/stdin, /proc/self/fd/3). */
static int open_by_name(const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        .resolve = RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

    if (fd < 0 &&
        (errno == ENOSYS || errno == EPERM)) /* before Linux 5.6, or a container's filter */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd;
}

/* Opens and checks everything that can be told without reading. -1: not a file we read (lenient).
 */
static int open_regular(const char *path, bool lenient, struct stat *ret_st)
{
    int fd = open_by_name(path);

    if (fd < 0 && !lenient && errno == ELOOP && access(path, F_OK) == 0)
        launcher_die(EXIT_SPY_REFUSED,
                     "'%s': is an open descriptor, not a file (give the path of a script)", path);
    if (fd < 0 && !lenient)
        launcher_die(EXIT_SPY_NOINPUT, "'%s': %s (give the path of a script)", path,
                     strerror(errno));
    if (fd >= 0 && fstat(fd, ret_st) < 0)
        launcher_die(EXIT_SPY_NOINPUT, "'%s': %s", path, strerror(errno));
    if (fd >= 0 && (!S_ISREG(ret_st->st_mode) || (size_t)ret_st->st_size > SCRIPT_MAX)) {
        if (!lenient && !S_ISREG(ret_st->st_mode))
            launcher_die(EXIT_SPY_REFUSED,
                         "'%s': is not a regular file (write the program to a file first)", path);
        if (!lenient)
            launcher_die(EXIT_SPY_NOINPUT, "'%s': is larger than %zu MiB (give a script)", path,
                         SCRIPT_MAX >> 20);
        fd_close(fd);
        return -1;
    }
    return fd;
}

/* True if the file must be run by CPython from its path (zip), when policy admits that. */
static bool check_contents(const struct plan *plan, const char *path, const char *data, size_t len,
                           bool lenient)
{
    const char *wrong;

    if (is_zip(data, len)) {
        if (!lenient && !(plan->settings->entry & ENTRY_ZIP))
            launcher_die(EXIT_SPY_REFUSED,
                         "'%s': is a zip file (to admit it: entry: {allow: [zip]})", path);
        return true;
    }
    wrong = what_is_wrong(path, data, len);
    if (wrong && !lenient)
        launcher_die(EXIT_SPY_NOINPUT, "'%s': %s", path, wrong);
    return wrong != NULL;
}

int plan_open_script(struct plan *plan, const char *path, bool lenient)
{
    CLEANUP_FD int fd = -1;
    CLEANUP_FREE char *data = NULL;
    struct stat before, after;
    uint8_t digest[DIGEST_SIZE];
    size_t len;
    int r, memfd;

    fd = open_regular(path, lenient, &before);
    if (fd < 0)
        return -1;
    r = fd_read_all(fd, SCRIPT_MAX, &data, &len);
    if (r < 0 && lenient)
        return -1;
    if (r < 0)
        launcher_die(EXIT_SPY_NOINPUT, "'%s': %s", path, strerror(-r));
    if (fstat(fd, &after) < 0 || !is_same_state(&before, &after) || len != (size_t)before.st_size)
        launcher_die(EXIT_SPY_NOINPUT, "'%s': changed while it was read (try again)", path);
    if (check_contents(plan, path, data, len, lenient)) {
        plan->startup.kind = lenient ? plan->startup.kind : START_PATH;
        return -1;
    }
    hashing_expect(len);
    digest_sha256(data, len, digest);
    hex_encode(digest, sizeof(digest), plan->script_sha256);
    plan->script_size = len;
    if (!realpath(path, plan->script_real))
        plan->script_real[0] = '\0';
    plan->source.name = path;
    plan->source.fd = fd_move_high(steal_fd(&fd), SCRIPT_FD_MIN);
    plan->source.st = before;
    plan->source.len = len;
    memfd = seal(data, len);
    plan->source.data = STEAL(data);
    return memfd;
}

void plan_verify_script(struct plan *plan)
{
    struct verify_verdict verdict;
    struct record record = {.stack_count = 0};
    struct verify_file file = {
        .fd = plan->source.fd,
        .st = plan->source.st,
        .data = plan->source.data,
        .len = plan->source.len,
        .kind = TRUST_SCRIPT,
    };

    if (!plan->source.data)
        return;
    if (plan->settings->verify.mode == VERIFY_OFF)
        goto done; /* spython.start has told its digest */
    file.name = value_utf8(plan->source.name, strlen(plan->source.name));
    verify_code(&file, &record, &verdict);
    if (verdict.verdict == VERDICT_DENY)
        launcher_die(EXIT_SPY_REFUSED, "'%s': %s", plan->source.name, verdict.reason);
done:
    free(plan->source.data);
    plan->source.data = NULL;
    fd_close(plan->source.fd);
    plan->source.fd = -1;
}

/* Whether two paths lead to one file: much cheaper than comparing real paths when they do not. */
static bool is_same_file(const char *a, const char *b)
{
    struct stat first, second;

    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

void plan_read_shebang(struct plan *plan, const char *path)
{
    char line[PATH_MAX + 3], real_fn[PATH_MAX], real_script[PATH_MAX];
    CLEANUP_FD int fd = -1;
    size_t start = 2, len;
    ssize_t n;

    if (!plan->execfn[0] || !path || !is_same_file(plan->execfn, path) ||
        !realpath(plan->execfn, real_fn) || !realpath(path, real_script) ||
        strcmp(real_fn, real_script) != 0)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    if (n < 3 || line[0] != '#' || line[1] != '!')
        return;
    line[n] = '\0';
    start += strspn(line + start, " \t");
    len = strcspn(line + start, " \t\r\n");
    if (line[start] != '/' || len >= sizeof(plan->shebang))
        return;
    memcpy(plan->shebang, line + start, len);
    plan->shebang[len] = '\0';
}
