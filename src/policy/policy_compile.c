/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a compilation: read every source, look at them together, merge, write, read back. */
#include "policy/policy_compile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "policy/manifest_set.h"
#include "policy/merge.h"
#include "policy/policy_write.h"
#include "policy/source.h"

#define MAX_APPS 1024
#define MAX_APP_NAME 64
#define APP_SUFFIX ".yml"

struct compilation {
    struct arena arena;
    struct reader reader;
    const char *etc_dir;
    struct source host;
    struct source *apps;
    uint32_t app_count;
    struct string_list listed; /* venvs.list */
    const char **venvs;        /* real paths of all adopted roots */
    uint32_t venv_count;
    struct manifest_set manifests;
    struct policy_hook *hooks;
    uint32_t hook_count;
};

static void begin(struct compilation *c, struct policy_messages *messages)
{
    memset(messages, 0, sizeof(*messages));
    memset(c, 0, sizeof(*c));
    c->reader.arena = &c->arena;
    c->reader.messages = messages;
    c->reader.manifests = &c->manifests;
    c->reader.file = "spython.yaml";
    c->host.app = "";
    c->host.place.file = c->reader.file;
    c->host.match_uid = -1;
}

/* Reads a source. Returns false if there is none or it cannot be read, which has been reported. */
static bool read_file(struct compilation *c, const char *path, char **ret_data, size_t *ret_len)
{
    struct place place = {path, 0, 0};
    CLEANUP_FD int fd = -1;
    struct stat st;
    int r;

    c->reader.file = path;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return false;
    if (fd < 0 || fstat(fd, &st) < 0) {
        report(&c->reader, POLICY_ERROR, place, NULL, "cannot be opened: %s", strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        report(&c->reader, POLICY_ERROR, place, NULL, "is not a regular file");
        return false;
    }
    r = fd_read_all(fd, YAML_MAX_SIZE, ret_data, ret_len);
    if (r == -ENOMEM)
        c->arena.failed = true;
    else if (r == -EFBIG)
        report(&c->reader, POLICY_ERROR, place, NULL, "is larger than 1 MiB");
    else if (r < 0)
        report(&c->reader, POLICY_ERROR, place, NULL, "cannot be read: %s", strerror(-r));
    return r == 0;
}

static void read_host(struct compilation *c)
{
    CLEANUP_FREE char *data = NULL;
    const char *path = arena_printf(&c->arena, "%s/spython.yaml", c->etc_dir);
    size_t len;

    if (path && read_file(c, path, &data, &len))
        source_read(&c->reader, "", data, len, &c->host);
    path = arena_printf(&c->arena, "%s/spython.yml", c->etc_dir);
    if (path && access(path, F_OK) == 0)
        report(&c->reader, POLICY_WARNING, (struct place){path, 0, 0}, "call it spython.yaml",
               "is not read");
}

static void read_venv_list(struct compilation *c)
{
    CLEANUP_FREE char *data = NULL;
    const char *path = arena_printf(&c->arena, "%s/venvs.list", c->etc_dir);
    size_t len;

    if (path && read_file(c, path, &data, &len))
        source_read_venv_list(&c->reader, data, len, &c->listed);
}

static void read_hook_list(struct compilation *c)
{
    CLEANUP_FREE char *data = NULL;
    const char *path = arena_printf(&c->arena, "%s/hooks.list", c->etc_dir);
    size_t len;

    if (!path || !read_file(c, path, &data, &len))
        return;
    c->reader.has_inventory = true;
    (void)source_read_hook_list(&c->reader, data, len, &c->hooks, &c->hook_count);
}

/* The app's name from its file's, or NULL if the file is none. */
static const char *app_name(struct compilation *c, const char *path, const char *file)
{
    size_t len = strlen(file), suffix = strlen(APP_SUFFIX);
    struct place place = {path, 0, 0};

    if (len <= suffix || strcmp(file + len - suffix, APP_SUFFIX) != 0) {
        report(&c->reader, POLICY_WARNING, place, "rename it to NAME" APP_SUFFIX,
               "is not read: its name does not end in " APP_SUFFIX);
        return NULL;
    }
    len -= suffix;
    if (len > MAX_APP_NAME ||
        strspn(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") <
            strlen(file)) {
        report(&c->reader, POLICY_ERROR, place, NULL,
               "an app's name is at most %d of A-Z, a-z, 0-9, '.', '_' and '-'", MAX_APP_NAME);
        return NULL;
    }
    return arena_text(&c->arena, file, len);
}

static void read_app(struct compilation *c, const char *file)
{
    CLEANUP_FREE char *data = NULL;
    const char *path = arena_printf(&c->arena, "%s/apps.d/%s", c->etc_dir, file);
    const char *name = path ? app_name(c, path, file) : NULL;
    size_t len;

    if (!name || !read_file(c, path, &data, &len))
        return;
    if (source_read(&c->reader, name, data, len, &c->apps[c->app_count]))
        c->app_count++;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In the order of their names, so that the same sources always give the same artefact. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_apps(struct compilation *c, struct err *err)
{
    const char *dir = arena_printf(&c->arena, "%s/apps.d", c->etc_dir);
    struct dirent **entries = NULL;
    int count;

    if (!dir)
        return 0;
    count = scandir(dir, &entries, is_visible, by_name);
    if (count < 0)
        return errno == ENOENT ? 0
                               : err_set(err, -errno, "cannot read '%s': %s", dir, strerror(errno));
    c->reader.is_app = true;
    c->apps = ARENA_NEW(&c->arena, (size_t)count, struct source);
    if (count > MAX_APPS)
        report(&c->reader, POLICY_ERROR, (struct place){dir, 0, 0}, NULL,
               "there are more than %d apps", MAX_APPS);
    for (int i = 0; i < count; i++) {
        if (c->apps && count <= MAX_APPS)
            read_app(c, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    c->reader.is_app = false;
    return 0;
}

/* The real path if there is one; otherwise the path as written, and a warning. */
static const char *resolve(struct compilation *c, const char *path, struct place place)
{
    char *real = realpath(path, NULL);
    const char *ret = path;

    if (real)
        ret = arena_text(&c->arena, real, strlen(real));
    else
        report(&c->reader, POLICY_WARNING, place, NULL, "cannot find '%s': %s", path,
               strerror(errno));
    free(real);
    return ret;
}

static bool is_adopted(const struct compilation *c, const char *root)
{
    for (uint32_t i = 0; i < c->venv_count; i++) {
        if (strcmp(c->venvs[i], root) == 0)
            return true;
    }
    return false;
}

static void adopt(struct compilation *c, const char *path, struct place place)
{
    const char *root = resolve(c, path, place);

    if (root && !is_adopted(c, root))
        c->venvs[c->venv_count++] = root;
}

static void adopt_all(struct compilation *c, const struct policy_compile_input *input)
{
    size_t more = input ? input->venv_count : 0;

    c->venvs = ARENA_NEW(&c->arena, c->host.venvs.count + c->listed.count + more, const char *);
    if (!c->venvs)
        return;
    for (uint32_t i = 0; i < c->host.venvs.count; i++)
        adopt(c, c->host.venvs.items[i], c->host.venvs.places[i]);
    for (uint32_t i = 0; i < c->listed.count; i++)
        adopt(c, c->listed.items[i], c->listed.places[i]);
    for (size_t i = 0; i < more; i++)
        adopt(c, input->venvs[i], (struct place){input->venvs[i], 0, 0});
}

/* Files are found by their real paths, so roots are as well. */
static void resolve_root(struct compilation *c, struct source_root *root)
{
    const char *written = root->path;
    struct stat st;

    root->path = resolve(c, written, root->place);
    if (!root->path)
        return;
    if (stat(root->path, &st) < 0)
        root->flaw = "there is no such directory";
    else if (!S_ISDIR(st.st_mode))
        root->flaw = "it is not a directory";
    else if (strcmp(root->path, written) != 0)
        report(&c->reader, POLICY_WARNING, root->place,
               "name the directory itself; a root above it holds for what a link may lead to later",
               "'%s' is '%s' by now, and stays that when a link on the way is changed", written,
               root->path);
}

static void resolve_roots(struct compilation *c, struct source *source)
{
    for (uint32_t i = 0; i < source->verify.root_count; i++) {
        struct source_root *root = &source->verify.roots[i];

        if (root->path)
            resolve_root(c, root);
    }
}

static void resolve_app(struct compilation *c, struct source *app)
{
    resolve_roots(c, app);
    if (app->match_script.text)
        app->match_script.text = resolve(c, app->match_script.text, app->match_script.place);
    if (app->match_venv.text) {
        app->match_venv.text = resolve(c, app->match_venv.text, app->match_venv.place);
        if (app->match_venv.text && !is_adopted(c, app->match_venv.text))
            report(&c->reader, POLICY_WARNING, app->match_venv.place,
                   arena_printf(&c->arena, "run spythonctl venv adopt %s", app->match_venv.text),
                   "no process can match: '%s' is not an adopted virtual environment",
                   app->match_venv.text);
    }
    if (!app->venv.text)
        return;
    app->venv.text = resolve(c, app->venv.text, app->venv.place);
    if (app->venv.text && !is_adopted(c, app->venv.text))
        report(&c->reader, POLICY_ERROR, app->venv.place,
               arena_printf(&c->arena, "run spythonctl venv adopt %s", app->venv.text),
               "'%s' is not an adopted virtual environment", app->venv.text);
}

static bool is_same_text(const struct opt_text *a, const struct opt_text *b)
{
    return a->text && b->text ? strcmp(a->text, b->text) == 0 : a->text == b->text;
}

/* Two apps that match one process equally specifically name the same things, see policy_find.c. */
static void check_ambiguity(struct compilation *c, const struct source *app)
{
    for (const struct source *other = c->apps; other < app; other++) {
        if (is_same_text(&app->match_script, &other->match_script) &&
            is_same_text(&app->match_venv, &other->match_venv) &&
            app->match_uid == other->match_uid)
            report(&c->reader, POLICY_ERROR, app->place,
                   "name a script, venv or user in one of them that the other does not have",
                   "app '%s' matches the same processes as app '%s' (%s)", app->app, other->app,
                   other->place.file);
    }
}

/* Roots of the host may be there for apps that say more. */
static void check_modes(struct compilation *c, const struct policy_settings *settings)
{
    const struct source_verify *with_roots = c->host.verify.roots_given ? &c->host.verify : NULL;

    for (uint32_t i = 0; i <= c->app_count; i++)
        if (settings[i].verify.mode != VERIFY_OFF || settings[i].verify.native != VERIFY_OFF)
            return;
    for (uint32_t i = 0; i < c->app_count && !with_roots; i++)
        if (c->apps[i].verify.roots_given)
            with_roots = &c->apps[i].verify;
    if (with_roots)
        report(&c->reader, POLICY_WARNING, with_roots->place, "mode: audit, then mode: enforce",
               "'roots' have no effect: 'mode' in 'verify' is off");
}

static int write_policy(struct compilation *c, uint64_t serial, int64_t applied, void **ret_data,
                        size_t *ret_len, struct err *err)
{
    struct policy_settings *settings =
        ARENA_NEW(&c->arena, c->app_count + 1u, struct policy_settings);
    struct policy_write_input input = {
        .settings = settings,
        .settings_count = c->app_count + 1,
        .venvs = {c->venvs, c->venv_count},
        .manifests = c->manifests.items,
        .hooks = c->hooks,
        .hook_count = c->hook_count,
        .serial = serial,
        .applied = applied,
    };
    bool merged = settings && merge_settings(&c->reader, &c->host, NULL, &settings[0]);

    for (uint32_t i = 0; merged && i < c->app_count; i++)
        merged = merge_settings(&c->reader, &c->host, &c->apps[i], &settings[i + 1]);
    if (merged)
        check_modes(c, settings);
    if (!merged || c->arena.failed)
        return err_set(err, -ENOMEM, "out of memory");
    if (c->reader.messages->errors > 0)
        return err_set(err, -EINVAL, "the policy's sources have errors");
    input.manifest_count = c->manifests.count; /* merging has found which */
    return policy_write(&input, ret_data, ret_len, err);
}

/* What cannot be read back must never reach a host. */
static int check_result(void **data, size_t len, struct err *err)
{
    struct policy policy;
    int r = policy_load_memory(*data, len, &policy, err);

    if (r < 0) {
        err_prefix(err, "the compiled policy does not read back (a fault in spythonctl)");
        free(STEAL(*data));
        return r;
    }
    policy_done(&policy);
    return 0;
}

static int finish(struct compilation *c, const struct policy_compile_input *input, uint64_t serial,
                  int64_t applied, void **ret_data, size_t *ret_len, struct err *err)
{
    void *data = NULL;
    size_t len = 0;
    int r;

    c->manifests.source = input ? input->manifests : NULL;
    adopt_all(c, input);
    resolve_roots(c, &c->host);
    for (uint32_t i = 0; i < c->app_count; i++) {
        resolve_app(c, &c->apps[i]);
        if (c->apps[i].match_given)
            check_ambiguity(c, &c->apps[i]);
    }
    r = write_policy(c, serial, applied, &data, &len, err);
    if (r == 0)
        r = check_result(&data, len, err);
    if (r < 0)
        return r;
    *ret_data = data;
    *ret_len = len;
    return 0;
}

int policy_compile(const struct policy_compile_input *input, void **ret_data, size_t *ret_len,
                   struct policy_messages *messages, struct err *err)
{
    struct compilation c;
    int r;

    begin(&c, messages);
    c.etc_dir = input->etc_dir;
    read_host(&c);
    read_venv_list(&c);
    read_hook_list(&c);
    r = read_apps(&c, err);
    if (r == 0)
        r = finish(&c, input, input->serial, input->applied, ret_data, ret_len, err);
    manifest_set_done(&c.manifests);
    arena_done(&c.arena);
    return r;
}

int policy_compile_text(const char *name, const char *yaml, size_t yaml_len, uint64_t serial,
                        int64_t applied, void **ret_data, size_t *ret_len,
                        struct policy_messages *messages, struct err *err)
{
    struct compilation c;
    int r;

    begin(&c, messages);
    c.reader.file = name;
    c.host.place.file = name;
    source_read(&c.reader, "", yaml, yaml_len, &c.host);
    r = finish(&c, NULL, serial, applied, ret_data, ret_len, err);
    manifest_set_done(&c.manifests);
    arena_done(&c.arena);
    return r;
}
