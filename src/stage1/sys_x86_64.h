/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64: entry point and system calls. The kernel clobbers rcx and r11. */
#ifndef SPYTHON_STAGE1_SYS_X86_64_H
#define SPYTHON_STAGE1_SYS_X86_64_H

#define SYS_ELF_MACHINE 62 /* EM_X86_64 */
#define SYS_ELF_RELATIVE 8 /* R_X86_64_RELATIVE */

/* The stack at entry holds argc, argv, envp and the auxiliary vector; ABI 3.4.1. */
#define SYS_ENTRY_POINT(function)                                                                  \
    __asm__(".text\n"                                                                              \
            ".globl _start\n"                                                                      \
            ".hidden _start\n"                                                                     \
            ".type _start, @function\n"                                                            \
            "_start:\n"                                                                            \
            "    .cfi_startproc\n"                                                                 \
            "    .cfi_undefined rip\n"                                                             \
            "    xorl %ebp, %ebp\n"                                                                \
            "    movq %rsp, %rdi\n"                                                                \
            "    andq $-16, %rsp\n"                                                                \
            "    call " #function "\n"                                                             \
            "    ud2\n"                                                                            \
            "    .cfi_endproc\n"                                                                   \
            ".size _start, . - _start\n")

static inline long sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#endif
