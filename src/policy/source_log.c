/* SPDX-License-Identifier: Apache-2.0 */
/* `log:` where records go and what they carry. */
#include <string.h>

#include "policy/nearest.h"
#include "policy/source.h"
#include "sinks/log.h"

#define ROTATE_MIN RECORD_MAX /* a file that does not hold one record would rotate for ever */
#define ROTATE_MAX_KEEP 10000
#define HOST_MAX 255

static const char *const kind_names[SINK_KIND_MAX] = {
    [SINK_NULL] = "null",
    [SINK_STDERR] = "stderr",
    [SINK_FILE] = "file",
};

static const char *const failure_names[] = {
    [SINK_FAILURE_STOP] = "stop",
    [SINK_FAILURE_COUNT] = "count",
};

/* What was given of one sink before the parts are checked together. */
struct sink_parts {
    bool has_type; /* given, be it right or wrong */
    struct opt_number type, on_failure, level;
    const char *path;
    const struct yaml_node *rotate;
    uint64_t size, keep;
    bool has_size; /* given, be it right or wrong */
};

/* `type: null` is written without quotes, where YAML takes it for nothing. */
static void read_type(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct sink_parts *parts = target;

    parts->has_type = true;
    parts->type.given = true;
    if (value->kind == YAML_NULL && value->text && strcmp(value->text, "null") == 0)
        parts->type.value = SINK_NULL;
    else
        parts->type.given = reader_choice(reader, value, "'type' of a sink", kind_names,
                                          SINK_KIND_MAX, &parts->type.value);
}

static void read_on_failure(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct sink_parts *parts = target;

    parts->on_failure.given = reader_choice(reader, value, "'on_failure' of a sink", failure_names,
                                            2, &parts->on_failure.value);
}

static void read_level(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct sink_parts *parts = target;

    parts->level.given = reader_level(reader, value, "'level' of a sink", &parts->level.value);
}

static void read_path(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct sink_parts *parts = target;
    const char *path = reader_text(reader, value, "'path' of a sink");

    if (!path)
        return;
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += strspn(p, "/");
        if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0')) {
            report_node(reader, value, NULL, "'path' of a sink must not hold '..'");
            return;
        }
    }
    parts->path = path;
}

static void read_rotate_size(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct sink_parts *parts = target;

    parts->has_size = true;
    reader_number(reader, value, "'size' in 'rotate'", true, ROTATE_MIN, (uint64_t)1 << 50,
                  &parts->size);
}

static void read_rotate_keep(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct sink_parts *parts = target;

    reader_number(reader, value, "'keep' in 'rotate'", false, 0, ROTATE_MAX_KEEP, &parts->keep);
}

static void read_rotate(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {
        {"size", read_rotate_size},
        {"keep", read_rotate_keep},
    };
    struct sink_parts *parts = target;

    parts->rotate = value;
    reader_map(reader, value, "'rotate'", keys, 2, target);
    if (!parts->has_size && value->kind == YAML_MAP)
        report_node(reader, value, NULL, "'rotate' needs 'size'");
}

static void check_sink(struct reader *reader, const struct yaml_node *node,
                       const struct sink_parts *parts)
{
    if (node->kind != YAML_MAP && node->kind != YAML_NULL)
        return;
    if (!parts->has_type)
        report_node(reader, node, "type: file, stderr or null", "a sink needs 'type'");
    else if (!parts->type.given)
        return;
    else if (parts->type.value != SINK_FILE && parts->path)
        report_node(reader, node, NULL, "only a sink of type file has a 'path'");
    else if (parts->type.value != SINK_FILE && parts->rotate)
        report_node(reader, node, NULL, "only a sink of type file has 'rotate'");
}

static struct source_sink read_sink(struct reader *reader, const struct yaml_node *node)
{
    static const struct reader_key keys[] = {
        {"type", read_type},   {"path", read_path},     {"on_failure", read_on_failure},
        {"level", read_level}, {"rotate", read_rotate},
    };
    struct sink_parts parts = {.size = 0};

    reader_map(reader, node, "a sink", keys, sizeof(keys) / sizeof(keys[0]), &parts);
    check_sink(reader, node, &parts);
    return (struct source_sink){
        .config = {.kind = (enum sink_kind)parts.type.value,
                   .on_failure = (enum sink_failure)parts.on_failure.value,
                   .level = parts.level.given ? (enum level)parts.level.value : LEVEL_INFORMATIONAL,
                   .path = parts.path                      ? parts.path
                           : parts.type.value == SINK_FILE ? SOURCE_LOG_DIRECTORY
                                                           : "",
                   .rotate_size = parts.size,
                   .rotate_keep = (uint32_t)parts.keep},
        .on_failure_given = parts.on_failure.given,
        .place = reader_place(reader, node),
    };
}

static bool is_same_sink(const struct sink_config *a, const struct sink_config *b)
{
    return a->kind == b->kind && strcmp(a->path, b->path) == 0;
}

static void read_sinks(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;
    struct source_sink *sinks;

    if (value->kind != YAML_LIST) {
        struct string_list unused;

        reader_list(reader, value, "'sinks' in 'log'", &unused); /* says what is wrong */
        return;
    }
    if (value->count > LOG_MAX_SINKS) {
        report_node(reader, value, NULL, "there can be at most %d sinks", LOG_MAX_SINKS);
        return;
    }
    if (value->count == 0) {
        report_node(reader, value, "to record nothing, say so: type: null", "'sinks' is empty");
        return;
    }
    sinks = ARENA_NEW(reader->arena, value->count, struct source_sink);
    if (!sinks)
        return;
    source->sinks_given = true;
    source->sinks = sinks;
    for (const struct yaml_node *node = value->first; node; node = node->next) {
        struct source_sink sink = read_sink(reader, node);

        for (uint32_t i = 0; i < source->sink_count; i++) {
            if (is_same_sink(&sinks[i].config, &sink.config))
                report_node(reader, node, NULL, "the same sink is already in line %u",
                            sinks[i].place.line);
        }
        sinks[source->sink_count++] = sink;
    }
}

static void read_host(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;
    const char *name = reader_text(reader, value, "'host' in 'log'");

    if (name && strlen(name) > HOST_MAX) {
        report_node(reader, value, NULL, "'host' in 'log' is longer than %d bytes", HOST_MAX);
        return;
    }
    source->host = (struct opt_text){name, reader_place(reader, value)};
}

static void read_stack_level(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;

    source->stack_level.given =
        reader_level(reader, value, "'level' in 'stack'", &source->stack_level.value);
}

static void read_stack_frames(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;
    uint64_t frames = 0;

    source->stack_frames.given =
        reader_number(reader, value, "'frames' in 'stack'", false, 0, RECORD_MAX_FRAMES, &frames);
    source->stack_frames.value = (uint32_t)frames;
}

static void read_stack(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {
        {"level", read_stack_level},
        {"frames", read_stack_frames},
    };

    reader_map(reader, value, "'stack'", keys, 2, target);
}

static void read_source_max(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;
    uint64_t max = 0;

    source->source_max.given =
        reader_number(reader, value, "'max' in 'source'", true, 0, POLICY_MAX_SOURCE, &max);
    source->source_max.value = (uint32_t)max;
}

static void read_source(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {{"max", read_source_max}};

    reader_map(reader, value, "'source'", keys, 1, target);
}

static const char *argument_hint(struct reader *reader, const struct catalogue_entry *entry,
                                 const char *argument)
{
    struct nearest nearest = {.word = argument};
    const char *list = "";

    for (unsigned i = 0; i < entry->arg_count; i++) {
        nearest_try(&nearest, entry->arg_names[i]);
        list = list
                   ? arena_printf(reader->arena, "%s%s%s", list, i ? ", " : "", entry->arg_names[i])
                   : NULL;
    }
    if (nearest.best)
        return arena_printf(reader->arena, "did you mean '%s'?", nearest.best);
    return list ? arena_printf(reader->arena, "its arguments: %s", list) : NULL;
}

/* A misspelt pair would hide nothing, so it must not pass. */
static void check_redact(struct reader *reader, const char *pair, struct place place)
{
    const char *colon = strchr(pair, ':');
    const struct catalogue_entry *entry;
    const char *event;
    int index;

    if (!colon || colon == pair || !colon[1]) {
        report(reader, POLICY_ERROR, place, "for instance subprocess.Popen:args",
               "'%s' is not of the form EVENT:ARGUMENT", pair);
        return;
    }
    event = arena_text(reader->arena, pair, (size_t)(colon - pair));
    if (!event)
        return;
    index = catalogue_find(event);
    if (index == CATALOGUE_UNKNOWN) {
        report(reader, POLICY_ERROR, place, source_event_hint(reader, event),
               "there is no event '%s'", event);
        return;
    }
    entry = &catalogue[index];
    for (unsigned i = 0; i < entry->arg_count; i++) {
        if (strcmp(entry->arg_names[i], colon + 1) == 0)
            return;
    }
    report(reader, POLICY_ERROR, place, argument_hint(reader, entry, colon + 1),
           "event '%s' has no argument '%s'", event, colon + 1);
}

static void read_redact(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;

    if (!reader_list(reader, value, "'redact' in 'log'", &source->redact))
        return;
    for (uint32_t i = 0; i < source->redact.count; i++)
        check_redact(reader, source->redact.items[i], source->redact.places[i]);
}

void source_read_log(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {
        {"sinks", read_sinks},   {"host", read_host},     {"stack", read_stack},
        {"source", read_source}, {"redact", read_redact},
    };

    reader_map(reader, value, "'log'", keys, sizeof(keys) / sizeof(keys[0]), target);
}
