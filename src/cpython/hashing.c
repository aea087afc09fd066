/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/hashing.h"

#include <stdatomic.h>
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
    static _Atomic size_t until = WORTH_ASKING; /* bytes, of all calls together */
    size_t left = atomic_load_explicit(&until, memory_order_relaxed), then;

    do {
        if (left == 0)
            return;
        then = left - (len < left ? len : left);
    } while (!atomic_compare_exchange_weak(&until, &left, then));
    /* libcrypto obeys this variable, which the first stage removes: the program has set it. */
    if (then == 0 && !getenv("OPENSSL_ia32cap"))
        __real_OPENSSL_cpuid_setup();
}

#else

void hashing_expect(size_t len)
{
    (void)len;
}

#endif
