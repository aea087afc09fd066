/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl trust` verbs: whose signatures count. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/files.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/signed_manifest.h"
#include "trust/revocation_list.h"

/* "shop" of "/tmp/shop.pub". */
static char *name_of_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = must_copy(slash ? slash + 1 : path), *dot = strrchr(name, '.');

    if (dot && dot != name)
        *dot = '\0';
    return name;
}

static int refuse_name(const char *name, struct problem *problem)
{
    problem_set(problem, UNFIT, "'%s' cannot be the name of a key", name);
    return problem_todo(problem, "give one of letters, digits, dots and dashes with --name");
}

static const struct trust_key *find_key(const struct trust_store *store, const char *text)
{
    for (size_t i = 0; i < store->key_count; i++)
        if (strcmp(store->keys[i].name, text) == 0 ||
            strcasecmp(store->keys[i].fingerprint, text) == 0)
            return &store->keys[i];
    return NULL;
}

static int check_new(const struct trust_store *store, const struct trust_key *key,
                     struct problem *problem)
{
    const struct trust_revocation *revoked = trust_store_find_revoked(store, key->fingerprint);
    const struct trust_key *same = find_key(store, key->fingerprint);
    const struct trust_key *named = find_key(store, key->name);
    struct err err = ERR_INIT;

    if (revoked) {
        problem_set(problem, -EKEYREVOKED, "was revoked on %s: %s", revoked->date, revoked->reason);
        return problem_todo(problem, "make a new key");
    }
    if (same) {
        problem_set(problem, -EEXIST, "is there already under the name '%s'", same->name);
        return problem_todo(problem, "nothing needs to be done");
    }
    if (named && named->kind == TRUST_KEY_CRL && key->kind == TRUST_KEY_CRL) {
        if (revocation_list_check_next(named, key, &err) < 0)
            return problem_from_err(problem, &err);
    } else if (named) {
        problem_set(problem, -EEXIST, "another key has the name '%s'", key->name);
        return problem_todo(problem, "give it another with --name");
    }
    return 0;
}

/* Of an authority that is not in trust.d itself, signatures bring the certificate. */
static int check_list(const struct trust_store *store, const struct trust_key *list,
                      bool *ret_known, struct problem *problem)
{
    struct err err = ERR_INIT;

    if (revocation_list_check_issuer(store, list, ret_known, &err) < 0) {
        problem_from_err(problem, &err);
        return problem_todo(problem, "get it from where the authority publishes it");
    }
    return 0;
}

static void print_added(const struct trust_key *key, bool known)
{
    if (key->kind != TRUST_KEY_CRL)
        printf("signatures by %s count now: %s %s\n", safe(key->name),
               trust_key_kind_name(key->kind), key->fingerprint);
    else
        printf("certificates on the list %s count no more%s\n"
               "add the next one before it expires: without it nothing of its authority counts\n"
               "run spythonctl apply to put that in force\n",
               safe(key->name),
               known ? "" : ", if the authority that signatures name has signed the list");
}

static int install_key(const struct ctl *ctl, const struct trust_key *key, const char *data,
                       size_t len, struct problem *problem)
{
    CLEANUP_FREE char *path =
        trust_path(ctl, "keys/%s%s", key->name, trust_key_kind_suffix(key->kind));
    int r = trust_make_directory(ctl, "keys", problem);

    if (r == 0)
        r = file_replace(path, data, len, problem);
    if (r == 0)
        r = trust_note(ctl, problem, "trust add %s %s %s", key->name,
                       trust_key_kind_name(key->kind), key->fingerprint);
    return r;
}

static int add_key(const struct ctl *ctl, const char *path, struct problem *problem)
{
    CLEANUP_FREE char *data = NULL, *own_name = name_of_file(path);
    CLEANUP_FD int lock = policy_lock(ctl, problem);
    const char *name = ctl_value(ctl, CTL_NAME);
    struct trust_store store = {0};
    struct trust_key key = {0};
    struct err err = ERR_INIT;
    bool known = true;
    size_t len;
    int r = lock;

    if (!name)
        name = own_name;
    if (lock < 0 || (r = file_read(path, TRUST_STORE_MAX_KEY_SIZE, &data, &len, problem)) < 0)
        return r;
    if (!trust_name_is_valid(name))
        return refuse_name(name, problem);
    r = trust_key_parse(trust_key_sniff(data, len), data, len, name, &key, &err);
    if (r < 0) {
        problem_set(problem, r == -EBADMSG ? UNFIT : r, "%s", err.msg);
        problem_todo(problem, "name a public key: ssh-ed25519 ..., a certificate or revocation "
                              "list in PEM, or what gpg --export writes");
        return problem->err.code;
    }
    if ((r = trust_read(ctl, &store, problem)) == 0 &&
        (r = check_new(&store, &key, problem)) == 0 &&
        (key.kind != TRUST_KEY_CRL || (r = check_list(&store, &key, &known, problem)) == 0) &&
        (r = install_key(ctl, &key, data, len, problem)) == 0)
        print_added(&key, known);
    trust_key_done(&key);
    trust_store_done(&store);
    return r;
}

/* What is installed and counts no more, since the next apply will stop at it. */
static void print_orphans(const struct ctl *ctl)
{
    struct installed_manifest *list = NULL;
    struct trust_store store = {0};
    struct problem problem = {0};
    size_t count = 0;

    /* What is damaged there, apply tells: the key itself is gone. */
    if (trust_read(ctl, &store, &problem) == 0 && manifest_list(ctl, &list, &count, &problem) == 0)
        for (size_t i = 0; i < count; i++) {
            struct signed_manifest m = {0};
            struct problem one = {0};

            if (manifest_read_installed(&store, &list[i], &m, &one) < 0 &&
                problem_status(&one) == CTL_BADSIGNATURE)
                printf("%s is installed and counts no more: %s\n    hint: %s\n",
                       safe(strrchr(list[i].path, '/') + 1), safe(one.err.msg), safe(one.todo));
            signed_manifest_done(&m);
        }
    manifest_list_done(list, count);
    trust_store_done(&store);
}

int cmd_trust_add(struct ctl *ctl, int argc, char **argv)
{
    struct problem problem = {0};

    (void)argc;
    if (add_key(ctl, argv[0], &problem) < 0)
        return problem_report(argv[0], &problem);
    print_orphans(ctl); /* of a revocation list */
    return CTL_OK;
}

static void format_date(int64_t when, char out[16])
{
    time_t t = (time_t)when;
    struct tm tm;

    (void)snprintf(out, 16, "never");
    if (when != 0 && gmtime_r(&t, &tm))
        (void)strftime(out, 16, "%Y-%m-%d", &tm);
}

static json_t *key_json(const struct trust_key *key, const struct trust_revocation *revoked)
{
    char date[16];

    format_date(key->expires, date);
    return json_pack("{s:o, s:s, s:s, s:o, s:b, s:o}", "name", json_text(key->name), "kind",
                     trust_key_kind_name(key->kind), "fingerprint", key->fingerprint, "expires",
                     key->expires ? json_string(date) : json_null(), "expired",
                     key->expires != 0 && key->expires <= time(NULL), "revoked",
                     revoked ? json_pack("{s:s, s:o}", "date", revoked->date, "reason",
                                         json_text(revoked->reason))
                             : json_null());
}

static void print_key(const struct trust_key *key, const struct trust_revocation *revoked)
{
    bool expired = key->expires != 0 && key->expires <= time(NULL);
    char date[16];

    format_date(key->expires, date);
    out_word(TONE_STRONG, key->name, 20);
    out_word(revoked || expired ? TONE_BAD : TONE_GOOD,
             revoked   ? "revoked"
             : expired ? "expired"
                       : "ok",
             8);
    printf(" %-8s expires %-10s %s\n", trust_key_kind_name(key->kind), date, key->fingerprint);
    if (revoked)
        printf("    revoked %s: %s\n", revoked->date, safe(revoked->reason));
}

int cmd_trust_list(struct ctl *ctl, int argc, char **argv)
{
    struct trust_store store = {0};
    struct problem problem = {0};
    json_t *keys, *revoked;

    (void)argc;
    (void)argv;
    if (trust_read(ctl, &store, &problem) < 0)
        return problem_report("trust.d", &problem);
    keys = json_array();
    revoked = json_array();
    for (size_t i = 0; i < store.key_count; i++) {
        const struct trust_key *key = &store.keys[i];
        const struct trust_revocation *r = trust_store_find_revoked(&store, key->fingerprint);

        json_array_append_new(keys, key_json(key, r));
        if (!(ctl->flags & CTL_JSON))
            print_key(key, r);
    }
    for (size_t i = 0; i < store.revoked_count; i++)
        json_array_append_new(revoked, json_pack("{s:o, s:s, s:o}", "fingerprint",
                                                 json_text(store.revoked[i].fingerprint), "date",
                                                 store.revoked[i].date, "reason",
                                                 json_text(store.revoked[i].reason)));
    trust_store_done(&store);
    if (ctl->flags & CTL_JSON) {
        out_json(json_pack("{s:o, s:o}", "keys", keys, "revoked", revoked));
    } else {
        json_decref(keys);
        json_decref(revoked);
    }
    return CTL_OK;
}

static bool is_reason(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > TRUST_STORE_MAX_REASON)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

/* Writes the list anew with one line more. */
static int append_revocation(const struct ctl *ctl, const char *fingerprint, const char *reason,
                             struct problem *problem)
{
    CLEANUP_FREE char *path = trust_path(ctl, "revoked"), *text = NULL, *all = NULL;
    char today[16];
    size_t len = 0;
    int r = file_read(path, TRUST_STORE_MAX_REVOKED, &text, &len, problem);

    if (r < 0 && r != -ENOENT)
        return r;
    format_date((int64_t)time(NULL), today);
    all = must_format("%s%s %s %s\n", text ? text : "# fingerprint date reason\n", fingerprint,
                      today, reason);
    if ((r = trust_make_directory(ctl, "keys", problem)) < 0 ||
        (r = file_replace(path, all, strlen(all), problem)) < 0)
        return r;
    return trust_note(ctl, problem, "trust revoke %s: %s", fingerprint, reason);
}

/* "ab01..." of "SHA256 Fingerprint=AB:01:..." (openssl) or "AB01 ..." (gpg). */
static char *plain_fingerprint(const char *text)
{
    const char *from = strrchr(text, '=');
    char *plain = must_copy(from ? from + 1 : text), *to = plain;

    for (const char *at = plain; *at; at++)
        if (*at != ':' && *at != ' ')
            *to++ = *at;
    *to = '\0';
    return plain;
}

static int revoke_key(const struct ctl *ctl, const char *given, const char *reason,
                      struct problem *problem)
{
    CLEANUP_FREE char *plain = plain_fingerprint(given);
    const char *text = trust_fingerprint_is_valid(plain) ? plain : given;
    CLEANUP_FD int lock = policy_lock(ctl, problem);
    struct trust_store store = {0};
    const struct trust_key *key;
    int r = lock < 0 ? lock : trust_read(ctl, &store, problem);

    if (r < 0)
        return r;
    key = find_key(&store, text);
    if (key && key->kind == TRUST_KEY_CRL) {
        problem_set(problem, UNFIT, "is a revocation list and no key");
        r = problem_todo(problem, "take it away with spythonctl trust remove");
    } else if (!key && !trust_fingerprint_is_valid(text)) {
        problem_set(problem, -ENOENT, "is neither a key in trust.d nor a fingerprint");
        r = problem_todo(problem, "see spythonctl trust list");
    } else if (trust_store_find_revoked(&store, key ? key->fingerprint : text)) {
        printf("%s is revoked already\n", safe(text));
    } else if ((r = append_revocation(ctl, key ? key->fingerprint : text, reason, problem)) == 0) {
        printf("revoked %s: nothing that it signed counts any more\n"
               "run spythonctl apply to put that in force; until it succeeds, the policy in force "
               "stays as it is\n",
               safe(key ? key->fingerprint : text));
    }
    trust_store_done(&store);
    return r;
}

int cmd_trust_revoke(struct ctl *ctl, int argc, char **argv)
{
    const char *reason = ctl_value(ctl, CTL_REASON);
    struct problem problem = {0};

    (void)argc;
    if (!reason || !is_reason(reason)) {
        problem_set(&problem, UNFIT, "a reason of one line is needed");
        problem_todo(&problem, "give it with --reason TEXT");
        (void)problem_report(argv[0], &problem);
        return CTL_USAGE;
    }
    if (revoke_key(ctl, argv[0], reason, &problem) < 0)
        return problem_report(argv[0], &problem);
    print_orphans(ctl);
    return CTL_OK;
}

/* By name only, without reading the keys: a damaged one must be removable. */
static int remove_key(const struct ctl *ctl, const char *name, struct problem *problem)
{
    CLEANUP_FD int lock = policy_lock(ctl, problem);
    bool found = false;
    int r;

    if (lock < 0)
        return lock;
    if (!trust_name_is_valid(name))
        return refuse_name(name, problem);
    for (enum trust_key_kind kind = TRUST_KEY_SSH; kind < TRUST_KEY_KIND_MAX; kind++) {
        CLEANUP_FREE char *path = trust_path(ctl, "keys/%s%s", name, trust_key_kind_suffix(kind));

        if (unlink(path) == 0)
            found = true;
        else if (errno != ENOENT)
            return problem_set(problem, -errno, "cannot remove '%s': %s", path, strerror(errno));
        if (found && (r = file_sync_directory(path, problem)) < 0)
            return r;
    }
    if (!found) {
        problem_set(problem, -ENOENT, "is no key in trust.d");
        return problem_todo(problem, "see spythonctl trust list");
    }
    printf("removed %s: run spythonctl apply to put that in force\n", safe(name));
    return trust_note(ctl, problem, "trust remove %s", name);
}

int cmd_trust_remove(struct ctl *ctl, int argc, char **argv)
{
    struct problem problem = {0};

    (void)argc;
    if (remove_key(ctl, argv[0], &problem) < 0)
        return problem_report(argv[0], &problem);
    print_orphans(ctl);
    return CTL_OK;
}
