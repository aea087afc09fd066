/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier `owner`: W^X for files. Only root or policy's owner can change the file, put another
 * in its place, or rename a directory above it, and its mount is not noexec.
 *
 * The chain is walked from "/" down, by the path's own names, none of which may be a symlink. That
 * order makes it free of races: once a directory is known to be changeable only by those two, the
 * name below it means the same until one of them changes it; at the end the path still leads to the
 * opened file. A cache of verdicts would save nothing: no sign in a directory tells that one above
 * it was renamed or made writable, so each would have to be looked at, and that look is the check.
 *
 * Root here is uid 0 of the user namespace that the process is in.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/owner.h"
#include "trust/trust_verifiers.h"

struct walk {
    uid_t owner;
    bool ask_access; /* the running user is neither root nor owner */
    struct trust_evidence *ret;
};

static bool flawed(const struct walk *walk, const struct stat *st, enum owner_flaw flaw,
                   const char *directory)
{
    struct trust_evidence *ret = walk->ret;
    const char *what = directory ? "a directory above it " : "";

    switch (flaw) {
    case OWNER_SOUND:
        return false;
    case OWNER_FOREIGN:
        TRUST_TEXT(ret->reason, "%sis owned by neither root nor the owner of spython", what);
        break;
    case OWNER_GROUP:
        TRUST_TEXT(ret->reason, "%scan be written by its group or by an access control list", what);
        break;
    case OWNER_EVERYBODY:
        TRUST_TEXT(ret->reason, "%scan be written by everybody", what);
        break;
    }
    TRUST_TEXT(ret->expected, "uid 0 or %u, go-w", (unsigned)walk->owner);
    TRUST_TEXT(ret->actual, "uid %u, mode %04o", (unsigned)st->st_uid,
               (unsigned)(st->st_mode & 07777));
    if (directory)
        TRUST_TEXT(ret->source, "%s", directory);
    return true;
}

/* Asks the kernel whether the running user can write: that knows of capabilities and of access
 * control that does not show in the mode (NFSv4, CIFS). Sticky directories are writable by design.
 */
static bool is_writable(const struct walk *walk, const char *path, const struct stat *st,
                        bool directory)
{
    if (!walk->ask_access || (directory && st->st_mode & S_ISVTX))
        return false;
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
        return false;
    TRUST_TEXT(walk->ret->reason, "%scan be written by the running user, uid %u",
               directory ? "a directory above it " : "", (unsigned)geteuid());
    if (directory)
        TRUST_TEXT(walk->ret->source, "%s", path);
    return true;
}

static bool look(const struct walk *walk, const char *path, bool directory, struct stat *ret_st)
{
    if (lstat(path, ret_st) == 0 && (!directory || S_ISDIR(ret_st->st_mode)))
        return true;
    TRUST_TEXT(walk->ret->reason, "its path does not lead to it");
    if (directory)
        TRUST_TEXT(walk->ret->source, "%s", path);
    return false;
}

/* The directory that the first `end` bytes of `path` name. It is judged when what lies in it is
 * known, too: a sticky one depends on that. */
static bool is_directory_sound(const struct walk *walk, char *path, size_t end,
                               const struct stat *st, uid_t below)
{
    char kept = path[end];
    bool sound;

    path[end] = '\0';
    sound = !flawed(walk, st, owner_find_directory_flaw(st, walk->owner, below), path) &&
            !is_writable(walk, path, st, true);
    path[end] = kept;
    return sound;
}

static bool is_chain_sound(const struct walk *walk, const struct trust_file *file)
{
    char path[PATH_MAX];
    size_t len = strlen(file->path), above = 1; /* the root keeps its slash */
    struct stat st, next;

    if (file->path[0] != '/' || len >= sizeof(path)) {
        TRUST_TEXT(walk->ret->reason, "its path is not absolute or too long");
        return false;
    }
    memcpy(path, file->path, len + 1);
    if (!look(walk, "/", true, &st))
        return false;
    for (size_t at = 1; at <= len; at++) {
        char kept = path[at];

        if (kept != '/' && kept != '\0')
            continue;
        path[at] = '\0';
        if (!look(walk, path, at < len, &next))
            return false;
        /* In a sticky directory it is the stranger's entry that is at fault, not the directory. */
        if (owner_find_flaw(&next, walk->owner) == OWNER_FOREIGN) {
            (void)flawed(walk, &next, OWNER_FOREIGN, at < len ? path : NULL);
            return false;
        }
        if (!is_directory_sound(walk, path, above, &st, next.st_uid))
            return false;
        path[at] = kept;
        st = next;
        above = at;
    }
    if (st.st_dev == file->st.st_dev && st.st_ino == file->st.st_ino)
        return true;
    TRUST_TEXT(walk->ret->reason, "its path leads to another file now");
    return false;
}

static bool is_noexec(int fd, struct trust_evidence *ret)
{
    struct statvfs fs;

    if (fstatvfs(fd, &fs) < 0) {
        TRUST_TEXT(ret->reason, "its file system cannot be asked: errno %d", errno);
        return true;
    }
    if (!(fs.f_flag & ST_NOEXEC))
        return false;
    TRUST_TEXT(ret->reason, "is on a file system that is mounted noexec");
    return true;
}

static void check(const struct trust_policy *policy, const struct trust_root *root,
                  struct trust_file *file, struct trust_evidence *ret)
{
    uid_t user = geteuid();
    struct walk walk = {policy->owner, user != 0 && user != policy->owner, ret};

    (void)root;
    ret->answer = TRUST_REJECTED;
    if (!S_ISREG(file->st.st_mode)) {
        TRUST_TEXT(ret->reason, "is not a regular file");
        return;
    }
    if (flawed(&walk, &file->st, owner_find_flaw(&file->st, policy->owner), NULL) ||
        is_noexec(file->fd, ret) || !is_chain_sound(&walk, file) ||
        is_writable(&walk, file->path, &file->st, false))
        return;
    ret->answer = TRUST_TRUSTED;
}

const struct trust_verifier trust_owner = {.name = "owner", .check = check};
