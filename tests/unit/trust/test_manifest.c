/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a manifest: what the writer makes the parser takes, and nothing else. The good text
 * is the control of every table: each case spoils one thing in it.
 */
#include <errno.h>
#include <stdio.h>

#include "manifest_test.h"

static int parse(const char *text, size_t len, struct manifest *ret, struct err *err)
{
    /* In memory of exactly its size: the sanitizer sees a byte too many. */
    char *copy = malloc(len > 0 ? len : 1);
    int r;

    assert_non_null(copy);
    memcpy(copy, text, len);
    memset(ret, 0, sizeof(*ret));
    r = manifest_parse(copy, len, "t.manifest", ret, err);
    free(copy);
    return r;
}

static void test_write(void **state)
{
    struct err err = ERR_INIT;
    char *data;
    size_t len;

    (void)state;
    assert_int_equal(manifest_write(small_manifest(), &data, &len, &err), 0);
    assert_int_equal(len, strlen(small_text));
    assert_memory_equal(data, small_text, len);
    free(data);
}

static void test_parse(void **state)
{
    const struct manifest *small = small_manifest();
    struct manifest manifest;
    struct err err = ERR_INIT;

    (void)state;
    if (parse(small_text, strlen(small_text), &manifest, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(manifest.name, small->name);
    assert_true(manifest.serial == small->serial);
    assert_true(manifest.created == small->created);
    assert_int_equal(manifest.count, small->count);
    for (uint32_t i = 0; i < small->count; i++) {
        assert_same_entry(&manifest.entries[i], &small->entries[i]);
        assert_ptr_equal(manifest_find(&manifest, small->entries[i].path), &manifest.entries[i]);
    }
    assert_null(manifest_find(&manifest, "lib"));
    assert_null(manifest_find(&manifest, "zzz"));
    assert_null(manifest_find(&manifest, ""));
    manifest_done(&manifest);
    manifest_done(&manifest);
}

static void test_empty(void **state)
{
    struct manifest manifest = {.name = "none", .serial = 1}, again;
    struct err err = ERR_INIT;
    char *data;
    size_t len;

    (void)state;
    assert_int_equal(manifest_write(&manifest, &data, &len, &err), 0);
    assert_int_equal(parse(data, len, &again, &err), 0);
    assert_int_equal(again.count, 0);
    assert_null(manifest_find(&again, "a"));
    manifest_done(&again);
    free(data);
}

static void test_many(void **state)
{
    struct made made;
    struct manifest manifest;
    struct err err = ERR_INIT;
    char *data;
    size_t len;

    (void)state;
    made_init(&made, 20000);
    assert_int_equal(manifest_write(&made.manifest, &data, &len, &err), 0);
    assert_int_equal(parse(data, len, &manifest, &err), 0);
    assert_int_equal(manifest.count, 20000);
    for (uint32_t i = 0; i < manifest.count; i++)
        assert_same_entry(&manifest.entries[i], &made.manifest.entries[i]);
    free(data);
    manifest_done(&manifest);
    made_done(&made);
}

/* Names are bytes: each of these is a path of its own, and comes back as it went in. */
static void test_names(void **state)
{
    static const struct {
        const char *path, *written;
    } cases[] = {
        {" a ", "\\x20a\\x20"},
        {"A", "A"},
        {"\\", "\\x5c"},
        {"\\x41", "\\x5cx41"},
        {"a", "a"},
        {"a b", "a b"},
        {"a\x80", "a\\x80"},
        {"a\xc0\xaf", "a\\xc0\\xaf"}, /* a slash, too long a form */
        {"a\xc2\x85", "a\\xc2\\x85"}, /* next line */
        {"a\xc3", "a\\xc3"},          /* cut off */
        {"a\xc3\xa4", "a\xc3\xa4"},   /* a umlaut */
        {"a\xcc\x88", "a\xcc\x88"},   /* the same to the eye */
        {"a\xe0\x80\xaf", "a\\xe0\\x80\\xaf"},
        {"a\xe2\x80\xae", "a\\xe2\\x80\\xae"}, /* right to left override */
        {"a\xe2\x82(", "a\\xe2\\x82("},        /* cut off by another character */
        {"a\xe2\x82\xac", "a\xe2\x82\xac"},    /* euro */
        {"a\xed\xa0\x80", "a\\xed\\xa0\\x80"}, /* surrogate */
        {"a\xef\xbb\xbf", "a\\xef\\xbb\\xbf"}, /* byte order mark */
        {"a\xf0\x80\x80\xaf", "a\\xf0\\x80\\x80\\xaf"},
        {"a\xf0\x9f\x90\x8d", "a\xf0\x9f\x90\x8d"},     /* snake */
        {"a\xf4\x90\x80\x80", "a\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
        {"a\xff", "a\\xff"},
    };
    enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
    struct manifest_entry entries[COUNT];
    struct manifest manifest = {.name = "n", .serial = 1, .entries = entries, .count = COUNT};
    struct manifest again;
    struct err err = ERR_INIT;
    char *data;
    const char *line;
    size_t len;

    (void)state;
    memset(entries, 0, sizeof(entries));
    for (size_t i = 0; i < COUNT; i++) {
        entries[i].path = cases[i].path;
        entries[i].distribution = "";
    }
    if (manifest_write(&manifest, &data, &len, &err) < 0)
        fail_msg("%s", err.msg);
    line = strstr(data, "\n\n") + 1;
    for (size_t i = 0; i < COUNT; i++) {
        line = strchr(line, '\n') + 1;
        line += strlen("0000000000000000000000000000000000000000000000000000000000000000 0 - - - ");
        if (strncmp(line, cases[i].written, strlen(cases[i].written)) != 0 ||
            line[strlen(cases[i].written)] != '\n')
            fail_msg("case %zu: %.40s", i, line);
    }
    assert_int_equal(parse(data, len, &again, &err), 0);
    for (size_t i = 0; i < COUNT; i++)
        assert_string_equal(again.entries[i].path, cases[i].path);
    manifest_done(&again);
    free(data);
}

static void test_path_is_valid(void **state)
{
    static const struct {
        const char *path;
        size_t len;
        const char *reason;
    } cases[] = {
        {"a", 1, NULL},
        {"a/b", 3, NULL},
        {"...", 3, NULL},
        {"a/..b/.c", 8, NULL},
        {"\xff", 1, NULL},
        {"", 0, "is empty"},
        {"/a", 2, "is absolute"},
        {"a//b", 4, "holds an empty component"},
        {"a/", 2, "ends in a slash"},
        {".", 1, "holds a component '.' or '..'"},
        {"..", 2, "holds a component '.' or '..'"},
        {"a/../b", 6, "holds a component '.' or '..'"},
        {"a/.", 3, "holds a component '.' or '..'"},
        {"./a", 3, "holds a component '.' or '..'"},
        {"a\nb", 3, "holds a control character"},
        {"a\0b", 3, "holds a control character"},
        {"a\x7f", 2, "holds a control character"},
        {"\x1b[0m", 4, "holds a control character"},
    };
    char longest[MANIFEST_MAX_PATH + 1];
    const char *reason;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool valid = manifest_path_is_valid(cases[i].path, cases[i].len, &reason);

        assert_int_equal(valid, cases[i].reason == NULL);
        if (valid)
            assert_null(reason);
        else
            assert_string_equal(reason, cases[i].reason);
    }
    memset(longest, 'a', sizeof(longest));
    assert_true(manifest_path_is_valid(longest, MANIFEST_MAX_PATH, &reason));
    assert_false(manifest_path_is_valid(longest, MANIFEST_MAX_PATH + 1, &reason));
    assert_string_equal(reason, "is too long");
}

static void test_distribution_is_valid(void **state)
{
    static const char *const good[] = {"", "a 1", "python3.11 3.11.2-6+deb12u3", "a 1!2~3:4"};
    static const char *const bad[] = {"a",     " a", "a ",   "a  1",  "a 1 2",     "a@1 2",
                                      "a 1@2", " ",  "a\t1", "a 1\n", "\xc3\xa4 1"};
    char longest[MANIFEST_MAX_DISTRIBUTION + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(manifest_distribution_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (manifest_distribution_is_valid(bad[i], strlen(bad[i])))
            fail_msg("'%s'", bad[i]);
    memset(longest, 'a', sizeof(longest));
    longest[1] = ' ';
    assert_true(manifest_distribution_is_valid(longest, MANIFEST_MAX_DISTRIBUTION));
    assert_false(manifest_distribution_is_valid(longest, MANIFEST_MAX_DISTRIBUTION + 1));
}

static void test_times(void **state)
{
    static const struct {
        int64_t created;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},          {951782399, "2000-02-28T23:59:59Z"},
        {951782400, "2000-02-29T00:00:00Z"},  {951868800, "2000-03-01T00:00:00Z"},
        {1709164800, "2024-02-29T00:00:00Z"}, {4107542400, "2100-03-01T00:00:00Z"},
        {4107542399, "2100-02-28T23:59:59Z"}, {253402300799, "9999-12-31T23:59:59Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct manifest manifest = {.name = "t", .serial = 1, .created = cases[i].created}, again;
        struct err err = ERR_INIT;
        char *data;
        size_t len;

        assert_int_equal(manifest_write(&manifest, &data, &len, &err), 0);
        assert_non_null(memmem(data, len, cases[i].text, strlen(cases[i].text)));
        assert_int_equal(parse(data, len, &again, &err), 0);
        assert_true(again.created == cases[i].created);
        manifest_done(&again);
        free(data);
    }
}

#define D1 "0101010101010101010101010101010101010101010101010101010101010101"
#define D2 "0202020202020202020202020202020202020202020202020202020202020202"
#define V "abababababababababababababababababababababababababababababababab"

/* Each replaces the first `from` in the good text by `to`. */
static const struct {
    const char *from, *to;
    int code;
    const char *message;
} spoiled[] = {
    {"spython-manifest 1", "\xef\xbb\xbfspython-manifest 1", -EBADMSG,
     ":1: this is not a manifest"},
    {"spython-manifest 1", "spython-manifest", -EBADMSG, ":1: this is not a manifest"},
    {"spython-manifest 1", "spython-manifest 0", -EBADMSG, ":1: this is not a manifest"},
    {"spython-manifest 1", "spython-manifest 01", -EBADMSG, ":1: this is not a manifest"},
    {"spython-manifest 1", "spython-manifest 1 ", -EBADMSG, ":1: this is not a manifest"},
    {"spython-manifest 1", "spython-manifest 4294967296", -EBADMSG, ":1: this is not a manifest"},
    {"spython-manifest 1", "spython-manifest 2", -EPROTO, ":1: the manifest has format 2, newer"},
    {"spython-manifest 1\n", "spython-manifest 1\r\n", -EBADMSG, ":1: the line ends in CR LF"},
    {"name: shop-1.0\n", "", -EBADMSG, ":2: a line 'name: ...' belongs here"},
    {"name: shop-1.0", "name:  shop", -EBADMSG, ":2: the name"},
    {"name: shop-1.0", "name: ", -EBADMSG, ":2: the name"},
    {"name: shop-1.0", "name: .shop", -EBADMSG, ":2: the name"},
    {"name: shop-1.0", "name: ../shop", -EBADMSG, ":2: the name"},
    {"name: shop-1.0", "name: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg",
     -EBADMSG, ":2: the name"},
    {"serial: 42", "serial: 0", -EBADMSG, ":3: the serial"},
    {"serial: 42", "serial: 042", -EBADMSG, ":3: the serial"},
    {"serial: 42", "serial: +42", -EBADMSG, ":3: the serial"},
    {"serial: 42", "serial: -42", -EBADMSG, ":3: the serial"},
    {"serial: 42", "serial: 42 ", -EBADMSG, ":3: the serial"},
    {"serial: 42", "serial: 9223372036854775808", -EBADMSG, ":3: the serial"},
    {"serial: 42", "serial: 18446744073709551658", -EBADMSG, ":3: the serial"},
    {"serial: 42", "Serial: 42", -EBADMSG, ":3: a line 'serial: ...' belongs here"},
    {"2026-11-24T06:00:00Z", "2026-11-24T06:00:00", -EBADMSG, ":4: the time"},
    {"2026-11-24T06:00:00Z", "2026-11-24 06:00:00Z", -EBADMSG, ":4: the time"},
    {"2026-11-24T06:00:00Z", "2026-13-24T06:00:00Z", -EBADMSG, ":4: the time"},
    {"2026-11-24T06:00:00Z", "2026-00-24T06:00:00Z", -EBADMSG, ":4: the time"},
    {"2026-11-24T06:00:00Z", "2026-11-24T24:00:00Z", -EBADMSG, ":4: the time"},
    {"2026-11-24T06:00:00Z", "2026-11-24T06:00:60Z", -EBADMSG, ":4: the time"},
    {"2026-11-24T06:00:00Z", "1969-12-31T23:59:59Z", -EBADMSG, ":4: the time"},
    {"2026-11-24T06:00:00Z", "2026-11-31T06:00:00Z", -EBADMSG, ":6: the header is not written"},
    {"2026-11-24T06:00:00Z", "2026-02-29T06:00:00Z", -EBADMSG, ":6: the header is not written"},
    {"files: 3", "files: 2", -EBADMSG, ":9: the list does not end after 2 files"},
    {"files: 3", "files: 4", -EBADMSG, ":10: the list ends after 3 of 4 files"},
    {"files: 3", "files: 0", -EBADMSG, ":7: the list does not end after 0 files"},
    {"files: 3", "files: 03", -EBADMSG, ":5: the number of files"},
    {"files: 3", "files: -3", -EBADMSG, ":5: the number of files"},
    {"files: 3", "files: 1000000", -EBADMSG, ":6: the manifest is cut off: not enough"},
    {"files: 3", "files: 1000001", -EFBIG, ":5: the manifest lists more than 1000000 files"},
    {"files: 3", "files: 18446744073709551615", -EFBIG, ":5: the manifest lists more"},
    {"files: 3", "files: 18446744073709551619", -EBADMSG, ":5: the number of files"},
    {"files: 3\n\n", "files: 3\n", -EBADMSG, ":6: an empty line belongs here"},
    {"files: 3\n\n", "files: 3\n\n\n", -EBADMSG, ":7: the line does not have six fields"},
    {D1, "0101010101010101010101010101010101010101010101010101010101010g01", -EBADMSG,
     ":7: the SHA-256"},
    {D1, "010101010101010101010101010101010101010101010101010101010101010", -EBADMSG,
     ":7: the SHA-256"},
    {V, "abababababababababababababababababababababababababababababababAB", -EBADMSG,
     ":8: the line is not written in its only form"},
    {D1, "010101010101010101010101010101010101010101010101010101010101010A", -EBADMSG,
     ":7: the line is not written in its only form"},
    {V, "ab", -EBADMSG, ":8: the fs-verity digest"},
    {V, "--", -EBADMSG, ":8: the fs-verity digest"},
    {D1 " 0", D1 " 00", -EBADMSG, ":7: the size"},
    {D1 " 0", D1 " -1", -EBADMSG, ":7: the size"},
    {D1 " 0", D1 "  0", -EBADMSG, ":7: the size"},
    {D1 " 0", D1 "\t0", -EBADMSG, ":7: the line does not have six fields"},
    {" 4294967295 ", " 4294967296 ", -EBADMSG, ":8: the size"},
    {" 4294967295 ", " 18446744073709551616 ", -EBADMSG, ":8: the size"},
    {" hbn ", " bhn ", -EBADMSG, ":8: the line is not written in its only form"},
    {" hbn ", " hh ", -EBADMSG, ":8: the line is not written in its only form"},
    {" hbn ", " hx ", -EBADMSG, ":8: the flags"},
    {" hbn ", "  ", -EBADMSG, ":8: the line is not written in its only form"},
    {" hbn ", " h- ", -EBADMSG, ":8: the flags"},
    {"requests@2.32.3", "requests", -EBADMSG, ":8: the distribution"},
    {"requests@2.32.3", "@", -EBADMSG, ":8: the distribution"},
    {"requests@2.32.3", "requests@", -EBADMSG, ":8: the distribution"},
    {"requests@2.32.3", "@2.32.3", -EBADMSG, ":8: the distribution"},
    {"requests@2.32.3", "requests@2@3", -EBADMSG, ":8: the distribution"},
    {"requests@2.32.3", "requests 2.32.3", -EBADMSG, ":8: the distribution"},
    {"requests@2.32.3", "req\x01@2", -EBADMSG, ":8: the distribution"},
    {" bin/shop", " /bin/shop", -EBADMSG, ":7: the path is absolute"},
    {" bin/shop", " bin/../shop", -EBADMSG, ":7: the path holds a component '.' or '..'"},
    {" bin/shop", " ./bin/shop", -EBADMSG, ":7: the path holds a component '.' or '..'"},
    {" bin/shop", " bin//shop", -EBADMSG, ":7: the path holds an empty component"},
    {" bin/shop", " bin/shop/", -EBADMSG, ":7: the path ends in a slash"},
    {" bin/shop", " ", -EBADMSG, ":7: the path is empty"},
    {" bin/shop", " bin/sh\top", -EBADMSG, ":7: the path holds a control character"},
    {" bin/shop", " bin/sh\x7fop", -EBADMSG, ":7: the path holds a control character"},
    {" bin/shop", " bin/sh\\x0aop", -EBADMSG, ":7: the path holds a control character"},
    {" bin/shop", " bin/sh\\x00op", -EBADMSG, ":7: the path holds a control character"},
    {" bin/shop", " bin\\x2fshop", -EBADMSG, ":7: the line is not written in its only form"},
    {" bin/shop", " \\x2e\\x2e/shop", -EBADMSG, ":7: the path holds a component '.' or '..'"},
    {" bin/shop", " bin/sh\\x6fp", -EBADMSG, ":7: the line is not written in its only form"},
    {" bin/shop", " bin/shop ", -EBADMSG, ":7: the line is not written in its only form"},
    {" bin/shop", " bin/shop\xff", -EBADMSG, ":7: the line is not written in its only form"},
    {" bin/shop", " bin/\xe2\x80\xaeshop", -EBADMSG, ":7: the line is not written in its only"},
    {" bin/shop", " bin/\\xc3\\xa4", -EBADMSG, ":7: the line is not written in its only form"},
    {"\\xff", "\\xFF", -EBADMSG, ":9: the line is not written in its only form"},
    {"\\xff", "\\Xff", -EBADMSG, ":9: the path holds a backslash"},
    {"\\xff", "\\n", -EBADMSG, ":9: the path holds a backslash"},
    {"\\x5c.pyc", "\\x5", -EBADMSG, ":9: the path holds a backslash"},
    {"\\x5c.pyc", "\\", -EBADMSG, ":9: the path holds a backslash"},
    {"\\x5c.pyc", "\\x5g", -EBADMSG, ":9: the path holds a backslash"},
    {" lib/a b.py", " bin/shop", -EBADMSG, ":8: the path is listed twice"},
    {" lib/a b.py", " a", -EBADMSG, ":8: the path is out of order"},
    {"lib/a b.py", "lib/\xff", -EBADMSG, ":8: the line is not written"},
    {"lib/a b.py", "lib/\\xff", -EBADMSG, ":9: the path is out of order"},
    {"end\n", "end", -EBADMSG, ":10: the manifest is cut off in this line"},
    {"end\n", "", -EBADMSG, ":10: the manifest is cut off here"},
    {"end\n", "end\n\n", -EBADMSG, ":11: there is something behind the end"},
    {"end\n", "end\nend\n", -EBADMSG, ":11: there is something behind the end"},
    {"end\n", "END\n", -EBADMSG, ":10: the list does not end after 3 files"},
};

static void test_spoiled(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(spoiled) / sizeof(spoiled[0]); i++) {
        const char *found = strstr(small_text, spoiled[i].from);
        struct err err = ERR_INIT;
        struct manifest manifest;
        char text[2048];
        int n, r;

        assert_non_null(found);
        n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(found - small_text), small_text,
                     spoiled[i].to, found + strlen(spoiled[i].from));
        assert_true(n > 0 && (size_t)n < sizeof(text));
        r = parse(text, (size_t)n, &manifest, &err);
        if (r != spoiled[i].code || !strstr(err.msg, spoiled[i].message) ||
            strncmp(err.msg, "t.manifest:", 11) != 0 || manifest.entries)
            fail_msg("case %zu: %d '%s', expected '%s'", i, r, err.msg, spoiled[i].message);
    }
}

/* A NUL at every place, and something behind the end. */
static void test_nul(void **state)
{
    const size_t len = strlen(small_text);
    struct manifest manifest;
    struct err err = ERR_INIT;
    char *text = strdup(small_text);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < len; i++) {
        text[i] = '\0';
        assert_int_equal(parse(text, len, &manifest, &err), -EBADMSG);
        text[i] = small_text[i];
    }
    assert_int_equal(parse(text, len + 1, &manifest, &err), -EBADMSG);
    assert_int_equal(parse(text, len, &manifest, &err), 0);
    manifest_done(&manifest);
    free(text);
}

static void test_cut(void **state)
{
    struct manifest manifest;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t len = 0; len < strlen(small_text); len++) {
        if (parse(small_text, len, &manifest, &err) != -EBADMSG)
            fail_msg("cut at %zu: %s", len, err.msg);
        assert_null(strchr(err.msg, '\n'));
    }
}

/* Another text is another manifest, or none: what still parses is written as it stands. */
static void test_flipped(void **state)
{
    const size_t len = strlen(small_text);
    size_t rejected = 0, other = 0;
    char *text = strdup(small_text);

    (void)state;
    assert_non_null(text);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        struct manifest manifest;
        struct err err = ERR_INIT;
        char *again;
        size_t again_len;

        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        if (parse(text, len, &manifest, &err) < 0) {
            rejected++;
        } else {
            other++;
            /* Only in values of the header and of the lines, never in what frames them. */
            assert_true(bit / 8 > strlen("spython-manifest 1\nname:"));
            assert_true(bit / 8 < len - strlen("\nend\n"));
            assert_int_equal(manifest_write(&manifest, &again, &again_len, &err), 0);
            assert_int_equal(again_len, len);
            assert_memory_equal(again, text, len);
            free(again);
            manifest_done(&manifest);
        }
        text[bit / 8] = small_text[bit / 8];
    }
    assert_true(rejected > other);
    assert_true(other > 0); /* digits that became others: only a signature can tell */
    free(text);
}

/* What the writer refuses, each from the good manifest. */
static void expect_refused(const struct manifest *manifest, int code, const char *message)
{
    struct err err = ERR_INIT;
    char *data = NULL;
    size_t len;

    assert_int_equal(manifest_write(manifest, &data, &len, &err), code);
    if (!strstr(err.msg, message))
        fail_msg("'%s', expected '%s'", err.msg, message);
    assert_null(data);
}

static void test_too_large(void **state)
{
    struct manifest manifest;
    struct err err = ERR_INIT;

    (void)state;
    /* Refused for its length alone: nothing of it is read. */
    assert_int_equal(manifest_parse("", MANIFEST_MAX_SIZE + 1, "t", &manifest, &err), -EFBIG);
}

static void test_write_refused(void **state)
{
    struct manifest m = *small_manifest();
    struct manifest_entry *e = m.entries;
    struct err err = ERR_INIT;
    char *data;
    size_t len;

    (void)state;
    m.name[0] = '/';
    expect_refused(&m, -EINVAL, "name");
    memset(m.name, 'a', sizeof(m.name));
    expect_refused(&m, -EINVAL, "name");
    m = *small_manifest();
    m.serial = 0;
    expect_refused(&m, -EINVAL, "serial");
    m.serial = MANIFEST_MAX_SERIAL + 1;
    expect_refused(&m, -EINVAL, "serial");
    m = *small_manifest();
    m.created = -1;
    expect_refused(&m, -EINVAL, "time");
    m.created = INT64_C(253402300800);
    expect_refused(&m, -EINVAL, "time");
    m = *small_manifest();
    m.count = MANIFEST_MAX_ENTRIES + 1;
    expect_refused(&m, -EFBIG, "more than");
    m = *small_manifest();
    e[1].path = "bin/shop";
    expect_refused(&m, -EINVAL, "'bin/shop' is listed twice");
    e[1].path = "a\xff";
    expect_refused(&m, -EINVAL, "'a\\xff' is out of order");
    e[1].path = "lib/\n";
    expect_refused(&m, -EINVAL, "the path 'lib/\\x0a' cannot be listed: it holds a control");
    m = *small_manifest();
    e[1].size = MANIFEST_MAX_FILE + 1;
    expect_refused(&m, -EINVAL, "larger than 4294967295");
    m = *small_manifest();
    e[1].flags = 8;
    expect_refused(&m, -EINVAL, "unknown flags");
    m = *small_manifest();
    e[1].distribution = "requests";
    expect_refused(&m, -EINVAL, "distribution");
    m = *small_manifest();
    assert_int_equal(manifest_write(&m, &data, &len, &err), 0);
    free(data);
}

/* The example of the specification is a manifest. */
static void test_example(void **state)
{
    FILE *file = fopen(MANIFEST_DOCUMENT, "re");
    char line[1024], text[4096];
    struct manifest manifest;
    struct err err = ERR_INIT;
    size_t len = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        bool quoted = strncmp(line, "    ", 4) == 0;
        const char *part = quoted ? line + 4 : line;

        if (len == 0 && !quoted)
            continue;
        if (len > 0 && !quoted && line[0] != '\n')
            break;
        assert_true(len + strlen(part) < sizeof(text));
        memcpy(text + len, part, strlen(part));
        len += strlen(part);
    }
    (void)fclose(file);
    assert_true(len > 1);
    len--; /* the empty line behind the block */
    if (parse(text, len, &manifest, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(manifest.count, 3);
    manifest_done(&manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_path_is_valid),
        cmocka_unit_test(test_distribution_is_valid),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_spoiled),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_write_refused),
        cmocka_unit_test(test_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
