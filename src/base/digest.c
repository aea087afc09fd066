/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <errno.h>
#include <unistd.h>

/* The one-shot EVP interface would pull in the provider machinery: megabytes and a configuration
 * file. These block functions are the ones EVP ends in. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

void digest_sha256(const void *data, size_t len, uint8_t out[DIGEST_SIZE])
{
    SHA256_CTX ctx;

    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, data, len);
    (void)SHA256_Final(out, &ctx);
}

int digest_sha256_fd(int fd, uint8_t out[DIGEST_SIZE])
{
    unsigned char block[16384];
    SHA256_CTX ctx;
    off_t at = 0;

    (void)SHA256_Init(&ctx);
    for (;;) {
        ssize_t n = pread(fd, block, sizeof(block), at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        (void)SHA256_Update(&ctx, block, (size_t)n);
        at += n;
    }
    (void)SHA256_Final(out, &ctx);
    return 0;
}
