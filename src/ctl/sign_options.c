/* SPDX-License-Identifier: Apache-2.0 */
/* Options that `sign` and `verify` share; see sign.h. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/output.h"
#include "ctl/sign.h"

bool sign_read_number(const char *name, const char *text, uint64_t max, uint64_t *ret)
{
    struct problem problem = {0};
    char *end = NULL;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && *ret >= 1 && *ret <= max)
        return true;
    problem_set(&problem, UNFIT, "'%s' is no number from 1 to %llu", text, (unsigned long long)max);
    (void)problem_report(name, &problem);
    return false;
}

int sign_read_tree_options(const struct ctl *ctl, struct tree_options *ret)
{
    const char *jobs = ctl_value(ctl, CTL_JOBS);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t count = processors < 1               ? 1
                     : processors > TREE_MAX_JOBS ? TREE_MAX_JOBS
                                                  : (uint64_t)processors;

    if (jobs && !sign_read_number("--jobs", jobs, TREE_MAX_JOBS, &count))
        return CTL_USAGE;
    *ret = (struct tree_options){
        .exclude = ctl_values(ctl, CTL_EXCLUDE),
        .jobs = (unsigned)count,
        .wants_verity = ctl->flags & CTL_VERITY,
        .shows_progress = isatty(STDERR_FILENO),
    };
    return CTL_OK;
}
