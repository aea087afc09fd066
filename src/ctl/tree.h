/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a tree that is signed or verified: found, compiled, hashed, attributed to their
 * distributions. Symbolic links are neither followed nor listed: what they lead to is listed where
 * it is, or lies outside.
 */
#ifndef SPYTHON_CTL_TREE_H
#define SPYTHON_CTL_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/ctl.h"
#include "ctl/interpreter.h"
#include "ctl/problem.h"
#include "trust/manifest.h"

#define TREE_MAX_DEPTH 128
#define TREE_MAX_JOBS 64

struct tree_file {
    char *path; /* relative to the root; owned */
    uint64_t size;
    uint8_t sha256[DIGEST_SIZE];
    bool has_verity;
    uint8_t verity[DIGEST_SIZE];
    uint64_t inode;
    int64_t changed; /* digest_cache_changed() of the file that was hashed; 0: it was not */
    uint32_t flags;  /* enum manifest_flag */
    const char *distribution; /* "" if none; points into tree->distributions */
};

struct tree {
    char root[PATH_MAX]; /* real path */
    int fd;              /* of the root */
    struct tree_file *files;
    size_t count, capacity; /* sorted by the bytes of path */
    char **distributions;   /* owned */
    size_t distribution_count;
    char **odd; /* what cannot be listed, only if tree_options.keep_odd */
    size_t odd_count;
};

struct tree_options {
    const char **exclude; /* globs for relative paths and for names, NULL at the end */
    unsigned jobs;        /* threads, or interpreters that compile */
    bool wants_verity;
    bool shows_progress; /* on standard error */
    bool keep_odd;       /* FIFOs, devices, names that cannot be listed: note, do not refuse */
    bool settles;        /* write back what is dirty before a file is hashed, and pass over those
                          * that change meanwhile or cannot be read: `changed` stays 0 */
};

/* Opens a root. tree_done() in any case. */
int tree_open(struct tree *tree, const char *path, struct problem *problem);
void tree_done(struct tree *tree);

/* Finds the files; what was found before is dropped. */
int tree_walk(struct tree *tree, const struct tree_options *options, struct problem *problem);

/* Sizes, digests and flags of all files. A file that changes while it is read is an error. */
int tree_hash(struct tree *tree, const struct tree_options *options, struct problem *problem);

/* Looks for RECORD and egg-info files and says for each file whose it is. Returns how many belong
 * to none. */
size_t tree_attribute(struct tree *tree);

/* Drops the files for which keep() says no. Returns how many. */
size_t tree_filter(struct tree *tree, bool (*keep)(void *arg, const struct tree_file *file),
                   void *arg);

/* The file of a relative path, or NULL. */
struct tree_file *tree_find(const struct tree *tree, const char *path);

/* Relative paths of bytecode that is made. */
struct tree_bytecode {
    char **paths; /* sorted; owned */
    size_t count;
    char **failed; /* sources that do not compile; sorted, owned */
    size_t failed_count;
};

/* Which minor version a tree is for: that of its lib/pythonX.Y, of its own name, or the default. */
int tree_minor(const struct ctl *ctl, const struct tree *tree, char minor[MINOR_SIZE],
               struct problem *problem);

/* Compiles every .py file to unchecked-hash bytecode with the registered interpreter of `minor`. */
int tree_compile(const struct ctl *ctl, const struct tree *tree, const char *minor,
                 const struct tree_options *options, struct tree_bytecode *ret,
                 struct problem *problem);
void tree_bytecode_done(struct tree_bytecode *bytecode);
bool tree_bytecode_has(const struct tree_bytecode *bytecode, const char *path);

/* Whether it is DIR/__pycache__/NAME.TAG.pyc; then the path of its source. */
bool tree_source_of_bytecode(const char *path, char source[PATH_MAX]);

/* Flags that a path's name alone gives it. */
uint32_t tree_flags_of_name(const char *path);

/* Whether site.py would execute a line of a .pth file. */
bool tree_path_file_runs_code(const char *text, size_t len);

/*
 * Rows of a RECORD file (PEP 376: comma separated, quoted as by Python's csv). Puts the first field
 * of the next row into `out`. Returns 1, 0 at the end, -EBADMSG if the file is damaged or a field
 * too long; then *at is beyond use.
 */
int record_next(const char **at, const char *end, char *out, size_t size);

/* Joins a directory and a relative path and resolves "." and "..", without looking at the disk.
 * False if the result is not below the root. */
bool path_join(const char *dir, const char *path, char out[PATH_MAX]);

#endif
