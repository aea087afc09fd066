/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which PYTHON* variables CPython gets to see. They stay in the environment that the program sees;
 * they are only out of sight while CPython reads its configuration.
 */
#ifndef SPYTHON_CPYTHON_ENVIRONMENT_H
#define SPYTHON_CPYTHON_ENVIRONMENT_H

#include <stdbool.h>

#include "policy/policy.h"

/* Whether `variable` ("NAME=value") is a PYTHON* variable that has no effect under `permit`. */
bool environment_is_ignored(const char *variable, const struct policy_strings *permit);

/* Puts an array without the ignored variables in environ's place. Returns 0 or -ENOMEM. */
int environment_hide(const struct policy_strings *permit);

/* The whole environment, hidden or not: what the program will see. */
char **environment_whole(void);

/* Puts the whole environment back. */
void environment_restore(void);

#endif
