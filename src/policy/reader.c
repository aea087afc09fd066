/* SPDX-License-Identifier: Apache-2.0 */
/* Findings, and typed access to YAML nodes. Every "expected X" message is made here. */
#include "policy/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/catalogue.h"
#include "policy/nearest.h"

void policy_messages_done(struct policy_messages *messages)
{
    for (size_t i = 0; i < messages->count; i++) {
        free(messages->items[i].file);
        free(messages->items[i].text);
        free(messages->items[i].hint);
    }
    free(messages->items);
    memset(messages, 0, sizeof(*messages));
}

struct place reader_place(const struct reader *reader, const struct yaml_node *node)
{
    return (struct place){reader->file, node->line, node->column};
}

static bool add_message(struct policy_messages *messages, const struct policy_message *message)
{
    struct policy_message *items;

    /* Room for a power of two: grows exactly when count reaches one. */
    if ((messages->count & (messages->count - 1)) == 0) {
        size_t room = messages->count ? 2 * messages->count : 1;

        items = realloc(messages->items, room * sizeof(*items));
        if (!items)
            return false;
        messages->items = items;
    }
    messages->items[messages->count++] = *message;
    return true;
}

/* Errors and warnings are capped each for themselves: many warnings must not hide an error. */
static bool is_enough(const struct policy_messages *messages, enum policy_severity severity)
{
    size_t errors = messages->errors < READER_MAX_ERRORS ? messages->errors : READER_MAX_ERRORS;

    if (severity == POLICY_ERROR)
        return messages->errors > READER_MAX_ERRORS;
    return messages->count - errors >= READER_MAX_ERRORS;
}

void report(struct reader *reader, enum policy_severity severity, struct place place,
            const char *hint, const char *fmt, ...)
{
    struct policy_message message = {.severity = severity, .line = place.line};
    va_list ap;
    int len;

    if (severity == POLICY_ERROR)
        reader->messages->errors++;
    if (is_enough(reader->messages, severity))
        return;
    message.column = place.column;
    message.file = strdup(place.file);
    message.hint = hint ? strdup(hint) : NULL;
    va_start(ap, fmt);
    len = vasprintf(&message.text, fmt, ap);
    va_end(ap);
    if (len < 0)
        message.text = NULL;
    if (message.file && message.text && (message.hint || !hint) &&
        add_message(reader->messages, &message))
        return;
    free(message.file);
    free(message.text);
    free(message.hint);
    reader->arena->failed = true;
}

static const char *kind_name(const struct yaml_node *node)
{
    static const char *const names[] = {
        [YAML_NULL] = "nothing",
        [YAML_TEXT] = "a single value",
        [YAML_LIST] = "a list",
        [YAML_MAP] = "a map of keys",
    };

    return names[node->kind];
}

static void report_kind(struct reader *reader, const struct yaml_node *node, const char *what,
                        const char *expected)
{
    report_node(reader, node, NULL, "%s must be %s, but there is %s", what, expected,
                kind_name(node));
}

bool reader_is_map(struct reader *reader, const struct yaml_node *node, const char *what)
{
    if (node->kind == YAML_MAP || node->kind == YAML_NULL)
        return true;
    report_kind(reader, node, what, "a map of keys");
    return false;
}

static const char *list_keys(struct reader *reader, const struct reader_key *keys, size_t count)
{
    const char *list = "";

    for (size_t i = 0; i < count && list; i++)
        list = arena_printf(reader->arena, "%s%s%s", list, i ? ", " : "", keys[i].name);
    return list ? arena_printf(reader->arena, "known keys: %s", list) : NULL;
}

static void report_unknown_key(struct reader *reader, const struct yaml_node *key, const char *what,
                               const struct reader_key *keys, size_t count)
{
    struct nearest nearest = {.word = key->text};
    const char *hint;

    for (size_t i = 0; i < count; i++)
        nearest_try(&nearest, keys[i].name);
    if (nearest.best)
        hint = arena_printf(reader->arena, "did you mean '%s'?", nearest.best);
    else
        hint = list_keys(reader, keys, count);
    report_node(reader, key, hint, "unknown key '%s' in %s", key->text, what);
}

void reader_map(struct reader *reader, const struct yaml_node *node, const char *what,
                const struct reader_key *keys, size_t key_count, void *target)
{
    if (!reader_is_map(reader, node, what))
        return;
    for (const struct yaml_node *value = node->first; value; value = value->next) {
        size_t i = 0;

        while (i < key_count && strcmp(keys[i].name, value->key->text) != 0)
            i++;
        if (i < key_count)
            keys[i].read(reader, value, target);
        else
            report_unknown_key(reader, value->key, what, keys, key_count);
    }
}

const char *reader_raw_text(struct reader *reader, const struct yaml_node *node, const char *what)
{
    if (node->kind != YAML_TEXT) {
        report_kind(reader, node, what, "a text");
        return NULL;
    }
    if (node->len > READER_MAX_TEXT) {
        report_node(reader, node, NULL, "%s is longer than %d bytes", what, READER_MAX_TEXT);
        return NULL;
    }
    return node->text;
}

const char *reader_text(struct reader *reader, const struct yaml_node *node, const char *what)
{
    const char *text = reader_raw_text(reader, node, what);

    if (!text)
        return NULL;
    if (!text[0]) {
        report_node(reader, node, NULL, "%s is empty", what);
        return NULL;
    }
    for (size_t i = 0; text[i]; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 127) {
            report_node(reader, node, NULL, "%s holds a control character", what);
            return NULL;
        }
    }
    return text;
}

/* Whether one of the parts between slashes is exactly `part`. */
static bool has_part(const char *path, const char *part)
{
    size_t len = strlen(part);

    for (const char *p = path; p; p = strchr(p, '/')) {
        p += strspn(p, "/");
        if (strncmp(p, part, len) == 0 && (p[len] == '/' || p[len] == '\0'))
            return true;
    }
    return false;
}

const char *reader_path(struct reader *reader, const struct yaml_node *node, const char *what)
{
    const char *text = reader_text(reader, node, what);
    size_t len;

    if (!text)
        return NULL;
    if (text[0] != '/' || has_part(text, "..") || has_part(text, ".")) {
        report_node(reader, node, NULL, "%s must be an absolute path without '.' and '..'", what);
        return NULL;
    }
    for (len = strlen(text); len > 1 && text[len - 1] == '/';)
        len--;
    return arena_text(reader->arena, text, len);
}

bool reader_list(struct reader *reader, const struct yaml_node *node, const char *what,
                 struct string_list *ret)
{
    struct string_list list = {.given = true};

    if (node->kind != YAML_LIST) {
        report_node(reader, node, node->kind == YAML_NULL ? "write [] for none" : NULL,
                    "%s must be a list, but there is %s", what, kind_name(node));
        return false;
    }
    list.items = ARENA_NEW(reader->arena, node->count, const char *);
    list.places = ARENA_NEW(reader->arena, node->count, struct place);
    if (!list.items || !list.places)
        return false;
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        const char *text =
            reader_text(reader, item, arena_printf(reader->arena, "an item of %s", what));

        if (!text)
            continue;
        list.items[list.count] = text;
        list.places[list.count++] = reader_place(reader, item);
    }
    *ret = list;
    return true;
}

/* Digits, then at most one of K, M, G. Returns 0, -EINVAL, -ERANGE. */
static int parse_number(const char *text, bool is_size, uint64_t *ret)
{
    static const char units[] = "KMG";
    const char *unit;
    uint64_t value = 0;
    size_t i = 0;

    for (; text[i] >= '0' && text[i] <= '9'; i++) {
        if (i >= 18)
            return -ERANGE;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (i == 0)
        return -EINVAL;
    if (is_size && text[i]) {
        unit = strchr(units, text[i]);
        if (!unit)
            return -EINVAL;
        i++;
        if (__builtin_mul_overflow(value, (uint64_t)1 << (10 * (unit - units + 1)), &value))
            return -ERANGE;
    }
    if (text[i])
        return -EINVAL;
    *ret = value;
    return 0;
}

bool reader_number(struct reader *reader, const struct yaml_node *node, const char *what,
                   bool is_size, uint64_t min, uint64_t max, uint64_t *ret)
{
    const char *text = reader_text(reader, node, what);
    uint64_t value = 0;
    int r;

    if (!text)
        return false;
    r = parse_number(text, is_size, &value);
    if (r == -EINVAL) {
        report_node(reader, node, NULL, "%s must be a whole number%s, not '%s'", what,
                    is_size ? ", K, M or G may follow" : "", text);
        return false;
    }
    if (r < 0 || value < min || value > max) {
        report_node(reader, node, NULL, "%s must be from %llu to %llu", what,
                    (unsigned long long)min, (unsigned long long)max);
        return false;
    }
    *ret = value;
    return true;
}

bool reader_choice(struct reader *reader, const struct yaml_node *node, const char *what,
                   const char *const *names, size_t count, unsigned *ret)
{
    const char *text = reader_text(reader, node, what), *list = "";
    struct nearest nearest = {.word = text};

    if (!text)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            *ret = (unsigned)i;
            return true;
        }
        nearest_try(&nearest, names[i]);
        list = list ? arena_printf(reader->arena, "%s%s%s", list, i ? ", " : "", names[i]) : NULL;
    }
    report_node(reader, node,
                nearest.best ? arena_printf(reader->arena, "did you mean '%s'?", nearest.best)
                             : NULL,
                "%s must be one of %s, not '%s'", what, list ? list : "", text);
    return false;
}

bool reader_level(struct reader *reader, const struct yaml_node *node, const char *what,
                  unsigned *ret)
{
    const char *names[LEVEL_NOISE];

    for (unsigned i = 0; i < LEVEL_NOISE; i++)
        names[i] = level_name((enum level)i);
    return reader_choice(reader, node, what, names, LEVEL_NOISE, ret);
}
