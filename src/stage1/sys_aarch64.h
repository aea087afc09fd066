/* SPDX-License-Identifier: Apache-2.0 */
/* arm64: entry point and system calls. */
#ifndef SPYTHON_STAGE1_SYS_AARCH64_H
#define SPYTHON_STAGE1_SYS_AARCH64_H

#define SYS_ELF_MACHINE 183   /* EM_AARCH64 */
#define SYS_ELF_RELATIVE 1027 /* R_AARCH64_RELATIVE */

/* The stack at entry holds argc, argv, envp and the auxiliary vector, and is aligned already. */
#define SYS_ENTRY_POINT(function)                                                                  \
    __asm__(".text\n"                                                                              \
            ".globl _start\n"                                                                      \
            ".hidden _start\n"                                                                     \
            ".type _start, %function\n"                                                            \
            "_start:\n"                                                                            \
            "    .cfi_startproc\n"                                                                 \
            "    .cfi_undefined x30\n"                                                             \
            "    hint #34\n" /* bti c */                                                           \
            "    mov x29, #0\n"                                                                    \
            "    mov x30, #0\n"                                                                    \
            "    mov x0, sp\n"                                                                     \
            "    bl " #function "\n"                                                               \
            "    brk #1\n"                                                                         \
            "    .cfi_endproc\n"                                                                   \
            ".size _start, . - _start\n")

static inline long sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
}

#endif
