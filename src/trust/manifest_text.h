/* SPDX-License-Identifier: Apache-2.0 */
/* The one form in which anything stands in a manifest's text. Private to parser and writer: the
 * writer puts these bytes out, the parser compares what it read with them. */
#ifndef SPYTHON_TRUST_MANIFEST_TEXT_H
#define SPYTHON_TRUST_MANIFEST_TEXT_H

#include "trust/manifest.h"

#define MANIFEST_MAGIC "spython-manifest "
#define MANIFEST_END "end\n"
#define MANIFEST_MAX_CREATED INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

#define MANIFEST_HEADER_SIZE 256 /* room for any header */
#define MANIFEST_HEX (2 * DIGEST_SIZE)
/* The longest line and the shortest one, with the newline: digest, size, verity, flags,
 * distribution, path. Every byte of a path may need four. */
#define MANIFEST_MAX_LINE                                                                          \
    (MANIFEST_HEX + 1 + 10 + 1 + MANIFEST_HEX + 1 + 3 + 1 + MANIFEST_MAX_DISTRIBUTION + 1 +        \
     4 * MANIFEST_MAX_PATH + 1)
#define MANIFEST_MIN_LINE (MANIFEST_HEX + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1)

/* The letters of enum manifest_flag, lowest bit first. */
#define MANIFEST_FLAG_LETTERS "hbn"
#define MANIFEST_FLAG_COUNT (sizeof(MANIFEST_FLAG_LETTERS) - 1)
#define MANIFEST_FLAGS_ALL ((1u << MANIFEST_FLAG_COUNT) - 1)

bool manifest_name_is_valid(const char *name, size_t len);

/* Writes at most 4 * len bytes, no NUL. Takes bytes of any kind, so it serves messages too. */
size_t manifest_encode_path(const char *path, size_t len, char *out);

/* All lines before the first file, with the empty one. Name and time have to be valid. */
size_t manifest_encode_header(const struct manifest *manifest, char out[MANIFEST_HEADER_SIZE]);

/* One file's line with its newline. The entry has to be valid. */
size_t manifest_encode_entry(const struct manifest_entry *entry, char out[MANIFEST_MAX_LINE]);

/* Seconds since 1970 of YYYY-MM-DDThh:mm:ssZ. Returns false if it is not such a text; does not
 * notice a day that its month does not have: that gives another text when it is encoded. */
bool manifest_decode_time(const char *text, size_t len, int64_t *ret);

#endif
