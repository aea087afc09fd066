/* SPDX-License-Identifier: Apache-2.0 */
/* The loader of compiled policies: once on the bytes as they are, once with size and digest put
 * right, so that the decoder behind them sees the input as well. What loads is read through. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/policy_format.h"
#include "policy/policy_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink; /* keeps the reads */

static void read_strings(const struct policy_strings *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        sink += strlen(list->items[i]);
}

static void read_verify(const struct policy_verify *verify)
{
    sink += strlen(verify->trust.elsewhere->path) + verify->mode + verify->native + verify->hooks;
    for (uint32_t i = 0; i < verify->trust.root_count && i < 1000; i++) {
        const struct trust_root *root = &verify->trust.roots[i];
        struct manifest_item item;

        sink += strlen(root->path) + root->all + root->any;
        for (uint32_t k = 0; k < root->label_count; k++)
            sink += strlen(root->labels[k]);
        for (uint32_t k = 0; k < root->manifest_count && k < 100; k++)
            sink += manifest_index_find(root->manifests[k], "helper.py", 9, &item) == 0
                        ? item.size
                        : strlen(root->manifests[k]->name);
    }
}

static void read_settings(const struct policy_settings *s)
{
    sink += strlen(s->app) + strlen(s->match_script) + strlen(s->match_venv) + strlen(s->venv) +
            strlen(s->host) + strlen(profile_name(s->profile));
    read_strings(&s->entry_modules);
    read_strings(&s->env_permit);
    read_strings(&s->redact);
    for (uint32_t i = 0; i < s->env_pin_count; i++)
        sink += strlen(s->env_pin[i].name) + strlen(s->env_pin[i].value);
    for (uint32_t i = 0; i < s->sink_count; i++)
        sink += strlen(s->sinks[i].path) + s->sinks[i].kind + s->sinks[i].level;
    for (uint32_t i = 0; i < s->denial_count && i < 1000; i++) {
        sink += strlen(s->denials[i].event) + strlen(s->denials[i].id);
        read_strings(&s->denials[i].allow);
    }
    read_verify(&s->verify);
}

static void load(const uint8_t *data, size_t size)
{
    struct policy policy;
    struct err err = ERR_INIT;

    if (policy_load_memory(data, size, &policy, &err) < 0) {
        assert(err.code < 0 && err.msg[0] && !strchr(err.msg, '\n'));
        return;
    }
    read_settings(policy.host);
    for (uint32_t i = 0; i < policy.app_count && i < 100; i++)
        read_settings(&policy.apps[i]);
    assert(policy_find(&policy, "/srv/app/main.py", "/srv/venv", 33));
    sink += policy_has_venv(&policy, "/srv/venv");
    sink += policy_find_hook(&policy, "/srv/a.pth") != NULL;
    policy_done(&policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_envelope envelope;
    uint8_t *sealed;

    load(data, size);
    if (size < sizeof(envelope))
        return 0;
    sealed = malloc(size);
    if (!sealed)
        return 0;
    memcpy(sealed, data, size);
    memcpy(&envelope, data, sizeof(envelope));
    memcpy(envelope.magic, POLICY_MAGIC, POLICY_MAGIC_SIZE);
    if (envelope.format != 1)
        envelope.format = POLICY_FORMAT;
    envelope.size = (uint32_t)size;
    memcpy(sealed, &envelope, sizeof(envelope));
    digest_sha256(sealed + sizeof(envelope),
                  policy_checked_size(sealed, size, size) - sizeof(envelope), envelope.digest);
    memcpy(sealed, &envelope, sizeof(envelope));
    load(sealed, size);
    free(sealed);
    return 0;
}
