/* SPDX-License-Identifier: Apache-2.0 */
/* From sources to settings: what the profile says, over it spython.yaml, over that the app. */
#ifndef SPYTHON_POLICY_MERGE_H
#define SPYTHON_POLICY_MERGE_H

#include "policy/source.h"

/*
 * Makes the settings of an app, or with app == NULL those of the host. Single values and lists
 * replace what is below them, maps merge key by key. Reports what has no effect or collides.
 * Everything lives in the reader's arena; paths are taken as they are. Returns false if memory ran
 * out.
 */
bool merge_settings(struct reader *reader, const struct source *host, const struct source *app,
                    struct policy_settings *ret);

#endif
