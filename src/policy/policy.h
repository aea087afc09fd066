/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled policy as the core and spythonctl see it. Loading reads policy.bin and checks it; it
 * parses no text. policy_format.h says how it lies on disk, policy_compile.h (spythonctl only) how
 * it is made. All pointers lead into memory that lives as long as the struct policy.
 */
#ifndef SPYTHON_POLICY_POLICY_H
#define SPYTHON_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/err.h"
#include "event/catalogue.h"
#include "event/record.h"
#include "sinks/sink.h"
#include "trust/manifest_index.h"
#include "trust/trust.h"

enum profile {
    PROFILE_STRICT = 0,
    PROFILE_STANDARD,
    PROFILE_OBSERVE,
    PROFILE_MAX,
};

const char *profile_name(enum profile profile); /* "strict", "standard", "observe" */

/* What may be started besides a script file (standard, strict; observe allows all of it). */
enum entry_flag {
    ENTRY_COMMAND = 1,     /* -c */
    ENTRY_STDIN = 2,       /* "-" and no script at all with stdin not a terminal */
    ENTRY_INTERACTIVE = 4, /* no script at all on a terminal, -i */
    ENTRY_DIRECTORY = 8,   /* directory with __main__.py */
    ENTRY_ZIP = 16,        /* zip file with __main__.py */
    ENTRY_ANY_MODULE = 32, /* -m with any module; otherwise see entry_modules */
    ENTRY_USER_SITE = 64,  /* the user's own site-packages below HOME */
    ENTRY_OPTIONS = 128,   /* every option of python3, not only -B -E -I -s -P -u */
};

struct policy_strings {
    const char *const *items;
    uint32_t count;
};

struct policy_pin {
    const char *name;
    const char *value;
};

/* Who decides: the mode of one denial. */
enum denial_mode {
    DENIAL_ENFORCE = 0,
    DENIAL_AUDIT, /* verdict would-deny, nothing changes */
};

enum denial_action {
    DENIAL_DENY = 0, /* PermissionError; sys.addaudithook: silently not added, see spython(1) */
    DENIAL_KILL,     /* _exit(77) right after the record */
};

/* A built-in denial: one event, wholly or but for an allow-list. (Rules come with src/rules/.) */
struct policy_denial {
    const char *event; /* "os.system" */
    const char *id;    /* rule id in records: "spython-os-system" */
    enum denial_mode mode;
    enum denial_action action;
    enum level level;            /* of its records */
    struct policy_strings allow; /* exact "module.name" for pickle.find_class, for other events
                                  * the exact text of the first argument; empty: none */
};

/* What happens to code that is not approved. */
enum verify_mode {
    VERIFY_ENFORCE = 0,
    VERIFY_AUDIT, /* verdict would-deny, nothing changes */
    VERIFY_OFF,   /* nothing is checked */
    VERIFY_MODE_MAX,
};

const char *verify_mode_name(enum verify_mode mode); /* "enforce", "audit", "off" */

/* A file that runs code at start-up and was there when somebody looked (hooks.list). */
struct policy_hook {
    const char *path; /* real path */
    uint8_t digest[DIGEST_SIZE];
};

/* Which code may run. */
struct policy_verify {
    enum verify_mode mode;
    enum verify_mode native; /* shared objects */
    enum verify_mode hooks;  /* start-up hooks that nobody has approved */
    uint64_t copy_max;  /* native files that others can change are copied into a sealed memfd up
                         * to this size; 0: refused */
    bool fresh_digests; /* compute each, whatever the table of apply says */
    struct trust_policy trust; /* owner and digests are filled in by whoever loads the policy */
};

/* All settings of one app, or of the host: what profile, spython.yaml and apps.d/NAME.yml say,
 * merged at apply time. */
struct policy_settings {
    const char *app; /* "" for the host's own settings */
    enum profile profile;

    /* Which processes: an app matches if everything it names matches. For the host all are empty.
     */
    const char *match_script; /* real path of the script, or "" */
    const char *match_venv;   /* real path of a listed root, or "" */
    int64_t match_uid;        /* -1: any */

    uint32_t entry; /* enum entry_flag */
    struct policy_strings entry_modules;
    const char *venv; /* root that this app runs in whatever the invocation path says, or "" */

    struct policy_strings env_permit; /* names of PYTHON* variables that have effect */
    const struct policy_pin *env_pin; /* set to this value before the interpreter starts */
    uint32_t env_pin_count;

    const struct sink_config *sinks;
    uint32_t sink_count;
    const char *host;             /* name of this host in records; "" asks the kernel */
    enum level stack_level;       /* records of this level and worse carry a stack */
    uint32_t stack_frames;        /* at most RECORD_MAX_FRAMES */
    uint32_t source_max;          /* bytes of dynamic code per record, at most POLICY_MAX_SOURCE */
    struct policy_strings redact; /* "EVENT:ARGUMENT" pairs whose values are hidden */

    const struct policy_denial *denials;
    uint32_t denial_count;

    struct policy_verify verify;
};

/* Which file a policy was loaded from. The time tells a new file from one whose number it got. */
struct policy_identity {
    dev_t device;
    ino_t inode;
    struct timespec changed;
};

struct policy {
    struct policy_identity identity; /* zeroed: not from a file */
    const void *map; /* the file, for `spythonctl ps` to see; NULL: not from a file */
    size_t map_len;
    void *bytes;                 /* what was read from the file, which is what was checked */
    uint8_t digest[DIGEST_SIZE]; /* of the artefact without its header's digest field */
    uint64_t serial;             /* counts the applies of this prefix; 0: built in */
    int64_t applied;             /* seconds since 1970 */
    const struct policy_settings *host;
    const struct policy_settings *apps;
    uint32_t app_count;
    struct policy_strings venvs; /* real paths of adopted roots */
    const struct manifest_index *manifests;
    uint32_t manifest_count;
    const struct policy_hook *hooks; /* sorted by path */
    uint32_t hook_count;
    void *arena; /* what the views above are kept in */
};

#define POLICY_MAX_SIZE (64u << 20)           /* of the part that is read and checked at once */
#define POLICY_MAX_BLOCKS ((uint64_t)1 << 30) /* of the manifests' blocks behind it */
#define POLICY_MAX_SOURCE 32768u              /* most that source_max can be */

/*
 * Loads PREFIX/etc/spython/policy.bin. `owner` is the owner of the spython executable.
 * Returns 0; then policy_done() frees. -ENOENT: there is none, use policy_builtin(). Everything
 * else means "stop" (exit status 78): -EPERM (foreign owner, writable for others, not a regular
 * file, a symlink, directory chain), -EBADMSG (damaged, wrong checksum), -EPROTO (a format that
 * this build does not read), other -errno. `err` holds one line. Checks are made on the opened
 * file.
 */
int policy_load(const char *path, uid_t owner, struct policy *ret, struct err *err);

/* The same of a descriptor that is open for reading and stays the caller's; `path` is where it was
 * opened, for the directories above it and for messages. */
int policy_load_opened(int fd, const char *path, uid_t owner, struct policy *ret, struct err *err);

struct policy_identity policy_identity_of(const struct stat *st);

/* The same on bytes in memory, which stay the caller's and must outlive `ret`. For the built-in
 * policy, tests and the fuzzer. */
int policy_load_memory(const void *data, size_t len, struct policy *ret, struct err *err);

/* The `standard` profile that is compiled in (made at build time by the compiler of policies). Its
 * file sink logs to "var/log/spython/" below the prefix: a relative sink path is relative to it. */
int policy_builtin(struct policy *ret, struct err *err);

void policy_done(struct policy *policy);

/* Settings that hold for a process. `script` and `venv` are real paths, "" if none. The most
 * specific match wins (script before venv before user); apply refuses policies in which two apps
 * could match equally. Never NULL. */
const struct policy_settings *policy_find(const struct policy *policy, const char *script,
                                          const char *venv, uid_t uid);

/* Whether `root` (a real path) is an adopted virtual environment. */
bool policy_has_venv(const struct policy *policy, const char *root);

/* The start-up hook of that real path that is known, or NULL. */
const struct policy_hook *policy_find_hook(const struct policy *policy, const char *path);

#endif
