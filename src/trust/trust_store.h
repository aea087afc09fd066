/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.d: whose signatures count. One file a key in keys/: NAME.pub (OpenSSH public key), NAME.pem
 * (X.509 certificate, a root or a signer's own, with revocation lists if there are any), NAME.gpg
 * (OpenPGP public key, binary or armoured), NAME.crl (revocation list of a certification authority,
 * see revocation_list.h). `revoked` lists fingerprints that no longer count,
 * whether their key is still there or not. Several keys count at once, so that one can follow
 * another. Reading is all or nothing: a file that cannot be understood is an error, because the
 * administrator believes that it says something. Who owns the files is the caller's matter.
 */
#ifndef SPYTHON_TRUST_TRUST_STORE_H
#define SPYTHON_TRUST_TRUST_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TRUST_STORE_MAX_KEYS 256
#define TRUST_STORE_MAX_KEY_SIZE ((size_t)1 << 20)
#define TRUST_STORE_MAX_REVOKED ((size_t)1 << 20) /* bytes of the list */
#define TRUST_STORE_MAX_NAME 64
#define TRUST_STORE_MAX_FINGERPRINT 79
#define TRUST_STORE_MAX_REASON 200

enum trust_key_kind {
    TRUST_KEY_NONE = 0,
    TRUST_KEY_SSH,
    TRUST_KEY_X509,
    TRUST_KEY_OPENPGP,
    TRUST_KEY_CRL, /* no key, and signs nothing: what authorities revoked */
    TRUST_KEY_KIND_MAX,
};

const char *trust_key_kind_name(enum trust_key_kind kind);   /* "ssh", "x509", "openpgp", "crl" */
const char *trust_key_kind_suffix(enum trust_key_kind kind); /* ".pub", ".pem", ".gpg", ".crl" */

struct trust_key {
    char name[TRUST_STORE_MAX_NAME + 1];
    enum trust_key_kind kind;
    /* SSH: "SHA256:..." as ssh-keygen -l prints it. X.509: SHA-256 of the certificate, lower-case
     * hex; of a list the same. OpenPGP: upper-case hex, as gpg prints it. */
    char fingerprint[TRUST_STORE_MAX_FINGERPRINT + 1];
    int64_t expires; /* seconds since 1970; 0: never. Of a list: its next update */
    uint8_t *data;   /* SSH: the wire form; X.509, lists: the file; OpenPGP: packets */
    size_t len;
};

struct trust_revocation {
    char fingerprint[TRUST_STORE_MAX_FINGERPRINT + 1];
    char date[11];
    char reason[TRUST_STORE_MAX_REASON + 1];
};

struct trust_store {
    struct trust_key *keys; /* in the order of their names */
    size_t key_count;
    struct trust_revocation *revoked; /* in the file's order */
    size_t revoked_count;
};

/* Reads the directory trust.d. One that does not exist, or has no keys, is an empty store. -EBADMSG
 * with the file's name and what is wrong; -ENOMEM, -EFBIG, or an errno of opening and reading. */
int trust_store_load(const char *dir, struct trust_store *ret, struct err *err);

void trust_store_done(struct trust_store *store);

/* Understands the contents of one key file. `name` is for messages. Without data (kind and so on
 * zero) on failure. trust_key_done() frees. */
int trust_key_parse(enum trust_key_kind kind, const char *data, size_t len, const char *name,
                    struct trust_key *ret, struct err *err);
void trust_key_done(struct trust_key *key);

/* What a key file's contents look like; TRUST_KEY_NONE: like none. */
enum trust_key_kind trust_key_sniff(const char *data, size_t len);

/* Whether a name may be a key's: A-Z a-z 0-9 . _ -, not beginning with a dot or dash. */
bool trust_name_is_valid(const char *name);

/* Whether a text has the form of some key's fingerprint; see struct trust_key. */
bool trust_fingerprint_is_valid(const char *text);

/* The revoked list. Lines "FINGERPRINT DATE REASON"; empty ones and those that begin with # are
 * skipped. *ret is malloc'ed. -EBADMSG, -ENOMEM. */
int trust_revoked_parse(const char *text, size_t len, struct trust_revocation **ret,
                        size_t *ret_count, struct err *err);

/* NULL if the fingerprint is not revoked. */
const struct trust_revocation *trust_store_find_revoked(const struct trust_store *store,
                                                        const char *fingerprint);

#endif
