/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier `selinux`: the type of the file's label is one of those that policy names. Only a
 * kernel in which SELinux is active and has its policy guards labels, and gives the one it
 * enforces; anywhere else the attribute is text that nobody stands for, and this verifier is
 * unavailable.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "trust/trust_verifiers.h"

#ifndef SYS_lsm_get_self_attr
#define SYS_lsm_get_self_attr 459 /* Linux 6.8, the same number on every architecture */
#endif
#define ATTR_CURRENT 100 /* LSM_ATTR_CURRENT */
#define ID_SELINUX 101   /* LSM_ID_SELINUX */
#define FLAG_SINGLE 1    /* LSM_FLAG_SINGLE */
#define SELINUXFS 0xf97cff8cu
#define SELINUXFS_PLACE "/sys/fs/selinux"

/* struct lsm_ctx of linux/lsm.h, which older headers lack. */
struct lsm_context {
    uint64_t id, flags, len, text_len;
    char text[TRUST_LABEL_MAX];
};

int trust_selinux_parse(const char *label, size_t len, const char **ret_type, size_t *ret_len)
{
    const char *end, *field = label;

    if (len > 0 && label[len - 1] == '\0')
        len--;
    end = label + len;
    for (const char *p = label; p < end; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return -EINVAL;
    for (unsigned i = 0; i < 3; i++) {
        const char *colon = memchr(field, ':', (size_t)(end - field));
        const char *stop = colon ? colon : end;

        if (stop == field || (!colon && i < 2))
            return -EINVAL;
        if (i == 2) {
            *ret_type = field;
            *ret_len = (size_t)(stop - field);
            return colon && colon + 1 == end ? -EINVAL : 0;
        }
        field = colon + 1;
    }
    return -EINVAL;
}

void trust_selinux_judge(const struct trust_root *root, const char *label, size_t len,
                         struct trust_evidence *ret)
{
    const char *type;
    size_t type_len;

    ret->answer = TRUST_REJECTED;
    if (trust_selinux_parse(label, len, &type, &type_len) < 0) {
        TRUST_TEXT(ret->reason, "has a label that is none");
        return;
    }
    TRUST_TEXT(ret->actual, "%.*s", (int)type_len, type);
    for (uint32_t i = 0; i < root->label_count; i++)
        if (strlen(root->labels[i]) == type_len && memcmp(root->labels[i], type, type_len) == 0) {
            ret->answer = TRUST_TRUSTED;
            return;
        }
    TRUST_TEXT(ret->reason, "has a label of a type that policy does not name");
    if (root->label_count)
        TRUST_TEXT(ret->expected, "%s%s", root->labels[0], root->label_count > 1 ? " ..." : "");
}

/*
 * Asks the kernel for this process's own label. Before there is a policy that is one word. Kernels
 * before Linux 6.8 are asked by way of a mount, as libselinux does it, which does not tell that;
 * there, the time until init has loaded the policy is not guarded.
 */
static bool is_selinux_active(void)
{
    struct lsm_context own = {.id = ID_SELINUX};
    uint32_t size = sizeof(own);
    struct statfs fs;

    if (syscall(SYS_lsm_get_self_attr, ATTR_CURRENT, &own, &size, FLAG_SINGLE) >= 0)
        return own.text_len <= sizeof(own.text) && memchr(own.text, ':', own.text_len);
    if (errno != ENOSYS)
        return false;
    return statfs(SELINUXFS_PLACE, &fs) == 0 && (uint32_t)fs.f_type == SELINUXFS;
}

static void check(const struct trust_policy *policy, const struct trust_root *root,
                  struct trust_file *file, struct trust_evidence *ret)
{
    char label[TRUST_LABEL_MAX];
    ssize_t len;

    (void)policy;
    if (!is_selinux_active()) {
        ret->answer = TRUST_UNAVAILABLE;
        TRUST_TEXT(ret->reason, "SELinux is not active, or has no policy");
        return;
    }
    len = fgetxattr(file->fd, "security.selinux", label, sizeof(label));
    if (len >= 0) {
        trust_selinux_judge(root, label, (size_t)len, ret);
        return;
    }
    if (errno == ENODATA || errno == EOPNOTSUPP) {
        ret->answer = TRUST_UNAVAILABLE;
        TRUST_TEXT(ret->reason, "has no label");
        return;
    }
    ret->answer = TRUST_REJECTED;
    TRUST_TEXT(ret->reason, "has a label that cannot be read: errno %d", errno);
}

const struct trust_verifier trust_selinux = {.name = "selinux", .check = check};
