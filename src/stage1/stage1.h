/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of the first stage. All state is in one static struct; each step either leaves its part
 * of it filled or refuses and does not come back.
 */
#ifndef SPYTHON_STAGE1_STAGE1_H
#define SPYTHON_STAGE1_STAGE1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stage1/location.h"

#define STAGE1_PATH_SIZE                                                                           \
    (LOCATION_PATH_MAX + 64) /* prefix + "/libexec/spython/X.Y/interpreter"                        \
                              */

struct stage1 {
    /* step_read_stack */
    size_t argc, envc;
    const char *const *argv, *const *envp;
    const char *execfn;
    bool secure;

    /* step_locate */
    char executable[LOCATION_PATH_MAX + 1];
    struct location location;
    uint32_t owner; /* of the executable */

    /* step_check_* */
    int directory; /* PREFIX/libexec/spython/X.Y */
    char core[STAGE1_PATH_SIZE];
    char audit[STAGE1_PATH_SIZE]; /* audit object */
    char interpreter[STAGE1_PATH_SIZE];
    int interpreter_fd;
};

void step_read_stack(struct stage1 *s, const long *stack);
void step_locate(struct stage1 *s);
void step_check_directories(struct stage1 *s);
void step_check_core(struct stage1 *s);
void step_check_audit(struct stage1 *s);
void step_check_interpreter(struct stage1 *s);
_Noreturn void step_execute(struct stage1 *s);

#endif
