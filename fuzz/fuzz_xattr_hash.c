/* SPDX-License-Identifier: Apache-2.0 */
/* The value of the hash attribute: what is accepted is 64 digits, and written again it is the same
 * but for the case of letters. */
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include "base/hex.h"
#include "trust/trust_verifiers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char again[DIGEST_HEX_SIZE];
    uint8_t digest[DIGEST_SIZE];

    if (trust_xattr_parse((const char *)data, size, digest) < 0)
        return 0;
    hex_encode(digest, sizeof(digest), again);
    if (size != sizeof(again) - 1 || strncasecmp(again, (const char *)data, size) != 0)
        abort();
    return 0;
}
