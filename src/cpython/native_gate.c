/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/native_gate.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "cpython/native_copy.h"
#include "cpython/native_judge.h"
#include "cpython/recorder.h"
#include "rtld/audit.h"
#include "stage1/handover.h"

static bool answered; /* the audit object has taken our greeting */
static const struct policy_verify *active;

/* What was allowed last, until the linker tells that it was mapped. */
static struct {
    char asked[PATH_MAX]; /* the linker calls the object by one of the two names */
    char used[PATH_MAX];
    bool pinned;
    struct stat pin;
    int pin_fd;
} expected = {.pin_fd = -1};

/* In front of a name, it makes one that cannot exist and says what happened. */
#define REFUSED "/proc/self/spython/refused:"

static struct native_answer answer;
static char refused[PATH_MAX];
static char found[PATH_MAX]; /* where a copy's library lies */

static void greeted(void)
{
    answered = true;
}

static void forget_expected(void)
{
    fd_close(expected.pin_fd);
    expected.pin_fd = -1;
    expected.pinned = false;
    expected.asked[0] = expected.used[0] = '\0';
}

static bool expect(const char *asked)
{
    size_t asked_len = strlen(asked), used_len = strlen(answer.use);

    expected.pin_fd = answer.pin_fd;
    if (asked_len >= sizeof(expected.asked) || used_len >= sizeof(expected.used))
        return false; /* the kernel would not open such a name either */
    memcpy(expected.asked, asked, asked_len + 1);
    memcpy(expected.used, answer.use, used_len + 1);
    expected.pinned = answer.pinned;
    expected.pin = answer.pin;
    return true;
}

static void keep_refusal(const char *name, const char *reason)
{
    struct thread_context *context = recorder_context();

    if (context)
        (void)snprintf(context->native_refusal, sizeof(context->native_refusal), "'%.256s': %s",
                       name, reason);
}

static const char *decide(const char *name, const struct link_map *requester)
{
    struct native_question question = {
        .name = name,
        .requester = requester ? requester->l_name : NULL,
    };
    bool enforce = active->native == VERIFY_ENFORCE;

    forget_expected();
    native_judge(active, &question, &answer);
    if (answer.outcome == NATIVE_NOTHING)
        return name; /* should it be there after all by then, opened() looks at it */
    if (answer.outcome == NATIVE_REFUSED && enforce) {
        keep_refusal(name, answer.reason);
        return NULL;
    }
    if (!expect(name))
        return enforce ? NULL : name;
    return expected.used;
}

/* A name without a slash is what is searched for; its candidates come one by one. */
static const char *search(const char *name, const struct link_map *requester, unsigned flag)
{
    const char *use;
    int saved = errno;

    if (!active || active->native == VERIFY_OFF || !name[0])
        return name;
    if (!strchr(name, '/')) {
        if (flag != LA_SER_ORIG || !native_copy_find_needed(requester, name, found))
            return name;
        name = found;
    }
    use = decide(name, requester);
    /* To NULL for a name that is not searched for, glibc (2.36) says whatever comes out of a
     * variable that it has not set by then. */
    if (!use && flag == LA_SER_ORIG) {
        (void)snprintf(refused, sizeof(refused), REFUSED "%s", name);
        use = refused;
    }
    errno = saved;
    return use;
}

/* One line of /proc/self/maps: is it the mapping that holds `address`, and of which file? */
static bool parse_mapping(const char *line, uintptr_t address, dev_t *ret_device, ino_t *ret_inode)
{
    unsigned long start, end, major, minor;
    char *p;

    start = strtoul(line, &p, 16);
    end = *p == '-' ? strtoul(p + 1, &p, 16) : 0;
    if (address < start || address >= end)
        return false;
    p += strspn(p, " ");
    p += strcspn(p, " ");     /* permissions */
    (void)strtoul(p, &p, 16); /* offset in the file */
    major = strtoul(p, &p, 16);
    minor = *p == ':' ? strtoul(p + 1, &p, 16) : 0;
    *ret_device = makedev((unsigned)major, (unsigned)minor);
    *ret_inode = strtoul(p, &p, 10);
    return true;
}

/* The file that is really mapped there, whatever its name leads to by now. */
static bool is_mapped_from(uintptr_t address, const struct stat *st)
{
    CLEANUP_FILE FILE *maps = fopen("/proc/self/maps", "re");
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;
    dev_t device;
    ino_t inode;

    while (maps && getline(&line, &size, maps) > 0)
        if (parse_mapping(line, address, &device, &inode))
            return device == st->st_dev && inode == st->st_ino;
    return false;
}

static bool is_expected(const struct link_map *map)
{
    return expected.asked[0] &&
           (strcmp(map->l_name, expected.asked) == 0 || strcmp(map->l_name, expected.used) == 0);
}

/* It is too late to refuse: nothing of the object has run, and nothing will. */
static void __attribute__((noreturn)) stop(void)
{
    _exit(EXIT_SPY_REFUSED);
}

static void opened(const struct link_map *map)
{
    struct native_question question = {.name = map->l_name, .moment = NATIVE_MAPPED};
    bool enforce;
    int saved = errno;

    if (!active || active->native == VERIFY_OFF || !map->l_name || !strchr(map->l_name, '/'))
        return;
    enforce = active->native == VERIFY_ENFORCE;
    if (is_expected(map)) {
        if (expected.pinned && !is_mapped_from((uintptr_t)map->l_ld, &expected.pin) && enforce) {
            native_record_breach(map->l_name, "another file was mapped than the one that was "
                                              "checked");
            stop();
        }
    } else {
        native_judge(active, &question, &answer);
        fd_close(answer.pin_fd);
        if (enforce && answer.outcome == NATIVE_NOTHING)
            native_record_breach(map->l_name, "was mapped, and is not there any more");
        if (enforce && (answer.outcome != NATIVE_ALLOWED || answer.pinned))
            stop();
    }
    forget_expected();
    errno = saved;
}

static const struct rtld_gate gate = {RTLD_MAGIC, greeted, search, opened};

bool native_gate_greet(void)
{
    char name[sizeof(RTLD_GREETING) + RTLD_ADDRESS_DIGITS];

    (void)snprintf(name, sizeof(name), RTLD_GREETING "%0*lx", RTLD_ADDRESS_DIGITS,
                   (unsigned long)(uintptr_t)&gate);
    if (!dlopen(name, RTLD_LAZY))
        (void)dlerror();
    return answered;
}

struct start {
    const struct policy_verify *policy;
    const char *own;
    struct err *err;
};

static bool is_ours(const char *name, const char *own)
{
    size_t len = strlen(own);

    return strncmp(name, own, len) == 0 && name[len] == '/' &&
           (strcmp(name + len, "/core.so") == 0 || strcmp(name + len, "/audit.so") == 0);
}

static int judge_mapped(struct dl_phdr_info *info, size_t size, void *data)
{
    struct start *start = data;
    struct native_question question = {.name = info->dlpi_name, .moment = NATIVE_AT_START};

    (void)size;
    /* The program has no name here, and what the kernel maps no path. */
    if (!strchr(info->dlpi_name, '/') || is_ours(info->dlpi_name, start->own))
        return 0;
    native_judge(start->policy, &question, &answer);
    fd_close(answer.pin_fd);
    if (answer.outcome == NATIVE_ALLOWED || start->policy->native != VERIFY_ENFORCE)
        return 0;
    return err_set(start->err, -EPERM, "'%s': %s", info->dlpi_name,
                   answer.outcome == NATIVE_NOTHING ? "is mapped, and is not there any more"
                                                    : answer.reason);
}

int native_gate_start(const struct policy_verify *policy, const char *own, struct err *err)
{
    struct start start = {policy, own, err};
    int r;

    if (policy->native == VERIFY_OFF)
        return 0;
    r = dl_iterate_phdr(judge_mapped, &start);
    active = policy;
    return r;
}

const char *native_gate_refusal(void)
{
    struct thread_context *context = recorder_context();

    return context ? context->native_refusal : "";
}

void native_gate_forget(void)
{
    struct thread_context *context = recorder_context();

    if (context)
        context->native_refusal[0] = '\0';
}
