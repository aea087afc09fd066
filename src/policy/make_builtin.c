/* SPDX-License-Identifier: Apache-2.0 */
/* Build tool: compiles builtin.yaml to a C array. usage: make_builtin YAML OUTPUT.c */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/policy_compile.h"
#include "policy/yaml_tree.h"

static bool compile(const char *path, void **ret_data, size_t *ret_len)
{
    struct policy_messages messages = {.count = 0};
    struct err err = ERR_INIT;
    CLEANUP_FREE char *yaml = NULL;
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len;
    int r;

    if (fd < 0 || fd_read_all(fd, YAML_MAX_SIZE, &yaml, &len) < 0) {
        (void)fprintf(stderr, "make_builtin: cannot read '%s'\n", path);
        return false;
    }
    r = policy_compile_text(path, yaml, len, 0, 0, ret_data, ret_len, &messages, &err);
    for (size_t i = 0; i < messages.count; i++)
        (void)fprintf(stderr, "%s:%u:%u: %s\n", messages.items[i].file, messages.items[i].line,
                      messages.items[i].column, messages.items[i].text);
    if (r < 0)
        (void)fprintf(stderr, "make_builtin: %s\n", err.msg);
    /* A warning in the built-in policy would reach nobody who could act on it. */
    if (r == 0 && messages.count > 0) {
        free(*ret_data);
        r = -EINVAL;
    }
    policy_messages_done(&messages);
    return r == 0;
}

static bool write_array(const char *path, const unsigned char *data, size_t len)
{
    FILE *out = fopen(path, "we");
    bool is_bad;

    if (!out)
        return false;
    (void)fprintf(out, "/* Made by make_builtin from builtin.yaml. */\n"
                       "#include \"policy/builtin_data.h\"\n\n"
                       "const unsigned char policy_builtin_data[] = {");
    for (size_t i = 0; i < len; i++)
        (void)fprintf(out, "%s0x%02x,", i % 16 ? " " : "\n    ", data[i]);
    (void)fprintf(out, "\n};\nconst size_t policy_builtin_size = sizeof(policy_builtin_data);\n");
    is_bad = ferror(out);
    return fclose(out) == 0 && !is_bad;
}

int main(int argc, char **argv)
{
    CLEANUP_FREE void *data = NULL;
    size_t len = 0;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: make_builtin YAML OUTPUT\n");
        return 2;
    }
    if (!compile(argv[1], &data, &len)) {
        data = NULL;
        return 1;
    }
    if (!write_array(argv[2], data, len)) {
        (void)fprintf(stderr, "make_builtin: cannot write '%s': %s\n", argv[2], strerror(errno));
        return 1;
    }
    return 0;
}
