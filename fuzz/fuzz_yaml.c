/* SPDX-License-Identifier: Apache-2.0 */
/* The front end for policy sources: whatever the text, it compiles to an artefact that loads, or
 * there are findings with a file and a text in one line each. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/policy_compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_messages messages;
    struct err err = ERR_INIT;
    struct policy policy;
    void *artefact = NULL;
    size_t len = 0;
    int r = policy_compile_text("fuzz.yaml", (const char *)data, size, 1, 2, &artefact, &len,
                                &messages, &err);

    assert(r == 0 ? messages.errors == 0 : r == -EINVAL && messages.errors > 0);
    assert(messages.errors == 0 || messages.count > 0);
    for (size_t i = 0; i < messages.count; i++)
        assert(messages.items[i].file && messages.items[i].text[0]);
    policy_messages_done(&messages);
    if (r < 0)
        return 0;
    r = policy_load_memory(artefact, len, &policy, &err);
    assert(r == 0);
    policy_done(&policy);
    free(artefact);
    return 0;
}
