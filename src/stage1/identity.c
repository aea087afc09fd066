/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/identity.h"

#include "stage1/mem.h"

#define WRITE_GROUP 0020u
#define WRITE_OTHERS 0002u

enum file_trust file_trust(const struct file_facts *f, uint32_t owner)
{
    if (f->uid != 0 && f->uid != owner)
        return FILE_FOREIGN;
    if (f->mode & WRITE_OTHERS)
        return FILE_WRITABLE;
    if (f->mode & WRITE_GROUP)
        return FILE_GROUP_WRITABLE;
    return FILE_TRUSTED;
}

static bool is_terminated(const char *field, size_t size)
{
    return field[size - 1] == '\0';
}

bool record_is_valid(const struct interpreter_record *r, uint64_t len)
{
    if (len != sizeof(*r) || memcmp(r->magic, INTERPRETER_MAGIC, sizeof(r->magic)) != 0 ||
        r->size != sizeof(*r) || r->path_count > INTERPRETER_MAX_PATHS)
        return false;
    for (uint32_t i = 0; i < r->path_count; i++) {
        if (!is_terminated(r->paths[i], sizeof(r->paths[i])))
            return false;
    }
    return is_terminated(r->path, sizeof(r->path)) && is_terminated(r->prefix, sizeof(r->prefix)) &&
           is_terminated(r->exec_prefix, sizeof(r->exec_prefix)) &&
           is_terminated(r->stdlib, sizeof(r->stdlib)) &&
           is_terminated(r->platlibdir, sizeof(r->platlibdir));
}

bool record_is_same_file(const struct interpreter_record *r, const struct file_facts *f)
{
    return r->dev == f->dev && r->ino == f->ino && r->file_size == f->size &&
           r->mtime_sec == f->mtime_sec && r->mtime_nsec == f->mtime_nsec &&
           r->ctime_sec == f->ctime_sec && r->ctime_nsec == f->ctime_nsec;
}
