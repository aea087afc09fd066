/* SPDX-License-Identifier: Apache-2.0 */
/* IMA's attribute: what is accepted accounts for every byte of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trust/ima_signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ima_signature signature;

    if (ima_signature_parse(data, size, &signature) < 0)
        return 0;
    if (!signature.hash || signature.signature < data || signature.len == 0 ||
        signature.signature + signature.len != data + size)
        abort();
    return 0;
}
