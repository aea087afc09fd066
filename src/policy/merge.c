/* SPDX-License-Identifier: Apache-2.0 */
/* The three layers of settings. What profiles mean is written here and in spython.yaml(5). */
#include "policy/merge.h"

#include <string.h>

#include "policy/manifest_set.h"

#define ENTRY_ALL                                                                                  \
    (ENTRY_COMMAND | ENTRY_STDIN | ENTRY_INTERACTIVE | ENTRY_DIRECTORY | ENTRY_ZIP |               \
     ENTRY_ANY_MODULE | ENTRY_USER_SITE | ENTRY_OPTIONS)

#define DEFAULT_STACK_LEVEL LEVEL_MEDIUM
#define DEFAULT_SOURCE_MAX 4096

/* Harmless ones that operators set in unit files and images everywhere. */
static const char *const default_permit[] = {
    "PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONHASHSEED", "PYTHONFAULTHANDLER",
};

#define PERMIT_COUNT (sizeof(default_permit) / sizeof(default_permit[0]))

/* PEP 551's denials. */
static const struct {
    const char *event;
    enum source_mode standard; /* mode in that profile; strict enforces and observe audits all */
    enum level level;
} default_denials[] = {
    {"sys.addaudithook", SOURCE_MODE_ENFORCE, LEVEL_HIGH},
    {"os.system", SOURCE_MODE_AUDIT, LEVEL_HIGH},
    {"pickle.find_class", SOURCE_MODE_AUDIT, LEVEL_MEDIUM},
};

#define DENIAL_COUNT (sizeof(default_denials) / sizeof(default_denials[0]))

struct merge {
    struct reader *reader;
    const struct source *host;
    const struct source *app; /* NULL: none */
    const struct source *own; /* the one whose settings these are */
    struct policy_settings *settings;
};

static uint32_t pick(const struct opt_number *host, const struct opt_number *app, uint32_t other)
{
    if (app && app->given)
        return app->value;
    return host->given ? host->value : other;
}

#define PICK(m, field, other)                                                                      \
    pick(&(m)->host->field, (m)->app ? &(m)->app->field : NULL, (uint32_t)(other))

static struct policy_strings pick_list(const struct string_list *host,
                                       const struct string_list *app)
{
    const struct string_list *list = app && app->given ? app : host;

    return (struct policy_strings){list->items, list->given ? list->count : 0};
}

#define PICK_LIST(m, field) pick_list(&(m)->host->field, (m)->app ? &(m)->app->field : NULL)

static void merge_entry(struct merge *m)
{
    struct policy_settings *s = m->settings;

    s->entry = PICK(m, entry, 0);
    s->entry_modules = PICK_LIST(m, entry_modules);
    if (s->profile != PROFILE_OBSERVE)
        return;
    s->entry = ENTRY_ALL;
    if (m->own->entry.given)
        report(m->reader, POLICY_WARNING, m->own->entry_place, NULL,
               "'entry' has no effect: profile observe allows everything");
}

static bool has_string(const struct policy_strings *list, const char *text)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

/* A PYTHON* variable that is pinned is meant to have effect. */
static bool merge_permit(struct merge *m)
{
    struct policy_settings *s = m->settings;
    bool given = m->host->permit.given || (m->app && m->app->permit.given);
    struct policy_strings list = {default_permit, PERMIT_COUNT};
    const char **items;

    if (given)
        list = PICK_LIST(m, permit);
    if (s->profile == PROFILE_OBSERVE) {
        list.count = 0;
        if (m->own->permit.given)
            report(m->reader, POLICY_WARNING, m->own->permit_place, NULL,
                   "'permit' has no effect: profile observe heeds every variable of Python");
    }
    items = ARENA_NEW(m->reader->arena, list.count + s->env_pin_count, const char *);
    if (!items)
        return false;
    s->env_permit = (struct policy_strings){items, 0};
    for (uint32_t i = 0; i < list.count; i++) {
        if (!has_string(&s->env_permit, list.items[i]))
            items[s->env_permit.count++] = list.items[i];
    }
    for (uint32_t i = 0; i < s->env_pin_count; i++) {
        const char *name = s->env_pin[i].name;

        if (strncmp(name, "PYTHON", 6) == 0 && !has_string(&s->env_permit, name))
            items[s->env_permit.count++] = name;
    }
    return true;
}

static void put_pins(const struct source *source, struct policy_pin *pins, uint32_t *count)
{
    for (uint32_t i = 0; i < source->pin_count; i++) {
        uint32_t at = 0;

        while (at < *count && strcmp(pins[at].name, source->pins[i].name) != 0)
            at++;
        pins[at] = (struct policy_pin){source->pins[i].name, source->pins[i].value};
        if (at == *count)
            ++*count;
    }
}

static bool merge_pins(struct merge *m)
{
    size_t max = (size_t)m->host->pin_count + (m->app ? m->app->pin_count : 0);
    struct policy_pin *pins = ARENA_NEW(m->reader->arena, max, struct policy_pin);

    if (!pins)
        return false;
    put_pins(m->host, pins, &m->settings->env_pin_count);
    if (m->app)
        put_pins(m->app, pins, &m->settings->env_pin_count);
    m->settings->env_pin = pins;
    return true;
}

static bool merge_sinks(struct merge *m)
{
    static const struct source_sink default_sink = {
        .config = {.kind = SINK_FILE, .level = LEVEL_INFORMATIONAL, .path = SOURCE_LOG_DIRECTORY},
    };
    const struct source *source = m->app && m->app->sinks_given ? m->app : m->host;
    const struct source_sink *from = source->sinks_given ? source->sinks : &default_sink;
    uint32_t count = source->sinks_given ? source->sink_count : 1;
    struct sink_config *sinks = ARENA_NEW(m->reader->arena, count, struct sink_config);

    if (!sinks)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        sinks[i] = from[i].config;
        if (!from[i].on_failure_given)
            sinks[i].on_failure =
                m->settings->profile == PROFILE_STRICT ? SINK_FAILURE_STOP : SINK_FAILURE_COUNT;
    }
    m->settings->sinks = sinks;
    m->settings->sink_count = count;
    return true;
}

static const char *default_id(struct arena *arena, const char *event)
{
    char *id = arena_printf(arena, "spython-%s", event);

    for (char *p = id; p && *p; p++) {
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
        else if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && *p != '_')
            *p = '-';
    }
    return id;
}

static const struct source_denial *find_denial(const struct source *source, const char *event)
{
    for (uint32_t i = 0; source && i < source->denial_count; i++) {
        if (strcmp(source->denials[i].event, event) == 0)
            return &source->denials[i];
    }
    return NULL;
}

/* Of an event that is no built-in denial: nothing that is denied is less than medium. */
static enum level level_of_event(const char *event)
{
    int index = catalogue_find(event);
    enum level level = index < 0 ? LEVEL_MEDIUM : (enum level)catalogue[index].level;

    return level < LEVEL_MEDIUM ? level : LEVEL_MEDIUM;
}

static enum source_mode default_mode(enum profile profile, enum source_mode in_standard)
{
    if (profile == PROFILE_STRICT)
        return SOURCE_MODE_ENFORCE;
    return profile == PROFILE_STANDARD ? in_standard : SOURCE_MODE_AUDIT;
}

static enum source_mode merge_mode(struct merge *m, const struct source_denial *host,
                                   const struct source_denial *app, enum source_mode in_standard)
{
    static const struct source_denial none = {.event = NULL};
    enum source_mode mode =
        (enum source_mode)pick(host ? &host->mode : &none.mode, app ? &app->mode : NULL,
                               default_mode(m->settings->profile, in_standard));
    const struct source_denial *own = m->app ? app : host;

    if (m->settings->profile != PROFILE_OBSERVE || mode != SOURCE_MODE_ENFORCE)
        return mode;
    if (own && own->mode.given)
        report(m->reader, POLICY_WARNING, own->place, "use profile standard to have it enforced",
               "denial '%s' is only in audit: profile observe blocks nothing", own->event);
    return SOURCE_MODE_AUDIT;
}

static void add_denial(struct merge *m, struct policy_denial *denials, const char *event,
                       enum source_mode in_standard, enum level level)
{
    static const struct source_denial none = {.event = NULL};
    const struct source_denial *host = find_denial(m->host, event);
    const struct source_denial *app = find_denial(m->app, event);
    enum source_mode mode = merge_mode(m, host, app, in_standard);
    struct policy_denial *denial = &denials[m->settings->denial_count];

    if (mode == SOURCE_MODE_OFF)
        return;
    if (!host)
        host = &none;
    denial->event = event;
    denial->mode = mode == SOURCE_MODE_ENFORCE ? DENIAL_ENFORCE : DENIAL_AUDIT;
    denial->action =
        (enum denial_action)pick(&host->action, app ? &app->action : NULL, DENIAL_DENY);
    denial->level = (enum level)pick(&host->level, app ? &app->level : NULL, level);
    denial->allow = pick_list(&host->allow, app ? &app->allow : NULL);
    denial->id = app && app->id ? app->id : host->id;
    if (!denial->id)
        denial->id = default_id(m->reader->arena, event);
    m->settings->denial_count++;
}

static bool is_default_denial(const char *event)
{
    for (size_t i = 0; i < DENIAL_COUNT; i++) {
        if (strcmp(default_denials[i].event, event) == 0)
            return true;
    }
    return false;
}

/* One of the two has an id of its own, or they would differ: it was written for that event. */
static void report_same_id(struct merge *m, const struct policy_denial *a,
                           const struct policy_denial *b)
{
    const struct source *sources[] = {m->app, m->host};
    const char *events[] = {b->event, a->event};
    struct place place = m->own->place;

    for (size_t i = 0; i < 4; i++) {
        const struct source_denial *written = find_denial(sources[i / 2], events[i % 2]);

        if (written && written->id) {
            place = written->place;
            break;
        }
    }
    report(m->reader, POLICY_ERROR, place, NULL, "denials '%s' and '%s' have the same id '%s'",
           a->event, b->event, a->id);
}

static void check_ids(struct merge *m)
{
    for (uint32_t i = 0; i < m->settings->denial_count; i++) {
        const struct policy_denial *a = &m->settings->denials[i];

        for (uint32_t j = i + 1; j < m->settings->denial_count; j++) {
            const struct policy_denial *b = &m->settings->denials[j];

            if (strcmp(a->id, b->id) == 0)
                report_same_id(m, a, b);
        }
    }
}

static bool merge_denials(struct merge *m)
{
    size_t max = DENIAL_COUNT + m->host->denial_count + (m->app ? m->app->denial_count : 0);
    struct policy_denial *denials = ARENA_NEW(m->reader->arena, max, struct policy_denial);

    if (!denials)
        return false;
    m->settings->denials = denials;
    for (size_t i = 0; i < DENIAL_COUNT; i++)
        add_denial(m, denials, default_denials[i].event, default_denials[i].standard,
                   default_denials[i].level);
    for (uint32_t i = 0; i < m->host->denial_count; i++) {
        const char *event = m->host->denials[i].event;

        if (!is_default_denial(event))
            add_denial(m, denials, event, SOURCE_MODE_AUDIT, level_of_event(event));
    }
    for (uint32_t i = 0; m->app && i < m->app->denial_count; i++) {
        const char *event = m->app->denials[i].event;

        if (!is_default_denial(event) && !find_denial(m->host, event))
            add_denial(m, denials, event, SOURCE_MODE_AUDIT, level_of_event(event));
    }
    if (m->reader->arena->failed)
        return false;
    check_ids(m);
    return true;
}

/* Code that nobody who runs it can write: needs no signing, so it is what is asked for where
 * nothing else is said. */
static const struct source_root default_elsewhere = {
    .path = "",
    .any = TRUST_BIT(TRUST_BY_OWNER),
    .is_elsewhere = true,
};

/* Says what policy says about one root. The verifiers get the manifests they look into. */
static bool merge_root(struct merge *m, const struct source_root *from, struct trust_root *ret)
{
    struct manifest_set *set = m->reader->manifests;
    bool wants_ima = (from->all | from->any) & TRUST_BIT(TRUST_BY_IMA);
    uint32_t first = 0, count = 0, ima = 0, ima_count = 0;
    const struct manifest_index **uses;

    *ret = (struct trust_root){
        .path = from->path ? from->path : "",
        .all = from->all,
        .any = from->any,
        .labels = from->labels.items,
        .label_count = from->labels.count,
    };
    if (!set)
        return true;
    if (from->manifest)
        count = manifest_set_find(set, m->reader, from->manifest, from->older.value, from->place,
                                  &first);
    if (wants_ima && ret->path[0])
        ima_count = manifest_set_check_ima(set, m->reader, ret->path, from->place, &ima);
    uses = ARENA_NEW(m->reader->arena, count + ima_count, const struct manifest_index *);
    if (!uses)
        return false;
    for (uint32_t i = 0; i < count; i++)
        uses[i] = &set->items[first + i];
    for (uint32_t i = 0; i < ima_count; i++)
        uses[count + i] = &set->items[ima + i];
    ret->manifests = uses;
    ret->manifest_count = count + ima_count;
    return true;
}

static enum verify_mode merge_verify_mode(struct merge *m, uint32_t given, const char *what)
{
    enum verify_mode mode = (enum verify_mode)given;

    if (m->settings->profile != PROFILE_OBSERVE || mode != VERIFY_ENFORCE)
        return mode;
    report(m->reader, POLICY_WARNING, m->own->verify.place,
           "use profile standard to have it enforced",
           "'%s' in 'verify' is only in audit: profile observe blocks nothing", what);
    return VERIFY_AUDIT;
}

/* Without an inventory every hook would be an unknown one. */
static enum verify_mode default_hooks(const struct merge *m)
{
    if (m->settings->profile == PROFILE_STRICT)
        return VERIFY_ENFORCE;
    return m->reader->has_inventory ? VERIFY_AUDIT : VERIFY_OFF;
}

/* Below a root that is not where it was meant to be, code is judged like any other: a slip of the
 * pen would enforce nothing. */
static void check_roots(const struct merge *m, const struct source_verify *from)
{
    const struct policy_verify *v = &m->settings->verify;

    if (v->mode != VERIFY_ENFORCE && v->native != VERIFY_ENFORCE)
        return;
    for (uint32_t i = 0; i < from->root_count; i++)
        if (from->roots[i].flaw)
            report(m->reader, POLICY_ERROR, from->roots[i].place,
                   "correct it, or take the root out as long as it is not there",
                   "'%s' cannot be enforced: %s", from->roots[i].path, from->roots[i].flaw);
}

static bool merge_verify(struct merge *m)
{
    bool strict = m->settings->profile == PROFILE_STRICT;
    const struct source_verify *app = m->app ? &m->app->verify : NULL;
    const struct source_verify *with_roots = app && app->roots_given ? app : &m->host->verify;
    const struct source_root *elsewhere = &default_elsewhere;
    struct policy_verify *v = &m->settings->verify;
    struct trust_root *roots;

    v->mode =
        merge_verify_mode(m, PICK(m, verify.mode, strict ? VERIFY_ENFORCE : VERIFY_OFF), "mode");
    v->native = merge_verify_mode(m, PICK(m, verify.native, v->mode), "native");
    v->hooks = merge_verify_mode(m, PICK(m, verify.hooks, default_hooks(m)), "hooks");
    v->copy_max = app && app->copy_given ? app->copy_max : m->host->verify.copy_max;
    v->fresh_digests = PICK(m, verify.fresh_digests, 0);
    if (m->host->verify.elsewhere_given)
        elsewhere = &m->host->verify.elsewhere;
    if (app && app->elsewhere_given)
        elsewhere = &app->elsewhere;
    roots = ARENA_NEW(m->reader->arena, with_roots->root_count + 1u, struct trust_root);
    if (!roots)
        return false;
    v->trust.elsewhere = &roots[0];
    v->trust.roots = &roots[1];
    v->trust.root_count = with_roots->root_count;
    if (!merge_root(m, elsewhere, &roots[0]))
        return false;
    for (uint32_t i = 0; i < with_roots->root_count; i++)
        if (!merge_root(m, &with_roots->roots[i], &roots[i + 1]))
            return false;
    check_roots(m, with_roots);
    return true;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

bool merge_settings(struct reader *reader, const struct source *host, const struct source *app,
                    struct policy_settings *ret)
{
    struct merge m = {reader, host, app, app ? app : host, ret};

    *ret = (struct policy_settings){
        .app = m.own->app,
        .profile = (enum profile)PICK(&m, profile, PROFILE_STANDARD),
        .match_script = or_empty(m.own->match_script.text),
        .match_venv = or_empty(m.own->match_venv.text),
        .match_uid = m.own->match_uid,
        .venv = or_empty(m.own->venv.text),
        .host = or_empty(app && app->host.text ? app->host.text : host->host.text),
        .stack_level = (enum level)PICK(&m, stack_level, DEFAULT_STACK_LEVEL),
        .stack_frames = PICK(&m, stack_frames, RECORD_MAX_FRAMES),
        .source_max = PICK(&m, source_max, DEFAULT_SOURCE_MAX),
        .redact = PICK_LIST(&m, redact),
    };
    merge_entry(&m);
    return merge_pins(&m) && merge_permit(&m) && merge_sinks(&m) && merge_denials(&m) &&
           merge_verify(&m);
}
