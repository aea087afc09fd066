/* SPDX-License-Identifier: Apache-2.0 */
/* The registered interpreter: one that will load our core, and the very one that was registered. */
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/stat.h>

#include "stage1/check_file.h"
#include "stage1/handover.h"
#include "stage1/mem.h"
#include "stage1/refuse.h"
#include "stage1/sha256_small.h"
#include "stage1/sys.h"

#define LOADER_MAX 4096
#define READ_SIZE 65536

static const char REGISTER[] = "run: spythonctl interpreter add /path/to/python";
static const char CHECK[] = "if that was intended, run: spythonctl interpreter add /path/to/python";

static void read_record(const struct stage1 *s, struct interpreter_record *ret)
{
    static char path[STAGE1_PATH_SIZE];
    struct file_facts facts;
    long len;
    int fd;

    check_path(s, "interpreter", path);
    fd = sys_open_at(s->directory, "interpreter", SYS_OPEN_FILE);
    if (fd == -EACCES)
        refuse(EXIT_SPY_UNUSABLE, path, "cannot be read: ", refuse_reason(fd), "chmod a+r ", path);
    if (fd < 0)
        refuse(EXIT_SPY_UNUSABLE, path, "cannot be opened: ", refuse_reason(fd), REGISTER,
               s->location.minor);
    check_regular(s, fd, path, &facts);
    len = sys_read_at(fd, ret, sizeof(*ret), 0);
    if (len < 0 || facts.size != sizeof(*ret) || !record_is_valid(ret, (uint64_t)len))
        refuse(EXIT_SPY_UNUSABLE, path, "is damaged or of another release of spython", NULL,
               REGISTER, s->location.minor);
    if (!location_is_minor(s->location.minor, ret->version_hex))
        refuse(EXIT_SPY_UNUSABLE, path, "was made for another version of Python", NULL, REGISTER,
               s->location.minor);
}

/* ld.so must take LD_PRELOAD seriously: glibc's, and not in secure-execution mode. */
static void check_loads_core(const struct stage1 *s, int fd, uint32_t mode)
{
    static char loader[LOADER_MAX];
    const char *minor = s->location.minor, *path = s->interpreter;
    struct elf_layout layout;
    struct elf_range range;
    const void *table;
    size_t at = 0;
    long r;

    if (mode & (S_ISUID | S_ISGID))
        refuse(EXIT_SPY_UNUSABLE, path, "is setuid or setgid, so the linker would ignore the core",
               NULL, "chmod ug-s the file, or register another", NULL);
    r = sys_has_xattr(fd, "security.capability");
    if (r != -ENODATA && r != -EOPNOTSUPP && r != -ENOSYS)
        refuse(EXIT_SPY_UNUSABLE, path,
               r == 0 ? "has file capabilities, so the linker would ignore the core"
                      : "may have file capabilities: ",
               r == 0 ? NULL : refuse_reason(r),
               "setcap -r the file and give the service ambient capabilities", NULL);
    table = check_elf(fd, path, REGISTER, minor, &layout);
    if ((layout.type != ET_DYN && layout.type != ET_EXEC) ||
        !elf_next_segment(table, layout.segments, PT_INTERP, &at, &range))
        refuse(EXIT_SPY_UNUSABLE, path, "is not a dynamically linked program", NULL, REGISTER,
               minor);
    if (range.size > sizeof(loader) ||
        sys_read_at(fd, loader, (size_t)range.size, range.offset) != (long)range.size)
        refuse(EXIT_SPY_UNUSABLE, path, "is damaged", NULL, REGISTER, minor);
    if (!elf_is_glibc_loader(loader, (size_t)range.size))
        refuse(EXIT_SPY_UNUSABLE, path, "is not built for glibc", NULL, REGISTER, minor);
}

static void digest_file(int fd, const char *path, uint64_t size, uint8_t out[SHA256_SMALL_SIZE])
{
    static uint8_t buf[READ_SIZE];
    struct sha256_small sha;
    uint64_t at = 0;

    sha256_small_init(&sha);
    while (at < size) {
        long len = sys_read_at(fd, buf, sizeof(buf), at);

        if (len <= 0)
            refuse(EXIT_SPY_UNUSABLE, path, "cannot be read to its end", NULL,
                   "check the file system", NULL);
        sha256_small_add(&sha, buf, (size_t)len);
        at += (uint64_t)len;
    }
    sha256_small_end(&sha, out);
}

static void check_identity(const struct stage1 *s, int fd, const struct file_facts *facts,
                           const struct interpreter_record *record)
{
    uint8_t digest[SHA256_SMALL_SIZE];
    bool same = record->file_size == facts->size;

    if (record_is_same_file(record, facts))
        return;
    if (same) {
        digest_file(fd, s->interpreter, facts->size, digest);
        same = memcmp(digest, record->sha256, sizeof(digest)) == 0;
    }
    if (!same)
        refuse(EXIT_SPY_UNUSABLE, s->interpreter,
               "the interpreter was replaced since it was registered as ", record->path, CHECK,
               s->location.minor);
}

void step_check_interpreter(struct stage1 *s)
{
    static struct interpreter_record record;
    struct file_facts facts;
    int fd;

    check_path(s, "python", s->interpreter);
    read_record(s, &record);
    fd = sys_open_at(s->directory, "python", SYS_OPEN_FOLLOW);
    if (fd < 0)
        refuse(EXIT_SPY_UNUSABLE, s->interpreter,
               "the interpreter cannot be opened: ", refuse_reason(fd), REGISTER,
               s->location.minor);
    check_regular(s, fd, s->interpreter, &facts);
    if (!(facts.mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        refuse(EXIT_SPY_UNUSABLE, s->interpreter, "is not executable", NULL, REGISTER,
               s->location.minor);
    check_loads_core(s, fd, facts.mode);
    check_identity(s, fd, &facts, &record);
    s->interpreter_fd = fd;
}
