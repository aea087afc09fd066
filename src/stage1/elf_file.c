/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/elf_file.h"

#include <linux/elf.h>

#include "stage1/mem.h"

#define LOADER "ld-linux"

_Static_assert(sizeof(Elf64_Ehdr) == ELF_HEADER_SIZE, "size of the ELF header");
_Static_assert(sizeof(Elf64_Phdr) == ELF_SEGMENT_SIZE, "size of a program header");

enum elf_verdict elf_read_header(const void *head, size_t len, uint16_t machine,
                                 struct elf_layout *ret)
{
    Elf64_Ehdr h;

    if (len < SELFMAG || memcmp(head, ELFMAG, SELFMAG) != 0)
        return ELF_NOT_ELF;
    if (len < sizeof(h))
        return ELF_DAMAGED;
    memcpy(&h, head, sizeof(h));
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
        h.e_machine != machine)
        return ELF_OTHER_MACHINE;
    if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phnum == 0 || h.e_phnum > ELF_SEGMENTS_MAX)
        return ELF_DAMAGED;
    ret->type = h.e_type;
    ret->segments_offset = h.e_phoff;
    ret->segments = h.e_phnum;
    return ELF_OK;
}

bool elf_next_segment(const void *table, size_t count, uint32_t type, size_t *at,
                      struct elf_range *ret)
{
    while (*at < count) {
        Elf64_Phdr p;

        memcpy(&p, (const char *)table + *at * sizeof(p), sizeof(p));
        ++*at;
        if (p.p_type == type) {
            ret->offset = p.p_offset;
            ret->size = p.p_filesz;
            ret->align = p.p_align;
            return true;
        }
    }
    return false;
}

bool elf_is_glibc_loader(const char *interp, size_t len)
{
    size_t base = 0;

    if (len == 0 || interp[len - 1] != '\0')
        return false;
    for (size_t i = 0; interp[i]; i++) {
        if (interp[i] == '/')
            base = i + 1;
    }
    for (size_t i = 0; i < sizeof(LOADER) - 1; i++) {
        if (interp[base + i] != LOADER[i]) /* stops at the NUL at the latest */
            return false;
    }
    return true;
}

/* Sizes come from 32 bit fields, so 64 bit sums of them cannot overflow. */
static uint64_t padded(uint64_t size, uint64_t align)
{
    uint64_t step = align == 8 ? 8 : 4;

    return (size + step - 1) & ~(step - 1);
}

bool elf_find_note_text(const void *data, size_t len, uint64_t align, const char *name,
                        uint32_t type, const char **ret_text)
{
    const char *p = data;
    uint64_t at = 0;

    while (at + sizeof(Elf64_Nhdr) <= len) {
        Elf64_Nhdr n;
        uint64_t name_at = at + sizeof(n), text_at;

        memcpy(&n, p + at, sizeof(n));
        text_at = at + padded(sizeof(n) + (uint64_t)n.n_namesz, align);
        if (text_at > len || n.n_descsz > len - text_at)
            return false;
        if (n.n_type == type && n.n_namesz == strlen(name) + 1 &&
            memcmp(p + name_at, name, n.n_namesz) == 0 && n.n_descsz > 0 &&
            p[text_at + n.n_descsz - 1] == '\0') {
            *ret_text = p + text_at;
            return true;
        }
        at = text_at + padded(n.n_descsz, align);
    }
    return false;
}
