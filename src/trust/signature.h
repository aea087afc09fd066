/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of manifests, made by `spythonctl sign` and checked by `verify`, `manifest add` and
 * `apply`: SSHSIG, CMS (X.509) and OpenPGP, told apart by what they begin with. A signature counts
 * only if its key is in the trust store, and not revoked or expired at the time of checking. Only
 * for spythonctl: the core trusts what apply compiled.
 */
#ifndef SPYTHON_TRUST_SIGNATURE_H
#define SPYTHON_TRUST_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trust/trust_store.h"

/* SSHSIG's namespace: a signature that was made for mail or for git is no signature of a manifest.
 * The other two have no such thing; a manifest's first line says what it is. */
#define SIGNATURE_PURPOSE "spython-manifest"
#define SIGNATURE_MAX_SIZE ((size_t)1 << 20)

/* Who signed, as the trust store knows it. */
struct signature_result {
    enum trust_key_kind kind;
    char signer[TRUST_STORE_MAX_NAME + 1];             /* name of the key; of the root for CMS */
    char fingerprint[TRUST_STORE_MAX_FINGERPRINT + 1]; /* of the key that made it */
    char subject[256];                                 /* of a certificate; "" otherwise */
    int64_t signed_at; /* what the signer's clock said; 0: not known. Nobody vouches for it */
};

/* What a signature looks like; TRUST_KEY_NONE: like none. */
enum trust_key_kind signature_sniff(const void *sig, size_t sig_len);

/* Suffix of signature files of a kind: ".sig", ".p7s", ".asc". */
const char *signature_suffix(enum trust_key_kind kind);

/*
 * Checks that `sig` is exactly one good signature of `data` by a key of the store. `purpose` is
 * SIGNATURE_PURPOSE but in tests. Returns 0 and *ret; -EBADMSG: no signature or a damaged one;
 * -EKEYREJECTED: not of this data, or by a key that must not sign this; -ENOKEY: by a key that is
 * not in the store; -EKEYREVOKED, -EKEYEXPIRED; -ENOPKG: a tool is missing; or another -errno.
 */
int signature_check(const struct trust_store *store, const void *data, size_t len, const void *sig,
                    size_t sig_len, const char *purpose, struct signature_result *ret,
                    struct err *err);

/* What to sign with. */
struct signature_signer {
    enum trust_key_kind kind;
    const char *key;            /* SSH: private key, or public key of an agent's or hardware key;
                                 * CMS: PEM file, or what --tool-option makes of it; OpenPGP: user
                                 * id or fingerprint */
    const char *certificate;    /* CMS: PEM file, the signer's certificate first; those behind it
                                 * go into the signature too */
    const char *const *options; /* more options of the tool, NULL at the end; may be NULL */
};

/* Makes a signature of `data`; may ask for a passphrase on the terminal. The caller frees *ret_sig.
 * -EKEYREJECTED if the tool fails; it has said why on standard error. -ENOKEY: only a public key is
 * there, and no agent; -EINVAL: the certificates cannot be used; -ENOENT and the like: the key
 * cannot be read. */
int signature_make(const struct signature_signer *signer, const void *data, size_t len,
                   char **ret_sig, size_t *ret_sig_len, struct err *err);

#endif
