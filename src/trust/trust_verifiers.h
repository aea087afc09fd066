/* SPDX-License-Identifier: Apache-2.0 */
/* All verifiers, one file each. Private to src/trust/. */
#ifndef SPYTHON_TRUST_TRUST_VERIFIERS_H
#define SPYTHON_TRUST_TRUST_VERIFIERS_H

#include "trust/trust.h"

extern const struct trust_verifier trust_manifest; /* listed in a signed manifest, same digest */
extern const struct trust_verifier trust_fsverity; /* listed, and the kernel vouches for it */
extern const struct trust_verifier trust_ima;      /* listed: its IMA signature was good at apply */
extern const struct trust_verifier trust_execcheck; /* execveat(AT_EXECVE_CHECK) */
extern const struct trust_verifier trust_owner;     /* nobody who runs it can write it */
extern const struct trust_verifier trust_selinux;   /* type of its label */
extern const struct trust_verifier trust_xattr;     /* user.org.python.x-spython-hash */
extern const struct trust_verifier trust_null;      /* says yes, visibly */

#endif
