/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test does where the machine lacks what it needs: it is skipped, and fails where everything
 * has to be there (SPYTHON_MUST_WORK=1), since cmocka counts a skipped test as if it had passed.
 * Include cmocka.h before.
 */
#ifndef SPYTHON_TESTS_UNAVAILABLE_H
#define SPYTHON_TESTS_UNAVAILABLE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline bool must_work(void)
{
    const char *must = getenv("SPYTHON_MUST_WORK");

    return must && strcmp(must, "1") == 0;
}

/* Ends the running test. `what` is what is missing. */
#define unavailable(what)                                                                          \
    do {                                                                                           \
        if (must_work())                                                                           \
            fail_msg("SPYTHON_MUST_WORK=1, but %s", what);                                         \
        print_message("skipped: %s\n", what);                                                      \
        skip();                                                                                    \
    } while (0)

#define need_root()                                                                                \
    do {                                                                                           \
        if (geteuid() != 0)                                                                        \
            unavailable("this test needs root");                                                   \
    } while (0)

#endif
