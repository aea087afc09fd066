/* SPDX-License-Identifier: Apache-2.0 */
/* From libyaml's events to a tree. Nothing here knows what the keys mean. */
#include "policy/yaml_tree.h"

#include <string.h>
#include <yaml.h>

#include "policy/reader.h"

struct builder {
    struct reader *reader;
    yaml_parser_t parser;
    unsigned nodes;
    bool failed;
};

static void *fail_at(struct builder *b, unsigned line, unsigned column, const char *hint,
                     const char *what)
{
    struct place place = {b->reader->file, line, column};

    if (!b->failed)
        report(b->reader, POLICY_ERROR, place, hint, "%s", what);
    b->failed = true;
    return NULL;
}

static void *fail_event(struct builder *b, const yaml_event_t *event, const char *hint,
                        const char *what)
{
    return fail_at(b, (unsigned)event->start_mark.line + 1, (unsigned)event->start_mark.column + 1,
                   hint, what);
}

/* libyaml tells of bytes that are no text only by their offset. */
static unsigned line_of_offset(const struct builder *b, const char *data, size_t len)
{
    size_t end = b->parser.problem_offset < len ? b->parser.problem_offset : len;
    unsigned line = 1;

    for (size_t i = 0; i < end; i++)
        line += data[i] == '\n';
    return line;
}

static void fail_parser(struct builder *b, const char *data, size_t len)
{
    const yaml_mark_t *mark = &b->parser.problem_mark;
    const char *problem = b->parser.problem ? b->parser.problem : "not YAML";

    if (b->parser.error == YAML_MEMORY_ERROR) {
        b->reader->arena->failed = true;
        b->failed = true;
        return;
    }
    if (b->parser.error == YAML_READER_ERROR)
        fail_at(b, line_of_offset(b, data, len), 0, "the file must be UTF-8 text", problem);
    else
        fail_at(b, (unsigned)mark->line + 1, (unsigned)mark->column + 1,
                b->parser.context ? b->parser.context : NULL, problem);
}

static bool next_event(struct builder *b, yaml_event_t *event)
{
    if (b->failed)
        return false;
    if (yaml_parser_parse(&b->parser, event))
        return true;
    fail_parser(b, (const char *)b->parser.input.string.start,
                (size_t)(b->parser.input.string.end - b->parser.input.string.start));
    return false;
}

static struct yaml_node *new_node(struct builder *b, const yaml_event_t *event, enum yaml_kind kind)
{
    struct yaml_node *node;

    if (++b->nodes > YAML_MAX_NODES)
        return fail_event(b, event, NULL, "too many values in one file");
    node = ARENA_NEW(b->reader->arena, 1, struct yaml_node);
    if (!node) {
        b->failed = true;
        return NULL;
    }
    node->kind = kind;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    return node;
}

static bool is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static struct yaml_node *build_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    struct yaml_node *node = new_node(b, event, is_null(event) ? YAML_NULL : YAML_TEXT);

    if (!node)
        return NULL;
    if (memchr(text, '\0', len))
        return fail_event(b, event, NULL, "a text holds a NUL byte");
    node->text = arena_text(b->reader->arena, text, len);
    node->len = len;
    b->failed = !node->text;
    return node;
}

static struct yaml_node *build_value(struct builder *b, const yaml_event_t *event, unsigned depth);

static bool has_key(const struct yaml_node *map, const char *key, struct builder *b,
                    const yaml_event_t *event)
{
    for (const struct yaml_node *value = map->first; value; value = value->next) {
        if (strcmp(value->key->text, key) != 0)
            continue;
        fail_event(b, event,
                   arena_printf(b->reader->arena, "it is already in line %u", value->key->line),
                   arena_printf(b->reader->arena, "key '%s' is given twice", key));
        return true;
    }
    return false;
}

static struct yaml_node *build_key(struct builder *b, const yaml_event_t *event,
                                   const struct yaml_node *map)
{
    struct yaml_node *key;

    if (event->type != YAML_SCALAR_EVENT)
        return fail_event(b, event, NULL, "a key must be a word");
    key = build_scalar(b, event);
    if (!key || has_key(map, key->text, b, event))
        return NULL;
    return key;
}

/* Items of a list, or keys and values of a map, up to its end. */
static void build_items(struct builder *b, struct yaml_node *parent, unsigned depth)
{
    const struct yaml_node **link = &parent->first;
    bool is_map = parent->kind == YAML_MAP;
    yaml_event_t event;

    while (next_event(b, &event)) {
        struct yaml_node *key = NULL, *value;

        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return;
        }
        if (parent->count == READER_MAX_ITEMS)
            fail_event(b, &event, NULL, "too many entries in one list or map");
        else if (is_map)
            key = build_key(b, &event, parent);
        if (is_map) {
            yaml_event_delete(&event);
            if (!key || !next_event(b, &event))
                return;
        }
        value = build_value(b, &event, depth);
        yaml_event_delete(&event);
        if (!value)
            return;
        value->key = key;
        *link = value;
        link = &value->next;
        parent->count++;
    }
}

static const char *anchor_or_tag(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT && event->data.scalar.tag)
        return "tags";
    if (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.tag)
        return "tags";
    if (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.tag)
        return "tags";
    if (event->type == YAML_ALIAS_EVENT ||
        (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
        (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor) ||
        (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor))
        return "anchors and aliases";
    return NULL;
}

static struct yaml_node *build_value(struct builder *b, const yaml_event_t *event, unsigned depth)
{
    const char *extra = anchor_or_tag(event);
    struct yaml_node *node;

    if (b->failed)
        return NULL;
    if (extra)
        return fail_event(b, event, "write the value itself",
                          arena_printf(b->reader->arena, "%s are not allowed here", extra));
    if (event->type == YAML_SCALAR_EVENT)
        return build_scalar(b, event);
    if (depth == YAML_MAX_DEPTH)
        return fail_event(b, event, NULL, "lists and maps are nested too deeply");
    node = new_node(b, event, event->type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST);
    if (node)
        build_items(b, node, depth + 1);
    return b->failed ? NULL : node;
}

/* The one document of a stream. */
static struct yaml_node *build_stream(struct builder *b)
{
    struct yaml_node *root = NULL;
    bool done = false;
    yaml_event_t event;

    while (!done && next_event(b, &event)) {
        switch (event.type) {
        case YAML_STREAM_END_EVENT:
            done = true;
            break;
        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (root)
                fail_event(b, &event, NULL, "a second document begins here");
            break;
        case YAML_ALIAS_EVENT:
        case YAML_SCALAR_EVENT:
        case YAML_SEQUENCE_START_EVENT:
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_START_EVENT:
        case YAML_MAPPING_END_EVENT:
            root = build_value(b, &event, 0);
            break;
        }
        yaml_event_delete(&event);
    }
    return root;
}

const struct yaml_node *yaml_tree_read(struct reader *reader, const char *data, size_t len)
{
    struct builder b = {.reader = reader};
    struct yaml_node *root;

    if (len > YAML_MAX_SIZE)
        return fail_at(&b, 0, 0, NULL, "the file is larger than 1 MiB");
    if (!yaml_parser_initialize(&b.parser)) {
        reader->arena->failed = true;
        return NULL;
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)data, len);
    root = build_stream(&b);
    yaml_parser_delete(&b.parser);
    if (b.failed)
        return NULL;
    if (!root)
        root = ARENA_NEW(reader->arena, 1, struct yaml_node);
    return root;
}
