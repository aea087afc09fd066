/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPYTHON_BASE_HEX_H
#define SPYTHON_BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Writes 2*len lower-case digits and a NUL into `out`. */
void hex_encode(const void *data, size_t len, char *out);

/* Reads exactly 2*len digits of either case. Returns 0, or -EINVAL at the first other byte. */
int hex_decode(const char *text, size_t len, void *out);

/* Writes `digits` lower-case digits of `v`, most significant first, no NUL. */
void hex_put_u64(uint64_t v, unsigned digits, char *out);

#endif
