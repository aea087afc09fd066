/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/trust_store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static const struct {
    const char *name, *suffix;
} kinds[TRUST_KEY_KIND_MAX] = {
    [TRUST_KEY_NONE] = {"none", ""},     [TRUST_KEY_SSH] = {"ssh", ".pub"},
    [TRUST_KEY_X509] = {"x509", ".pem"}, [TRUST_KEY_OPENPGP] = {"openpgp", ".gpg"},
    [TRUST_KEY_CRL] = {"crl", ".crl"},
};

const char *trust_key_kind_name(enum trust_key_kind kind)
{
    return kinds[kind].name;
}

const char *trust_key_kind_suffix(enum trust_key_kind kind)
{
    return kinds[kind].suffix;
}

bool trust_name_is_valid(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > TRUST_STORE_MAX_NAME || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isascii(name[i]) || (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i])))
            return false;
    return true;
}

bool trust_fingerprint_is_valid(const char *text)
{
    size_t len = strlen(text);

    if (strncmp(text, "SHA256:", 7) == 0)
        return len == 50 && strspn(text + 7, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                             "0123456789+/") == 43;
    return (len == 40 || len == 64) && strspn(text, "0123456789abcdefABCDEF") == len;
}

/* One field up to a blank or the end of the line. Returns its length, 0 if it does not fit. */
static size_t take_field(const char **at, const char *end, char *out, size_t size)
{
    const char *from = *at;
    size_t len = 0;

    while (from + len < end && from[len] != ' ')
        len++;
    *at = from + len < end ? from + len + 1 : end;
    if (len >= size)
        return 0;
    memcpy(out, from, len);
    out[len] = '\0';
    return len;
}

static bool is_date(const char *text)
{
    for (size_t i = 0; i < 10; i++)
        if (i == 4 || i == 7 ? text[i] != '-' : !isdigit((unsigned char)text[i]))
            return false;
    return text[10] == '\0';
}

static bool parse_revocation(const char *line, const char *end, struct trust_revocation *ret)
{
    const char *at = line;
    size_t len = take_field(&at, end, ret->fingerprint, sizeof(ret->fingerprint));

    /* strlen(): a NUL in the middle would revoke another key than the one that is read there. */
    if (len == 0 || strlen(ret->fingerprint) != len ||
        !trust_fingerprint_is_valid(ret->fingerprint) ||
        take_field(&at, end, ret->date, sizeof(ret->date)) != 10 || !is_date(ret->date))
        return false;
    len = (size_t)(end - at);
    if (len == 0 || len > TRUST_STORE_MAX_REASON)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
            return false;
    memcpy(ret->reason, at, len);
    ret->reason[len] = '\0';
    return true;
}

int trust_revoked_parse(const char *text, size_t len, struct trust_revocation **ret,
                        size_t *ret_count, struct err *err)
{
    struct trust_revocation *all = NULL;
    size_t count = 0, capacity = 0;
    unsigned number = 1;
    const char *end = text + len, *stop;
    int r = 0;

    for (const char *line = text; line < end; line = stop + 1, number++) {
        stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) {
            r = err_set(err, -EBADMSG, "line %u does not end", number);
            goto out;
        }
        if (stop == line || line[0] == '#')
            continue;
        if (count == capacity) {
            struct trust_revocation *more;

            capacity = capacity ? capacity * 2 : 16;
            more = realloc(all, capacity * sizeof(*all));
            if (!more) {
                r = err_set(err, -ENOMEM, "out of memory");
                goto out;
            }
            all = more;
        }
        if (!parse_revocation(line, stop, &all[count])) {
            r = err_set(err, -EBADMSG, "line %u is not FINGERPRINT YYYY-MM-DD REASON", number);
            goto out;
        }
        count++;
    }
    *ret = STEAL(all);
    *ret_count = count;
out:
    free(all);
    return r;
}

const struct trust_revocation *trust_store_find_revoked(const struct trust_store *store,
                                                        const char *fingerprint)
{
    for (size_t i = 0; i < store->revoked_count; i++)
        if (strcasecmp(store->revoked[i].fingerprint, fingerprint) == 0)
            return &store->revoked[i];
    return NULL;
}

static enum trust_key_kind kind_of_name(const char *file, char name[TRUST_STORE_MAX_NAME + 1])
{
    size_t len = strlen(file);

    for (enum trust_key_kind kind = TRUST_KEY_SSH; kind < TRUST_KEY_KIND_MAX; kind++) {
        size_t tail = strlen(kinds[kind].suffix);

        if (len <= tail || len - tail > TRUST_STORE_MAX_NAME ||
            strcmp(file + len - tail, kinds[kind].suffix) != 0)
            continue;
        memcpy(name, file, len - tail);
        name[len - tail] = '\0';
        return trust_name_is_valid(name) ? kind : TRUST_KEY_NONE;
    }
    return TRUST_KEY_NONE;
}

/* -ENOENT if there is no such file. */
static int read_file(int dir, const char *name, size_t max, char **ret, size_t *ret_len)
{
    CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) ? fd_read_all(fd, max, ret, ret_len) : -EINVAL;
}

static int read_key(int dir, const char *file, struct trust_store *store, struct err *err)
{
    CLEANUP_FREE char *data = NULL;
    char name[TRUST_STORE_MAX_NAME + 1];
    enum trust_key_kind kind = kind_of_name(file, name);
    struct trust_key key = {0};
    size_t len = 0;
    int r;

    if (kind == TRUST_KEY_NONE)
        return err_set(err, -EBADMSG,
                       "'keys/%s' is not named NAME.pub, NAME.pem, NAME.gpg or NAME.crl", file);
    if (store->key_count == TRUST_STORE_MAX_KEYS)
        return err_set(err, -EFBIG, "there are more than %d keys", TRUST_STORE_MAX_KEYS);
    r = read_file(dir, file, TRUST_STORE_MAX_KEY_SIZE, &data, &len);
    if (r < 0)
        return err_set(err, r, "cannot read 'keys/%s': %s", file, strerror(-r));
    r = trust_key_parse(kind, data, len, name, &key, err);
    if (r < 0)
        return err_prefix(err, "'keys/%s'", file);
    store->keys[store->key_count++] = key;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    const struct trust_key *x = a, *y = b;
    int r = strcmp(x->name, y->name);

    return r ? r : (int)x->kind - (int)y->kind;
}

static int read_keys(const char *dir, struct trust_store *store, struct err *err)
{
    CLEANUP_FREE char *path = NULL;
    DIR *stream;
    int r = 0;

    if (asprintf(&path, "%s/keys", dir) < 0) {
        path = NULL;
        return err_set(err, -ENOMEM, "out of memory");
    }
    store->keys = calloc(TRUST_STORE_MAX_KEYS, sizeof(*store->keys));
    if (!store->keys)
        return err_set(err, -ENOMEM, "out of memory");
    stream = opendir(path);
    if (!stream)
        return errno == ENOENT
                   ? 0
                   : err_set(err, -errno, "cannot open '%s': %s", path, strerror(errno));
    for (const struct dirent *entry; r == 0 && (errno = 0, entry = readdir(stream)) != NULL;)
        if (entry->d_name[0] != '.')
            r = read_key(dirfd(stream), entry->d_name, store, err);
    if (r == 0 && errno != 0)
        r = err_set(err, -errno, "cannot read '%s': %s", path, strerror(errno));
    (void)closedir(stream);
    if (r == 0)
        qsort(store->keys, store->key_count, sizeof(*store->keys), compare_keys);
    return r;
}

static int read_revoked(const char *dir, struct trust_store *store, struct err *err)
{
    CLEANUP_FREE char *text = NULL, *path = NULL;
    size_t len = 0;
    int r;

    if (asprintf(&path, "%s/revoked", dir) < 0) {
        path = NULL;
        return err_set(err, -ENOMEM, "out of memory");
    }
    r = read_file(AT_FDCWD, path, TRUST_STORE_MAX_REVOKED, &text, &len);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return err_set(err, r, "cannot read '%s': %s", path, strerror(-r));
    r = trust_revoked_parse(text, len, &store->revoked, &store->revoked_count, err);
    return r < 0 ? err_prefix(err, "'revoked'") : 0;
}

int trust_store_load(const char *dir, struct trust_store *ret, struct err *err)
{
    int r;

    *ret = (struct trust_store){0};
    r = read_keys(dir, ret, err);
    if (r == 0)
        r = read_revoked(dir, ret, err);
    if (r < 0)
        trust_store_done(ret);
    return r;
}

void trust_store_done(struct trust_store *store)
{
    for (size_t i = 0; i < store->key_count; i++)
        trust_key_done(&store->keys[i]);
    free(store->keys);
    free(store->revoked);
    *store = (struct trust_store){0};
}
