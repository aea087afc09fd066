/* SPDX-License-Identifier: Apache-2.0 */
/* Signing is left to the tools that administrators' keys live in: ssh-keygen knows agents and
 * hardware keys, openssl PKCS#11 providers, gpg smart cards. They may ask on the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "trust/signature_kinds.h"
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

/* Whether the file is a public key without the private one beside it, which ssh-keygen takes. */
static int look_for_private_key(const char *key, bool *ret_missing, struct err *err)
{
    CLEANUP_FD int fd = open(key, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    CLEANUP_FREE char *data = NULL;
    char private[PATH_MAX];
    size_t len = 0, name_len = strlen(key);
    int r = fd < 0 ? -errno : fd_read_all(fd, TRUST_STORE_MAX_KEY_SIZE, &data, &len);

    *ret_missing = false;
    if (r < 0)
        return err_set(err, r, "cannot read the key '%s': %s", key, strerror(-r));
    if (trust_key_sniff(data, len) != TRUST_KEY_SSH)
        return 0;
    *ret_missing = true;
    if (name_len > 4 && name_len < sizeof(private) && strcmp(key + name_len - 4, ".pub") == 0) {
        (void)snprintf(private, sizeof(private), "%.*s", (int)(name_len - 4), key);
        *ret_missing = access(private, F_OK) < 0;
    }
    return 0;
}

/* Said here, since ssh-keygen does not tell that it looked for an agent. */
static int check_ssh_key(const char *key, struct err *err)
{
    bool missing;
    int r = look_for_private_key(key, &missing, err);

    if (r == 0 && missing && !getenv("SSH_AUTH_SOCK"))
        return err_set(err, -ENOKEY,
                       "the private key of '%s' is not beside it, and SSH_AUTH_SOCK names no "
                       "agent that could hold it",
                       key);
    return r;
}

static int fill(const struct signature_signer *signer, const char *chain, struct words *words,
                struct err *err)
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
        if (chain)
            add(words, (const char *const[]){"-certfile", chain, NULL});
        break;
    case TRUST_KEY_OPENPGP:
        add(words, openpgp);
        if (signer->key)
            add(words, (const char *const[]){"--local-user", signer->key, NULL});
        break;
    case TRUST_KEY_CRL:
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

static int run(const struct signature_signer *signer, const char *chain, const void *data,
               size_t len, struct tool *tool, struct err *err)
{
    struct words words = {0};
    int r = fill(signer, chain, &words, err);

    if (r < 0)
        return r;
    *tool = (struct tool){.name = words.list[0],
                          .argv = words.list,
                          .input = data,
                          .input_len = len,
                          .output_max = SIGNATURE_MAX_SIZE,
                          .seconds = SIGN_SECONDS,
                          .for_person = true};
    r = tool_run(tool, err);
    tool->argv = NULL; /* it ends here */
    return r;
}

/* With the chain in a file of its own, if there is one. */
static int run_with_chain(const struct signature_signer *signer, const void *data, size_t len,
                          struct tool *tool, struct err *err)
{
    CLEANUP_FREE char *chain = NULL;
    struct tool_dir dir;
    char path[128];
    size_t chain_len = 0;
    int r = 0;

    if (signer->kind == TRUST_KEY_SSH)
        r = check_ssh_key(signer->key, err);
    else if (signer->kind == TRUST_KEY_X509 && signer->certificate)
        r = signature_chain_read(signer->certificate, &chain, &chain_len, err);
    if (r < 0)
        return r;
    if (!chain)
        return run(signer, NULL, data, len, tool, err);
    r = tool_dir_make(&dir, err);
    if (r < 0)
        return r;
    r = tool_dir_write(&dir, "chain.pem", chain, chain_len, path, err);
    if (r == 0)
        r = run(signer, path, data, len, tool, err);
    tool_dir_remove(&dir);
    return r;
}

int signature_make(const struct signature_signer *signer, const void *data, size_t len,
                   char **ret_sig, size_t *ret_sig_len, struct err *err)
{
    struct tool tool = {0};
    int r = run_with_chain(signer, data, len, &tool, err);

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
