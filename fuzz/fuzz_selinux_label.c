/* SPDX-License-Identifier: Apache-2.0 */
/* A SELinux label: what is taken for the type lies in the label, is not empty, and stands between
 * the second colon and the third, or the end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trust/trust_verifiers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *label = (const char *)data, *type;
    unsigned colons = 0;
    size_t len;

    if (trust_selinux_parse(label, size, &type, &len) < 0)
        return 0;
    if (type < label + 4 || len == 0 || type + len > label + size || memchr(type, ':', len))
        abort();
    for (const char *p = label; p < type; p++)
        colons += *p == ':';
    if (colons != 2 || type[-1] != ':')
        abort();
    if (type + len < label + size && type[len] != ':' && type[len] != '\0')
        abort();
    return 0;
}
