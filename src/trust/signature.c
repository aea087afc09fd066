/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/signature.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "trust/signature_kinds.h"

static bool starts_with(const uint8_t *data, size_t len, const char *text)
{
    return len >= strlen(text) && memcmp(data, text, strlen(text)) == 0;
}

enum trust_key_kind signature_sniff(const void *sig, size_t sig_len)
{
    const uint8_t *p = sig;

    if (starts_with(p, sig_len, "-----BEGIN SSH SIGNATURE-----"))
        return TRUST_KEY_SSH;
    if (starts_with(p, sig_len, "-----BEGIN CMS-----") ||
        starts_with(p, sig_len, "-----BEGIN PKCS7-----"))
        return TRUST_KEY_X509;
    if (starts_with(p, sig_len, "-----BEGIN PGP SIGNATURE-----"))
        return TRUST_KEY_OPENPGP;
    if (sig_len >= 2 && p[0] == 0x30) /* DER: a sequence */
        return TRUST_KEY_X509;
    if (sig_len >= 2 && ((p[0] & 0xfc) == 0x88 || p[0] == 0xc2)) /* tag 2, old and new form */
        return TRUST_KEY_OPENPGP;
    return TRUST_KEY_NONE;
}

const char *signature_suffix(enum trust_key_kind kind)
{
    return kind == TRUST_KEY_SSH ? ".sig" : kind == TRUST_KEY_X509 ? ".p7s" : ".asc";
}

int signature_check_revoked(const struct trust_store *store, const char *fingerprint,
                            struct err *err)
{
    const struct trust_revocation *revocation = trust_store_find_revoked(store, fingerprint);

    if (!revocation)
        return 0;
    return err_set(err, -EKEYREVOKED, "its key %s was revoked on %s: %s", fingerprint,
                   revocation->date, revocation->reason);
}

int signature_check(const struct trust_store *store, const void *data, size_t len, const void *sig,
                    size_t sig_len, const char *purpose, struct signature_result *ret,
                    struct err *err)
{
    const struct signature_input in = {store, data, len, sig, sig_len, purpose};
    struct signature_result result = {.kind = signature_sniff(sig, sig_len)};
    int r;

    if (sig_len > SIGNATURE_MAX_SIZE)
        return err_set(err, -EFBIG, "is larger than %zu bytes", SIGNATURE_MAX_SIZE);
    switch (result.kind) {
    case TRUST_KEY_SSH:
        r = signature_check_ssh(&in, &result, err);
        break;
    case TRUST_KEY_X509:
        r = signature_check_cms(&in, &result, err);
        break;
    case TRUST_KEY_OPENPGP:
        r = signature_check_openpgp(&in, &result, err);
        break;
    case TRUST_KEY_CRL:
    case TRUST_KEY_NONE:
    case TRUST_KEY_KIND_MAX:
    default:
        r = err_set(err, -EBADMSG, "is no signature of a kind that is known here");
    }
    if (r == 0)
        *ret = result;
    return r;
}
