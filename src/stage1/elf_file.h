/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little we must know of ELF files: is it for this machine, who loads it, what does a note say.
 * Pure: the caller reads the pieces of the file; every offset and size in them is distrusted.
 */
#ifndef SPYTHON_STAGE1_ELF_FILE_H
#define SPYTHON_STAGE1_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_HEADER_SIZE 64
#define ELF_SEGMENT_SIZE 56
#define ELF_SEGMENTS_MAX 128

enum elf_verdict {
    ELF_NOT_ELF = 0,
    ELF_OTHER_MACHINE, /* or 32 bit, or the other byte order */
    ELF_DAMAGED,
    ELF_OK,
};

struct elf_layout {
    uint16_t type; /* ET_EXEC, ET_DYN, ... */
    uint64_t segments_offset;
    size_t segments; /* at most ELF_SEGMENTS_MAX */
};

struct elf_range {
    uint64_t offset, size, align;
};

/* Reads the header in the first `len` bytes of the file. `machine` is EM_X86_64 or its like. */
enum elf_verdict elf_read_header(const void *head, size_t len, uint16_t machine,
                                 struct elf_layout *ret);

/*
 * Finds the next segment of a type from index *at on in a table of `count` entries, and moves *at
 * behind it. False if there is none.
 */
bool elf_next_segment(const void *table, size_t count, uint32_t type, size_t *at,
                      struct elf_range *ret);

/* Is this PT_INTERP the loader of glibc (its name begins with "ld-linux")? */
bool elf_is_glibc_loader(const char *interp, size_t len);

/* Finds the text of a note in a PT_NOTE segment; *ret_text is NUL-terminated inside of `data`. */
bool elf_find_note_text(const void *data, size_t len, uint64_t align, const char *name,
                        uint32_t type, const char **ret_text);

#endif
