/* SPDX-License-Identifier: Apache-2.0 */
/* The four memory functions compilers call on their own account; ours where there is no libc. */
#ifndef SPYTHON_STAGE1_MEM_H
#define SPYTHON_STAGE1_MEM_H

#include <stddef.h>

#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);
#endif

#endif
