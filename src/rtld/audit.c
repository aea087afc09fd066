/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit object: what the dynamic linker asks before it opens a shared object and tells once it
 * has mapped one (rtld-audit(7)). It knows nothing and passes everything on to the core (audit.h).
 * Until the core has greeted it, it lets everything pass: what is mapped by then is judged by the
 * core itself. No libc, and none of its own: the linker would load a second one for it.
 */
#include "rtld/audit.h"

#include <asm/mman.h>
#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__x86_64__)
#include "stage1/sys_x86_64.h"
#define PAGE_MAX 4096
#elif defined(__aarch64__)
#include "stage1/sys_aarch64.h"
#define PAGE_MAX 65536
#else
#error "the audit object knows x86-64 and arm64"
#endif

#ifndef SPYTHON_VERSION
#error "compile with -DSPYTHON_VERSION=\"1.2.3\""
#endif
#ifndef __NR_mseal
#define __NR_mseal 462 /* Linux 6.10 */
#endif

#define EXPORT __attribute__((visibility("default")))

/* By this the first stage recognises us before anything of us runs (launcher/core_note.c has the
 * core's): name "spython", type 2, descriptor the release. */
__asm__(".pushsection .note.spython, \"a\", %note\n"
        ".balign 4\n"
        ".long 2f - 1f\n"
        ".long 4f - 3f\n"
        ".long 2\n"
        "1: .asciz \"spython\"\n"
        "2: .balign 4\n"
        "3: .asciz \"" SPYTHON_VERSION "\"\n"
        "4: .balign 4\n"
        ".popsection\n");

/* Alone on its page, so that the page can be made read-only. */
static struct {
    const struct rtld_gate *gate;
    char rest[PAGE_MAX - sizeof(void *)];
} page __attribute__((aligned(PAGE_MAX)));

/* The address at the end of a greeting; 0: it is none. */
static uintptr_t read_greeting(const char *name)
{
    static const char greeting[] = RTLD_GREETING;
    uintptr_t address = 0;
    size_t at = 0;

    for (; at < sizeof(greeting) - 1; at++)
        if (name[at] != greeting[at])
            return 0;
    for (int i = 0; i < RTLD_ADDRESS_DIGITS; i++, at++) {
        char c = name[at];

        if (c >= '0' && c <= '9')
            address = address << 4 | (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            address = address << 4 | (uintptr_t)(c - 'a' + 10);
        else
            return 0;
    }
    return name[at] ? 0 : address;
}

/* Old kernels cannot seal; read-only it is everywhere. */
static bool accept(uintptr_t address)
{
    const struct rtld_gate *gate = (const struct rtld_gate *)address;

    if (gate->magic != RTLD_MAGIC)
        return false;
    page.gate = gate;
    if (sys_call6(__NR_mprotect, (long)&page, sizeof(page), PROT_READ, 0, 0, 0) < 0) {
        page.gate = NULL; /* the core will notice that nobody answers */
        return false;
    }
    (void)sys_call6(__NR_mseal, (long)&page, sizeof(page), 0, 0, 0, 0);
    gate->greeted();
    return true;
}

EXPORT unsigned la_version(unsigned version);
EXPORT char *la_objsearch(const char *name, uintptr_t *cookie, unsigned flag);
EXPORT unsigned la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie);

/* What we define has not changed from version 1 to 2. */
unsigned la_version(unsigned version)
{
    return version < 2 ? version : 2;
}

char *la_objsearch(const char *name, uintptr_t *cookie, unsigned flag)
{
    uintptr_t address;

    /* The linker has made the cookie point to the requesting object's map, and we left it so. */
    if (page.gate)
        return (char *)(uintptr_t)page.gate->search(name, (const struct link_map *)*cookie, flag);
    address = flag == LA_SER_ORIG ? read_greeting(name) : 0;
    if (address && accept(address))
        return NULL;
    return (char *)(uintptr_t)name;
}

unsigned la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie)
{
    (void)lmid;
    (void)cookie;
    if (page.gate)
        page.gate->opened(map);
    return 0; /* calls between objects are of no interest */
}
