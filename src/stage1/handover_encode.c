/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/handover_encode.h"

#include "stage1/handover.h"
#include "stage1/mem.h"

static void add_field(struct text *out, const char *field)
{
    size_t len = strlen(field);

    text_add_number(out, len);
    text_add(out, ":");
    text_add_bytes(out, field, len);
    text_add(out, ",");
}

void handover_encode(const struct handover_source *from, struct text *out)
{
    add_field(out, HANDOVER_FORMAT);
    add_field(out, from->minor);
    add_field(out, from->prefix);
    add_field(out, from->executable);
    add_field(out, from->execfn);
    add_field(out, from->first_argument ? "r" : "i");
    add_field(out, from->first_argument ? from->first_argument : "");
    add_field(out, from->removed);
    add_field(out, from->second_pass ? "1" : "0");
}
