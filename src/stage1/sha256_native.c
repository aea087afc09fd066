/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 with the processor's own instructions, four rounds at a time. In a container the identity
 * of the interpreter's file is new at every start, so its 6 MB are hashed each time: about 4 ms
 * instead of 21.
 */
#include "stage1/sha256_small.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#define SHA_NI __attribute__((target("sha,sse4.1")))

/* Four rounds; the instruction wants the state as ABEF and CDGH, and does two rounds. */
SHA_NI static inline void four_rounds(__m128i *abef, __m128i *cdgh, __m128i w, const uint32_t *k)
{
    __m128i sum = _mm_add_epi32(w, _mm_loadu_si128((const __m128i *)(const void *)k));

    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/* The next four words of the schedule from the last sixteen, oldest first. */
SHA_NI static inline __m128i next_words(__m128i a, __m128i b, __m128i c, __m128i d)
{
    __m128i w = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4));

    return _mm_sha256msg2_epu32(w, d);
}

SHA_NI static void one_block(__m128i *abef, __m128i *cdgh, const uint8_t *data)
{
    const __m128i big = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i w[4];

    for (unsigned i = 0; i < 4; i++) {
        w[i] = _mm_loadu_si128((const __m128i *)(const void *)(data + (size_t)16 * i));
        w[i] = _mm_shuffle_epi8(w[i], big);
        four_rounds(abef, cdgh, w[i], sha256_small_k + (size_t)4 * i);
    }
    for (unsigned i = 16; i < 64; i += 16) {
        w[0] = next_words(w[0], w[1], w[2], w[3]);
        four_rounds(abef, cdgh, w[0], sha256_small_k + i);
        w[1] = next_words(w[1], w[2], w[3], w[0]);
        four_rounds(abef, cdgh, w[1], sha256_small_k + i + 4);
        w[2] = next_words(w[2], w[3], w[0], w[1]);
        four_rounds(abef, cdgh, w[2], sha256_small_k + i + 8);
        w[3] = next_words(w[3], w[0], w[1], w[2]);
        four_rounds(abef, cdgh, w[3], sha256_small_k + i + 12);
    }
}

SHA_NI static void blocks_sha_ni(uint32_t state[8], const uint8_t *data, size_t count)
{
    uint32_t *s = state;
    __m128i abef = _mm_set_epi32((int)s[0], (int)s[1], (int)s[4], (int)s[5]);
    __m128i cdgh = _mm_set_epi32((int)s[2], (int)s[3], (int)s[6], (int)s[7]);

    for (; count; count--, data += SHA256_SMALL_BLOCK) {
        __m128i abef_before = abef, cdgh_before = cdgh;

        one_block(&abef, &cdgh, data);
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    s[0] = (uint32_t)_mm_extract_epi32(abef, 3);
    s[1] = (uint32_t)_mm_extract_epi32(abef, 2);
    s[4] = (uint32_t)_mm_extract_epi32(abef, 1);
    s[5] = (uint32_t)_mm_extract_epi32(abef, 0);
    s[2] = (uint32_t)_mm_extract_epi32(cdgh, 3);
    s[3] = (uint32_t)_mm_extract_epi32(cdgh, 2);
    s[6] = (uint32_t)_mm_extract_epi32(cdgh, 1);
    s[7] = (uint32_t)_mm_extract_epi32(cdgh, 0);
}

sha256_small_blocks_fn *sha256_small_blocks_native(void)
{
    const unsigned ssse3_and_sse41 = bit_SSSE3 | bit_SSE4_1;
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & ssse3_and_sse41) != ssse3_and_sse41)
        return NULL;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_SHA))
        return NULL;
    return blocks_sha_ni;
}

#elif defined(__aarch64__) && !defined(__clang__) /* clang 14 hides these in one function alone */

#include <arm_neon.h>

#define SHA2 __attribute__((target("+crypto")))

SHA2 static inline void four_rounds(uint32x4_t *abcd, uint32x4_t *efgh, uint32x4_t w,
                                    const uint32_t *k)
{
    uint32x4_t sum = vaddq_u32(w, vld1q_u32(k)), before = *abcd;

    *abcd = vsha256hq_u32(*abcd, *efgh, sum);
    *efgh = vsha256h2q_u32(*efgh, before, sum);
}

SHA2 static inline uint32x4_t next_words(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d)
{
    return vsha256su1q_u32(vsha256su0q_u32(a, b), c, d);
}

SHA2 static void one_block(uint32x4_t *abcd, uint32x4_t *efgh, const uint8_t *data)
{
    uint32x4_t w[4];

    for (unsigned i = 0; i < 4; i++) {
        w[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(data + (size_t)16 * i)));
        four_rounds(abcd, efgh, w[i], sha256_small_k + (size_t)4 * i);
    }
    for (unsigned i = 16; i < 64; i += 16) {
        w[0] = next_words(w[0], w[1], w[2], w[3]);
        four_rounds(abcd, efgh, w[0], sha256_small_k + i);
        w[1] = next_words(w[1], w[2], w[3], w[0]);
        four_rounds(abcd, efgh, w[1], sha256_small_k + i + 4);
        w[2] = next_words(w[2], w[3], w[0], w[1]);
        four_rounds(abcd, efgh, w[2], sha256_small_k + i + 8);
        w[3] = next_words(w[3], w[0], w[1], w[2]);
        four_rounds(abcd, efgh, w[3], sha256_small_k + i + 12);
    }
}

SHA2 static void blocks_sha2(uint32_t state[8], const uint8_t *data, size_t count)
{
    uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);

    for (; count; count--, data += SHA256_SMALL_BLOCK) {
        uint32x4_t abcd_before = abcd, efgh_before = efgh;

        one_block(&abcd, &efgh, data);
        abcd = vaddq_u32(abcd, abcd_before);
        efgh = vaddq_u32(efgh, efgh_before);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

/* User code may read this register; Linux (4.11 and later) answers in the processor's place. */
sha256_small_blocks_fn *sha256_small_blocks_native(void)
{
    uint64_t isar0;

    __asm__("mrs %0, id_aa64isar0_el1" : "=r"(isar0));
    return isar0 >> 12 & 0xf ? blocks_sha2 : NULL;
}

#else

sha256_small_blocks_fn *sha256_small_blocks_native(void)
{
    return NULL;
}

#endif
