/* SPDX-License-Identifier: Apache-2.0 */
/* All verifiers, one file each. Private to src/trust/ and its tests. */
#ifndef SPYTHON_TRUST_TRUST_VERIFIERS_H
#define SPYTHON_TRUST_TRUST_VERIFIERS_H

#include <stdio.h>

#include "trust/trust.h"

extern const struct trust_verifier trust_manifest; /* listed in a signed manifest, same digest */
extern const struct trust_verifier trust_fsverity; /* listed, and the kernel vouches for it */
extern const struct trust_verifier trust_ima;      /* listed: its IMA signature was good at apply */
extern const struct trust_verifier trust_execcheck; /* execveat(AT_EXECVE_CHECK) */
extern const struct trust_verifier trust_owner;     /* nobody who runs it can write it */
extern const struct trust_verifier trust_selinux;   /* type of its label */
extern const struct trust_verifier trust_xattr;     /* user.org.python.x-spython-hash */
extern const struct trust_verifier trust_null;      /* says yes, visibly */

/* Fills one text of the evidence; too long a text is cut, which no verdict depends on. */
#define TRUST_TEXT(field, ...) ((void)snprintf((field), sizeof(field), __VA_ARGS__))

/* Long enough for any label of the shipped policies; a longer one is refused, not cut. */
#define TRUST_LABEL_MAX 4096

/*
 * The type of a SELinux label: the third of the fields that colons separate (USER:ROLE:TYPE or
 * USER:ROLE:TYPE:RANGE). `len` may count one NUL at the end. Returns 0 and a piece of `label`;
 * -EINVAL: not a label (empty fields, other NULs, control characters).
 */
int trust_selinux_parse(const char *label, size_t len, const char **ret_type, size_t *ret_len);

/* Judges a label, however it was got. */
void trust_selinux_judge(const struct trust_root *root, const char *label, size_t len,
                         struct trust_evidence *ret);

/* The digest in the value of the attribute: 64 hexadecimal digits and nothing else. Returns 0 or
 * -EINVAL. */
int trust_xattr_parse(const char *value, size_t len, uint8_t ret[DIGEST_SIZE]);

#endif
