/* SPDX-License-Identifier: Apache-2.0 */
/* The files of trust.d: what was read of the revoked list says the same when it is written again,
 * and a key that is accepted has a fingerprint that could be revoked. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trust/trust_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct trust_revocation *one)
{
    char line[512];
    struct trust_revocation *again = NULL;
    struct err err = ERR_INIT;
    size_t count = 0;
    int len = snprintf(line, sizeof(line), "%s %s %s\n", one->fingerprint, one->date, one->reason);

    if (trust_revoked_parse(line, (size_t)len, &again, &count, &err) < 0 || count != 1 ||
        strcmp(again->fingerprint, one->fingerprint) != 0 || strcmp(again->date, one->date) != 0 ||
        strcmp(again->reason, one->reason) != 0)
        abort();
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct trust_store store = {0};
    struct trust_key key = {0};
    struct err err = ERR_INIT;

    if (trust_revoked_parse(text, size, &store.revoked, &store.revoked_count, &err) == 0)
        for (size_t i = 0; i < store.revoked_count; i++)
            check_again(&store.revoked[i]);
    trust_store_done(&store);
    if (trust_key_parse(trust_key_sniff(text, size), text, size, "x", &key, &err) == 0) {
        if (!trust_fingerprint_is_valid(key.fingerprint))
            abort();
        trust_key_done(&key);
    }
    return 0;
}
