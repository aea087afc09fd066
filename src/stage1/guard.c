/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/guard.h"

#include "stage1/mem.h"

bool guard_is_replaced(size_t first_len)
{
    return first_len >= 2 && first_len <= HANDOVER_ARGUMENT_MAX;
}

const char *guard_build(size_t argc, const char *const *argv, const char *name, const char **out,
                        char *buf)
{
    const char *first = NULL;
    size_t n = 0, from = 1;

    out[n++] = argc > 0 ? argv[0] : name;
    if (argc > 1 && guard_is_replaced(strlen(argv[1]))) {
        size_t len = strlen(argv[1]);

        first = argv[1];
        memset(buf, HANDOVER_GUARD_BYTE, len);
        buf[0] = '-';
        buf[len] = '\0';
        from = 2;
    } else {
        memcpy(buf, HANDOVER_GUARD, sizeof(HANDOVER_GUARD));
    }
    out[n++] = buf;
    for (size_t i = from; i < argc; i++)
        out[n++] = argv[i];
    out[n] = NULL;
    return first;
}
