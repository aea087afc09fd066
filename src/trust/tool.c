/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define TOOL_MAX_VARIABLES 24

/* Not from PATH: what decides whether code is trusted is not chosen by a variable. */
static const char *const directories[] = {"/usr/bin", "/bin", "/usr/local/bin"};

static const struct {
    const char *name, *package;
} packages[] = {
    {"ssh-keygen", "openssh-client"},
    {"gpgv", "gpgv"},
    {"gpg", "gpg"},
    {"openssl", "openssl"},
};

/* What lets a person's keys be found and unlocked. */
static const char *const kept[] = {
    "HOME",
    "USER",
    "LOGNAME",
    "TERM",
    "DISPLAY",
    "XAUTHORITY",
    "GPG_TTY",
    "GNUPGHOME",
    "XDG_RUNTIME_DIR",
    "WAYLAND_DISPLAY",
    "SSH_AUTH_SOCK",
    "SSH_ASKPASS",
    "SSH_ASKPASS_REQUIRE",
    "SSH_SK_PROVIDER",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "OPENSSL_ENGINES",
    "PKCS11_MODULE_PATH",
    "PKCS11_PROVIDER_MODULE",
    "SOFTHSM2_CONF",
    "YUBIHSM_PKCS11_CONF",
};

_Static_assert(sizeof(kept) / sizeof(kept[0]) + 3 <= TOOL_MAX_VARIABLES, "no room for variables");

static int find_tool(const struct tool *tool, char path[256], struct err *err)
{
    const char *package = tool->name;

    if (tool->path) {
        (void)snprintf(path, 256, "%s", tool->path);
        return 0;
    }
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        (void)snprintf(path, 256, "%s/%s", directories[i], tool->name);
        if (access(path, X_OK) == 0)
            return 0;
    }
    for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++)
        if (strcmp(packages[i].name, tool->name) == 0)
            package = packages[i].package;
    return err_set(err, -ENOPKG, "the program '%s' is needed and not installed (Debian: %s)",
                   tool->name, package);
}

/* Fills `envp`; what was allocated for it is in `texts`. */
static int make_environment(const struct tool *tool, char *texts[TOOL_MAX_VARIABLES],
                            char *envp[TOOL_MAX_VARIABLES + 1])
{
    size_t count = 0, owned = 0;
    static char path[] = "PATH=/usr/bin:/bin:/usr/local/bin", locale[] = "LC_ALL=C";

    envp[count++] = path;
    envp[count++] = locale;
    for (size_t i = 0; tool->for_person && i < sizeof(kept) / sizeof(kept[0]); i++) {
        const char *value = getenv(kept[i]);

        if (!value)
            continue;
        if (asprintf(&texts[owned], "%s=%s", kept[i], value) < 0) {
            texts[owned] = NULL;
            return -ENOMEM;
        }
        envp[count++] = texts[owned++];
    }
    envp[count] = NULL;
    return 0;
}

/* A file in memory: a pipe would block us while the tool waits for us to read. */
static int make_input(const struct tool *tool)
{
    int fd, r;

    if (!tool->input)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0)
        return fd;
    r = fd_write_all(fd, tool->input, tool->input_len, NULL);
    if (r < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        errno = r < 0 ? -r : errno;
        fd_close(fd);
        return -1;
    }
    return fd;
}

static int spawn(const struct tool *tool, const char *path, int in, int out, int complaints,
                 pid_t *ret)
{
    CLEANUP_FREE char **texts = calloc(TOOL_MAX_VARIABLES, sizeof(*texts));
    char *envp[TOOL_MAX_VARIABLES + 1];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    int r;

    if (!texts)
        return -ENOMEM;
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE); /* spythonctl ignores it */
    if ((r = make_environment(tool, texts, envp)) < 0)
        goto out;
    r = -posix_spawn_file_actions_init(&actions);
    if (r < 0)
        goto out;
    r = -posix_spawnattr_init(&attributes);
    if (r < 0)
        goto out_actions;
    if ((r = -posix_spawn_file_actions_adddup2(&actions, in, 0)) == 0 &&
        (r = -posix_spawn_file_actions_adddup2(&actions, out, 1)) == 0 &&
        (complaints < 0 || (r = -posix_spawn_file_actions_adddup2(&actions, complaints, 2)) == 0) &&
        (r = -posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
        (r = -posix_spawnattr_setsigdefault(&attributes, &defaults)) == 0 &&
        (r = -posix_spawnattr_setflags(&attributes,
                                       POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)) == 0)
        r = -posix_spawn(ret, path, &actions, &attributes, (char *const *)(uintptr_t)tool->argv,
                         envp);
    (void)posix_spawnattr_destroy(&attributes);
out_actions:
    (void)posix_spawn_file_actions_destroy(&actions);
out:
    for (size_t i = 0; i < TOOL_MAX_VARIABLES; i++)
        free(texts[i]);
    return r;
}

static int grow(struct tool *tool, size_t *capacity)
{
    size_t wanted = *capacity ? *capacity * 2 : 4096;
    char *p;

    if (wanted > tool->output_max + 2)
        wanted = tool->output_max + 2; /* one byte more than allowed, and the NUL */
    p = realloc(tool->output, wanted);
    if (!p)
        return -ENOMEM;
    tool->output = p;
    *capacity = wanted;
    return 0;
}

static long milliseconds_until(const struct timespec *end)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
}

static int read_output(struct tool *tool, int fd, const struct timespec *end)
{
    size_t capacity = 0;

    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        long left = milliseconds_until(end);
        ssize_t n;
        int r;

        if (left <= 0)
            return -ETIMEDOUT;
        if (tool->output_len + 1 >= capacity && (r = grow(tool, &capacity)) < 0)
            return r;
        if (poll(&ready, 1, (int)left) < 0 && errno != EINTR)
            return -errno;
        if (!ready.revents)
            continue;
        n = read(fd, tool->output + tool->output_len, capacity - 1 - tool->output_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        tool->output_len += (size_t)n;
        if (tool->output_len > tool->output_max)
            return -EFBIG;
    }
    tool->output[tool->output_len] = '\0';
    return 0;
}

/* It may have closed its output and still run. */
static int wait_for_end(pid_t pid, const struct timespec *end, int *ret_status)
{
    const struct timespec step = {.tv_nsec = 2000000};
    int status;

    for (;;) {
        pid_t found = waitpid(pid, &status, WNOHANG);

        if (found == pid)
            break;
        if (found < 0 && errno != EINTR)
            return -errno;
        if (milliseconds_until(end) <= 0)
            return -ETIMEDOUT;
        (void)nanosleep(&step, NULL); /* a signal only makes the step shorter */
    }
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

/* The end of standard error, its lines joined. */
static void take_complaint(int fd, char out[TOOL_COMPLAINT_MAX])
{
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > TOOL_COMPLAINT_MAX - 1 ? size - (TOOL_COMPLAINT_MAX - 1) : 0;
    ssize_t n = size > 0 ? pread(fd, out, TOOL_COMPLAINT_MAX - 1, from) : 0;
    size_t len = n > 0 ? (size_t)n : 0;

    while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == '\r'))
        len--;
    out[len] = '\0';
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
            out[i] = out[i] == '\n' ? ';' : ' ';
}

static int run_with(struct tool *tool, const char *path, int in, int complaints)
{
    struct timespec end;
    int ends[2], r, second;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    (void)clock_gettime(CLOCK_MONOTONIC, &end); /* cannot fail for this clock */
    end.tv_sec += tool->seconds;
    r = spawn(tool, path, in, tool->output_max ? ends[1] : STDERR_FILENO, complaints, &pid);
    fd_close(ends[1]);
    if (r == 0) {
        r = read_output(tool, ends[0], &end);
        second = r == 0 ? wait_for_end(pid, &end, &tool->status) : r;
        if (second < 0) {
            (void)kill(pid, SIGKILL); /* our own child, not yet waited for */
            while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
            r = second;
        }
    }
    fd_close(ends[0]);
    return r;
}

int tool_run(struct tool *tool, struct err *err)
{
    CLEANUP_FD int in = -1;
    CLEANUP_FD int complaints = -1;
    char path[256];
    int r = find_tool(tool, path, err);

    tool->output = NULL;
    tool->output_len = 0;
    tool->complaint[0] = '\0';
    if (r < 0)
        return r;
    in = make_input(tool);
    if (in < 0)
        return err_set(err, -errno, "cannot prepare to run '%s': %s", path, strerror(errno));
    if (!tool->for_person) {
        complaints = memfd_create("complaints", MFD_CLOEXEC);
        if (complaints < 0)
            return err_set(err, -errno, "cannot prepare to run '%s': %s", path, strerror(errno));
    }
    r = run_with(tool, path, in, complaints);
    if (r < 0) {
        tool_done(tool);
        if (r == -ETIMEDOUT)
            return err_set(err, r, "'%s' was not done within %u seconds", path, tool->seconds);
        return err_set(err, r, "cannot run '%s': %s", path, strerror(-r));
    }
    if (complaints >= 0)
        take_complaint(complaints, tool->complaint);
    return 0;
}

void tool_done(struct tool *tool)
{
    free(tool->output);
    tool->output = NULL;
    tool->output_len = 0;
}
