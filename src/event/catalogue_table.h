/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What scripts/gen-catalogue makes besides catalogue[]: pieces of JSON that need no escaping any
 * more, the hash and what differs between versions of CPython. Only for src/event/.
 */
#ifndef SPYTHON_EVENT_CATALOGUE_TABLE_H
#define SPYTHON_EVENT_CATALOGUE_TABLE_H

#include "event/catalogue.h"

/* `"path":`, copied as one block of 32 bytes. */
struct catalogue_key {
    char text[31];
    uint8_t len;
};

/* `,"event":"open","args":{`, copied as one block of 64 bytes. */
struct catalogue_fragment {
    char text[64];
    uint8_t len;
    uint16_t first_key; /* in catalogue_keys, one for each argument */
};

/* Of all events. Reached by numbers: a table of pointers has to be relocated in every process. */
extern const struct catalogue_key catalogue_keys[];

/* Index as in catalogue[]. */
extern const struct catalogue_fragment catalogue_fragments[];

struct catalogue_variant {
    int16_t event; /* -1: end of the list */
    uint8_t minor;
    struct catalogue_entry entry;
};
extern const struct catalogue_variant catalogue_variants[];

/* Open addressing with linear probing; -1: free. See catalogue_find(). */
#define CATALOGUE_SLOT_BITS 10
extern const int16_t catalogue_slots[1 << CATALOGUE_SLOT_BITS];
extern const uint64_t catalogue_factor;
extern const unsigned catalogue_name_max;

#endif
