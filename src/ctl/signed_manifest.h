/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.d as spythonctl keeps it: keys, and signed manifests in manifests/. NAME.manifest is the
 * newest release of a name, NAME.SERIAL.manifest an earlier one; the signature lies beside each
 * (.sig, .p7s or .asc). history has one line for each change.
 */
#ifndef SPYTHON_CTL_SIGNED_MANIFEST_H
#define SPYTHON_CTL_SIGNED_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl/ctl.h"
#include "ctl/problem.h"
#include "trust/manifest.h"
#include "trust/signature.h"
#include "trust/trust_store.h"

/* A manifest with the proof that it is somebody's. */
struct signed_manifest {
    struct manifest manifest;
    char *data; /* the text; owned */
    size_t len;
    char *sig; /* NULL if it was not asked for; owned */
    size_t sig_len;
    struct signature_result signature; /* zero if it was not checked */
};

/*
 * Reads, checks the signature, parses. `sig_path` NULL: the file beside `path`, of which there must
 * be exactly one. `store` NULL: no signature is looked for. The problem is about `path`, or says so
 * ("its signature ..."). -EKEYREJECTED and so on as signature_check(); -ENOKEY too if there is no
 * signature. On failure *ret is zeroed.
 */
int signed_manifest_read(const struct trust_store *store, const char *path, const char *sig_path,
                         struct signed_manifest *ret, struct problem *problem);
void signed_manifest_done(struct signed_manifest *manifest);

/* malloc'ed path below etc/spython/trust.d. */
char *trust_path(const struct ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Checks that nobody else can change trust.d, and reads its keys. */
int trust_read(const struct ctl *ctl, struct trust_store *ret, struct problem *problem);

/* Makes trust.d and a directory in it ("keys", "manifests"). */
int trust_make_directory(const struct ctl *ctl, const char *name, struct problem *problem);

/* Adds "DATE WHAT" to trust.d/history and brings it to disk. */
int trust_note(const struct ctl *ctl, struct problem *problem, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One installed release. */
struct installed_manifest {
    char name[MANIFEST_MAX_NAME + 1];
    uint64_t serial; /* of an earlier release, from the file's name; 0: the newest */
    char *path;      /* owned */
};

/* Those in manifests/, by name, the newest first. *ret is malloc'ed; manifest_list_done(). */
int manifest_list(const struct ctl *ctl, struct installed_manifest **ret, size_t *ret_count,
                  struct problem *problem);
void manifest_list_done(struct installed_manifest *list, size_t count);

/* Reads one of them; its name and serial must be those of the file's name. */
int manifest_read_installed(const struct trust_store *store,
                            const struct installed_manifest *installed, struct signed_manifest *ret,
                            struct problem *problem);

/* Whether a manifest's name can be installed: not one that ends in a dot and digits, which would
 * look like an earlier release of another. */
bool manifest_name_is_installable(const char *name);

#endif
