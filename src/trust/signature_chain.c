/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates that stand behind the signer's in its file: `openssl cms -signer` takes the
 * first one alone, and who checks needs all those between it and the root. */
#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/cleanup.h"
#include "trust/signature_kinds.h"

/* Copies the certificates from the second one on. Returns their number, or -EBADMSG. */
static int copy_rest(BIO *from, BIO *to)
{
    int count = 0;

    for (;; count++) {
        X509 *certificate = PEM_read_bio_X509(from, NULL, NULL, NULL);
        bool ok;

        if (!certificate) /* at the end there is no further first line */
            return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
                       ? (count > 0 ? count - 1 : 0)
                       : -EBADMSG;
        ok = count == 0 || PEM_write_bio_X509(to, certificate) == 1;
        X509_free(certificate);
        if (!ok || count > SIGNATURE_MAX_CHAIN)
            return -EBADMSG;
    }
}

static int split(const char *data, size_t len, char **ret, size_t *ret_len)
{
    BIO *from = BIO_new_mem_buf(data, (int)len), *to = BIO_new(BIO_s_mem());
    char *text = NULL;
    long size;
    int r = -ENOMEM;

    ERR_clear_error();
    if (from && to) {
        r = copy_rest(from, to);
        size = BIO_get_mem_data(to, &text);
        if (r > 0 && size > 0) {
            *ret = malloc((size_t)size);
            if (*ret) {
                memcpy(*ret, text, (size_t)size);
                *ret_len = (size_t)size;
            } else {
                r = -ENOMEM;
            }
        }
    }
    BIO_free(from);
    BIO_free(to);
    ERR_clear_error();
    return r;
}

int signature_chain_read(const char *path, char **ret, size_t *ret_len, struct err *err)
{
    CLEANUP_FREE char *data = NULL;
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t len = 0;
    int r;

    *ret = NULL;
    *ret_len = 0;
    if (fd < 0) /* perhaps a URI that a provider of openssl understands: it will say */
        return 0;
    r = fd_read_all(fd, TRUST_STORE_MAX_KEY_SIZE, &data, &len);
    if (r < 0)
        return err_set(err, r, "cannot read the certificate '%s': %s", path, strerror(-r));
    r = split(data, len, ret, ret_len);
    if (r == -ENOMEM)
        return err_set(err, r, "out of memory");
    if (r < 0)
        return err_set(err, -EINVAL, "the certificates in '%s' are damaged, or are more than %d",
                       path, SIGNATURE_MAX_CHAIN);
    return 0;
}
