/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ima_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/tree.h"
#include "trust/ima_signature.h"

/* Whether the file is signed, and then its size and digest. -errno only if memory or disk fail. */
static int look_at(const struct trust_store *store, const struct tree *tree,
                   const struct tree_file *file, struct manifest_entry *ret, bool *ret_signed)
{
    CLEANUP_FD int fd =
        openat(tree->fd, file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    uint8_t attribute[IMA_ATTRIBUTE_MAX];
    struct ima_signature signature;
    struct stat st;
    ssize_t len;
    int r;

    *ret_signed = false;
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : -errno;
    len = fgetxattr(fd, IMA_ATTRIBUTE, attribute, sizeof(attribute));
    if (len < 0 || ima_signature_parse(attribute, (size_t)len, &signature) < 0)
        return 0;
    r = ima_signature_check(store, &signature, fd, ret->sha256);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    ret->path = file->path;
    ret->size = (uint64_t)st.st_size;
    ret->distribution = "";
    ret->flags = tree_flags_of_name(file->path);
    *ret_signed = true;
    return 0;
}

/* Texts point into the tree, so they are copied before it goes. */
static void keep_texts(struct manifest *manifest)
{
    size_t size = 1;
    char *p;

    for (uint32_t i = 0; i < manifest->count; i++)
        size += strlen(manifest->entries[i].path) + 1;
    p = must_alloc(size);
    manifest->store = p;
    for (uint32_t i = 0; i < manifest->count; i++) {
        size_t len = strlen(manifest->entries[i].path) + 1;

        memcpy(p, manifest->entries[i].path, len);
        manifest->entries[i].path = p;
        p += len;
    }
}

int ima_manifest_make(const struct trust_store *store, const char *root, struct manifest *ret,
                      struct err *err)
{
    const struct tree_options options = {.jobs = 1, .keep_odd = true};
    struct problem problem = {0};
    struct tree tree;
    int r = tree_open(&tree, root, &problem);

    *ret = (struct manifest){.serial = 1};
    (void)snprintf(ret->name, sizeof(ret->name), "%s", IMA_MANIFEST_NAME);
    if (r == 0)
        r = tree_walk(&tree, &options, &problem);
    if (r == 0)
        ret->entries = must_alloc((tree.count + 1) * sizeof(*ret->entries));
    for (size_t i = 0; r == 0 && i < tree.count; i++) {
        bool is_signed;

        r = look_at(store, &tree, &tree.files[i], &ret->entries[ret->count], &is_signed);
        if (r == 0)
            ret->count += is_signed;
        else
            problem_set(&problem, r, "cannot read '%s': %s", tree.files[i].path, strerror(-r));
    }
    if (r == 0)
        keep_texts(ret);
    tree_done(&tree);
    if (r == 0)
        return 0;
    manifest_done(ret);
    return err_set(err, problem.err.code, "%s", problem.err.msg);
}
