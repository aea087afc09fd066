/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When libcrypto asks the processor what it can do. On its own it does at load time, and on a
 * virtual machine each of those instructions ends in the hypervisor: some 35 microseconds of every
 * start, for programs that hash a few kilobytes.
 */
#ifndef SPYTHON_CPYTHON_HASHING_H
#define SPYTHON_CPYTHON_HASHING_H

#include <stddef.h>

/* Call before `len` bytes are hashed: lets libcrypto ask if that pays. Any thread: one of them
 * asks, and others hash the slow way until it has. */
void hashing_expect(size_t len);

#endif
