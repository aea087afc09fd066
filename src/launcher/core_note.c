/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF note by which the first stage recognises the core of its minor version before anything
 * of it runs: name "spython", type 1, descriptor the minor version as text. In assembly, because
 * that is the one way in which every compiler makes the section a note.
 */
#ifndef SPYTHON_MINOR_TEXT
#error "compile with -DSPYTHON_MINOR_TEXT=\"3.11\""
#endif

__asm__(".pushsection .note.spython, \"a\", %note\n"
        ".balign 4\n"
        ".long 2f - 1f\n"
        ".long 4f - 3f\n"
        ".long 1\n"
        "1: .asciz \"spython\"\n"
        "2: .balign 4\n"
        "3: .asciz \"" SPYTHON_MINOR_TEXT "\"\n"
        "4: .balign 4\n"
        ".popsection\n");
