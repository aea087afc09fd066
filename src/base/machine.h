/* SPDX-License-Identifier: Apache-2.0 */
/* The machine that this is built for, as ELF files name it: others cannot be mapped here. */
#ifndef SPYTHON_BASE_MACHINE_H
#define SPYTHON_BASE_MACHINE_H

#include <elf.h>

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define THIS_MACHINE EM_AARCH64
#else
#error "say which ELF machine this is"
#endif

#endif
