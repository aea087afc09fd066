/* SPDX-License-Identifier: Apache-2.0 */
/* `environment:` which variables have effect, and which are set to a value of policy's. */
#include <string.h>

#include "policy/nearest.h"
#include "policy/source.h"

/* Variables that some CPython from 3.8 to 3.14 reads; others that begin with PYTHON are misspelt or
 * belong to a program. */
static const char *const python_variables[] = {
    "PYTHONASYNCIODEBUG",
    "PYTHONBREAKPOINT",
    "PYTHONCASEOK",
    "PYTHONCOERCECLOCALE",
    "PYTHONDEBUG",
    "PYTHONDEVMODE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONDUMPREFS",
    "PYTHONDUMPREFSFILE",
    "PYTHONEXECUTABLE",
    "PYTHONFAULTHANDLER",
    "PYTHONHASHSEED",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONINTMAXSTRDIGITS",
    "PYTHONIOENCODING",
    "PYTHONLEGACYWINDOWSFSENCODING",
    "PYTHONLEGACYWINDOWSSTDIO",
    "PYTHONMALLOC",
    "PYTHONMALLOCSTATS",
    "PYTHONNODEBUGRANGES",
    "PYTHONNOUSERSITE",
    "PYTHONOPTIMIZE",
    "PYTHONPATH",
    "PYTHONPERFSUPPORT",
    "PYTHONPLATLIBDIR",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONPYCACHEPREFIX",
    "PYTHONSAFEPATH",
    "PYTHONSTARTUP",
    "PYTHONTRACEMALLOC",
    "PYTHONUNBUFFERED",
    "PYTHONUSERBASE",
    "PYTHONUTF8",
    "PYTHONVERBOSE",
    "PYTHONWARNDEFAULTENCODING",
    "PYTHONWARNINGS",
    "PYTHON_BASIC_REPL",
    "PYTHON_COLORS",
    "PYTHON_CONTEXT_AWARE_WARNINGS",
    "PYTHON_CPU_COUNT",
    "PYTHON_DISABLE_REMOTE_DEBUG",
    "PYTHON_FROZEN_MODULES",
    "PYTHON_GIL",
    "PYTHON_HISTORY",
    "PYTHON_JIT",
    "PYTHON_PERF_JIT_SUPPORT",
    "PYTHON_PRESITE",
    "PYTHON_THREAD_INHERIT_CONTEXT",
    "PYTHON_TLBC",
    "_PYTHON_HOST_PLATFORM",
    "_PYTHON_PROJECT_BASE",
    "_PYTHON_SYSCONFIGDATA_NAME",
};

#define VARIABLE_COUNT (sizeof(python_variables) / sizeof(python_variables[0]))

static void check_permit(struct reader *reader, const char *name, struct place place)
{
    struct nearest nearest = {.word = name};

    for (size_t i = 0; i < VARIABLE_COUNT; i++) {
        if (strcmp(python_variables[i], name) == 0)
            return;
        nearest_try(&nearest, python_variables[i]);
    }
    if (strncmp(name + (name[0] == '_'), "PYTHON", 6) != 0 || strchr(name, '='))
        report(reader, POLICY_ERROR, place,
               "other variables reach the program without leave; see environment in "
               "spython.yaml(5)",
               "'%s' is not a variable of Python", name);
    else
        report(reader, POLICY_WARNING, place,
               nearest.best ? arena_printf(reader->arena, "did you mean '%s'?", nearest.best)
                            : NULL,
               "no version of CPython reads a variable '%s'", name);
}

static void read_permit(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;

    if (!reader_list(reader, value, "'permit' in 'environment'", &source->permit))
        return;
    source->permit_place = reader_place(reader, value);
    for (uint32_t i = 0; i < source->permit.count; i++)
        check_permit(reader, source->permit.items[i], source->permit.places[i]);
}

static bool is_variable_name(const char *name)
{
    if (!name[0] || strchr(name, '='))
        return false;
    for (size_t i = 0; name[i]; i++) {
        if ((unsigned char)name[i] <= ' ' || name[i] == 127)
            return false;
    }
    return true;
}

/* With LD_AUDIT somebody else's code would run before ours; LD_TRACE_LOADED_OBJECTS makes the
 * linker list libraries instead of running anything. */
static bool is_ours(const char *name)
{
    return strncmp(name, "SPYTHON_", 8) == 0 || strcmp(name, "LD_AUDIT") == 0 ||
           strcmp(name, "LD_TRACE_LOADED_OBJECTS") == 0;
}

/* In a list of libraries or directories, a relative path is one below whatever directory the
 * program was started in; an empty one is that directory itself. */
static bool is_relative_path_list(const char *name, const char *value)
{
    bool is_preload = strcmp(name, "LD_PRELOAD") == 0;
    const char *separators = is_preload ? ": " : ":;";

    if (!is_preload && strcmp(name, "LD_LIBRARY_PATH") != 0)
        return false;
    for (const char *p = value;; p++) {
        size_t len = strcspn(p, separators);

        /* A bare name in LD_PRELOAD is looked up in the system's directories. */
        if (is_preload ? p[0] != '/' && memchr(p, '/', len) : p[0] != '/')
            return true;
        p += len;
        if (!*p)
            return false;
    }
}

static bool check_pin(struct reader *reader, const struct yaml_node *node, const char *name,
                      const char *value)
{
    if (!is_variable_name(name))
        report_node(reader, node->key, NULL, "'%s' cannot be the name of a variable", name);
    else if (is_ours(name))
        report_node(reader, node->key, NULL, "'%s' cannot be pinned: spython needs it itself",
                    name);
    else if (is_relative_path_list(name, value))
        report_node(reader, node, NULL, "paths in '%s' must be absolute", name);
    else
        return true;
    return false;
}

static void read_pins(struct reader *reader, const struct yaml_node *value, void *target)
{
    struct source *source = target;
    struct source_pin *pins;

    if (!reader_is_map(reader, value, "'pin' in 'environment'"))
        return;
    pins = ARENA_NEW(reader->arena, value->count, struct source_pin);
    if (!pins)
        return;
    source->pins = pins;
    for (const struct yaml_node *node = value->first; node; node = node->next) {
        const char *name = reader_raw_text(reader, node->key, "the name of a variable");
        const char *text = reader_raw_text(
            reader, node, arena_printf(reader->arena, "the value of '%s'", node->key->text));

        if (name && text && check_pin(reader, node, name, text))
            pins[source->pin_count++] = (struct source_pin){name, text};
    }
}

void source_read_environment(struct reader *reader, const struct yaml_node *value, void *target)
{
    static const struct reader_key keys[] = {
        {"permit", read_permit},
        {"pin", read_pins},
    };

    reader_map(reader, value, "'environment'", keys, 2, target);
}
