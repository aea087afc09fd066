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

static void one_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64], v[8];

    schedule(w, block);
    memcpy(v, state, sizeof(v));
    for (unsigned i = 0; i < 64; i++) {
        uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + s1 + choice + sha256_small_k[i] + w[i];
        uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

        v[7] = v[6];
        v[6] = v[5];
        v[5] = v[4];
        v[4] = v[3] + t1;
        v[3] = v[2];
        v[2] = v[1];
        v[1] = v[0];
        v[0] = t1 + s0 + majority;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += v[i];
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
