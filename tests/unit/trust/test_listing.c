/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest and ima: real indexes, in the order in which policy gives them, and the real bytes of a
 * file. fsverity shares the look-up; its measuring needs a kernel that has it (tests/kernel).
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "trust/manifest.h"
#include "trust/manifest_index.h"
#include "trust_test.h"

#define OLD_TEXT "print('hullo')\n" /* as long as TEXT */

struct built {
    struct manifest_index index;
    uint8_t *blocks, *roots;
};

/* One manifest that lists `path` with the digest and size of `text`, and one other file. */
static void build(struct built *built, const char *name, uint64_t serial, const char *path,
                  const char *text, bool verity)
{
    struct manifest_entry entries[2] = {
        {.path = "!", .size = 1, .distribution = ""},
        {.path = path, .size = strlen(text), .distribution = "shop 1.2"},
    };
    struct manifest manifest = {.serial = serial, .entries = entries, .count = 2};
    struct err err = ERR_INIT;

    memset(built, 0, sizeof(*built));
    digest_sha256(text, strlen(text), entries[1].sha256);
    entries[1].has_verity = verity;
    (void)snprintf(manifest.name, sizeof(manifest.name), "made");
    if (manifest_index_build(&manifest, &built->blocks, &built->index.block_count, &built->roots,
                             &built->index.root_count, &err) < 0)
        fail_msg("%s", err.msg);
    built->index.name = name;
    built->index.serial = serial;
    built->index.entry_count = 2;
    built->index.blocks = built->blocks;
    built->index.roots = built->roots;
}

static void built_done(struct built *built)
{
    free(built->blocks);
    free(built->roots);
}

/* Asks about the place's file with the given manifests, newest first. */
static void ask_listed(const struct place *place, const struct trust_verifier *verifier,
                       struct built *const *builts, uint32_t count, struct trust_evidence *ret)
{
    const struct manifest_index *list[4];
    struct trust_root root = {.path = place->app, .manifests = list, .manifest_count = count};
    struct trust_policy policy = {.roots = &root, .root_count = 1, .elsewhere = &root};

    for (uint32_t i = 0; i < count; i++)
        list[i] = &builts[i]->index;
    ask(verifier, &policy, &root, place->file, ret);
}

static void hex_of(const char *text, char out[DIGEST_HEX_SIZE])
{
    uint8_t digest[DIGEST_SIZE];

    digest_sha256(text, strlen(text), digest);
    hex_encode(digest, DIGEST_SIZE, out);
}

static void test_listed(void **state)
{
    const struct place *place = *state;
    struct trust_evidence evidence;
    struct built now, *list[] = {&now};

    build(&now, "shop", 7, "mod.py", TEXT, false);
    ask_listed(place, &trust_manifest, list, 1, &evidence);
    expect_evidence(&evidence, TRUST_TRUSTED, "", "listed");
    assert_string_equal(evidence.reason, "");
    assert_string_equal(evidence.expected, "");
    assert_string_equal(evidence.source, "shop serial 7");
    assert_string_equal(evidence.distribution, "shop 1.2");
    built_done(&now);
}

/* Every bit of the file counts, and its length. */
static void test_changed(void **state)
{
    const struct place *place = *state;
    char text[] = TEXT, expected[DIGEST_HEX_SIZE], actual[DIGEST_HEX_SIZE];
    struct trust_evidence evidence;
    struct built now, *list[] = {&now};

    build(&now, "shop", 7, "mod.py", TEXT, false);
    hex_of(TEXT, expected);
    for (size_t bit = 0; bit < 8 * strlen(TEXT); bit++) {
        memcpy(text, TEXT, sizeof(text));
        text[bit / 8] ^= (char)(1u << bit % 8);
        if (!text[bit / 8])
            continue; /* write_text() would write less */
        write_text(place->file, text, 0644);
        ask_listed(place, &trust_manifest, list, 1, &evidence);
        expect_evidence(&evidence, TRUST_REJECTED, "another digest", "flipped");
        hex_of(text, actual);
        assert_string_equal(evidence.expected, expected);
        assert_string_equal(evidence.actual, actual);
        assert_string_equal(evidence.source, "shop serial 7");
    }
    write_text(place->file, TEXT "\n", 0644);
    ask_listed(place, &trust_manifest, list, 1, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "another digest", "longer");
    write_text(place->file, "", 0644);
    ask_listed(place, &trust_manifest, list, 1, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "another digest", "empty");
    built_done(&now);
}

/* The bytes that were read count, whatever the file holds by now; for native code, the file. */
static void test_bytes_that_were_read(void **state)
{
    const struct place *place = *state;
    const struct manifest_index *list[1];
    struct trust_root root = {.path = place->app, .manifests = list, .manifest_count = 1};
    struct trust_policy policy = {.elsewhere = &root};
    struct trust_evidence evidence = {0};
    struct trust_file file;
    struct built now;

    build(&now, "shop", 7, "mod.py", TEXT, false);
    list[0] = &now.index;
    assert_true(file_open(&file, place->file, TRUST_SOURCE));
    write_text(place->file, OLD_TEXT, 0644);
    trust_manifest.check(&policy, &root, &file, &evidence);
    expect_evidence(&evidence, TRUST_TRUSTED, "", "good bytes of a bad file");
    file_close(&file);

    assert_true(file_open(&file, place->file, TRUST_SOURCE));
    write_text(place->file, TEXT, 0644);
    trust_manifest.check(&policy, &root, &file, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "another digest", "bad bytes of a good file");
    file_close(&file);

    assert_true(file_open(&file, place->file, TRUST_NATIVE));
    trust_manifest.check(&policy, &root, &file, &evidence);
    expect_evidence(&evidence, TRUST_TRUSTED, "", "native");
    file_close(&file);
    file = (struct trust_file){.fd = -1, .path = place->file, .kind = TRUST_NATIVE};
    trust_manifest.check(&policy, &root, &file, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "cannot be read again", "unreadable");
    built_done(&now);
}

static void test_order(void **state)
{
    const struct place *place = *state;
    struct trust_evidence evidence;
    struct built same, changed, foreign, older;
    char expected[DIGEST_HEX_SIZE];

    build(&same, "shop", 8, "mod.py", TEXT, false);
    build(&changed, "shop", 9, "mod.py", OLD_TEXT, false);
    build(&foreign, "other", 5, "other.py", TEXT, false);
    build(&older, "shop", 7, "mod.py", "x", false);
    const struct {
        struct built *list[4];
        uint32_t count;
        enum trust_answer answer;
        const char *reason, *source, *text; /* text: whose digest was expected */
    } rows[] = {
        {{&foreign, &same}, 2, TRUST_TRUSTED, "", "shop serial 8", NULL},
        {{&changed, &same}, 2, TRUST_TRUSTED, "", "shop serial 8", NULL},
        {{&changed, &older, &same}, 3, TRUST_TRUSTED, "", "shop serial 8", NULL},
        {{&changed, &foreign, &older}, 3, TRUST_REJECTED, "digest", "shop serial 9", OLD_TEXT},
        {{&older, &changed}, 2, TRUST_REJECTED, "digest", "shop serial 7", "x"},
        {{&foreign}, 1, TRUST_REJECTED, "is not listed", "", NULL},
        {{NULL}, 0, TRUST_UNAVAILABLE, "no manifest", "", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask_listed(place, &trust_manifest, rows[i].list, rows[i].count, &evidence);
        expect_evidence(&evidence, rows[i].answer, rows[i].reason, "order");
        assert_string_equal(evidence.source, rows[i].source);
        if (rows[i].text)
            hex_of(rows[i].text, expected);
        assert_string_equal(evidence.expected, rows[i].text ? expected : "");
    }
    built_done(&same);
    built_done(&changed);
    built_done(&foreign);
    built_done(&older);
}

/* What was found by IMA signature is for ima alone, and what was signed for manifest alone. */
static void test_ima(void **state)
{
    const struct place *place = *state;
    struct trust_evidence evidence;
    struct built signed_one, by_ima, nearly;

    build(&signed_one, "ima", 3, "mod.py", TEXT, false);
    build(&by_ima, "ima:host", 4, "mod.py", TEXT, false);
    build(&nearly, "xima:host", 5, "mod.py", TEXT, false);
    struct built *both[] = {&signed_one, &by_ima}, *first[] = {&signed_one}, *second[] = {&by_ima},
                 *third[] = {&nearly};

    ask_listed(place, &trust_ima, both, 2, &evidence);
    expect_evidence(&evidence, TRUST_TRUSTED, "", "ima");
    assert_string_equal(evidence.source, "ima:host serial 4");
    ask_listed(place, &trust_manifest, both, 2, &evidence);
    expect_evidence(&evidence, TRUST_TRUSTED, "", "manifest");
    assert_string_equal(evidence.source, "ima serial 3");
    ask_listed(place, &trust_ima, first, 1, &evidence);
    expect_evidence(&evidence, TRUST_UNAVAILABLE, "no IMA signatures", "ima without its own");
    ask_listed(place, &trust_ima, third, 1, &evidence);
    expect_evidence(&evidence, TRUST_UNAVAILABLE, "no IMA signatures", "another name");
    ask_listed(place, &trust_manifest, second, 1, &evidence);
    expect_evidence(&evidence, TRUST_UNAVAILABLE, "no manifest", "manifest without its own");
    ask_listed(place, &trust_fsverity, second, 1, &evidence);
    expect_evidence(&evidence, TRUST_UNAVAILABLE, "no manifest", "fsverity");
    write_text(place->file, OLD_TEXT, 0644);
    ask_listed(place, &trust_ima, both, 2, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "another digest", "changed");
    assert_string_equal(evidence.source, "ima:host serial 4");
    write_text(place->file, TEXT, 0644);
    built_done(&signed_one);
    built_done(&by_ima);
    built_done(&nearly);
}

/* A damaged manifest ends the search: what it would have said is unknown. */
static void test_damaged(void **state)
{
    const struct place *place = *state;
    struct trust_evidence evidence;
    struct built newest, older;

    build(&newest, "shop", 9, "mod.py", OLD_TEXT, false);
    build(&older, "shop", 8, "mod.py", TEXT, false);
    struct built *list[] = {&newest, &older}, *reversed[] = {&older, &newest};

    ask_listed(place, &trust_manifest, list, 2, &evidence);
    expect_evidence(&evidence, TRUST_TRUSTED, "", "whole");
    newest.blocks[100] ^= 1;
    ask_listed(place, &trust_manifest, list, 2, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "the manifest is damaged", "damaged");
    assert_string_equal(evidence.source, "shop serial 9");
    assert_string_equal(evidence.expected, "");
    ask_listed(place, &trust_manifest, reversed, 2, &evidence);
    expect_evidence(&evidence, TRUST_TRUSTED, "", "never got to the damaged one");
    older.blocks[100] ^= 1;
    newest.blocks[100] ^= 1;
    ask_listed(place, &trust_manifest, list, 2, &evidence);
    expect_evidence(&evidence, TRUST_REJECTED, "the manifest is damaged", "the older one");
    assert_string_equal(evidence.source, "shop serial 8");
    assert_string_equal(evidence.expected, "");
    assert_string_equal(evidence.distribution, "");
    built_done(&newest);
    built_done(&older);
}

/* Roots: "" is "/", and a path that is not below the root is listed nowhere. */
static void test_paths(void **state)
{
    const struct place *place = *state;
    const struct manifest_index *list[1];
    struct trust_evidence evidence;
    struct built whole, nested, cut;
    struct trust_root root = {.manifests = list, .manifest_count = 1};
    struct trust_policy policy = {.elsewhere = &root};
    char near[96];

    build(&whole, "host", 1, place->file + 1, TEXT, false);
    build(&nested, "dir", 1, "app/mod.py", TEXT, false);
    build(&cut, "cut", 1, "p/mod.py", TEXT, false);
    const struct {
        const char *path;
        struct built *built;
        enum trust_answer answer;
    } rows[] = {
        {"", &whole, TRUST_TRUSTED},           {place->dir, &nested, TRUST_TRUSTED},
        {place->app, &nested, TRUST_REJECTED}, {place->dir, &whole, TRUST_REJECTED},
        {"/srv", &whole, TRUST_REJECTED},      {place->file, &whole, TRUST_REJECTED},
        {near, &cut, TRUST_REJECTED}, /* a root ends at a slash */
    };
    (void)snprintf(near, sizeof(near), "%.*s", (int)strlen(place->app) - 2, place->app);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        root.path = rows[i].path;
        list[0] = &rows[i].built->index;
        ask(&trust_manifest, &policy, &root, place->file, &evidence);
        expect_evidence(&evidence, rows[i].answer,
                        rows[i].answer == TRUST_TRUSTED ? "" : "is not listed", rows[i].path);
    }
    built_done(&whole);
    built_done(&nested);
    built_done(&cut);
}

/* Files without fs-verity, or where there is none: never trusted, whatever is listed. */
static void test_fsverity_without(void **state)
{
    const struct place *place = *state;
    const struct manifest_index *list[1];
    struct trust_root root = {.path = "/proc", .manifests = list, .manifest_count = 1};
    struct trust_policy policy = {.elsewhere = &root};
    struct trust_evidence evidence;
    struct built now, *builts[] = {&now};

    build(&now, "shop", 7, "mod.py", TEXT, true);
    ask_listed(place, &trust_fsverity, builts, 1, &evidence);
    if (evidence.answer == TRUST_REJECTED)
        expect_evidence(&evidence, TRUST_REJECTED, "has no fs-verity", "no fs-verity");
    else
        expect_evidence(&evidence, TRUST_UNAVAILABLE, "without fs-verity", "no fs-verity");
    list[0] = &now.index;
    ask(&trust_fsverity, &policy, &root, "/proc/version", &evidence);
    expect_evidence(&evidence, TRUST_UNAVAILABLE, "without fs-verity", "procfs");
    built_done(&now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_listed, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_changed, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_bytes_that_were_read, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_order, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_ima, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_damaged, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_paths, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(test_fsverity_without, place_setup, place_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
