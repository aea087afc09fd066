/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/sha256_small.h"

#include "stage1/mem.h"

const uint32_t sha256_small_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x >> by | x << (32 - by);
}

static uint32_t load_big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_big(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

/* The message schedule, section 6.2.2 step 1. */
static void schedule(uint32_t w[64], const uint8_t *block)
{
    for (unsigned i = 0; i < 16; i++)
        w[i] = load_big(block + (size_t)4 * i);
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        uint32_t s0 = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3;
        uint32_t s1 = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;

        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
}

/* Step 3 for one word. Instead of moving all eight variables on, the caller renames them. */
static inline void one_round(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e,
                             uint32_t f, uint32_t g, uint32_t *h, uint32_t word_and_k)
{
    uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    uint32_t t1 = *h + s1 + ((e & f) ^ (~e & g)) + word_and_k;

    *d += t1;
    *h = t1 + s0 + ((a & b) ^ (a & c) ^ (b & c));
}

static void one_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7], w[64];
    const uint32_t *k = sha256_small_k;

    schedule(w, block);
    for (unsigned i = 0; i < 64; i += 8) {
        one_round(a, b, c, &d, e, f, g, &h, w[i] + k[i]);
        one_round(h, a, b, &c, d, e, f, &g, w[i + 1] + k[i + 1]);
        one_round(g, h, a, &b, c, d, e, &f, w[i + 2] + k[i + 2]);
        one_round(f, g, h, &a, b, c, d, &e, w[i + 3] + k[i + 3]);
        one_round(e, f, g, &h, a, b, c, &d, w[i + 4] + k[i + 4]);
        one_round(d, e, f, &g, h, a, b, &c, w[i + 5] + k[i + 5]);
        one_round(c, d, e, &f, g, h, a, &b, w[i + 6] + k[i + 6]);
        one_round(b, c, d, &e, f, g, h, &a, w[i + 7] + k[i + 7]);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void sha256_small_blocks_portable(uint32_t state[8], const uint8_t *data, size_t count)
{
    for (; count; count--, data += SHA256_SMALL_BLOCK)
        one_block(state, data);
}

void sha256_small_init(struct sha256_small *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memcpy(s->state, start, sizeof(start));
    s->total = 0;
    s->blocks = sha256_small_blocks_native();
    if (!s->blocks)
        s->blocks = sha256_small_blocks_portable;
}

void sha256_small_add(struct sha256_small *s, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t used = s->total % SHA256_SMALL_BLOCK;

    s->total += len;
    if (used) {
        size_t room = SHA256_SMALL_BLOCK - used, take = len < room ? len : room;

        memcpy(s->block + used, p, take);
        p += take;
        len -= take;
        if (take < room)
            return;
        s->blocks(s->state, s->block, 1);
    }
    s->blocks(s->state, p, len / SHA256_SMALL_BLOCK);
    p += len - len % SHA256_SMALL_BLOCK;
    memcpy(s->block, p, len % SHA256_SMALL_BLOCK);
}

void sha256_small_end(struct sha256_small *s, uint8_t out[SHA256_SMALL_SIZE])
{
    uint8_t tail[2 * SHA256_SMALL_BLOCK] = {0x80};
    uint64_t bits = s->total * 8;
    size_t used = s->total % SHA256_SMALL_BLOCK;
    size_t pad = (used < 56 ? 56 : 120) - used;

    store_big(tail + pad, (uint32_t)(bits >> 32));
    store_big(tail + pad + 4, (uint32_t)bits);
    sha256_small_add(s, tail, pad + 8);
    for (unsigned i = 0; i < 8; i++)
        store_big(out + (size_t)4 * i, s->state[i]);
}
