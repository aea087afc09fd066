/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate for native code: extension modules, ctypes libraries and everything that they pull in,
 * in whatever way they are loaded. The dynamic linker asks the audit object (src/rtld/) before it
 * opens a file and tells it when one is mapped, and that asks here. No Python object comes in here.
 */
#ifndef SPYTHON_CPYTHON_NATIVE_GATE_H
#define SPYTHON_CPYTHON_NATIVE_GATE_H

#include <stdbool.h>

#include "base/err.h"
#include "policy/policy.h"

/* Makes the audit object known to us, once. False: it is not there, and nothing could be checked.
 */
bool native_gate_greet(void);

/*
 * From now on `policy` decides, which must outlive the process. What is mapped already is judged
 * first, but for the interpreter itself, which the first stage has checked, and what lies in
 * `own` (the directory of core and audit object, which it has checked as well). Before there are
 * other threads, after the log is open. Returns 0, or -EPERM: enforced, and an object was refused;
 * the message names it.
 */
int native_gate_start(const struct policy_verify *policy, const char *own, struct err *err);

/* Why the last object that this thread wanted was refused, since native_gate_forget(); "" if none
 * was. */
const char *native_gate_refusal(void);
void native_gate_forget(void);

#endif
