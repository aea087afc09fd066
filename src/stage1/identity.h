/* SPDX-License-Identifier: Apache-2.0 */
/* Who can change a file, and is it the one that was registered? Pure. */
#ifndef SPYTHON_STAGE1_IDENTITY_H
#define SPYTHON_STAGE1_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "stage1/interpreter_record.h"

/* What fstat(2) said, without the types of one machine. */
struct file_facts {
    uint64_t dev, ino, size;
    int64_t mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
    uint32_t mode, uid;
};

enum file_trust {
    FILE_FOREIGN = 0,    /* owned neither by root nor by the owner of spython */
    FILE_GROUP_WRITABLE, /* by its group */
    FILE_WRITABLE,       /* by everybody */
    FILE_TRUSTED,
};

enum file_trust file_trust(const struct file_facts *f, uint32_t owner);

/* Is this a whole record of the format we know, with every text terminated? */
bool record_is_valid(const struct interpreter_record *r, uint64_t len);

/* Same place, size and times as when it was registered? If not, the digest has to decide. */
bool record_is_same_file(const struct interpreter_record *r, const struct file_facts *f);

#endif
