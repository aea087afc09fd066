/* SPDX-License-Identifier: Apache-2.0 */
/* Signing is left to the tools that administrators' keys live in: ssh-keygen knows agents and
 * hardware keys, openssl PKCS#11 providers, gpg smart cards. They may ask on the terminal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "trust/signature.h"
#include "trust/tool.h"

#define SIGN_SECONDS 600 /* a person looks for the token */
#define MAX_WORDS 48

struct words {
    const char *list[MAX_WORDS + 1];
    size_t count;
};

static void add(struct words *words, const char *const *more)
{
    for (; *more && words->count < MAX_WORDS; more++)
        words->list[words->count++] = *more;
    words->list[words->count] = NULL;
}

static int fill(const struct signature_signer *signer, struct words *words, struct err *err)
{
    static const char *const ssh[] = {"ssh-keygen",      "-Y", "sign", "-q", "-n",
                                      SIGNATURE_PURPOSE, NULL};
    /* Binary: the bytes are signed, not lines. Detached is the default of -sign -outform. */
    static const char *const cms[] = {"openssl", "cms",         "-sign", "-binary", "-outform",
                                      "PEM",     "-nosmimecap", "-md",   "sha256",  NULL};
    static const char *const openpgp[] = {"gpg",           "--quiet", "--armor", "--detach-sign",
                                          "--digest-algo", "SHA512",  NULL};

    switch (signer->kind) {
    case TRUST_KEY_SSH:
        add(words, ssh);
        add(words, (const char *const[]){"-f", signer->key, NULL});
        break;
    case TRUST_KEY_X509:
        if (!signer->certificate)
            return err_set(err, -EINVAL, "the certificate to sign with is not named");
        add(words, cms);
        add(words,
            (const char *const[]){"-signer", signer->certificate, "-inkey", signer->key, NULL});
        break;
    case TRUST_KEY_OPENPGP:
        add(words, openpgp);
        if (signer->key)
            add(words, (const char *const[]){"--local-user", signer->key, NULL});
        break;
    case TRUST_KEY_NONE:
    case TRUST_KEY_KIND_MAX:
    default:
        return err_set(err, -EINVAL, "there is no such kind of signature");
    }
    if (signer->options)
        add(words, signer->options);
    if (words->count == MAX_WORDS)
        return err_set(err, -E2BIG, "there are too many options for the tool");
    return 0;
}

int signature_make(const struct signature_signer *signer, const void *data, size_t len,
                   char **ret_sig, size_t *ret_sig_len, struct err *err)
{
    struct words words = {0};
    struct tool tool = {.input = data,
                        .input_len = len,
                        .output_max = SIGNATURE_MAX_SIZE,
                        .seconds = SIGN_SECONDS,
                        .for_person = true};
    int r = fill(signer, &words, err);

    if (r < 0)
        return r;
    tool.name = words.list[0];
    tool.argv = words.list;
    r = tool_run(&tool, err);
    if (r < 0)
        return r;
    if (tool.status != 0 || signature_sniff(tool.output, tool.output_len) != signer->kind) {
        r = err_set(err, -EKEYREJECTED, "'%s' made no signature (exit status %d)", tool.name,
                    tool.status);
    } else {
        *ret_sig_len = tool.output_len;
        *ret_sig = STEAL(tool.output);
    }
    tool_done(&tool);
    return r;
}
