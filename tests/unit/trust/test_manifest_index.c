/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index: every listed path is found, no other is, and with any byte changed it gives the right
 * answer or says that it is damaged. The control is in test_forged(): the same change with digests
 * to match does give another answer, so it is the digests that stand in the way.
 */
#include <errno.h>
#include <stdio.h>

#include "manifest_test.h"
#include "trust/manifest_block.h"

static int find(const struct built *built, const char *path, struct manifest_item *ret)
{
    size_t len = strlen(path);
    char *copy = malloc(len > 0 ? len : 1); /* without a NUL behind it */
    int r;

    assert_non_null(copy);
    memcpy(copy, path, len);
    memset(ret, 0, sizeof(*ret));
    r = manifest_index_find(&built->index, copy, len, ret);
    free(copy);
    return r;
}

static bool lies_in(const struct built *built, const void *data, size_t len)
{
    const uint8_t *p = data;

    return p >= built->blocks && p + len <= built->blocks + built->blocks_len;
}

static bool is_item_of(const struct built *built, const struct manifest_item *item,
                       const struct manifest_entry *entry)
{
    size_t len = strlen(entry->distribution);

    assert_true(lies_in(built, item->sha256, DIGEST_SIZE));
    assert_true(lies_in(built, item->distribution, item->distribution_len));
    if (item->verity)
        assert_true(lies_in(built, item->verity, DIGEST_SIZE));
    return item->size == entry->size && item->flags == entry->flags &&
           memcmp(item->sha256, entry->sha256, DIGEST_SIZE) == 0 &&
           (item->verity != NULL) == entry->has_verity &&
           (!item->verity || memcmp(item->verity, entry->verity, DIGEST_SIZE) == 0) &&
           item->distribution_len == len &&
           memcmp(item->distribution, entry->distribution, len) == 0;
}

static void expect_all_found(const struct built *built, const struct manifest *manifest)
{
    struct manifest_item item;

    for (uint32_t i = 0; i < manifest->count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        int r = find(built, entry->path, &item);

        if (r < 0 || !is_item_of(built, &item, entry))
            fail_msg("%.100s: %d", entry->path, r);
    }
}

static void test_small(void **state)
{
    static const char *const unlisted[] = {"",           "bin",        "bin/",        "bin/sho",
                                           "bin/shop2",  "/bin/shop",  "bin//shop",   "shop",
                                           "./bin/shop", "bin/shop/",  "lib/a b.py ", "lib/a B.py",
                                           "/",          "lib/a/b.py", "BIN/shop",    "lib/a b.p"};
    struct built built;
    struct manifest_item item;
    char longest[MANIFEST_MAX_PATH + 2];

    (void)state;
    built_init(&built, small_manifest());
    assert_int_equal(built.index.block_count, 1);
    expect_all_found(&built, small_manifest());
    for (size_t i = 0; i < sizeof(unlisted) / sizeof(unlisted[0]); i++)
        if (find(&built, unlisted[i], &item) != -ENOENT)
            fail_msg("'%s'", unlisted[i]);
    assert_int_equal(manifest_index_find(&built.index, "bin/shop\0", 9, &item), -ENOENT);
    assert_int_equal(manifest_index_find(&built.index, "bin\0shop", 8, &item), -ENOENT);
    memset(longest, 'a', sizeof(longest));
    longest[MANIFEST_MAX_PATH + 1] = '\0';
    assert_int_equal(find(&built, longest, &item), -ENOENT);
    built_done(&built);
}

static void test_empty(void **state)
{
    struct manifest manifest = {.name = "none", .serial = 1};
    struct manifest_item item;
    struct built built;

    (void)state;
    built_init(&built, &manifest);
    assert_int_equal(built.index.block_count, 1);
    assert_int_equal(find(&built, "a", &item), -ENOENT);
    built.index.block_count = 0;
    built.index.root_count = 0;
    assert_int_equal(find(&built, "a", &item), -EBADMSG);
    built_done(&built);
}

/* Several pages: with the note of what was checked, without it, and a second time. */
static void test_many(void **state)
{
    struct made made;
    struct built built, again;
    struct manifest_item item;
    char path[128];

    (void)state;
    made_init(&made, 30000);
    built_init(&built, &made.manifest);
    assert_true(built.index.root_count > 2);
    expect_all_found(&built, &made.manifest);
    expect_all_found(&built, &made.manifest);
    for (uint32_t i = 0; i < 30000; i++) {
        assert_true(snprintf(path, sizeof(path), "%sc", made.manifest.entries[i].path) > 0);
        assert_int_equal(find(&built, path, &item), -ENOENT);
    }
    /* Each block was needed, and each page. */
    for (size_t i = 0; i < (size_t)built.index.block_count + built.index.root_count; i++)
        assert_true((built.seen[i / 8] & 1 << i % 8) != 0);
    built_init(&again, &made.manifest);
    assert_int_equal(again.blocks_len, built.blocks_len);
    assert_memory_equal(again.blocks, built.blocks, built.blocks_len);
    assert_memory_equal(again.roots, built.roots, built.index.root_count * DIGEST_SIZE);
    built.index.seen = NULL;
    for (uint32_t i = 0; i < 30000; i += 100)
        assert_int_equal(find(&built, made.manifest.entries[i].path, &item), 0);
    built_done(&again);
    built_done(&built);
    made_done(&made);
}

/* The longest path, with everything that an entry can have, alone fills a block. */
static void test_longest(void **state)
{
    char paths[3][MANIFEST_MAX_PATH + 1], distribution[MANIFEST_MAX_DISTRIBUTION + 1];
    struct manifest_entry entries[3];
    struct manifest manifest = {.name = "l", .serial = 1, .entries = entries, .count = 3};
    struct built built;

    (void)state;
    memset(entries, 0, sizeof(entries));
    memset(distribution, 'd', sizeof(distribution));
    distribution[4] = ' ';
    distribution[MANIFEST_MAX_DISTRIBUTION] = '\0';
    for (size_t i = 0; i < 3; i++) {
        memset(paths[i], 'a' + (int)i, MANIFEST_MAX_PATH);
        paths[i][MANIFEST_MAX_PATH] = '\0';
        entries[i].path = paths[i];
        entries[i].has_verity = true;
        entries[i].distribution = distribution;
    }
    paths[1][1000] = '/';
    paths[2][MANIFEST_MAX_PATH - 2] = '/';
    built_init(&built, &manifest);
    assert_int_equal(built.index.block_count, 3);
    expect_all_found(&built, &manifest);
    built_done(&built);
}

/* Three names of one hash, each so long that it has a block for itself: their blocks begin with the
 * same key, so a find has to go back from the last one. */
static void test_same_key(void **state)
{
    static const char *const ends[] = {"02291582", "09935843", "11453739"};
    char paths[3][2 + 3700 + 9];
    struct manifest_entry entries[3];
    struct manifest manifest = {.name = "k", .serial = 1, .entries = entries};
    struct manifest_item item;
    struct built built;

    (void)state;
    memset(entries, 0, sizeof(entries));
    for (size_t i = 0; i < 3; i++) {
        memcpy(paths[i], "d/", 2);
        memset(paths[i] + 2, 'n', 3700);
        memcpy(paths[i] + 3702, ends[i], 9);
        entries[i].path = paths[i];
        entries[i].size = i;
        entries[i].distribution = "";
        assert_int_equal(block_hash(paths[i] + 2, 3708), block_hash(paths[0] + 2, 3708));
    }
    manifest.count = 3;
    built_init(&built, &manifest);
    assert_int_equal(built.index.block_count, 3);
    expect_all_found(&built, &manifest);
    built_done(&built);
    manifest.count = 2;
    built_init(&built, &manifest);
    expect_all_found(&built, &manifest);
    assert_int_equal(find(&built, paths[2], &item), -ENOENT);
    built_done(&built);
}

/* Looks up every `step`th path and one that is not there: right answers, or -EBADMSG. Returns how
 * many of the latter. */
static unsigned count_damaged(struct built *built, const struct manifest *manifest, uint32_t step)
{
    struct manifest_item item;
    unsigned damaged = 0;
    int r;

    built_forget(built);
    for (uint32_t i = 0; i < manifest->count; i += step) {
        r = find(built, manifest->entries[i].path, &item);
        if (r == -EBADMSG)
            damaged++;
        else if (r < 0 || !is_item_of(built, &item, &manifest->entries[i]))
            fail_msg("wrong answer for '%s': %d", manifest->entries[i].path, r);
    }
    r = find(built, "no/such/path", &item);
    assert_true(r == -ENOENT || r == -EBADMSG);
    return damaged + (r == -EBADMSG);
}

static void flip_all(struct built *built, const struct manifest *manifest, uint8_t *data,
                     size_t len)
{
    for (size_t i = 0; i < len; i++) {
        data[i] ^= (uint8_t)(1 << i % 8);
        if (count_damaged(built, manifest, 1) == 0)
            fail_msg("byte %zu was changed and nothing noticed", i);
        data[i] ^= (uint8_t)(1 << i % 8);
    }
    assert_int_equal(count_damaged(built, manifest, 1), 0);
}

/* One block, one page, one root: whatever changes is needed by every find. */
static void test_flipped(void **state)
{
    struct built built;

    (void)state;
    built_init(&built, small_manifest());
    flip_all(&built, small_manifest(), built.blocks, built.blocks_len);
    flip_all(&built, small_manifest(), built.roots, DIGEST_SIZE);
    built_done(&built);
}

/* Many blocks: those that are whole go on giving answers, and right ones. */
static void test_flipped_many(void **state)
{
    struct made made;
    struct built built;

    (void)state;
    made_init(&made, 8000);
    built_init(&built, &made.manifest);
    assert_true(built.index.root_count >= 2);
    for (size_t i = 0; i < built.blocks_len; i += 4099) {
        unsigned damaged;

        built.blocks[i] ^= 0x10;
        damaged = count_damaged(&built, &made.manifest, 8);
        assert_true(damaged > 0 || i >= (size_t)built.index.block_count * MANIFEST_BLOCK ||
                    count_damaged(&built, &made.manifest, 1) > 0);
        assert_true(i >= (size_t)built.index.block_count * MANIFEST_BLOCK || damaged < 100);
        built.blocks[i] ^= 0x10;
    }
    for (size_t i = 0; i < (size_t)built.index.root_count * DIGEST_SIZE; i++) {
        built.roots[i] ^= 0x80;
        assert_true(count_damaged(&built, &made.manifest, 97) > 0);
        built.roots[i] ^= 0x80;
    }
    assert_int_equal(count_damaged(&built, &made.manifest, 1), 0);
    built_done(&built);
    made_done(&made);
}

/* Blocks are good only where they belong. */
static void test_moved(void **state)
{
    uint8_t swap[MANIFEST_BLOCK];
    struct made made;
    struct built built;

    (void)state;
    made_init(&made, 100);
    built_init(&built, &made.manifest);
    assert_true(built.index.block_count >= 2);
    memcpy(swap, built.blocks, MANIFEST_BLOCK);
    memmove(built.blocks, built.blocks + MANIFEST_BLOCK, MANIFEST_BLOCK);
    memcpy(built.blocks + MANIFEST_BLOCK, swap, MANIFEST_BLOCK);
    assert_true(count_damaged(&built, &made.manifest, 1) > 20);
    built_done(&built);
    made_done(&made);
}

/* The numbers of blocks and roots have to fit. */
static void test_counts(void **state)
{
    const char *path = small_manifest()->entries[0].path;
    struct manifest_item item;
    struct built built;

    (void)state;
    built_init(&built, small_manifest());
    assert_int_equal(find(&built, path, &item), 0);
    for (uint32_t count = 0; count < 4; count++) {
        built.index.root_count = count;
        assert_int_equal(find(&built, path, &item), count == 1 ? 0 : -EBADMSG);
    }
    built_done(&built);
}

/* In the root of the tree the directory is empty, and so it is in front of a leading slash. */
static void test_top(void **state)
{
    struct manifest_entry entries[] = {{.path = "a", .distribution = ""},
                                       {.path = "b/a", .size = 1, .distribution = ""}};
    struct manifest manifest = {.name = "t", .serial = 1, .entries = entries, .count = 2};
    struct manifest_item item;
    struct built built;

    (void)state;
    built_init(&built, &manifest);
    expect_all_found(&built, &manifest);
    assert_int_equal(find(&built, "/a", &item), -ENOENT);
    assert_int_equal(find(&built, "//a", &item), -ENOENT);
    assert_int_equal(find(&built, "/b/a", &item), -ENOENT);
    built_done(&built);
}

/* Texts of all lengths, each entry with its own: wherever a block ends, it ends in time. */
static void test_packing(void **state)
{
    char distributions[2000][MANIFEST_MAX_DISTRIBUTION + 1];
    struct built built;
    struct made made;

    (void)state;
    made_init(&made, 2000);
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(distributions[i], sizeof(distributions[i]), "%0*u 1", (int)(i % 88 + 5), i);
        made.manifest.entries[i].distribution = distributions[i];
    }
    built_init(&built, &made.manifest);
    expect_all_found(&built, &made.manifest);
    built_done(&built);
    made_done(&made);
}

/* One number of the only record or of its slot does not make sense, and the digests match: the find
 * says so before it reads beyond the block. */
static void test_nonsense(void **state)
{
    enum { RECORD = MANIFEST_BLOCK }; /* as an offset: in the record, wherever that lies */
    static const struct {
        size_t at;
        unsigned value; /* of two bytes */
    } cases[] = {
        {0, 0xffff},
        {0, (MANIFEST_BLOCK - BLOCK_SLOTS) / SLOT_SIZE + 1},
        {BLOCK_SLOTS + SLOT_RECORD, MANIFEST_BLOCK},
        {BLOCK_SLOTS + SLOT_RECORD, 0xffff},
        {BLOCK_SLOTS + SLOT_RECORD, MANIFEST_BLOCK - RECORD_FIXED + 1},
        {RECORD + RECORD_DIRECTORY, MANIFEST_BLOCK},
        {RECORD + RECORD_DIRECTORY, MANIFEST_BLOCK - 2},
        {RECORD + RECORD_DIRECTORY_LEN, 0xffff},
        {RECORD + RECORD_DISTRIBUTION, MANIFEST_BLOCK},
        {RECORD + RECORD_DISTRIBUTION, MANIFEST_BLOCK - 2},
        {RECORD + RECORD_DISTRIBUTION, 0xffff},
    };
    struct manifest_entry entry = {.path = "lib/name", .distribution = "name 1"};
    struct manifest manifest = {.name = "n", .serial = 1, .entries = &entry, .count = 1};
    struct manifest_item item;
    struct built built;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t at = cases[i].at;

        built_init(&built, &manifest);
        if (at >= RECORD)
            at += block_get_u16(built.blocks + BLOCK_SLOTS + SLOT_RECORD) - (size_t)RECORD;
        built.blocks[at] = (uint8_t)cases[i].value;
        built.blocks[at + 1] = (uint8_t)(cases[i].value >> 8);
        if (cases[i].at == 0)
            built.blocks[BLOCK_SLOTS + SLOT_TAG] ^= 1; /* else it is found in the first slot */
        built_seal(&built);
        if (find(&built, entry.path, &item) != -EBADMSG)
            fail_msg("case %zu", i);
        built_done(&built);
    }
    /* The record moved so far that two bytes of its name are beyond the block. */
    built_init(&built, &manifest);
    memmove(built.blocks + MANIFEST_BLOCK - RECORD_FIXED - 2,
            built.blocks + block_get_u16(built.blocks + BLOCK_SLOTS + SLOT_RECORD),
            RECORD_FIXED + 2);
    built.blocks[BLOCK_SLOTS + SLOT_RECORD] = (uint8_t)(MANIFEST_BLOCK - RECORD_FIXED - 2);
    built.blocks[BLOCK_SLOTS + SLOT_RECORD + 1] = (MANIFEST_BLOCK - RECORD_FIXED - 2) >> 8;
    built_seal(&built);
    assert_int_equal(find(&built, entry.path, &item), -EBADMSG);
    built_done(&built);
    /* Control: sealing alone changes nothing. */
    built_init(&built, &manifest);
    built_seal(&built);
    expect_all_found(&built, &manifest);
    built_done(&built);
}

/* Every byte of the block changed by somebody who makes the digests match: any answer may come, but
 * nothing outside the block is read (the sanitizer build sees it), and some answers are wrong. */
static void test_forged(void **state)
{
    const struct manifest *manifest = small_manifest();
    struct built built;
    unsigned wrong = 0;

    (void)state;
    built_init(&built, manifest);
    for (size_t i = 0; i < MANIFEST_BLOCK; i++) {
        uint8_t before = built.blocks[i];

        for (unsigned change = 1; change < 256; change = 2 * change + 1) {
            built.blocks[i] = (uint8_t)(before ^ change);
            built_seal(&built);
            built_forget(&built);
            for (uint32_t k = 0; k < manifest->count; k++) {
                struct manifest_item item;

                if (find(&built, manifest->entries[k].path, &item) == 0)
                    wrong += !is_item_of(&built, &item, &manifest->entries[k]);
            }
        }
        built.blocks[i] = before;
    }
    assert_true(wrong > 0);
    built_done(&built);
}

/* What was found whole is not looked at again: that is the contract about `blocks`. */
static void test_seen(void **state)
{
    const char *path = small_manifest()->entries[0].path;
    struct manifest_item item;
    struct built built;

    (void)state;
    assert_int_equal(manifest_index_seen_size(1), 1);
    assert_int_equal(manifest_index_seen_size(7), 1);
    assert_int_equal(manifest_index_seen_size(8), 2);
    assert_int_equal(manifest_index_pages(102), 1);
    assert_int_equal(manifest_index_pages(103), 2);
    assert_int_equal(manifest_index_pages(UINT32_MAX), 42107523);
    built_init(&built, small_manifest());
    assert_int_equal(find(&built, path, &item), 0);
    built.blocks[MANIFEST_BLOCK - 1] ^= 1;
    assert_int_equal(find(&built, path, &item), 0);
    built_forget(&built);
    assert_int_equal(find(&built, path, &item), -EBADMSG);
    built_done(&built);
}

static void test_build_refused(void **state)
{
    static const char too_long[] = "name 567890123456789012345678901234567890123456789"
                                   "0123456789012345678901234567890123456789012345";
    static const struct {
        const char *path;
        uint64_t size;
        uint32_t flags;
        const char *distribution;
    } cases[] = {
        {"../a", 0, 0, ""},  {"/a", 0, 0, ""},       {"zz", MANIFEST_MAX_FILE + 1, 0, ""},
        {"zz", 0, 0x80, ""}, {"zz", 0, 0, too_long}, {"bin/shop", 0, 0, ""},
        {"a", 0, 0, ""},
    };
    struct manifest manifest = *small_manifest();
    struct manifest_entry *entry = &manifest.entries[2];

    (void)state;
    assert_int_equal(strlen(too_long), MANIFEST_MAX_DISTRIBUTION + 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t *blocks = NULL, *roots = NULL;
        uint32_t block_count, root_count;
        struct err err = ERR_INIT;

        *entry = (struct manifest_entry){.path = cases[i].path,
                                         .size = cases[i].size,
                                         .flags = cases[i].flags,
                                         .distribution = cases[i].distribution};
        if (manifest_index_build(&manifest, &blocks, &block_count, &roots, &root_count, &err) !=
            -EINVAL)
            fail_msg("case %zu", i);
        assert_true(err.msg[0] != '\0');
        assert_null(blocks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),         cmocka_unit_test(test_empty),
        cmocka_unit_test(test_many),          cmocka_unit_test(test_longest),
        cmocka_unit_test(test_same_key),      cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_flipped_many),  cmocka_unit_test(test_moved),
        cmocka_unit_test(test_counts),        cmocka_unit_test(test_top),
        cmocka_unit_test(test_packing),       cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_forged),        cmocka_unit_test(test_seen),
        cmocka_unit_test(test_build_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
