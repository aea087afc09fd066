/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSHSIG, checked by `ssh-keygen -Y verify`. The container is taken apart here first: which key it
 * names decides which one key ssh-keygen may accept, and what it is given is written anew from the
 * decoded bytes, so that there is only one reading of an odd armour.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "trust/armour.h"
#include "trust/signature_kinds.h"
#include "trust/tool.h"

#define MAGIC "SSHSIG"
#define FIDO_USER_PRESENT 0x01
#define VERIFY_SECONDS 60

struct span {
    const uint8_t *at;
    size_t len;
};

static bool take_u32(struct span *from, uint32_t *ret)
{
    if (from->len < 4)
        return false;
    *ret = (uint32_t)from->at[0] << 24 | (uint32_t)from->at[1] << 16 | (uint32_t)from->at[2] << 8 |
           from->at[3];
    from->at += 4;
    from->len -= 4;
    return true;
}

static bool take_string(struct span *from, const uint8_t **ret, size_t *ret_len)
{
    uint32_t len;

    if (!take_u32(from, &len) || from->len < len)
        return false;
    *ret = from->at;
    *ret_len = len;
    from->at += len;
    from->len -= len;
    return true;
}

int sshsig_parse(const uint8_t *blob, size_t len, struct sshsig *ret, struct err *err)
{
    struct span left = {blob, len};
    const uint8_t *ignored;
    size_t reserved_len, ignored_len;
    uint32_t version;

    if (len < strlen(MAGIC) || memcmp(blob, MAGIC, strlen(MAGIC)) != 0)
        return err_set(err, -EBADMSG, "is damaged: it does not begin with " MAGIC);
    left.at += strlen(MAGIC);
    left.len -= strlen(MAGIC);
    if (!take_u32(&left, &version) || version != 1)
        return err_set(err, -EBADMSG, "is damaged, or of a version that is not known here");
    if (!take_string(&left, &ret->key, &ret->key_len) ||
        !take_string(&left, &ret->purpose, &ret->purpose_len) ||
        !take_string(&left, &ignored, &reserved_len) ||
        !take_string(&left, &ignored, &ignored_len) || /* the digest's name */
        !take_string(&left, &ret->sig, &ret->sig_len) || left.len != 0 || reserved_len != 0)
        return err_set(err, -EBADMSG, "is damaged: its parts do not fit together");
    return 0;
}

bool sshsig_lacks_touch(const struct sshsig *sig)
{
    struct span key = {sig->key, sig->key_len}, left = {sig->sig, sig->sig_len};
    const uint8_t *type, *value;
    size_t type_len, value_len;

    if (!take_string(&key, &type, &type_len) || type_len < 3 || memcmp(type, "sk-", 3) != 0)
        return false;
    /* Kind, the signature proper, flags of one byte, a counter; see PROTOCOL.u2f. */
    if (!take_string(&left, &type, &type_len) || !take_string(&left, &value, &value_len))
        return true;
    return left.len < 5 || !(left.at[0] & FIDO_USER_PRESENT);
}

static const struct trust_key *find_key(const struct trust_store *store, const struct sshsig *sig)
{
    for (size_t i = 0; i < store->key_count; i++)
        if (store->keys[i].kind == TRUST_KEY_SSH && store->keys[i].len == sig->key_len &&
            memcmp(store->keys[i].data, sig->key, sig->key_len) == 0)
            return &store->keys[i];
    return NULL;
}

static int refuse_unknown(const struct sshsig *sig, struct err *err)
{
    uint8_t digest[DIGEST_SIZE];
    char text[64];

    digest_sha256(sig->key, sig->key_len, digest);
    base64_encode(digest, sizeof(digest), false, text);
    return err_set(err, -ENOKEY, "is by the key SHA256:%s, which is not in trust.d", text);
}

/* "spython namespaces=... TYPE BASE64": who may sign what, as ssh-keygen reads it. */
static char *allowed_signers(const struct trust_key *key, const char *purpose)
{
    CLEANUP_FREE char *base64 = malloc(key->len * 4 / 3 + 5);
    char *text;

    if (!base64)
        return NULL;
    base64_encode(key->data, key->len, true, base64);
    /* The wire form begins with the kind, and trust_key_parse() looked at its length. */
    if (asprintf(&text, "signer namespaces=\"%s\" %.*s %s\n", purpose, key->data[3],
                 (const char *)key->data + 4, base64) < 0)
        return NULL;
    return text;
}

static char *armoured(const uint8_t *blob, size_t len)
{
    CLEANUP_FREE char *base64 = malloc(len * 4 / 3 + 5);
    char *text;

    if (!base64)
        return NULL;
    base64_encode(blob, len, true, base64);
    if (asprintf(&text, "-----BEGIN SSH SIGNATURE-----\n%s\n-----END SSH SIGNATURE-----\n",
                 base64) < 0)
        return NULL;
    return text;
}

static int run_verify(const struct signature_input *in, const char *allowed, const char *sig,
                      const struct tool_dir *dir, struct err *err)
{
    char allowed_path[128], sig_path[128];
    const char *argv[] = {"ssh-keygen", "-Y", "verify",    "-f", allowed_path, "-I",
                          "signer",     "-n", in->purpose, "-s", sig_path,     NULL};
    struct tool tool = {.name = "ssh-keygen",
                        .argv = argv,
                        .input = in->data,
                        .input_len = in->len,
                        .output_max = 65536,
                        .seconds = VERIFY_SECONDS};
    int r = tool_dir_write(dir, "allowed", allowed, strlen(allowed), allowed_path, err);

    if (r == 0)
        r = tool_dir_write(dir, "sig", sig, strlen(sig), sig_path, err);
    if (r == 0)
        r = tool_run(&tool, err);
    if (r == 0 && tool.status != 0)
        r = err_set(err, -EKEYREJECTED, "is not a signature of this content: %s", tool.complaint);
    tool_done(&tool);
    return r;
}

static int verify_by_tool(const struct signature_input *in, const struct trust_key *key,
                          const uint8_t *blob, size_t len, struct err *err)
{
    CLEANUP_FREE char *allowed = allowed_signers(key, in->purpose);
    CLEANUP_FREE char *sig = armoured(blob, len);
    struct tool_dir dir;
    int r;

    if (!allowed || !sig)
        return err_set(err, -ENOMEM, "out of memory");
    r = tool_dir_make(&dir, err);
    if (r < 0)
        return r;
    r = run_verify(in, allowed, sig, &dir, err);
    tool_dir_remove(&dir);
    return r;
}

int signature_check_ssh(const struct signature_input *in, struct signature_result *ret,
                        struct err *err)
{
    CLEANUP_FREE uint8_t *blob = NULL;
    const struct trust_key *key;
    struct sshsig sig = {.key = (const uint8_t *)"", .purpose = (const uint8_t *)""};
    size_t len;
    int r = armour_decode((const char *)in->sig, in->sig_len, "SSH SIGNATURE", false, &blob, &len);

    if (r < 0)
        return err_set(err, r, "is damaged: its armour cannot be read");
    r = sshsig_parse(blob, len, &sig, err);
    if (r < 0)
        return r;
    if (sig.purpose_len != strlen(in->purpose) ||
        memcmp(sig.purpose, in->purpose, sig.purpose_len) != 0)
        return err_set(err, -EKEYREJECTED, "was made for '%.*s', not for '%s'",
                       (int)(sig.purpose_len > 64 ? 64 : sig.purpose_len),
                       (const char *)sig.purpose, in->purpose);
    key = find_key(in->store, &sig);
    if (!key)
        return refuse_unknown(&sig, err);
    /* Programs on the signer's machine can ask a token to sign without being touched, and
     * ssh-keygen does not look. */
    if (sshsig_lacks_touch(&sig))
        return err_set(err, -EKEYREJECTED,
                       "was made by a hardware key that nobody touched to confirm it");
    r = signature_check_revoked(in->store, key->fingerprint, err);
    if (r == 0)
        r = verify_by_tool(in, key, blob, len, err);
    if (r < 0)
        return r;
    (void)snprintf(ret->signer, sizeof(ret->signer), "%s", key->name);
    (void)snprintf(ret->fingerprint, sizeof(ret->fingerprint), "%s", key->fingerprint);
    return 0;
}
