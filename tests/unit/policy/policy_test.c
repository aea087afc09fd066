/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_test.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/policy_format.h"
#include "policy/policy_read.h"

static void load(struct artefact *artefact)
{
    struct err err = ERR_INIT;

    if (policy_load_memory(artefact->data, artefact->len, &artefact->policy, &err) < 0)
        fail_msg("%s", err.msg);
}

void artefact_from_text(struct artefact *artefact, const char *yaml)
{
    struct policy_messages messages;
    struct err err = ERR_INIT;
    int r = policy_compile_text("t.yaml", yaml, strlen(yaml), 7, 1234567890, &artefact->data,
                                &artefact->len, &messages, &err);

    if (r < 0 || messages.count > 0)
        fail_msg("%s: %s", err.msg, messages.count ? messages.items[0].text : "no finding");
    policy_messages_done(&messages);
    load(artefact);
}

void artefact_from_dir(struct artefact *artefact, const char *etc)
{
    struct policy_compile_input input = {.etc_dir = etc, .serial = 7, .applied = 1234567890};
    struct policy_messages messages;
    struct err err = ERR_INIT;
    int r = policy_compile(&input, &artefact->data, &artefact->len, &messages, &err);

    if (r < 0)
        fail_msg("%s: %s", err.msg, messages.count ? messages.items[0].text : "no finding");
    policy_messages_done(&messages);
    load(artefact);
}

void artefact_done(struct artefact *artefact)
{
    policy_done(&artefact->policy);
    free(artefact->data);
}

void artefact_seal(void *data, size_t len)
{
    struct policy_envelope envelope;
    uint8_t *bytes = data;
    size_t checked;

    assert_true(len >= sizeof(envelope));
    memcpy(&envelope, bytes, sizeof(envelope));
    envelope.size = (uint32_t)len;
    memcpy(bytes, &envelope, sizeof(envelope));
    checked = policy_checked_size(data, len, len);
    digest_sha256(bytes + sizeof(envelope), checked - sizeof(envelope), envelope.digest);
    memcpy(bytes, &envelope, sizeof(envelope));
}

static char *show(struct policy_messages *messages)
{
    size_t len = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    for (size_t i = 0; i < messages->count; i++) {
        const struct policy_message *m = &messages->items[i];
        const char *name = strrchr(m->file, '/');

        (void)fprintf(out, "%s:%u:%u: %s%s%s%s%s\n", name ? name + 1 : m->file, m->line, m->column,
                      m->severity == POLICY_WARNING ? "warning: " : "", m->text,
                      m->hint ? " [" : "", m->hint ? m->hint : "", m->hint ? "]" : "");
    }
    assert_int_equal(fclose(out), 0);
    policy_messages_done(messages);
    return text;
}

char *findings_of_text(const char *yaml, size_t len, int *ret_result)
{
    struct policy_messages messages;
    struct err err = ERR_INIT;
    void *data = NULL;
    size_t data_len;

    *ret_result = policy_compile_text("t.yaml", yaml, len, 1, 0, &data, &data_len, &messages, &err);
    if (*ret_result == 0)
        free(data);
    return show(&messages);
}

char *findings_of_dir(const char *etc, int *ret_result)
{
    struct policy_compile_input input = {.etc_dir = etc, .serial = 1};
    struct policy_messages messages;
    struct err err = ERR_INIT;
    void *data = NULL;
    size_t len;

    *ret_result = policy_compile(&input, &data, &len, &messages, &err);
    if (*ret_result == 0)
        free(data);
    return show(&messages);
}

char *temp_dir(void)
{
    char name[] = "/tmp/spython-policy-XXXXXX";
    char *real;

    assert_non_null(mkdtemp(name));
    real = realpath(name, NULL);
    assert_non_null(real);
    return real;
}

char *path_in(const char *dir, const char *name)
{
    char *path = NULL;

    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    return path;
}

void write_file(const char *path, const void *data, size_t len, unsigned mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

void write_text(const char *dir, const char *name, const char *text)
{
    char *path = path_in(dir, name);

    write_file(path, text, strlen(text), 0644);
    free(path);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

void remove_tree(char *dir)
{
    assert_int_equal(nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(dir);
}

void assert_contains_at(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part))
        return;
    print_error("'%s' is not in:\n%s\n", part, text);
    _fail(file, line);
}
