/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenPGP, checked by gpgv with the keys of the store and no other. Its exit status is not enough:
 * it is 0 for expired keys, for signatures of a text whose line ends were changed, and if one
 * signature of several is good. What counts is what it says on its status output.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "trust/armour.h"
#include "trust/signature_kinds.h"
#include "trust/tool.h"

#define VERIFY_SECONDS 60
#define WRONG_KEY_USAGE "125" /* libgpg-error's number */
#define STATUS_PREFIX "[GNUPG:] "

/* What gpgv said. */
struct verdict {
    unsigned signatures, good, bad;
    bool key_expired, key_revoked, sig_expired, key_missing, wrong_usage, is_binary;
    char key[64]; /* fingerprint of the key that signed, perhaps a subkey */
    char primary[64];
    char missing[64];
    int64_t signed_at;
};

/* VALIDSIG FPR DATE TIMESTAMP EXPIRE VERSION RESERVED PUBKEY HASH CLASS PRIMARY */
static void read_valid(const char *rest, struct verdict *v)
{
    char class[8] = "", when[24] = "";

    if (sscanf(rest, "%63s %*s %23s %*s %*s %*s %*s %*s %7s %63s", v->key, when, class,
               v->primary) == 4) {
        v->is_binary = strcmp(class, "00") == 0;
        v->signed_at = strtoll(when, NULL, 10);
    }
}

/* ERRSIG KEYID ALGORITHM HASH CLASS TIME REASON [FPR] */
static void read_error(const char *rest, struct verdict *v)
{
    char reason[8] = "";

    v->bad++;
    if (sscanf(rest, "%*s %*s %*s %*s %*s %7s", reason) == 1 &&
        strcmp(reason, WRONG_KEY_USAGE) == 0)
        v->wrong_usage = true;
}

static void read_line(const char *line, struct verdict *v)
{
    const char *word = line + strlen(STATUS_PREFIX);
    size_t len;

    if (strncmp(line, STATUS_PREFIX, strlen(STATUS_PREFIX)) != 0)
        return;
    len = strcspn(word, " ");
#define IS(text) (len == strlen(text) && memcmp(word, text, len) == 0)
    if (IS("NEWSIG")) {
        v->signatures++;
    } else if (IS("GOODSIG")) {
        v->good++;
    } else if (IS("VALIDSIG")) {
        read_valid(word + len, v);
    } else if (IS("EXPKEYSIG")) {
        v->key_expired = true;
    } else if (IS("REVKEYSIG")) {
        v->key_revoked = true;
    } else if (IS("EXPSIG")) {
        v->sig_expired = true;
    } else if (IS("ERRSIG")) {
        read_error(word + len, v);
    } else if (IS("BADSIG") || IS("NODATA") || IS("UNEXPECTED")) {
        v->bad++;
    } else if (IS("NO_PUBKEY")) {
        v->key_missing = true;
        (void)sscanf(word + len, "%63s", v->missing); /* "" if it is not there */
    }
#undef IS
}

static int judge(const struct verdict *v, const char *complaint, struct err *err)
{
    if (v->key_missing)
        return err_set(err, -ENOKEY, "is by the key %s, which is not in trust.d", v->missing);
    if (v->wrong_usage)
        return err_set(err, -EKEYREJECTED, "its key is not for signatures, its owner says");
    if (v->key_revoked)
        return err_set(err, -EKEYREVOKED, "its key was revoked by its owner");
    if (v->key_expired)
        return err_set(err, -EKEYEXPIRED, "its key has expired");
    if (v->sig_expired)
        return err_set(err, -EKEYEXPIRED, "has expired");
    if (v->signatures > 1)
        return err_set(err, -EKEYREJECTED, "holds more than one signature");
    if (v->signatures != 1 || v->good != 1 || v->bad || v->primary[0] == '\0')
        return err_set(err, -EKEYREJECTED, "is not a signature of this content: %s", complaint);
    if (!v->is_binary)
        return err_set(err, -EKEYREJECTED,
                       "signs a text whatever its line ends are, not the bytes");
    return 0;
}

/* All keys of the store one behind the other make a keyring. */
static int write_keyring(const struct trust_store *store, const struct tool_dir *dir,
                         char path[128], struct err *err)
{
    uint8_t *all;
    size_t len = 0, at = 0;
    int r;

    for (size_t i = 0; i < store->key_count; i++)
        if (store->keys[i].kind == TRUST_KEY_OPENPGP)
            len += store->keys[i].len;
    all = malloc(len + 1);
    if (!all)
        return err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < store->key_count; i++)
        if (store->keys[i].kind == TRUST_KEY_OPENPGP) {
            memcpy(all + at, store->keys[i].data, store->keys[i].len);
            at += store->keys[i].len;
        }
    r = tool_dir_write(dir, "keyring.gpg", all, len, path, err);
    free(all);
    return r;
}

static int run_gpgv(const struct signature_input *in, const uint8_t *sig, size_t sig_len,
                    const struct tool_dir *dir, struct verdict *ret, struct err *err)
{
    char keyring[128], path[128];
    const char *argv[] = {"gpgv", "--homedir", dir->path, "--keyring", keyring, "--status-fd",
                          "1",    "--",        path,      "-",         NULL};
    struct tool tool = {.name = "gpgv",
                        .argv = argv,
                        .input = in->data,
                        .input_len = in->len,
                        .output_max = 65536,
                        .seconds = VERIFY_SECONDS};
    char *rest;
    int r = write_keyring(in->store, dir, keyring, err);

    if (r == 0)
        r = tool_dir_write(dir, "sig", sig, sig_len, path, err);
    if (r == 0)
        r = tool_run(&tool, err);
    if (r < 0)
        return r;
    rest = tool.output;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        read_line(line, ret);
    if (tool.status != 0)
        ret->bad++;
    r = judge(ret, tool.complaint, err);
    tool_done(&tool);
    return r;
}

static const struct trust_key *find_key(const struct trust_store *store, const char *primary)
{
    for (size_t i = 0; i < store->key_count; i++)
        if (store->keys[i].kind == TRUST_KEY_OPENPGP &&
            strcmp(store->keys[i].fingerprint, primary) == 0)
            return &store->keys[i];
    return NULL;
}

int signature_check_openpgp(const struct signature_input *in, struct signature_result *ret,
                            struct err *err)
{
    CLEANUP_FREE uint8_t *decoded = NULL;
    struct verdict verdict = {0};
    const struct trust_key *key;
    const uint8_t *sig = in->sig;
    size_t len = in->sig_len;
    struct tool_dir dir;
    int r;

    if (sig[0] == '-') {
        r = armour_decode((const char *)in->sig, in->sig_len, "PGP SIGNATURE", true, &decoded,
                          &len);
        if (r < 0)
            return err_set(err, r, "is damaged: its armour cannot be read");
        sig = decoded;
    }
    r = tool_dir_make(&dir, err);
    if (r < 0)
        return r;
    r = run_gpgv(in, sig, len, &dir, &verdict, err);
    tool_dir_remove(&dir);
    if (r < 0)
        return r;
    key = find_key(in->store, verdict.primary);
    if (!key)
        return err_set(err, -ENOKEY, "is by the key %s, which is not in trust.d", verdict.primary);
    if ((r = signature_check_revoked(in->store, key->fingerprint, err)) < 0 ||
        (r = signature_check_revoked(in->store, verdict.key, err)) < 0)
        return r;
    (void)snprintf(ret->signer, sizeof(ret->signer), "%s", key->name);
    (void)snprintf(ret->fingerprint, sizeof(ret->fingerprint), "%s", verdict.key);
    ret->signed_at = verdict.signed_at;
    return 0;
}
