/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a manifest of FILES files costs: bench_manifest [FILES [LOADED]]. Prints the times to write,
 * parse and build the index, its size, and what LOADED finds take: the first time, with the checks
 * of the blocks, and again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "trust/manifest.h"
#include "trust/manifest_index.h"

#define PATH_ROOM 96
#define ROUNDS 9

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void must(int r, const struct err *err)
{
    if (r < 0) {
        fprintf(stderr, "bench_manifest: %s\n", err->msg);
        exit(1);
    }
}

/* Packages of ten directories of twelve files; paths of 64 bytes. */
static struct manifest make(uint32_t count)
{
    struct manifest manifest = {.name = "bench", .serial = 1, .count = count};
    char *paths = malloc((size_t)count * PATH_ROOM);

    manifest.entries = calloc(count, sizeof(manifest.entries[0]));
    manifest.store = paths;
    if (!paths || !manifest.entries)
        exit(1);
    for (uint32_t i = 0; i < count; i++) {
        struct manifest_entry *entry = &manifest.entries[i];
        char *path = paths + (size_t)i * PATH_ROOM;

        (void)snprintf(path, PATH_ROOM,
                       "lib/python3.11/site-packages/package%05u/part%u/module%07u.py", i / 120,
                       i / 12 % 10, i);
        entry->path = path;
        entry->size = i;
        digest_sha256(path, strlen(path), entry->sha256);
        entry->distribution = i / 120 % 2 ? "package 12.3.4" : "another-package 2026.1";
    }
    return manifest;
}

static double find_some(const struct manifest_index *index, const struct manifest *manifest,
                        uint32_t loaded)
{
    /* Whole directories, far from each other: what a program imports. */
    uint32_t directories = loaded / 12 + 1, all = manifest->count / 12 + 1;
    double start = now();
    uint32_t done = 0;

    for (uint32_t d = 0; d < directories; d++) {
        for (uint32_t i = 0; i < 12 && done < loaded; i++) {
            uint32_t n = (uint32_t)((uint64_t)d * all / directories) * 12 + i;
            const char *path = manifest->entries[n % manifest->count].path;
            struct manifest_item item;

            if (manifest_index_find(index, path, strlen(path), &item) < 0)
                exit(1);
            done++;
        }
    }
    return now() - start;
}

static void bench_finds(struct manifest_index *index, const struct manifest *manifest,
                        uint32_t loaded)
{
    size_t size = manifest_index_seen_size(index->block_count), checked = 0;
    double cold = 1e9, warm = 1e9;
    _Atomic uint8_t *seen = NULL;

    for (int round = 0; round < ROUNDS; round++) {
        double t;

        free((void *)(uintptr_t)seen);
        seen = calloc(1, size);
        if (!seen)
            exit(1);
        index->seen = seen;
        t = find_some(index, manifest, loaded);
        cold = t < cold ? t : cold;
        t = find_some(index, manifest, loaded);
        warm = t < warm ? t : warm;
    }
    for (size_t i = 0; i < size; i++)
        checked += (size_t)__builtin_popcount(seen[i]);
    printf("%u finds: %.3f ms the first time (%zu blocks and pages checked), %.3f ms again\n",
           loaded, cold, checked, warm);
    free((void *)(uintptr_t)seen);
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
    uint32_t loaded = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000;
    struct manifest_index index = {.name = "bench"};
    struct manifest manifest, parsed;
    struct err err = ERR_INIT;
    uint8_t *blocks, *roots;
    struct rusage usage;
    char *text;
    size_t len;
    double t;

    if (argc > 3 || count == 0 || count > MANIFEST_MAX_ENTRIES || loaded == 0) {
        fprintf(stderr, "usage: bench_manifest [FILES [LOADED]]\n");
        return 2;
    }
    manifest = make(count);
    t = now();
    must(manifest_write(&manifest, &text, &len, &err), &err);
    printf("%u files: written in %.0f ms, %.1f MiB", count, now() - t, (double)len / (1 << 20));
    t = now();
    must(manifest_parse(text, len, "bench", &parsed, &err), &err);
    printf(", parsed in %.0f ms\n", now() - t);
    free(text);
    t = now();
    must(
        manifest_index_build(&parsed, &blocks, &index.block_count, &roots, &index.root_count, &err),
        &err);
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("index: built in %.0f ms, %u blocks and %u pages of %u bytes, %.0f bytes a file; "
           "at most %ld MiB\n",
           now() - t, index.block_count, index.root_count, MANIFEST_BLOCK,
           (double)(index.block_count + index.root_count) * MANIFEST_BLOCK / count,
           usage.ru_maxrss / 1024);
    index.blocks = blocks;
    index.roots = roots;
    bench_finds(&index, &parsed, 1);
    bench_finds(&index, &parsed, loaded < count ? loaded : count);
    free(blocks);
    free(roots);
    manifest_done(&parsed);
    manifest_done(&manifest);
    return 0;
}
