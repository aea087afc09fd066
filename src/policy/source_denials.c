/* SPDX-License-Identifier: Apache-2.0 */
/* `denials:` events that are refused, or would be. */
#include <string.h>

#include "policy/nearest.h"
#include "policy/source.h"

#define ID_MAX 64

static const char *const mode_names[] = {
    [SOURCE_MODE_ENFORCE] = "enforce",
    [SOURCE_MODE_AUDIT] = "audit",
    [SOURCE_MODE_OFF] = "off",
};

static const char *const action_names[] = {
    [DENIAL_DENY] = "deny",
    [DENIAL_KILL] = "kill",
};

static void read_mode(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source_denial *denial = target;

    denial->mode.given =
        reader_choice(reader, value, "'mode' of a denial", mode_names, 3, &denial->mode.value);
}

static void read_action(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source_denial *denial = target;

    denial->action.given = reader_choice(reader, value, "'action' of a denial", action_names, 2,
                                         &denial->action.value);
}

static void read_level(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source_denial *denial = target;

    denial->level.given = reader_level(reader, value, "'level' of a denial", &denial->level.value);
}

static void read_id(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source_denial *denial = target;
    const char *id = reader_text(reader, value, "'id' of a denial");

    if (!id)
        return;
    if (strlen(id) > ID_MAX || strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(id)) {
        report_node(reader, value, NULL,
                    "'id' of a denial must be at most %d of a-z, 0-9, '-' and '_'", ID_MAX);
        return;
    }
    denial->id = id;
}

/* A class that is allowed must be named as the unpickler names it. */
static bool is_class_name(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot && dot != name && dot[strlen(dot) - 1] != '.' && !strpbrk(name, " ():,*");
}

static void read_allow(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source_denial *denial = target;
    struct string_list *allow = &denial->allow;
    bool is_pickle = strcmp(denial->event, "pickle.find_class") == 0;

    if (!reader_list(reader, value, "'allow' of a denial", allow))
        return;
    if (allow->count > 0 && catalogue[denial->catalogue_index].arg_count == 0)
        report_node(reader, value, NULL, "event '%s' has no argument that 'allow' could name",
                    denial->event);
    for (uint32_t i = 0; i < allow->count; i++) {
        if (is_pickle && !is_class_name(allow->items[i]))
            report(reader, POLICY_ERROR, allow->places[i], "for instance collections.OrderedDict",
                   "'%s' is not of the form MODULE.NAME", allow->items[i]);
    }
}

const char *source_event_hint(struct reader *reader, const char *event)
{
    struct nearest nearest = {.word = event};

    for (unsigned i = 0; i < catalogue_count; i++)
        nearest_try(&nearest, catalogue[i].name);
    return nearest.best ? arena_printf(reader->arena, "did you mean '%s'?", nearest.best) : NULL;
}

static bool find_event(struct reader *reader, const struct yaml_node *key, int *ret_index)
{
    int index = catalogue_find(key->text);

    if (index == CATALOGUE_UNKNOWN) {
        report_node(reader, key, source_event_hint(reader, key->text), "there is no event '%s'",
                    key->text);
        return false;
    }
    if (catalogue[index].raiser == RAISER_SELF) {
        report_node(reader, key, NULL, "'%s' is a record of spython's own and cannot be denied",
                    key->text);
        return false;
    }
    *ret_index = index;
    return true;
}

void source_read_denials(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {
        {"mode", read_mode}, {"action", read_action}, {"level", read_level},
        {"id", read_id},     {"allow", read_allow},
    };
    struct source *source = target;
    struct source_denial *denials;

    if (!reader_is_map(reader, value, "'denials'"))
        return;
    denials = ARENA_NEW(reader->arena, value->count, struct source_denial);
    if (!denials)
        return;
    source->denials = denials;
    for (const struct yaml_node *node = value->first; node; node = node->next) {
        struct source_denial *denial = &denials[source->denial_count];

        if (!find_event(reader, node->key, &denial->catalogue_index))
            continue;
        denial->event = catalogue[denial->catalogue_index].name;
        denial->place = reader_place(reader, node->key);
        reader_map(reader, node, arena_printf(reader->arena, "denial '%s'", denial->event), keys,
                   sizeof(keys) / sizeof(keys[0]), denial);
        source->denial_count++;
    }
}
