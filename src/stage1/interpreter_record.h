/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PREFIX/libexec/spython/X.Y/interpreter: which python3 was registered, in a fixed binary form that
 * the first stage can read with one read(2). Written by `spythonctl interpreter add`. Freestanding.
 * All numbers in host order; the file is made on the machine (or for the image) that uses it.
 */
#ifndef SPYTHON_STAGE1_INTERPRETER_RECORD_H
#define SPYTHON_STAGE1_INTERPRETER_RECORD_H

#include <stdint.h>

#define INTERPRETER_MAGIC "SPYINT\0\1" /* 8 bytes, the last is the format's version */
#define INTERPRETER_MAX_PATHS 8

struct interpreter_record {
    char magic[8];
    uint32_t size;        /* sizeof(struct interpreter_record) */
    uint32_t version_hex; /* sys.hexversion */

    /* Identity of the file when it was registered: if all of these are the same, it is the same
     * file. If one differs (an image was copied), the digest decides. */
    uint64_t dev, ino, file_size;
    int64_t mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
    uint8_t sha256[32];

    /* NUL-terminated, as the interpreter itself reported under -I -S; unused bytes are zero. */
    char path[1024];        /* real path of the executable */
    char prefix[1024];      /* sys.base_prefix */
    char exec_prefix[1024]; /* sys.base_exec_prefix */
    char stdlib[1024];      /* directory that holds os.py */
    char platlibdir[64];    /* sys.platlibdir, "" before 3.9 */
    uint32_t path_count;
    uint32_t debug_build;                    /* 1: Py_DEBUG */
    char paths[INTERPRETER_MAX_PATHS][1024]; /* sys.path: zip, stdlib, lib-dynload */
};

#endif
