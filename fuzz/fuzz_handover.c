/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the parser accepts has exactly one form: encoding it again gives the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stage1/handover.h"
#include "stage1/handover_encode.h"
#include "stage1/handover_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *text_of(struct handover_text t, const char *end)
{
    static char texts[8][HANDOVER_VALUE_MAX + 2];
    static unsigned turn;
    char *s = texts[turn++ % 8];

    memcpy(s, t.data, t.len);
    memcpy(s + t.len, end, strlen(end) + 1);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char again[HANDOVER_VALUE_MAX + 1];
    struct handover_text name;
    struct handover h;
    size_t at = 0, names = 0;
    struct text t;

    if (handover_parse((const char *)data, size, &h) < 0)
        return 0;
    while (handover_next_removed(&h, &at, &name)) {
        names++;
        if (name.len == 0 || memchr(name.data, '=', name.len))
            abort();
    }
    if ((names > 0) != (h.removed.len > 0))
        abort();
    struct handover_source source = {
        .minor = text_of(h.minor, ""),
        .prefix = text_of(h.prefix, ""),
        .executable = text_of(h.executable, ""),
        .execfn = text_of(h.execfn, ""),
        .first_argument = h.guard == HANDOVER_GUARD_REPLACED ? text_of(h.first_argument, "") : NULL,
        .removed = text_of(h.removed, h.removed_cut ? "=" : ""),
        .second_pass = h.second_pass,
    };
    text_init(&t, again, sizeof(again));
    handover_encode(&source, &t);
    if (t.cut || t.len != size || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
