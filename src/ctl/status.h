/* SPDX-License-Identifier: Apache-2.0 */
/* Everything `spythonctl status` knows, gathered once and printed as text or JSON. */
#ifndef SPYTHON_CTL_STATUS_H
#define SPYTHON_CTL_STATUS_H

#include <jansson.h>

#include "ctl/ctl.h"

/* An object with prefix, owner, interpreters, policy, apps, venvs, problems and ok; see
 * spythonctl(1). The caller drops it. */
json_t *status_collect(const struct ctl *ctl);

#endif
