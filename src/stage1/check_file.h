/* SPDX-License-Identifier: Apache-2.0 */
/* What core, record and interpreter have in common; each function refuses by itself. */
#ifndef SPYTHON_STAGE1_CHECK_FILE_H
#define SPYTHON_STAGE1_CHECK_FILE_H

#include <stddef.h>

#include "stage1/elf_file.h"
#include "stage1/fmt.h"
#include "stage1/identity.h"
#include "stage1/stage1.h"

/* PREFIX/libexec/spython/X.Y/`name` into `buf` of STAGE1_PATH_SIZE bytes. */
void check_path(const struct stage1 *s, const char *name, char *buf);

/* Refuses what somebody else than root and the owner of spython could change. */
void check_trust(const struct stage1 *s, const struct file_facts *f, const char *path);

/* Facts about an open file, which must be a regular one that can be trusted. */
void check_regular(const struct stage1 *s, int fd, const char *path, struct file_facts *ret);

/*
 * Reads header and segment table of an ELF file for this machine. The table is one static buffer:
 * good until the next call.
 */
const void *check_elf(int fd, const char *path, const char *todo, const char *todo2,
                      struct elf_layout *ret);

#endif
