/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the value of SPYTHON_HANDOVER (handover.h). Pure; for the first stage and the core. */
#ifndef SPYTHON_STAGE1_HANDOVER_ENCODE_H
#define SPYTHON_STAGE1_HANDOVER_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "stage1/fmt.h"

struct handover_source {
    const char *minor;
    const char *prefix;
    const char *executable;
    const char *execfn;
    const char *first_argument; /* that was replaced; NULL: the guard was inserted */
    const char *removed;        /* as handover.h says, with the "=" at the end if it was cut */
    bool second_pass;
};

/* Adds the value to `out`. If it does not fit, out->cut is set and the text is of no use. */
void handover_encode(const struct handover_source *from, struct text *out);

#endif
