/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl check` verb: are the policy's sources right? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "ctl/manifest_source.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/policy_trial.h"

static json_t *messages_json(const struct policy_messages *messages)
{
    json_t *array = json_array();

    for (size_t i = 0; i < messages->count; i++) {
        const struct policy_message *message = &messages->items[i];
        json_t *object = json_object();

        json_object_set_new(object, "file", json_text(message->file ? message->file : ""));
        json_object_set_new(object, "line", json_integer(message->line));
        json_object_set_new(object, "column", json_integer(message->column));
        json_object_set_new(object, "severity",
                            json_string(message->severity == POLICY_WARNING ? "warning" : "error"));
        json_object_set_new(object, "text", json_text(message->text));
        if (message->hint)
            json_object_set_new(object, "hint", json_text(message->hint));
        json_array_append_new(array, object);
    }
    return array;
}

static int report(const struct ctl *ctl, const struct policy_messages *messages)
{
    if (ctl->flags & CTL_JSON) {
        out_json(json_pack("{s:b, s:o}", "ok", messages->errors == 0, "messages",
                           messages_json(messages)));
        return messages->errors ? CTL_NEGATIVE : CTL_OK;
    }
    for (size_t i = 0; i < messages->count; i++)
        policy_print_message(stdout, &messages->items[i]);
    if (messages->errors == 0)
        printf("%s: the policy's sources are right\n", safe(ctl->etc));
    return messages->errors ? CTL_NEGATIVE : CTL_OK;
}

/* What apply would refuse is only a warning here: the sources as such are right. */
static void add_trial(const struct ctl *ctl, const void *data, size_t len,
                      struct policy_messages *messages)
{
    struct policy policy;
    struct trial trial;

    if (policy_load_memory(data, len, &policy, NULL) < 0)
        return; /* the compiler has just read it back */
    trial_run(ctl, &policy, &trial);
    trial_add_messages(ctl, &trial, messages);
    trial_done(&trial);
    policy_done(&policy);
}

int cmd_check(struct ctl *ctl, int argc, char **argv)
{
    struct policy_messages messages = {0};
    struct policy_compile_input input = {.serial = 1};
    struct policy_manifest_source manifests;
    struct problem problem = {0};
    struct err err = ERR_INIT;
    CLEANUP_FREE void *data = NULL;
    struct stat st;
    size_t len = 0;
    int r, status;

    if (argc > 0)
        (void)snprintf(ctl->etc, sizeof(ctl->etc), "%s", argv[0]);
    if (stat(ctl->etc, &st) < 0 || !S_ISDIR(st.st_mode)) {
        problem_set(&problem, -ENOENT, "there is no such directory");
        problem_todo(&problem, "name the directory that holds spython.yaml");
        return problem_report(ctl->etc, &problem);
    }
    manifests = manifest_source_of(ctl);
    input.etc_dir = ctl->etc;
    input.manifests = &manifests;
    r = policy_compile(&input, &data, &len, &messages, &err);
    if (r < 0 && messages.errors == 0) {
        policy_messages_done(&messages);
        problem_from_err(&problem, &err);
        return problem_report(ctl->etc, &problem);
    }
    if (r == 0)
        add_trial(ctl, data, len, &messages);
    status = report(ctl, &messages);
    policy_messages_done(&messages);
    return status;
}
