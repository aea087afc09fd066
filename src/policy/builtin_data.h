/* SPDX-License-Identifier: Apache-2.0 */
/* What make_builtin.c writes at build time. */
#ifndef SPYTHON_POLICY_BUILTIN_DATA_H
#define SPYTHON_POLICY_BUILTIN_DATA_H

#include <stddef.h>

extern const unsigned char policy_builtin_data[];
extern const size_t policy_builtin_size;

#endif
