/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/env.h"

#include "stage1/mem.h"

/*
 * Removed is what makes the dynamic linker, libc, OpenSSL or libffi load code, obey another
 * configuration or write files before or behind Python's back: no audit event tells of it, and at
 * that time there may be no hook yet. A trailing "*" matches every name that begins so.
 *
 *   LD_*              ld.so: preloaded and audit objects, library path, debug output to a file
 *   GLIBC_TUNABLES    ld.so and malloc: switches off hardening; had parsing holes (CVE-2023-4911)
 *   GCONV_PATH        iconv: dlopens conversion modules from there
 *   GETCONF_DIR       getconf: runs programs from there
 *   LOCPATH           setlocale: maps locale data from there
 *   NLSPATH           catgets: message texts, which end up as formats
 *   I18NPATH          locale sources; as glibc itself for setuid programs
 *   MALLOC_TRACE      mtrace: writes to the named file
 *   GMON_OUT*         profiled builds: write to the named file at exit
 *   RESOLV_*          resolver's host.conf, and the single settings in it
 *   RES_OPTIONS, LOCALDOMAIN, HOSTALIASES
 *                     resolver: other options, search list, aliases from a file: redirect names
 *   NIS_*, HES*       NSS: another directory of users and hosts (HESIOD_CONFIG, HES_DOMAIN)
 *   OPENSSL_*         OpenSSL: configuration, and through it providers and engines that are
 *                     dlopened (CONF, CONF_INCLUDE, MODULES, ENGINES); CPU features (ia32cap)
 *   LIBFFI_TMPDIR     libffi: file for executable memory, which others could write
 *   SPYTHON_HANDOVER  ours; only the one that we make counts
 *
 * Looked at and left, because programs rely on them and they load no code:
 *   LANG, LANGUAGE, LC_*, TZ, TZDIR, TMPDIR, HOME, PATH, OUTPUT_CHARSET, POSIXLY_CORRECT
 *   MALLOC_ARENA_MAX and the other malloc settings (sizes and counts; MALLOC_CHECK_ needs a
 * preload) SSL_CERT_FILE, SSL_CERT_DIR (which roots to trust: set on purpose in many containers)
 *   SSLKEYLOGFILE (read by Python's ssl module, which the interpreter's own settings govern)
 *   PYTHON*, _PYTHON* (the core's part: policy decides by name)
 * Libraries that a program loads have variables of their own kind (SASL_PATH, ODBCSYSINI, ...); no
 * list of names can be complete, so policy can add to this one.
 */
static const char *const RULES[] = {
    "LD_*",        "GLIBC_TUNABLES", "GCONV_PATH",       "GETCONF_DIR",
    "LOCPATH",     "NLSPATH",        "I18NPATH",         "MALLOC_TRACE",
    "GMON_OUT*",   "RESOLV_*",       "RES_OPTIONS",      "LOCALDOMAIN",
    "HOSTALIASES", "NIS_*",          "HESIOD_CONFIG",    "HES_DOMAIN",
    "OPENSSL_*",   "LIBFFI_TMPDIR",  "SPYTHON_HANDOVER",
};

static size_t name_len(const char *entry)
{
    size_t len = 0;

    while (entry[len] && entry[len] != '=')
        len++;
    return len;
}

static bool rule_matches(const char *rule, const char *name, size_t len)
{
    size_t rule_len = strlen(rule);

    if (rule[rule_len - 1] == '*')
        return len >= rule_len - 1 && memcmp(rule, name, rule_len - 1) == 0;
    return len == rule_len && memcmp(rule, name, rule_len) == 0;
}

bool env_is_removed(const char *entry)
{
    size_t len = name_len(entry);

    for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++) {
        if (rule_matches(RULES[i], entry, len))
            return true;
    }
    return false;
}

/* Leaves room for the "=" that says that the list was cut. */
static void note_removed(struct text *removed, const char *entry)
{
    size_t len = name_len(entry), separator = removed->len ? 1 : 0;

    if (removed->cut)
        return;
    if (removed->len + separator + len + 1 >= removed->cap) {
        text_add(removed, "=");
        removed->cut = true;
        return;
    }
    if (separator)
        text_add(removed, "=");
    text_add_bytes(removed, entry, len);
}

size_t env_filter(const char *const *envp, const char **out, struct text *removed)
{
    size_t kept = 0;

    for (; *envp; envp++) {
        if (env_is_removed(*envp))
            note_removed(removed, *envp);
        else
            out[kept++] = *envp;
    }
    return kept;
}
