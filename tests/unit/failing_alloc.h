/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator whose nth call fails. The linker puts it in the place of malloc, calloc and realloc
 * (--wrap, see the meson.build of the test that uses it). */
#ifndef SPYTHON_TESTS_FAILING_ALLOC_H
#define SPYTHON_TESTS_FAILING_ALLOC_H

/* How many calls there were, and the number of the one to fail; 0: none. The test sets both. */
extern unsigned allocations, failing;

#endif
