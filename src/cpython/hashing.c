/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/hashing.h"

#include <stdlib.h>

#if defined(__x86_64__)

/* Where asking has paid for itself: portable code takes 3 ns for a byte, the best 0.6. */
#define WORTH_ASKING ((size_t)16 << 10)

/* The linker (--wrap) leads libcrypto's call at load time to the first, and ours to the real one.
 */
void __wrap_OPENSSL_cpuid_setup(void);
void __real_OPENSSL_cpuid_setup(void);

__attribute__((used)) void __wrap_OPENSSL_cpuid_setup(void)
{
}

void hashing_expect(size_t len)
{
    static size_t until = WORTH_ASKING; /* bytes, of all calls together */

    if (until == 0)
        return;
    until -= len < until ? len : until;
    /* libcrypto obeys this variable, which the first stage removes: the program has set it. */
    if (until == 0 && !getenv("OPENSSL_ia32cap"))
        __real_OPENSSL_cpuid_setup();
}

#else

void hashing_expect(size_t len)
{
    (void)len;
}

#endif
