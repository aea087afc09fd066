/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, and the text forms around it that keys and signatures come in. */
#ifndef SPYTHON_TRUST_ARMOUR_H
#define SPYTHON_TRUST_ARMOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes base64 with whole padding; blanks and line ends are skipped, anything else is -EBADMSG.
 * The caller frees *ret. -ENOMEM. */
int base64_decode(const char *text, size_t len, uint8_t **ret, size_t *ret_len);

/* Encodes in one line; without padding as SSH's fingerprints are written. `out` holds
 * len * 4 / 3 + 5 bytes. */
void base64_encode(const uint8_t *data, size_t len, bool padded, char *out);

/*
 * Decodes one armoured block "-----BEGIN label-----" ... "-----END label-----". With
 * `has_headers`, header lines up to an empty line, and a line of '=' and four characters before the
 * end (OpenPGP's checksum), are skipped. Only blanks may lie around the block: -EBADMSG.
 */
int armour_decode(const char *text, size_t len, const char *label, bool has_headers, uint8_t **ret,
                  size_t *ret_len);

#endif
