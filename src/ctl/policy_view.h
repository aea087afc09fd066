/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a compiled policy as names and values, for show and for the differences that
 * apply prints. Names are those of spython.yaml(5). */
#ifndef SPYTHON_CTL_POLICY_VIEW_H
#define SPYTHON_CTL_POLICY_VIEW_H

#include <jansson.h>

#include "policy/policy.h"

/* An object: name -> string, number, or array of strings, in the order in which show prints. */
json_t *view_settings(const struct policy_settings *settings);

/* One value on one line, malloc'ed: "standard", "3", "a, b", "(none)". */
char *view_value_text(const json_t *value);

/* The settings of the app called `name`, NULL if there is none. */
const struct policy_settings *view_find_app(const struct policy *policy, const char *name);

/* Prints what differs between two policies: `- name: old value`, `+ name: new value`, for an app
 * with `app NAME: ` in front; of a new app what it has otherwise than the host. Returns how many
 * lines. */
size_t view_print_changes(const struct policy *from, const struct policy *to);

#endif
