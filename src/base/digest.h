/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 from OpenSSL's libcrypto, linked statically: no library more in every process. */
#ifndef SPYTHON_BASE_DIGEST_H
#define SPYTHON_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32
#define DIGEST_HEX_SIZE 65 /* with the NUL */

/* Digest of one block. Cannot fail; may be called from any thread. */
void digest_sha256(const void *data, size_t len, uint8_t out[DIGEST_SIZE]);

/* Digest of an open file from its start, without moving its position. Returns 0 or -errno. */
int digest_sha256_fd(int fd, uint8_t out[DIGEST_SIZE]);

#endif
