/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every audit event we know, from catalogue.tsv by way of scripts/gen-catalogue: its argument
 * names, its level, what must be redacted. Events that user code invents are not in it.
 */
#ifndef SPYTHON_EVENT_CATALOGUE_H
#define SPYTHON_EVENT_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sigma's levels. Zero is the level that is never filtered out or merely counted. */
enum level {
    LEVEL_CRITICAL = 0,
    LEVEL_HIGH,
    LEVEL_MEDIUM,
    LEVEL_LOW,
    LEVEL_INFORMATIONAL,
    LEVEL_NOISE, /* not a Sigma level: counted into spython.summary, no record of its own */
    LEVEL_MAX,
};

/* "critical" ... "noise". */
const char *level_name(enum level level);

/* Returns 0 and the level, or -EINVAL. `len` bytes at `name` are read. */
int level_parse(const char *name, size_t len, enum level *ret);

enum redact {
    REDACT_NO = 0,
    REDACT_ENV,    /* environment: names are told, values are not */
    REDACT_URL,    /* password of //user:password@host */
    REDACT_HOST,   /* the same in a text that is a host: user:password@host */
    REDACT_SECRET, /* nothing but kind and length */
    REDACT_CODE,   /* program text: see record.h, struct record_source */
    REDACT_HIDE,   /* too large and of no use (sys.path of every import): left out */
};

enum raiser {
    RAISER_C = 0,  /* raised by C code: the same name through sys.audit() is a claim */
    RAISER_PYTHON, /* raised by the standard library through sys.audit() */
    RAISER_SELF,   /* spython.* */
};

struct catalogue_entry {
    const char *name;
    uint16_t name_len;
    uint8_t level;  /* enum level, default */
    uint8_t raiser; /* enum raiser */
    uint8_t arg_count;
    const char *const *arg_names;
    const uint8_t *arg_redact; /* enum redact, one for each name */
};

extern const struct catalogue_entry catalogue[];
extern const unsigned catalogue_count;

/*
 * The event `index` (valid, not CATALOGUE_UNKNOWN) as CPython 3.`minor` raises it:
 * catalogue[index], or an entry of its own where level or arguments of that version differ. Walks a
 * short list: ask once per event, not once per record. A record whose entry has other arg_names
 * than catalogue[index] names them in record.arg_names and record.arg_redact.
 */
const struct catalogue_entry *catalogue_for_version(int index, unsigned minor);

#define CATALOGUE_UNKNOWN (-1)

/*
 * Index of the event called `name`, or CATALOGUE_UNKNOWN. Reads up to the NUL. Compares contents,
 * never only addresses: sys.audit() passes heap strings and addresses are reused.
 */
int catalogue_find(const char *name);

/*
 * The same, remembering by address where `name` was found last time; still compares contents.
 * `memo` is per thread and starts zeroed.
 */
#define CATALOGUE_MEMO_SLOTS 64
struct catalogue_memo {
    const char *address[CATALOGUE_MEMO_SLOTS];
    int16_t index[CATALOGUE_MEMO_SLOTS];
    char unknown[48]; /* the last name that is in no catalogue */
};
int catalogue_find_memo(struct catalogue_memo *memo, const char *name);

#endif
