/* SPDX-License-Identifier: Apache-2.0 */
/* Writes manifests. Nothing leaves here that the parser would not take. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "trust/manifest_text.h"

/* A path for a message: in its escaped form, the first part of a long one. */
struct shown_path {
    char text[4 * 128 + 4];
};

static const char *show_path(const char *path, struct shown_path *shown)
{
    size_t len = strlen(path), part = len < 128 ? len : 128;
    size_t n = manifest_encode_path(path, part, shown->text);

    memcpy(shown->text + n, len > part ? "..." : "", len > part ? 4 : 1);
    return shown->text;
}

static int check_head(const struct manifest *manifest, struct err *err)
{
    if (!manifest_name_is_valid(manifest->name, strnlen(manifest->name, sizeof(manifest->name))))
        return err_set(err, -EINVAL,
                       "a manifest's name is 1 to %d of A-Z a-z 0-9 . _ - and does not begin with "
                       "'.' or '-'",
                       MANIFEST_MAX_NAME);
    if (manifest->serial < 1 || manifest->serial > MANIFEST_MAX_SERIAL)
        return err_set(err, -EINVAL, "manifest '%s': its serial is not between 1 and %llu",
                       manifest->name, (unsigned long long)MANIFEST_MAX_SERIAL);
    if (manifest->created < 0 || manifest->created > MANIFEST_MAX_CREATED)
        return err_set(err, -EINVAL, "manifest '%s': its time is not between 1970 and 9999",
                       manifest->name);
    if (manifest->count > MANIFEST_MAX_ENTRIES)
        return err_set(err, -EFBIG, "manifest '%s': %u files are more than %u", manifest->name,
                       manifest->count, MANIFEST_MAX_ENTRIES);
    return 0;
}

static int check_entry(const struct manifest_entry *entry, const char *previous, struct err *err)
{
    struct shown_path shown;
    const char *reason;

    if (!manifest_path_is_valid(entry->path, strlen(entry->path), &reason))
        return err_set(err, -EINVAL, "the path '%s' cannot be listed: it %s",
                       show_path(entry->path, &shown), reason);
    if (previous && strcmp(previous, entry->path) == 0)
        return err_set(err, -EINVAL, "'%s' is listed twice", show_path(entry->path, &shown));
    if (previous && strcmp(previous, entry->path) > 0)
        return err_set(err, -EINVAL, "'%s' is out of order", show_path(entry->path, &shown));
    if (entry->size > MANIFEST_MAX_FILE)
        return err_set(err, -EINVAL, "'%s' is larger than %llu bytes",
                       show_path(entry->path, &shown), (unsigned long long)MANIFEST_MAX_FILE);
    if (entry->flags & ~MANIFEST_FLAGS_ALL)
        return err_set(err, -EINVAL, "'%s' has unknown flags", show_path(entry->path, &shown));
    if (!manifest_distribution_is_valid(entry->distribution, strlen(entry->distribution)))
        return err_set(err, -EINVAL,
                       "'%s': its distribution is not a name, a space and a version, together at "
                       "most %d printable characters, none of them '@'",
                       show_path(entry->path, &shown), MANIFEST_MAX_DISTRIBUTION);
    return 0;
}

/* Checks every entry and adds up the length of the text. */
static int measure(const struct manifest *manifest, char *line, size_t *ret_len, struct err *err)
{
    const char *previous = NULL;
    size_t len = manifest_encode_header(manifest, line);

    for (uint32_t i = 0; i < manifest->count; i++) {
        int r = check_entry(&manifest->entries[i], previous, err);

        if (r < 0) {
            err_prefix(err, "manifest '%s'", manifest->name);
            return r;
        }
        len += manifest_encode_entry(&manifest->entries[i], line);
        previous = manifest->entries[i].path;
    }
    len += strlen(MANIFEST_END);
    if (len > MANIFEST_MAX_SIZE)
        return err_set(err, -EFBIG, "manifest '%s' is larger than %zu bytes", manifest->name,
                       MANIFEST_MAX_SIZE);
    *ret_len = len;
    return 0;
}

int manifest_write(const struct manifest *manifest, char **ret_data, size_t *ret_len,
                   struct err *err)
{
    CLEANUP_FREE char *line = NULL;
    CLEANUP_FREE char *data = NULL;
    size_t len = 0, at;
    int r;

    r = check_head(manifest, err);
    if (r < 0)
        return r;
    line = malloc(MANIFEST_MAX_LINE);
    if (!line)
        return err_set(err, -ENOMEM, "out of memory");
    r = measure(manifest, line, &len, err);
    if (r < 0)
        return r;
    data = malloc(len + 1);
    if (!data)
        return err_set(err, -ENOMEM, "out of memory");
    at = manifest_encode_header(manifest, line);
    memcpy(data, line, at);
    for (uint32_t i = 0; i < manifest->count; i++) {
        size_t n = manifest_encode_entry(&manifest->entries[i], line);

        memcpy(data + at, line, n);
        at += n;
    }
    memcpy(data + at, MANIFEST_END, len - at);
    data[len] = '\0';
    *ret_data = STEAL(data);
    *ret_len = len;
    return 0;
}
