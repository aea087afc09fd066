/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/relocate.h"

#include <linux/elf.h>
#include <stddef.h>
#include <stdint.h>

#include "stage1/sys.h"

#define DT_RELR 36 /* the packed form, newer than some <linux/elf.h> */

/* From the linker; hidden, so that their addresses come from the program counter. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));

void relocate_self(void)
{
    uintptr_t base = (uintptr_t)&__ehdr_start; /* we are linked for address 0 */
    const Elf64_Rela *rela = NULL;
    size_t count = 0;

    for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_RELA)
            rela = (const Elf64_Rela *)(base + d->d_un.d_ptr);
        else if (d->d_tag == DT_RELASZ)
            count = d->d_un.d_val / sizeof(*rela);
        else if (d->d_tag == DT_RELR)
            __builtin_trap(); /* built with flags that we do not know */
    }
    for (size_t i = 0; rela && i < count; i++) {
        if (ELF64_R_TYPE(rela[i].r_info) != SYS_ELF_RELATIVE)
            __builtin_trap();
        *(uintptr_t *)(base + rela[i].r_offset) = base + (uintptr_t)rela[i].r_addend;
    }
}
