/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void write_text(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    size_t len = strlen(text);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

int place_setup_in(const char *above, void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    assert_true(snprintf(place->dir, sizeof(place->dir), "%s/spython-trust-XXXXXX", above) <
                (int)sizeof(place->dir));
    assert_non_null(mkdtemp(place->dir));
    assert_int_equal(chmod(place->dir, 0755), 0);
    (void)snprintf(place->app, sizeof(place->app), "%s/app", place->dir);
    (void)snprintf(place->file, sizeof(place->file), "%s/mod.py", place->app);
    assert_int_equal(mkdir(place->app, 0755), 0);
    assert_int_equal(chmod(place->app, 0755), 0);
    write_text(place->file, TEXT, 0644);
    *state = place;
    return 0;
}

int place_setup(void **state)
{
    return place_setup_in("/tmp", state);
}

int place_teardown(void **state)
{
    struct place *place = *state;

    (void)nftw(place->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    free(place);
    return 0;
}

bool file_open(struct trust_file *file, const char *path, enum trust_kind kind)
{
    char *data;
    ssize_t n;

    memset(file, 0, sizeof(*file));
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0)
        return false;
    file->path = path;
    file->kind = kind;
    if (fstat(file->fd, &file->st) < 0)
        return false;
    if (kind == TRUST_NATIVE)
        return true;
    data = malloc((size_t)file->st.st_size + 1);
    n = data ? pread(file->fd, data, (size_t)file->st.st_size + 1, 0) : -1;
    file->data = data;
    file->len = n < 0 ? 0 : (size_t)n;
    return n >= 0;
}

void file_close(struct trust_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    free((void *)(uintptr_t)file->data);
}

void ask(const struct trust_verifier *verifier, const struct trust_policy *policy,
         const struct trust_root *root, const char *path, struct trust_evidence *ret)
{
    struct trust_file file;

    assert_true(file_open(&file, path, TRUST_SOURCE));
    memset(ret, 0, sizeof(*ret));
    verifier->check(policy, root, &file, ret);
    file_close(&file);
}

static bool keep_override(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};

    data[0].effective = data[0].permitted = 1u << CAP_DAC_OVERRIDE;
    return syscall(SYS_capset, &head, data) == 0;
}

static bool become(const struct question *question)
{
    if (question->uid == 0)
        return true;
    if (question->keep_override && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return false;
    if (setgroups(0, NULL) < 0 || setgid(question->uid) < 0 || setuid(question->uid) < 0)
        return false;
    return !question->keep_override || keep_override();
}

/* Runs in the child. */
static bool child_asks(const struct question *question, struct trust_evidence *ret)
{
    const char *path = question->path ? question->path : question->place->file;
    struct trust_file file;

    if (question->prepare && !question->prepare(question->place))
        return false;
    if (!become(question) || !file_open(&file, path, TRUST_SOURCE))
        return false;
    if (question->after && !question->after(question->place))
        return false;
    question->verifier->check(question->policy, question->root, &file, ret);
    file_close(&file);
    return true;
}

bool ask_in_child(const struct question *question, struct trust_evidence *ret)
{
    struct trust_evidence *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    pid_t pid;

    assert_ptr_not_equal(shared, MAP_FAILED);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child_asks(question, shared) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    *ret = *shared;
    (void)munmap(shared, sizeof(*shared));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 0;
}

bool enter_mounts(const struct place *place)
{
    (void)place;
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

void expect_evidence(const struct trust_evidence *evidence, enum trust_answer answer,
                     const char *reason, const char *label)
{
    if (evidence->answer != answer || !strstr(evidence->reason, reason))
        fail_msg("%s: %s \"%s\" [%s] [%s] [%s], not %s \"%s\"", label,
                 trust_answer_name(evidence->answer), evidence->reason, evidence->expected,
                 evidence->actual, evidence->source, trust_answer_name(answer), reason);
    /* Whatever is not trusted says why. */
    assert_true(answer == TRUST_TRUSTED || evidence->reason[0]);
}
