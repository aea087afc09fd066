/* SPDX-License-Identifier: Apache-2.0 */
/* Ways back from the policy in force: to the one before it, and to its observing sibling. What is
 * needed then is on disk already; links and renames of existing files are enough. */
#ifndef SPYTHON_CTL_POLICY_BACK_H
#define SPYTHON_CTL_POLICY_BACK_H

#include "ctl/ctl.h"
#include "ctl/pending.h"

/* policy.bin.1 becomes policy.bin, which becomes policy.bin.undone. Needs the lock. */
int policy_swap_back(const struct ctl *ctl, struct problem *problem);

/* The same if policy.bin.1 is sound and has that serial; 0: back to the built-in policy. */
int policy_revert(const struct ctl *ctl, uint64_t previous, struct problem *problem);

/* Makes what `off` needs: policy.bin.off, the state file, room in the log. A failure is only told,
 * since policy.bin itself is in place. Needs the lock. */
void policy_prepare_off(const struct ctl *ctl);

/* The sibling for `app` (NULL: the prepared one for all, made now if it is missing or of another
 * policy). Fills serial and digest. -ENOENT: no such app or no policy; UNFIT: nothing is enforced.
 */
int policy_sibling(const struct ctl *ctl, const char *app, struct pending *ret,
                   struct problem *problem);

/* Removes the sibling of one app, which is made anew each time. */
void policy_drop_app_sibling(const struct ctl *ctl);

/* Exchanges policy.bin and its sibling (for_app: that of one app). Needs the lock. */
int policy_exchange(const struct ctl *ctl, bool for_app, struct problem *problem);

/* Whether the policy in force is the observing one that `pending` names. */
bool policy_is_observing(const struct ctl *ctl, const struct pending *pending);

/* -EBUSY while enforcement is off: policy.bin is not what it seems. Needs the lock. */
int policy_refuse_while_off(const struct ctl *ctl, struct problem *problem);

#endif
