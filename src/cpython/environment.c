/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **whole, **visible;

bool environment_is_ignored(const char *variable, const struct policy_strings *permit)
{
    const char *end = strchr(variable, '=');
    size_t len = end ? (size_t)(end - variable) : strlen(variable);

    if (len < 6 || memcmp(variable, "PYTHON", 6) != 0)
        return false;
    for (uint32_t i = 0; i < permit->count; i++)
        if (strlen(permit->items[i]) == len && memcmp(permit->items[i], variable, len) == 0)
            return false;
    return true;
}

char **environment_whole(void)
{
    return whole ? whole : environ;
}

int environment_hide(const struct policy_strings *permit)
{
    size_t count = 0, kept = 0;

    while (environ && environ[count])
        count++;
    visible = calloc(count + 1, sizeof(*visible));
    if (!visible)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (!environment_is_ignored(environ[i], permit))
            visible[kept++] = environ[i];
    whole = environ;
    environ = visible;
    return 0;
}

void environment_restore(void)
{
    /* CPython's coercion of the C locale may have set LC_CTYPE meanwhile: carry that over. */
    const char *coerced = environ ? getenv("LC_CTYPE") : NULL, *before;

    if (!whole)
        return;
    environ = whole;
    before = getenv("LC_CTYPE");
    if (coerced && (!before || strcmp(before, coerced) != 0))
        (void)setenv("LC_CTYPE", coerced, 1);
    whole = NULL;
    /* `visible` stays: setenv() may have put strings of its own into a copy, and it is small. */
}
