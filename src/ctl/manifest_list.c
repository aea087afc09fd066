/* SPDX-License-Identifier: Apache-2.0 */
/* The manifests that are installed in trust.d; see signed_manifest.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/signed_manifest.h"

#define SUFFIX ".manifest"

/* Where ".DIGITS" at the end of a name begins; NULL if it does not end so. */
static char *find_serial(char *name)
{
    char *dot = strrchr(name, '.');

    if (!dot || !dot[1])
        return NULL;
    for (const char *p = dot + 1; *p; p++)
        if (!isdigit((unsigned char)*p))
            return NULL;
    return dot;
}

bool manifest_name_is_installable(const char *name)
{
    char copy[MANIFEST_MAX_NAME + 1];

    (void)snprintf(copy, sizeof(copy), "%s", name);
    return trust_name_is_valid(name) && !find_serial(copy);
}

static bool read_name(const char *file, struct installed_manifest *ret)
{
    size_t len = strlen(file), tail = strlen(SUFFIX);
    char name[MANIFEST_MAX_NAME + 32], *dot;

    if (len <= tail || len - tail >= sizeof(name) || strcmp(file + len - tail, SUFFIX) != 0)
        return false;
    memcpy(name, file, len - tail);
    name[len - tail] = '\0';
    ret->serial = 0;
    dot = find_serial(name);
    if (dot) {
        ret->serial = strtoull(dot + 1, NULL, 10); /* digits only; too many are no serial */
        *dot = '\0';
    }
    if (!trust_name_is_valid(name) || (dot && ret->serial == 0))
        return false;
    memcpy(ret->name, name, strlen(name) + 1);
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct installed_manifest *x = a, *y = b;
    int r = strcmp(x->name, y->name);

    if (r)
        return r;
    /* The newest has no number; then downwards. */
    if (x->serial == 0 || y->serial == 0)
        return (x->serial != 0) - (y->serial != 0);
    return (x->serial < y->serial) - (x->serial > y->serial);
}

int manifest_list(const struct ctl *ctl, struct installed_manifest **ret, size_t *ret_count,
                  struct problem *problem)
{
    CLEANUP_FREE char *dir = trust_path(ctl, "manifests");
    DIR *stream = opendir(dir);
    struct installed_manifest *list = NULL, one = {0};
    size_t count = 0;
    int r;

    *ret = NULL;
    *ret_count = 0;
    if (!stream)
        return errno == ENOENT
                   ? 0
                   : problem_set(problem, -errno, "cannot open '%s': %s", dir, strerror(errno));
    for (const struct dirent *entry; (errno = 0, entry = readdir(stream)) != NULL;) {
        if (!read_name(entry->d_name, &one))
            continue; /* signatures, and what others left here: nothing uses it */
        list = must_grow(list, (count + 1) * sizeof(*list));
        one.path = must_format("%s/%s", dir, entry->d_name);
        list[count++] = one;
    }
    r = -errno;
    (void)closedir(stream);
    if (r < 0) {
        manifest_list_done(list, count);
        return problem_set(problem, r, "cannot read '%s': %s", dir, strerror(-r));
    }
    if (count > 0)
        qsort(list, count, sizeof(*list), compare);
    *ret = list;
    *ret_count = count;
    return 0;
}

void manifest_list_done(struct installed_manifest *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i].path);
    free(list);
}

/* What helps against a signature that counts no more, when its key followed another or was lost. */
static void advise(const struct installed_manifest *installed, struct problem *problem)
{
    if (problem_status(problem) != CTL_BADSIGNATURE)
        return;
    if (installed->serial)
        problem_todo(problem, "spythonctl manifest remove %s %" PRIu64 "%s", installed->name,
                     installed->serial,
                     problem->err.code == -ENOKEY
                         ? ", or spythonctl trust add the key that it is signed with"
                         : "; it does not count any more");
    else
        problem_todo(problem,
                     "sign it again with a key of spythonctl trust list, and spythonctl manifest "
                     "add it%s",
                     problem->err.code == -ENOKEY
                         ? "; or spythonctl trust add the key that it is signed with"
                         : "");
}

int manifest_read_installed(const struct trust_store *store,
                            const struct installed_manifest *installed, struct signed_manifest *ret,
                            struct problem *problem)
{
    int r = signed_manifest_read(store, installed->path, NULL, ret, problem);

    if (r < 0) {
        advise(installed, problem);
        return r;
    }
    if (strcmp(ret->manifest.name, installed->name) == 0 &&
        (installed->serial == 0 || installed->serial == ret->manifest.serial))
        return 0;
    problem_set(problem, UNFIT, "is %s, serial %" PRIu64 ", under another's file name",
                ret->manifest.name, ret->manifest.serial);
    problem_todo(problem, "remove it, and install it with spythonctl manifest add");
    signed_manifest_done(ret);
    return problem->err.code;
}
