/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tests run inside the virtual machine: puts one question to a verifier and prints
 * "ANSWER: REASON", after doing what needs system calls that busybox does not have. Linked
 * statically, because nothing else is there. See the list of commands at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fsverity.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/hex.h"
#include "trust/manifest.h"
#include "trust/manifest_index.h"
#include "trust/trust.h"
#include "trust/trust_verifiers.h"

#define FILE_MAX (1 << 20)

/* A root of "/" with one manifest that lists one file. */
struct setting {
    struct manifest_index index;
    const struct manifest_index *list[1];
    const char *labels[1];
    struct trust_root root;
    struct trust_policy policy;
};

static void die(const char *what)
{
    (void)printf("probe: %s: %s\n", what, strerror(errno));
    exit(70);
}

static void make_setting(struct setting *s, const char *path, const char *verity)
{
    struct manifest_entry entry = {.path = path + 1, .distribution = ""};
    struct manifest manifest = {.name = "probe", .serial = 3, .entries = &entry, .count = 1};
    struct err err = ERR_INIT;
    uint8_t *blocks, *roots;

    memset(s, 0, sizeof(*s));
    if (verity) {
        entry.has_verity = true;
        if (strlen(verity) != 2 * DIGEST_SIZE || hex_decode(verity, DIGEST_SIZE, entry.verity) < 0)
            die("digest");
    }
    s->index.name = manifest.name;
    s->index.serial = manifest.serial;
    s->index.entry_count = 1;
    if (manifest_index_build(&manifest, &blocks, &s->index.block_count, &roots,
                             &s->index.root_count, &err) < 0) {
        (void)printf("probe: %s\n", err.msg);
        exit(70);
    }
    s->index.blocks = blocks; /* freed by the end of the process */
    s->index.roots = roots;
    s->list[0] = &s->index;
    s->root = (struct trust_root){.path = "", .manifests = s->list, .manifest_count = 1};
    s->policy = (struct trust_policy){.elsewhere = &s->root};
}

static void open_file(struct trust_file *file, const char *path)
{
    *file = (struct trust_file){.path = path, .kind = TRUST_SOURCE};
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &file->st) < 0)
        die(path);
}

static void read_file(struct trust_file *file)
{
    char *data = malloc(FILE_MAX);
    ssize_t n = data ? pread(file->fd, data, FILE_MAX, 0) : -1;

    if (n < 0)
        die("read");
    file->data = data;
    file->len = (size_t)n;
}

static int say(const struct setting *s, struct trust_file *file, const char *name)
{
    struct trust_evidence evidence = {0};
    int id = trust_verifier_find(name, strlen(name));

    if (id < 0)
        die("verifier");
    trust_verifiers[id]->check(&s->policy, &s->root, file, &evidence);
    (void)printf("%s: %s\n", trust_answer_name(evidence.answer), evidence.reason);
    return 0;
}

/* ask VERIFIER FILE [VERITY]: as the gate does without noting fs-verity first. */
static int cmd_ask(char **argv)
{
    struct trust_file file;
    struct setting s;

    make_setting(&s, argv[1], argv[2]);
    open_file(&file, argv[1]);
    read_file(&file);
    return say(&s, &file, argv[0]);
}

/* first FILE VERITY [part]: fs-verity is noted before the bytes are read, which has to be seen;
 * with `part`, the last byte is not read. */
static int cmd_first(char **argv)
{
    struct trust_file file;
    struct setting s;

    make_setting(&s, argv[0], argv[1]);
    s.root.all = TRUST_BIT(TRUST_BY_FSVERITY);
    open_file(&file, argv[0]);
    trust_file_opened(&s.policy, &file);
    if (!file.sealed_first) {
        (void)printf("not seen\n");
        return 0;
    }
    read_file(&file);
    if (argv[2])
        file.len--;
    return say(&s, &file, "fsverity");
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0755);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = write(fd, text, strlen(text));
    return close(fd) < 0 || n != (ssize_t)strlen(text) ? -EIO : 0;
}

static int enable(const char *path, uint32_t algorithm)
{
    struct fsverity_enable_arg arg = {
        .version = 1, .hash_algorithm = algorithm, .block_size = 4096};
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || ioctl(fd, FS_IOC_ENABLE_VERITY, &arg) < 0)
        return -errno;
    return close(fd);
}

/* swap FILE VERITY GOOD FORGED: FILE's bytes are read; then it is written anew, to hold GOOD, and
 * sealed; then the bytes that were read are judged. FORGED 1 claims that it was sealed before. */
static int cmd_swap(char **argv)
{
    struct trust_file file;
    struct setting s;
    int r;

    make_setting(&s, argv[0], argv[1]);
    open_file(&file, argv[0]);
    read_file(&file);
    r = write_file(argv[0], argv[2]);
    if (r == 0)
        r = enable(argv[0], FS_VERITY_HASH_ALG_SHA256);
    if (r < 0) {
        errno = -r;
        die("swap");
    }
    file.sealed_first = argv[3][0] == '1';
    return say(&s, &file, "fsverity");
}

/* enable FILE [sha512] */
static int cmd_enable(char **argv)
{
    uint32_t algorithm = argv[1] ? FS_VERITY_HASH_ALG_SHA512 : FS_VERITY_HASH_ALG_SHA256;

    (void)printf("%s\n", strerror(-enable(argv[0], algorithm)));
    return 0;
}

/* busy FILE: enables fs-verity while this process could still write. */
static int cmd_busy(char **argv)
{
    if (open(argv[0], O_WRONLY | O_CLOEXEC) < 0)
        die(argv[0]);
    return cmd_enable(argv);
}

/* write FILE TEXT: what writing gives. */
static int cmd_write(char **argv)
{
    (void)printf("%s\n", strerror(-write_file(argv[0], argv[1])));
    return 0;
}

/* writer VERIFIER FILE: asks while somebody has the file open for writing. */
static int cmd_writer(char **argv)
{
    if (open(argv[1], O_WRONLY | O_CLOEXEC) < 0)
        die(argv[1]);
    return cmd_ask(argv);
}

static void *slurp(const char *path, size_t *ret_len)
{
    struct trust_file file;

    open_file(&file, path);
    read_file(&file);
    *ret_len = file.len;
    return (void *)(uintptr_t)file.data;
}

/* setxattr FILE NAME VALUEFILE */
static int cmd_setxattr(char **argv)
{
    size_t len;
    void *value = slurp(argv[2], &len);

    if (setxattr(argv[0], argv[1], value, len, 0) < 0)
        die(argv[1]);
    return 0;
}

/* key CERT: into the keyring that IMA takes keys from (made if the kernel has none of its own). */
static int cmd_key(char **argv)
{
    size_t len;
    void *cert = slurp(argv[0], &len);
    long ring = syscall(SYS_add_key, "keyring", "_ima", NULL, (size_t)0, KEY_SPEC_USER_KEYRING);

    if (ring < 0 || syscall(SYS_add_key, "asymmetric", "probe", cert, len, (int)ring) < 0)
        die("key");
    return 0;
}

/* securebits FILE: a root that trusts everything, in a process whose exec securebits are set. */
static int cmd_securebits(char **argv)
{
    struct trust_result result;
    struct trust_file file;
    struct setting s;

    make_setting(&s, argv[0], NULL);
    s.root.all = TRUST_BIT(TRUST_BY_NULL);
    open_file(&file, argv[0]);
    read_file(&file);
    if (prctl(PR_SET_SECUREBITS, 0x100, 0, 0, 0) < 0) {
        (void)printf("no exec securebits: %s\n", strerror(errno));
        return 0;
    }
    trust_judge(&s.policy, &file, &result);
    (void)printf("%s: %u asked\n", result.trusted ? "trusted" : "rejected", result.count);
    return 0;
}

/* label TYPE FILE: policy names that type. */
static int cmd_label(char **argv)
{
    struct trust_file file;
    struct setting s;

    make_setting(&s, argv[1], NULL);
    s.labels[0] = argv[0];
    s.root.labels = s.labels;
    s.root.label_count = 1;
    open_file(&file, argv[1]);
    read_file(&file);
    return say(&s, &file, "selinux");
}

static const struct command {
    const char *name;
    int arguments;
    int (*run)(char **argv);
} commands[] = {
    {"ask", 2, cmd_ask},           {"first", 2, cmd_first},
    {"swap", 4, cmd_swap},         {"enable", 1, cmd_enable},
    {"write", 2, cmd_write},       {"writer", 2, cmd_writer},
    {"setxattr", 3, cmd_setxattr}, {"key", 1, cmd_key},
    {"label", 2, cmd_label},       {"securebits", 1, cmd_securebits},
    {"busy", 1, cmd_busy},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, argv[1]) == 0 && argc - 2 >= commands[i].arguments)
            return commands[i].run(argv + 2);
    (void)printf("probe: no such command\n");
    return 64;
}
