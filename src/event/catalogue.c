/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding events by name. The hash reads at most three words of the name, because it runs for every
 * audit event of every program; scripts/gen-catalogue computes the same and lays out the table.
 */
#include "event/catalogue.h"

#include <errno.h>
#include <string.h>

#include "event/catalogue_table.h"

static const char *const level_names[LEVEL_MAX] = {
    [LEVEL_CRITICAL] = "critical",
    [LEVEL_HIGH] = "high",
    [LEVEL_MEDIUM] = "medium",
    [LEVEL_LOW] = "low",
    [LEVEL_INFORMATIONAL] = "informational",
    [LEVEL_NOISE] = "noise",
};

const char *level_name(enum level level)
{
    return (unsigned)level < LEVEL_MAX ? level_names[level] : "critical";
}

int level_parse(const char *name, size_t len, enum level *ret)
{
    for (unsigned i = 0; i < LEVEL_MAX; i++) {
        if (strlen(level_names[i]) == len && memcmp(level_names[i], name, len) == 0) {
            *ret = (enum level)i;
            return 0;
        }
    }
    return -EINVAL;
}

static inline uint64_t load64(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t load32(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t rotate(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "gen-catalogue lays the table out for little endian loads"
#endif

/* First, middle and last eight bytes. A name has at least one byte. */
static inline uint64_t catalogue_mix(const char *name, size_t len)
{
    if (len >= 8)
        return load64(name) ^ rotate(load64(name + (len - 8) / 2), 23) ^
               rotate(load64(name + len - 8), 47) ^ len;
    if (len >= 4)
        return load32(name) ^ load32(name + len - 4) << 32 ^ len;
    return (uint64_t)(unsigned char)name[0] ^ (uint64_t)(unsigned char)name[len / 2] << 8 ^
           (uint64_t)(unsigned char)name[len - 1] << 16 ^ len;
}

int catalogue_find(const char *name)
{
    size_t len = strnlen(name, catalogue_name_max + 1);
    uint64_t slot;

    if (len == 0 || len > catalogue_name_max)
        return CATALOGUE_UNKNOWN;
    slot = catalogue_mix(name, len) * catalogue_factor >> (64 - CATALOGUE_SLOT_BITS);
    for (;; slot = (slot + 1) & ((1 << CATALOGUE_SLOT_BITS) - 1)) {
        int index = catalogue_slots[slot];

        if (index < 0)
            return CATALOGUE_UNKNOWN;
        if (catalogue[index].name_len == len && memcmp(catalogue[index].name, name, len) == 0)
            return index;
    }
}

int catalogue_find_memo(struct catalogue_memo *memo, const char *name)
{
    /* String literals of one library lie close to each other and at any alignment. */
    uintptr_t address = (uintptr_t)name;
    unsigned slot = (unsigned)(address ^ address >> 6) % CATALOGUE_MEMO_SLOTS;
    int index;

    if (memo->address[slot] == name) {
        index = memo->index[slot];
        if (strcmp(catalogue[index].name, name) == 0)
            return index;
    }
    if (*name && strcmp(memo->unknown, name) == 0)
        return CATALOGUE_UNKNOWN;
    index = catalogue_find(name);
    if (index >= 0) {
        memo->address[slot] = name;
        memo->index[slot] = (int16_t)index;
    } else {
        size_t len = strnlen(name, sizeof(memo->unknown));

        if (len < sizeof(memo->unknown))
            memcpy(memo->unknown, name, len + 1);
    }
    return index;
}

const struct catalogue_entry *catalogue_for_version(int index, unsigned minor)
{
    for (const struct catalogue_variant *v = catalogue_variants; v->event >= 0; v++) {
        if (v->event == index && v->minor == minor)
            return &v->entry;
    }
    return &catalogue[index];
}
