/* SPDX-License-Identifier: Apache-2.0 */
/* Signature containers as far as we take them apart ourselves: what they look like, their armour,
 * and the parts of an SSHSIG blob, which must lie within it. */
#include <stdint.h>
#include <stdlib.h>

#include "trust/armour.h"
#include "trust/signature_kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_blob(const uint8_t *blob, size_t len)
{
    struct err err = ERR_INIT;
    struct sshsig sig;

    if (sshsig_parse(blob, len, &sig, &err) < 0)
        return;
    if (sig.key < blob || sig.key_len > len || sig.key + sig.key_len > blob + len ||
        sig.purpose < blob || sig.purpose_len > len || sig.purpose + sig.purpose_len > blob + len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum trust_key_kind kind = signature_sniff(data, size);
    uint8_t *blob = NULL;
    size_t len = 0;
    int r = -1;

    check_blob(data, size);
    if (kind == TRUST_KEY_SSH)
        r = armour_decode((const char *)data, size, "SSH SIGNATURE", false, &blob, &len);
    else if (kind == TRUST_KEY_OPENPGP)
        r = armour_decode((const char *)data, size, "PGP SIGNATURE", true, &blob, &len);
    if (r == 0) {
        check_blob(blob, len);
        free(blob);
    }
    return 0;
}
