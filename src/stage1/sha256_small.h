/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) without a libc. Everything else uses base/digest.h. Pure. */
#ifndef SPYTHON_STAGE1_SHA256_SMALL_H
#define SPYTHON_STAGE1_SHA256_SMALL_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SMALL_SIZE 32
#define SHA256_SMALL_BLOCK 64

typedef void sha256_small_blocks_fn(uint32_t state[8], const uint8_t *data, size_t count);

struct sha256_small {
    uint32_t state[8];
    uint64_t total; /* bytes so far */
    uint8_t block[SHA256_SMALL_BLOCK];
    sha256_small_blocks_fn *blocks;
};

void sha256_small_init(struct sha256_small *s);
void sha256_small_add(struct sha256_small *s, const void *data, size_t len);
void sha256_small_end(struct sha256_small *s, uint8_t out[SHA256_SMALL_SIZE]);

/* The two ways to do whole blocks, public for the test that compares them. */
void sha256_small_blocks_portable(uint32_t state[8], const uint8_t *data, size_t count);

/* The round constants of FIPS 180-4, section 4.2.2. */
extern const uint32_t sha256_small_k[64];

/* NULL if this processor has no instructions for it. */
sha256_small_blocks_fn *sha256_small_blocks_native(void);

#endif
