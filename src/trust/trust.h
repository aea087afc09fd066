/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this code run? Verifiers answer for one opened file each; policy names them per root and says
 * how their answers combine. Nothing here opens a file to be executed, writes a record or denies:
 * the caller (src/cpython/gate.c) has opened and read the file, and acts on the result. All
 * functions may be called from any thread, with or without the GIL, and allocate nothing.
 */
#ifndef SPYTHON_TRUST_TRUST_H
#define SPYTHON_TRUST_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/digest.h"

/* What one verifier says. Zero is the safe value. */
enum trust_answer {
    TRUST_REJECTED = 0, /* checked, and wrong */
    TRUST_TRUSTED,
    TRUST_NO_OPINION,  /* it knows nothing about this file */
    TRUST_UNAVAILABLE, /* kernel or file system cannot do it here */
    TRUST_ANSWER_MAX,
};

const char *trust_answer_name(enum trust_answer answer); /* "rejected", "trusted", ... */

struct trust_policy;

/* What the bytes are for: they are judged alike, but records and messages say it. */
enum trust_kind {
    TRUST_SOURCE = 0, /* .py, and anything without a suffix of its own */
    TRUST_SCRIPT,     /* the main script */
    TRUST_BYTECODE,   /* .pyc */
    TRUST_ARCHIVE,    /* zip file */
    TRUST_PATH_FILE,  /* .pth, .start */
    TRUST_NATIVE,     /* shared object */
    TRUST_KIND_MAX,
};

const char *trust_kind_name(enum trust_kind kind);

/* One opened file. Everything is the caller's; nothing is kept. */
struct trust_file {
    int fd;           /* open for reading; its position is of no concern */
    const char *path; /* real path of what is open, absolute */
    struct stat st;   /* of fd; a regular file */
    enum trust_kind kind;
    const void *data; /* the bytes that will be executed; NULL for native files, which the
                       * dynamic linker maps from the path itself, and where len is 0 */
    size_t len;
    bool sealed_first; /* by trust_file_opened(): had fs-verity before `data` was read */
    const struct trust_policy *policy; /* set by trust_judge(); NULL: no digest is looked up */
    bool digest_known;
    bool digest_cached;          /* it was computed when policy was applied */
    uint8_t digest[DIGEST_SIZE]; /* use trust_file_digest() */
};

/*
 * Notes what cannot be found out any more once the bytes are read: whether the kernel guarded them
 * by then. Call it after fd, path and st are set and before data is read. Not calling it costs the
 * fsverity verifier a second reading, never its soundness.
 */
void trust_file_opened(const struct trust_policy *policy, struct trust_file *file);

/* SHA-256 of data, or of a native file's content if there is none; found in the policy's table of
 * digests (digest_cache.h), or computed once. Returns 0 or -errno. */
int trust_file_digest(struct trust_file *file, uint8_t ret[DIGEST_SIZE]);

/* The same for one that is not the expected one: if it came from the table, computes it. */
int trust_file_digest_again(struct trust_file *file, uint8_t ret[DIGEST_SIZE]);

/* The order is that of the lists in records and of `trust_verifiers`. */
enum trust_verifier_id {
    TRUST_BY_MANIFEST = 0,
    TRUST_BY_FSVERITY,
    TRUST_BY_IMA,
    TRUST_BY_EXECCHECK,
    TRUST_BY_OWNER,
    TRUST_BY_SELINUX,
    TRUST_BY_XATTR,
    TRUST_BY_NULL,
    TRUST_VERIFIER_MAX,
};

#define TRUST_BIT(id) (1u << (id))

/* Why a verifier answered as it did; lands in the record. Texts are "" where there is none. */
struct trust_evidence {
    enum trust_verifier_id verifier;
    enum trust_answer answer;
    char reason[192];  /* one clause in lower case, no file name: "is not listed" */
    char expected[80]; /* digest, owner, label */
    char actual[80];
    char source[96];       /* manifest's name and serial, directory that is at fault */
    char distribution[96]; /* "requests 2.32.3" */
};

struct manifest_index;

/* What policy says about the code below one directory. */
struct trust_root {
    const char *path; /* real path without a slash at its end; "" for everywhere else and for "/" */
    uint32_t all;     /* TRUST_BIT()s: every one of these has to say "trusted" */
    uint32_t any;     /* if `all` is 0: at least one of these has to; if this is 0 too, nothing
                       * here is ever trusted */
    const struct manifest_index *const *manifests; /* newest first; for manifest and fsverity; those
                                                    * named "ima:..." are for ima alone */
    uint32_t manifest_count;
    const char *const *labels; /* for selinux: types */
    uint32_t label_count;
};

struct digest_cache;

struct trust_policy {
    uid_t owner;                        /* who may change code besides root: spython's owner */
    const struct digest_cache *digests; /* of unchanged files; NULL: all are computed */
    const struct trust_root *roots;     /* in any order */
    uint32_t root_count;
    const struct trust_root *elsewhere; /* never NULL */
};

struct trust_result {
    bool trusted;
    const struct trust_root *root;
    unsigned count; /* verifiers that were asked */
    struct trust_evidence evidence[TRUST_VERIFIER_MAX];
};

/* One verifier: a file trust_NAME.c each. */
struct trust_verifier {
    const char *name; /* as written in spython.yaml and in records */
    /* Looks at `file` and fills answer and texts of *ret, which comes zeroed but for `verifier`. */
    void (*check)(const struct trust_policy *policy, const struct trust_root *root,
                  struct trust_file *file, struct trust_evidence *ret);
};

extern const struct trust_verifier *const trust_verifiers[TRUST_VERIFIER_MAX];

/* -1 if there is none of that name. */
int trust_verifier_find(const char *name, size_t len);

/* The root that holds `path`: the longest one, or `elsewhere`. */
const struct trust_root *trust_find_root(const struct trust_policy *policy, const char *path);

/* Asks the verifiers of the file's root. With `all`, stops at the first that does not trust; with
 * `any`, at the first that does. While the exec securebits are set (prctl(2),
 * SECBIT_EXEC_RESTRICT_FILE), execcheck joins `all` and has to agree beside `any`. */
void trust_judge(const struct trust_policy *policy, struct trust_file *file,
                 struct trust_result *ret);

#endif
