/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/trust_listing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "trust/trust_verifiers.h"

static bool is_of_kind(const struct manifest_index *manifest, enum trust_listing_kind kind)
{
    bool ima = strncmp(manifest->name, TRUST_IMA_PREFIX, strlen(TRUST_IMA_PREFIX)) == 0;

    return ima == (kind == TRUST_LISTING_IMA);
}

bool trust_listing_has_any(const struct trust_root *root, enum trust_listing_kind kind)
{
    for (uint32_t i = 0; i < root->manifest_count; i++)
        if (is_of_kind(root->manifests[i], kind))
            return true;
    return false;
}

/* What of `path` lies below the root, without the slash between; NULL if it does not. */
static const char *path_below(const struct trust_root *root, const char *path)
{
    size_t len = strlen(root->path);

    if (strncmp(path, root->path, len) != 0 || path[len] != '/')
        return NULL;
    return path + len + 1;
}

int trust_listing_next(const struct trust_root *root, enum trust_listing_kind kind,
                       const char *path, uint32_t *at, struct trust_listing *ret)
{
    const char *below = path_below(root, path);

    if (!below)
        return 0;
    while (*at < root->manifest_count) {
        int r;

        ret->manifest = root->manifests[(*at)++];
        if (!is_of_kind(ret->manifest, kind))
            continue;
        r = manifest_index_find(ret->manifest, below, strlen(below), &ret->item);
        if (r == 0)
            return 1;
        if (r != -ENOENT)
            return -EBADMSG;
    }
    return 0;
}

void trust_listing_attribute(const struct trust_listing *listing, bool listed,
                             struct trust_evidence *ret)
{
    TRUST_TEXT(ret->source, "%s serial %llu", listing->manifest->name,
               (unsigned long long)listing->manifest->serial);
    if (listed)
        TRUST_TEXT(ret->distribution, "%.*s", (int)listing->item.distribution_len,
                   listing->item.distribution);
}

/* 1: the bytes to execute are those of the entry; 0: they are not. Then `actual` is their digest.
 */
static int is_listed_as(const struct manifest_item *item, struct trust_file *file, uint64_t size,
                        uint8_t actual[DIGEST_SIZE])
{
    int r = trust_file_digest(file, actual);

    if (r == 0 && memcmp(item->sha256, actual, DIGEST_SIZE) != 0)
        r = trust_file_digest_again(file, actual);
    if (r < 0)
        return r;
    return item->size == size && memcmp(item->sha256, actual, DIGEST_SIZE) == 0;
}

void trust_listing_check(const struct trust_root *root, enum trust_listing_kind kind,
                         struct trust_file *file, struct trust_evidence *ret)
{
    uint64_t size = file->data ? file->len : (uint64_t)file->st.st_size;
    struct trust_listing listing;
    uint8_t actual[DIGEST_SIZE];
    bool listed = false;
    uint32_t at = 0;
    int r;

    while ((r = trust_listing_next(root, kind, file->path, &at, &listing)) == 1) {
        int same = is_listed_as(&listing.item, file, size, actual);

        if (same < 0) {
            ret->answer = TRUST_REJECTED;
            TRUST_TEXT(ret->reason, "cannot be read again");
            return;
        }
        if (same) {
            ret->answer = TRUST_TRUSTED;
            ret->reason[0] = ret->expected[0] = ret->actual[0] = '\0';
            trust_listing_attribute(&listing, true, ret);
            return;
        }
        if (listed)
            continue; /* the newest one's word is the one to show */
        listed = true;
        TRUST_TEXT(ret->reason, "has another digest than the one that is listed");
        hex_encode(listing.item.sha256, DIGEST_SIZE, ret->expected);
        hex_encode(actual, DIGEST_SIZE, ret->actual);
        trust_listing_attribute(&listing, true, ret);
    }
    ret->answer = TRUST_REJECTED;
    if (r < 0) {
        TRUST_TEXT(ret->reason, "is perhaps listed, but the manifest is damaged");
        ret->expected[0] = ret->actual[0] = ret->distribution[0] = '\0';
        trust_listing_attribute(&listing, false, ret);
    } else if (!listed) {
        TRUST_TEXT(ret->reason, "is not listed");
    }
}
