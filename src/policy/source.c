/* SPDX-License-Identifier: Apache-2.0 */
/* Top-level keys of a source, what may be started, and which processes an app is for. */
#include "policy/source.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LISTED_VENVS 4096

static void read_profile(struct reader *reader, const struct yaml_node *value, void *target)
{
    const char *names[PROFILE_MAX];
    struct source *source = target;

    for (unsigned i = 0; i < PROFILE_MAX; i++)
        names[i] = profile_name((enum profile)i);
    source->profile.given =
        reader_choice(reader, value, "'profile'", names, PROFILE_MAX, &source->profile.value);
}

static const struct {
    const char *name;
    uint32_t flag;
} entry_names[] = {
    {"command", ENTRY_COMMAND},     {"stdin", ENTRY_STDIN},     {"interactive", ENTRY_INTERACTIVE},
    {"directory", ENTRY_DIRECTORY}, {"zip", ENTRY_ZIP},         {"modules", ENTRY_ANY_MODULE},
    {"user_site", ENTRY_USER_SITE}, {"options", ENTRY_OPTIONS},
};

#define ENTRY_COUNT (sizeof(entry_names) / sizeof(entry_names[0]))

static void read_entry_allow(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;
    const char *names[ENTRY_COUNT];

    if (value->kind != YAML_LIST) {
        struct string_list unused;

        reader_list(reader, value, "'allow' in 'entry'", &unused); /* says what is wrong */
        return;
    }
    for (size_t i = 0; i < ENTRY_COUNT; i++)
        names[i] = entry_names[i].name;
    source->entry.given = true;
    source->entry_place = reader_place(reader, value);
    for (const struct yaml_node *item = value->first; item; item = item->next) {
        unsigned i;

        if (reader_choice(reader, item, "an item of 'allow' in 'entry'", names, ENTRY_COUNT, &i))
            source->entry.value |= entry_names[i].flag;
    }
}

/* A dotted name as after -m. Names need not be ASCII, so only what cannot be one is refused. */
static bool is_module_name(const char *name)
{
    if (name[0] == '.' || name[0] == '-' || strpbrk(name, " /\\=:;,") || strstr(name, ".."))
        return false;
    return name[strlen(name) - 1] != '.';
}

static void read_entry_modules(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;
    struct string_list *modules = &source->entry_modules;

    if (!reader_list(reader, value, "'modules' in 'entry'", modules))
        return;
    for (uint32_t i = 0; i < modules->count; i++) {
        if (!is_module_name(modules->items[i]))
            report(reader, POLICY_ERROR, modules->places[i], NULL, "'%s' is not a module's name",
                   modules->items[i]);
    }
}

static void read_entry(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {
        {"allow", read_entry_allow},
        {"modules", read_entry_modules},
    };

    reader_map(reader, value, "'entry'", keys, 2, target);
}

static void read_venvs(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;
    struct string_list list;

    if (!reader_list(reader, value, "'venvs'", &list))
        return;
    list.count = 0;
    for (const struct yaml_node *item = value->first; item; item = item->next) {
        const char *path = item->kind == YAML_TEXT && item->text[0]
                               ? reader_path(reader, item, "an item of 'venvs'")
                               : NULL;

        if (!path)
            continue;
        list.items[list.count] = path;
        list.places[list.count++] = reader_place(reader, item);
    }
    source->venvs = list;
}

static void read_path(struct reader *reader, const struct yaml_node *value, const char *what,
                      struct opt_text *ret)
{
    ret->text = reader_path(reader, value, what);
    ret->place = reader_place(reader, value);
}

static void read_match_script(struct reader *reader, const struct yaml_node *value, void *target)
{
    read_path(reader, value, "'script' in 'match'", &((struct source *)target)->match_script);
}

static void read_match_venv(struct reader *reader, const struct yaml_node *value, void *target)
{
    read_path(reader, value, "'venv' in 'match'", &((struct source *)target)->match_venv);
}

static void read_match_user(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;
    const char *name = reader_text(reader, value, "'user' in 'match'");
    struct passwd entry, *found = NULL;
    char buffer[16384];
    uint64_t uid;
    int r;

    if (!name)
        return;
    if (strspn(name, "0123456789") == strlen(name)) {
        if (reader_number(reader, value, "'user' in 'match'", false, 0, UINT32_MAX - 1, &uid))
            source->match_uid = (int64_t)uid;
        return;
    }
    r = getpwnam_r(name, &entry, buffer, sizeof(buffer), &found);
    if (found)
        source->match_uid = entry.pw_uid;
    else if (r != 0 && r != ENOENT && r != ESRCH)
        report_node(reader, value, NULL, "cannot look up user '%s': %s", name, strerror(r));
    else
        report_node(reader, value, "in an image that has no such user yet, write its number",
                    "there is no user '%s' on this host", name);
}

static void read_match(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {
        {"script", read_match_script},
        {"venv", read_match_venv},
        {"user", read_match_user},
    };
    struct source *source = target;

    /* Whether something was named, not whether it could be read: that has its own message. */
    source->match_given = value->count > 0;
    reader_map(reader, value, "'match'", keys, 3, target);
}

static void read_venv(struct reader *reader, const struct yaml_node *value, void *target)
{
    read_path(reader, value, "'venv'", &((struct source *)target)->venv);
}

#define COMMON_KEYS                                                                                \
    {"profile", read_profile}, {"entry", read_entry}, {"environment", source_read_environment},    \
        {"log", source_read_log}, {"verify", source_read_verify},                                  \
    {                                                                                              \
        "denials", source_read_denials                                                             \
    }

static const struct reader_key host_keys[] = {COMMON_KEYS, {"venvs", read_venvs}};
static const struct reader_key app_keys[] = {
    COMMON_KEYS, {"match", read_match}, {"venv", read_venv}};

bool source_read(struct reader *reader, const char *app, const char *data, size_t len,
                 struct source *ret)
{
    const struct yaml_node *root;

    memset(ret, 0, sizeof(*ret));
    ret->app = app;
    ret->place = (struct place){reader->file, 0, 0};
    ret->match_uid = -1;
    root = yaml_tree_read(reader, data, len);
    if (!root)
        return false;
    if (reader->is_app)
        reader_map(reader, root, "an app", app_keys, sizeof(app_keys) / sizeof(app_keys[0]), ret);
    else
        reader_map(reader, root, "the policy", host_keys, sizeof(host_keys) / sizeof(host_keys[0]),
                   ret);
    if (reader->is_app && !ret->match_given)
        report(reader, POLICY_ERROR, ret->place, "add match: with script, venv or user",
               "the app does not say which processes it is for");
    return true;
}

void source_read_venv_list(struct reader *reader, const char *data, size_t len,
                           struct string_list *ret)
{
    uint32_t lines = 1, line = 0;
    const char *end = data + len;

    for (size_t i = 0; i < len; i++)
        lines += data[i] == '\n';
    ret->items = ARENA_NEW(reader->arena, lines, const char *);
    ret->places = ARENA_NEW(reader->arena, lines, struct place);
    if (!ret->items || !ret->places)
        return;
    ret->given = true;
    while (data < end) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        struct yaml_node node = {.kind = YAML_TEXT, .line = ++line, .column = 1};

        if (!stop)
            stop = end;
        node.len = (size_t)(stop - data);
        node.text = arena_text(reader->arena, data, node.len);
        data = stop + 1;
        if (!node.text)
            return;
        if (node.len == 0 || node.text[0] == '#')
            continue;
        if (ret->count == MAX_LISTED_VENVS) {
            report_node(reader, &node, NULL, "there are more than %d environments",
                        MAX_LISTED_VENVS);
            return;
        }
        if (strlen(node.text) != node.len) {
            report_node(reader, &node, NULL, "the line holds a NUL byte");
            continue;
        }
        ret->items[ret->count] = reader_path(reader, &node, "a line of venvs.list");
        ret->places[ret->count] = reader_place(reader, &node);
        ret->count += ret->items[ret->count] != NULL;
    }
}
