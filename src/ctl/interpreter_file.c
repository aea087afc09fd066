/* SPDX-License-Identifier: Apache-2.0 */
/* Is this file a python3 that the core can enter? Only what can be read from the file itself. */
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/machine.h"
#include "ctl/interpreter.h"

#define MAX_PROGRAM_HEADERS 128

static int inspect_mode(int fd, const struct stat *st, struct problem *problem)
{
    if (!S_ISREG(st->st_mode)) {
        problem_set(problem, UNFIT, "is not a regular file");
        return problem_todo(problem, "name the python3 program itself");
    }
    if (!(st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))) {
        problem_set(problem, UNFIT, "is not executable");
        return problem_todo(problem, "chmod a+x it, or name another python3");
    }
    if (st->st_mode & (S_ISUID | S_ISGID)) {
        problem_set(problem, UNFIT, "has a set-user-ID or set-group-ID bit");
        return problem_todo(problem, "chmod ug-s it: it would run without spython's core");
    }
    if (fgetxattr(fd, "security.capability", NULL, 0) >= 0) {
        problem_set(problem, UNFIT, "has file capabilities");
        return problem_todo(problem, "setcap -r it: it would run without spython's core");
    }
    return 0;
}

static int inspect_loader(const char *loader, struct problem *problem)
{
    const char *slash = strrchr(loader, '/');
    const char *name = slash ? slash + 1 : loader;

    if (strncmp(name, "ld-linux", 8) == 0)
        return 0;
    problem_set(problem, UNFIT, "is not a glibc program (its loader is '%s')", loader);
    return problem_todo(problem, "register a python3 that was built for glibc");
}

static int inspect_program_headers(int fd, const Elf64_Ehdr *header, struct problem *problem)
{
    CLEANUP_FREE Elf64_Phdr *programs = NULL;
    size_t size = (size_t)header->e_phnum * sizeof(Elf64_Phdr);
    char loader[PATH_MAX];

    if (header->e_phnum > MAX_PROGRAM_HEADERS || header->e_phentsize != sizeof(Elf64_Phdr))
        return problem_set(problem, UNFIT, "has an odd ELF header");
    programs = malloc(size + 1);
    if (!programs || pread(fd, programs, size, (off_t)header->e_phoff) != (ssize_t)size)
        return problem_set(problem, UNFIT, "has a damaged ELF header");
    for (size_t i = 0; i < header->e_phnum; i++) {
        size_t len = programs[i].p_filesz;

        if (programs[i].p_type != PT_INTERP)
            continue;
        if (len < 2 || len > sizeof(loader) ||
            pread(fd, loader, len, (off_t)programs[i].p_offset) != (ssize_t)len ||
            loader[len - 1] != '\0')
            return problem_set(problem, UNFIT, "has a damaged ELF header");
        return inspect_loader(loader, problem);
    }
    problem_set(problem, UNFIT, "is statically linked");
    return problem_todo(problem, "register a python3 that is a dynamic executable: the core is "
                                 "loaded by the dynamic linker");
}

int interpreter_inspect_file(int fd, const struct stat *st, struct problem *problem)
{
    Elf64_Ehdr header;
    ssize_t n;
    int r = inspect_mode(fd, st, problem);

    if (r < 0)
        return r;
    n = pread(fd, &header, sizeof(header), 0);
    if (n >= 2 && memcmp(&header, "#!", 2) == 0) {
        problem_set(problem, UNFIT, "is a script, not a program");
        return problem_todo(problem, "name the interpreter it starts, e.g. what "
                                     "`python3 -c 'import sys; print(sys.executable)'` prints");
    }
    if (n != (ssize_t)sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        problem_set(problem, UNFIT, "is not an ELF program");
        return problem_todo(problem, "name the python3 program itself");
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != THIS_MACHINE ||
        (header.e_type != ET_EXEC && header.e_type != ET_DYN)) {
        problem_set(problem, UNFIT, "is not a program for this kind of machine");
        return problem_todo(problem, "register a python3 of this machine's architecture");
    }
    return inspect_program_headers(fd, &header, problem);
}
