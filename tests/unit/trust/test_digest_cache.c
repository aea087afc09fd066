/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of digests: an unchanged file is found, whatever changes it hides it, a damaged table
 * changes no verdict, and what it says is used (which only a table that lies can show).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trust/digest_cache.h"
#include "trust/manifest.h"
#include "trust/manifest_index.h"
#include "trust_test.h"

#define FAKE "print('other')\n" /* as long as TEXT */
#define ROOM 8

struct table {
    struct digest_cache_head head;
    struct digest_cache_entry entries[ROOM];
};

/* A place where the time of change tells of every change: /tmp need not be one. */
static int setup_place(void **state)
{
    static const char *const above[] = {"/tmp", "/var/tmp"};

    for (size_t i = 0; i < sizeof(above) / sizeof(above[0]); i++) {
        int fd = open(above[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool reliable = fd >= 0 && digest_cache_is_reliable(fd);

        if (fd >= 0)
            (void)close(fd);
        if (reliable)
            return place_setup_in(above[i], state);
    }
    return place_setup(state);
}

static void digest_of(const char *text, uint8_t ret[DIGEST_SIZE])
{
    digest_sha256(text, strlen(text), ret);
}

/* A table with the file as it is now, and `digest` for it. */
static struct digest_cache_entry entry_of(const char *path, const char *digest)
{
    struct digest_cache_entry entry = {0};
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    entry.inode = st.st_ino;
    entry.changed = digest_cache_changed(&st);
    entry.size = (uint64_t)st.st_size;
    digest_of(digest, entry.sha256);
    return entry;
}

static void table_path(const struct place *place, char path[128])
{
    (void)snprintf(path, 128, "%s/digests.bin", place->dir);
}

static void write_bytes(const struct place *place, const void *data, size_t len, mode_t mode)
{
    char path[128];
    int fd;

    table_path(place, path);
    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static size_t fill(struct table *table, const struct digest_cache_entry *entries, uint32_t count)
{
    memset(table, 0, sizeof(*table));
    memcpy(table->head.magic, DIGEST_CACHE_MAGIC, sizeof(table->head.magic));
    table->head.count = count;
    table->head.entry_size = sizeof(*entries);
    memcpy(table->entries, entries, count * sizeof(*entries));
    return sizeof(table->head) + count * sizeof(*entries);
}

static int open_table(const struct place *place, uid_t owner, struct digest_cache *ret)
{
    struct err err = ERR_INIT;
    char path[128];
    int r;

    table_path(place, path);
    r = digest_cache_open(path, owner, ret, &err);
    assert_true((r < 0) == (err.msg[0] != '\0'));
    assert_true(r == 0 || !ret->entries);
    return r;
}

static bool finds(const struct digest_cache *cache, const char *path, uint64_t len, uid_t owner)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t found[DIGEST_SIZE], expected[DIGEST_SIZE];
    bool r;

    assert_true(fd >= 0);
    r = digest_cache_find(cache, fd, len, owner, found);
    assert_int_equal(close(fd), 0);
    digest_of(TEXT, expected);
    if (r)
        assert_memory_equal(found, expected, DIGEST_SIZE);
    return r;
}

/* The clock that times of change are taken from moves in steps. */
static void let_time_pass(void)
{
    (void)usleep(25000);
}

/* Elsewhere nothing is found: then there is nothing to test. */
static void need_reliable_place(const struct place *place)
{
    int fd = open(place->file, O_RDONLY | O_CLOEXEC);
    bool reliable = fd >= 0 && digest_cache_is_reliable(fd);

    if (fd >= 0)
        (void)close(fd);
    if (!reliable)
        unavailable("there is no file system whose times of change can be relied on");
}

static void setup(const struct place *place, struct digest_cache *cache)
{
    struct digest_cache_entry entry;
    struct table table;

    need_reliable_place(place);
    let_time_pass();
    entry = entry_of(place->file, TEXT);
    write_bytes(place, &table, fill(&table, &entry, 1), 0644);
    assert_int_equal(open_table(place, geteuid(), cache), 0);
}

static void test_found(void **state)
{
    const struct place *place = *state;
    struct digest_cache cache, none = {.entries = NULL};

    setup(place, &cache);
    assert_true(finds(&cache, place->file, strlen(TEXT), geteuid()));
    assert_false(finds(&cache, place->file, strlen(TEXT) - 1, geteuid()));
    assert_false(finds(&cache, place->file, strlen(TEXT) + 1, geteuid()));
    assert_false(finds(&none, place->file, strlen(TEXT), geteuid()));
    assert_false(finds(NULL, place->file, strlen(TEXT), geteuid()));
    digest_cache_done(&cache);
    assert_null(cache.entries);
    digest_cache_done(&cache);
}

static void rewrite(const struct place *place)
{
    struct stat st;
    int fd = open(place->file, O_WRONLY | O_CLOEXEC);

    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pwrite(fd, FAKE, strlen(FAKE), 0), strlen(FAKE));
    /* What an intruder would set back. */
    assert_int_equal(futimens(fd, (struct timespec[]){st.st_atim, st.st_mtim}), 0);
    assert_int_equal(close(fd), 0);
}

static void rewrite_mapped(const struct place *place)
{
    int fd = open(place->file, O_RDWR | O_CLOEXEC);
    char *map = mmap(NULL, strlen(TEXT), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    assert_true(map != MAP_FAILED);
    memcpy(map, FAKE, strlen(FAKE));
    assert_int_equal(munmap(map, strlen(TEXT)), 0);
    assert_int_equal(close(fd), 0);
}

static void replace(const struct place *place)
{
    char fresh[128];

    (void)snprintf(fresh, sizeof(fresh), "%s/fresh", place->app);
    write_text(fresh, FAKE, 0644);
    assert_int_equal(rename(fresh, place->file), 0);
}

static void open_to_group(const struct place *place)
{
    assert_int_equal(chmod(place->file, 0664), 0);
}

static void open_to_all(const struct place *place)
{
    assert_int_equal(chmod(place->file, 0646), 0);
}

static void touch_mode(const struct place *place)
{
    assert_int_equal(chmod(place->file, 0666), 0);
    assert_int_equal(chmod(place->file, 0644), 0);
}

static void test_changed(void **state)
{
    static void (*const changes[])(const struct place *) = {
        rewrite, rewrite_mapped, replace, open_to_group, open_to_all, touch_mode};
    const struct place *place = *state;

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct digest_cache cache;

        write_text(place->file, TEXT, 0644);
        setup(place, &cache);
        assert_true(finds(&cache, place->file, strlen(TEXT), geteuid()));
        let_time_pass();
        changes[i](place);
        if (finds(&cache, place->file, strlen(TEXT), geteuid()))
            fail_msg("change %zu goes unnoticed", i);
        digest_cache_done(&cache);
    }
}

/* A mapping that was written through before the digest was made must not go on unnoticed: that is
 * what writing back is for (tree_options.settles). */
static void test_older_mapping(void **state)
{
    const struct place *place = *state;
    int fd = open(place->file, O_RDWR | O_CLOEXEC);
    char *map = mmap(NULL, strlen(TEXT), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct digest_cache cache;

    assert_true(map != MAP_FAILED);
    map[0] = TEXT[0];
    assert_int_equal(sync_file_range(fd, 0, 0,
                                     SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                         SYNC_FILE_RANGE_WAIT_AFTER),
                     0);
    setup(place, &cache);
    assert_true(finds(&cache, place->file, strlen(TEXT), geteuid()));
    let_time_pass();
    map[0] = 'P';
    assert_false(finds(&cache, place->file, strlen(TEXT), geteuid()));
    digest_cache_done(&cache);
    (void)munmap(map, strlen(TEXT));
    (void)close(fd);
}

/* Only files of root and of spython's owner. */
static void test_owner(void **state)
{
    const struct place *place = *state;
    struct digest_cache_entry entry;
    struct digest_cache cache;
    struct table table;

    need_root();
    assert_int_equal(chown(place->file, STRANGER, 0), 0);
    setup(place, &cache);
    assert_false(finds(&cache, place->file, strlen(TEXT), 0));
    assert_true(finds(&cache, place->file, strlen(TEXT), STRANGER));
    digest_cache_done(&cache);
    entry = entry_of(place->file, TEXT);
    write_bytes(place, &table, fill(&table, &entry, 1), 0664);
    assert_int_equal(open_table(place, 0, &cache), -EPERM);
    write_bytes(place, &table, fill(&table, &entry, 1), 0646);
    assert_int_equal(open_table(place, 0, &cache), -EPERM);
}

/* A file system where a mapping can be written through without a trace. */
static void test_tmpfs(void **state)
{
    int fd = memfd_create("tmpfs", MFD_CLOEXEC);
    struct digest_cache_entry entry = {0};
    struct digest_cache cache = {.entries = &entry, .count = 1};
    uint8_t unused[DIGEST_SIZE];
    struct stat st;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, TEXT, strlen(TEXT)), strlen(TEXT));
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_int_equal(fstat(fd, &st), 0);
    entry.inode = st.st_ino;
    entry.changed = digest_cache_changed(&st);
    entry.size = strlen(TEXT);
    assert_non_null(digest_cache_search(&cache, st.st_ino, entry.changed));
    assert_false(digest_cache_is_reliable(fd));
    assert_false(digest_cache_find(&cache, fd, strlen(TEXT), geteuid(), unused));
    (void)close(fd);
}

static void test_search(void **state)
{
    struct digest_cache_entry entries[600];
    struct digest_cache cache = {.entries = entries};

    (void)state;
    memset(entries, 0, sizeof(entries));
    for (uint32_t i = 0; i < 600; i++) {
        entries[i].inode = UINT64_C(1) << 40 | i / 3;
        entries[i].changed = 10 + i % 3;
    }
    for (cache.count = 0; cache.count <= 600; cache.count += 75) {
        for (uint32_t i = 0; i < 600; i++)
            assert_ptr_equal(digest_cache_search(&cache, entries[i].inode, entries[i].changed),
                             i < cache.count ? &entries[i] : NULL);
        assert_null(digest_cache_search(&cache, UINT64_C(1) << 40, 9));
        assert_null(digest_cache_search(&cache, UINT64_C(1) << 40, 13));
        assert_null(digest_cache_search(&cache, 0, 10));
        assert_null(digest_cache_search(&cache, UINT64_MAX, 10));
    }
}

static void test_times(void **state)
{
    struct stat st = {.st_ctim = {.tv_sec = 3, .tv_nsec = 5}};

    (void)state;
    assert_int_equal(digest_cache_changed(&st), 3000000005);
    st.st_ctim.tv_sec = 0;
    assert_int_equal(digest_cache_changed(&st), 0);
    st.st_ctim.tv_sec = -1;
    assert_int_equal(digest_cache_changed(&st), 0);
    st.st_ctim.tv_sec = INT64_MAX;
    assert_int_equal(digest_cache_changed(&st), 0);
}

/* Cut at every length, and with every bit the other way: refused, or of no consequence. */
static void test_damage(void **state)
{
    const struct place *place = *state;
    struct digest_cache_entry entries[2];
    struct digest_cache cache;
    struct table table;
    size_t len;

    need_root();
    entries[0] = entry_of(place->file, TEXT);
    entries[1] = entries[0];
    entries[1].inode++;
    len = fill(&table, entries, 2);
    for (size_t cut = 0; cut < len; cut++) {
        write_bytes(place, &table, cut, 0644);
        assert_int_equal(open_table(place, 0, &cache), -EBADMSG);
    }
    for (size_t bit = 0; bit < 8 * len; bit++) {
        uint8_t *bytes = (uint8_t *)&table;

        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        write_bytes(place, &table, len, 0644);
        if (open_table(place, 0, &cache) == 0) {
            assert_int_equal(cache.count, 2);
            (void)digest_cache_search(&cache, entries[0].inode, entries[0].changed);
            digest_cache_done(&cache);
        } else {
            assert_true(bit < 8 * sizeof(table.head));
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_not_a_file(void **state)
{
    const struct place *place = *state;
    struct digest_cache cache;
    char path[128];

    table_path(place, path);
    assert_int_equal(open_table(place, geteuid(), &cache), -ENOENT);
    assert_int_equal(symlink(place->file, path), 0);
    assert_int_equal(open_table(place, geteuid(), &cache), -EPERM);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(open_table(place, geteuid(), &cache), -EPERM);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_int_equal(open_table(place, geteuid(), &cache), -EPERM);
}

/* What the table says is believed of a file that has not changed, and of no other; a digest that is
 * not the listed one is computed before anybody is refused. */
static void test_verdicts(void **state)
{
    static const struct {
        const char *bytes, *table;
        bool change, trusted, cached;
    } rows[] = {
        {TEXT, TEXT, false, true, true},   {TEXT, FAKE, false, true, false},
        {FAKE, FAKE, false, false, false}, {FAKE, TEXT, false, true, true}, /* it was asked */
        {FAKE, TEXT, true, false, false},
    };
    const struct place *place = *state;
    struct manifest_entry listed = {.path = "mod.py", .size = strlen(TEXT), .distribution = ""};
    struct manifest manifest = {.serial = 1, .entries = &listed, .count = 1};
    struct manifest_index index = {.name = "made", .serial = 1, .entry_count = 1};
    const struct manifest_index *const list[] = {&index};
    struct trust_root root = {.path = place->app,
                              .all = TRUST_BIT(TRUST_BY_MANIFEST),
                              .manifests = list,
                              .manifest_count = 1};
    struct digest_cache cache;
    struct trust_policy policy = {
        .owner = geteuid(), .digests = &cache, .roots = &root, .root_count = 1, .elsewhere = &root};
    uint8_t *blocks, *roots;
    struct err err = ERR_INIT;

    need_reliable_place(place);
    digest_of(TEXT, listed.sha256);
    (void)snprintf(manifest.name, sizeof(manifest.name), "made");
    assert_int_equal(manifest_index_build(&manifest, &blocks, &index.block_count, &roots,
                                          &index.root_count, &err),
                     0);
    index.blocks = blocks;
    index.roots = roots;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct digest_cache_entry entry;
        struct trust_result result;
        struct trust_file file;
        struct table table;

        write_text(place->file, rows[i].bytes, 0644);
        let_time_pass();
        entry = entry_of(place->file, rows[i].table);
        write_bytes(place, &table, fill(&table, &entry, 1), 0644);
        assert_int_equal(open_table(place, geteuid(), &cache), 0);
        if (rows[i].change)
            write_text(place->file, rows[i].bytes, 0644);
        assert_true(file_open(&file, place->file, TRUST_SOURCE));
        trust_judge(&policy, &file, &result);
        if (result.trusted != rows[i].trusted || file.digest_cached != rows[i].cached)
            fail_msg("row %zu: trusted %d, cached %d: %s", i, result.trusted, file.digest_cached,
                     result.evidence[0].reason);
        file_close(&file);
        digest_cache_done(&cache);
    }
    free(blocks);
    free(roots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found, setup_place, place_teardown),
        cmocka_unit_test_setup_teardown(test_changed, setup_place, place_teardown),
        cmocka_unit_test_setup_teardown(test_older_mapping, setup_place, place_teardown),
        cmocka_unit_test_setup_teardown(test_owner, setup_place, place_teardown),
        cmocka_unit_test(test_tmpfs),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_times),
        cmocka_unit_test_setup_teardown(test_damage, setup_place, place_teardown),
        cmocka_unit_test_setup_teardown(test_not_a_file, setup_place, place_teardown),
        cmocka_unit_test_setup_teardown(test_verdicts, setup_place, place_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
