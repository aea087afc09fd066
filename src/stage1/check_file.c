/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/check_file.h"

#include <linux/stat.h>

#include "stage1/handover.h"
#include "stage1/refuse.h"
#include "stage1/sys.h"

void check_path(const struct stage1 *s, const char *name, char *buf)
{
    struct text t;

    text_init(&t, buf, STAGE1_PATH_SIZE);
    text_add(&t, s->location.prefix);
    text_add(&t, "/libexec/spython/");
    text_add(&t, s->location.minor);
    if (name[0])
        text_add(&t, "/");
    text_add(&t, name);
    if (t.cut)
        refuse(EXIT_SPY_UNUSABLE, s->executable, "the path is too long", NULL,
               "install under a shorter prefix", NULL);
}

void check_trust(const struct stage1 *s, const struct file_facts *f, const char *path)
{
    char uid[24];
    struct text t;

    switch (file_trust(f, s->owner)) {
    case FILE_TRUSTED:
        return;
    case FILE_WRITABLE:
        refuse(EXIT_SPY_UNUSABLE, path, "can be written by everybody", NULL, "chmod go-w ", path);
    case FILE_GROUP_WRITABLE:
        refuse(EXIT_SPY_UNUSABLE, path, "can be written by its group", NULL, "chmod go-w ", path);
    case FILE_FOREIGN:
    default:
        text_init(&t, uid, sizeof(uid));
        text_add_number(&t, f->uid);
        refuse(EXIT_SPY_UNUSABLE, path,
               "is owned neither by root nor by the owner of spython but by uid ", uid,
               "chown root ", path);
    }
}

void check_regular(const struct stage1 *s, int fd, const char *path, struct file_facts *ret)
{
    int r = sys_fstat(fd, ret);

    if (r < 0)
        refuse(EXIT_SPY_UNUSABLE, path, "cannot be looked at: ", refuse_reason(r),
               "check the file system", NULL);
    if (!S_ISREG(ret->mode))
        refuse(EXIT_SPY_UNUSABLE, path, "is not a regular file", NULL, "install spython again",
               NULL);
    check_trust(s, ret, path);
}

const void *check_elf(int fd, const char *path, const char *todo, const char *todo2,
                      struct elf_layout *ret)
{
    static char head[ELF_HEADER_SIZE], table[ELF_SEGMENTS_MAX * ELF_SEGMENT_SIZE];
    long len = sys_read_at(fd, head, sizeof(head), 0);
    size_t size;

    if (len < 0)
        refuse(EXIT_SPY_UNUSABLE, path, "cannot be read: ", refuse_reason(len), todo, todo2);
    switch (elf_read_header(head, (size_t)len, SYS_ELF_MACHINE, ret)) {
    case ELF_OK:
        break;
    case ELF_OTHER_MACHINE:
        refuse(EXIT_SPY_UNUSABLE, path, "is for another machine", NULL, todo, todo2);
    case ELF_DAMAGED:
        refuse(EXIT_SPY_UNUSABLE, path, "is damaged", NULL, todo, todo2);
    case ELF_NOT_ELF:
    default:
        refuse(EXIT_SPY_UNUSABLE, path, "is not an ELF file", NULL, todo, todo2);
    }
    size = ret->segments * ELF_SEGMENT_SIZE;
    if (sys_read_at(fd, table, size, ret->segments_offset) != (long)size)
        refuse(EXIT_SPY_UNUSABLE, path, "is damaged", NULL, todo, todo2);
    return table;
}
