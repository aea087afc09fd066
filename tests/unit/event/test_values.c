/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kind of value against the text it must become. Texts are besides compared with an encoder
 * that was written down character by character, at all lengths and alignments around a block.
 */
#include "../unavailable.h"
#include "event_test.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static void append(char *out, size_t *len, const char *text)
{
    size_t n = strlen(text);

    memcpy(out + *len, text, n + 1);
    *len += n;
}

/* One code point that is no surrogate, as docs/formats/record.md says. */
static void append_plain(char *out, size_t *len, uint32_t c, bool doubled)
{
    char text[16];

    if (c == '"')
        append(out, len, "\\\"");
    else if (c == '\\')
        append(out, len, doubled ? "\\\\\\\\" : "\\\\");
    else if (c == '\n')
        append(out, len, "\\n");
    else if (c == '\r')
        append(out, len, "\\r");
    else if (c == '\t')
        append(out, len, "\\t");
    else if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
             (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
             (c >= 0xfff9 && c <= 0xfffb) || c == 0xfffe || c == 0xffff) {
        (void)snprintf(text, sizeof(text), "\\u%04x", (unsigned)c);
        append(out, len, text);
    } else if (c < 0x80) {
        (void)snprintf(text, sizeof(text), "%c", (char)c);
        append(out, len, text);
    } else if (c < 0x800) {
        (void)snprintf(text, sizeof(text), "%c%c", (char)(0xc0 + c / 64), (char)(0x80 + c % 64));
        append(out, len, text);
    } else if (c < 0x10000) {
        (void)snprintf(text, sizeof(text), "%c%c%c", (char)(0xe0 + c / 4096),
                       (char)(0x80 + c / 64 % 64), (char)(0x80 + c % 64));
        append(out, len, text);
    } else {
        (void)snprintf(text, sizeof(text), "%c%c%c%c", (char)(0xf0 + c / 262144),
                       (char)(0x80 + c / 4096 % 64), (char)(0x80 + c / 64 % 64),
                       (char)(0x80 + c % 64));
        append(out, len, text);
    }
}

static void reference_encode(char *out, const uint32_t *points, size_t count)
{
    bool escaped = false;
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        escaped = escaped || (points[i] >= 0xd800 && points[i] <= 0xdfff);
    append(out, &len, escaped ? "{\"escaped\":\"" : "\"");
    for (size_t i = 0; i < count; i++) {
        char text[16];

        if (points[i] >= 0xd800 && points[i] <= 0xdfff) {
            (void)snprintf(text, sizeof(text), "\\\\u%04x", (unsigned)points[i]);
            append(out, &len, text);
        } else {
            append_plain(out, &len, points[i], escaped);
        }
    }
    append(out, &len, escaped ? "\"}" : "\"");
}

static void test_every_latin1_code_point(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        unsigned char byte = (unsigned char)c;
        uint32_t point = c;
        char expected[64];

        reference_encode(expected, &point, 1);
        assert_encodes(data_value(VALUE_TEXT1, &byte, 1), expected);
    }
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c += c < 0x20000 ? 1 : 997) {
        struct value value = data_value(VALUE_TEXT4, &c, 1);
        char expected[64], out[64];
        size_t n = record_value_encode(&value, REDACT_NO, out, sizeof(out) - 1);

        out[n] = '\0';
        reference_encode(expected, &c, 1);
        assert_string_equal(out, expected);
    }
}

static void test_every_byte_of_utf8_and_bytes(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        unsigned char byte = (unsigned char)c;
        char expected[64] = "{\"bytes\":\"";
        size_t len = strlen(expected);

        if (c < 0x80)
            append_plain(expected, &len, c, true);
        else
            len += (size_t)snprintf(expected + len, sizeof(expected) - len, "\\\\x%02x", c);
        append(expected, &len, "\"}");
        assert_encodes(data_value(VALUE_BYTES, &byte, 1), expected);
        if (c < 0x80) {
            uint32_t point = c;

            reference_encode(expected, &point, 1);
        }
        assert_encodes(data_value(VALUE_UTF8, &byte, 1), expected);
    }
}

/* A special character at each place of texts of each length around the blocks of 8 and 16. */
static void test_special_character_anywhere(void **state)
{
    static const char specials[] = {'"', '\\', '\n', 0x1f, 0x7f, (char)0x80, (char)0xff, '\0'};

    (void)state;
    for (size_t len = 1; len <= 50; len++) {
        for (size_t at = 0; at < len; at++) {
            for (size_t s = 0; s < sizeof(specials); s++) {
                unsigned char *bytes = malloc(len);
                struct value value = data_value(VALUE_TEXT1, bytes, len);
                uint32_t points[50];
                char expected[512], out[512];
                size_t n;

                assert_non_null(bytes);
                memset(bytes, 'a', len);
                bytes[at] = (unsigned char)specials[s];
                for (size_t i = 0; i < len; i++)
                    points[i] = bytes[i];
                reference_encode(expected, points, len);
                n = record_value_encode(&value, REDACT_NO, out, sizeof(out) - 1);
                out[n] = '\0';
                assert_string_equal(out, expected);
                free(bytes);
            }
        }
    }
}

static uint32_t random_point(uint64_t *state, enum value_kind kind)
{
    uint64_t r = next_random(state);
    uint32_t limit = kind == VALUE_TEXT1 ? 0x100 : kind == VALUE_TEXT2 ? 0x10000 : 0x110000;

    switch (r % 8) {
    case 0:
        return (uint32_t)(r >> 8) % limit;
    case 1:
        return (uint32_t)(r >> 8) % 0x30;
    case 2:
        return kind == VALUE_TEXT1 ? '\\' : 0x2000 + (uint32_t)(r >> 8) % 0x70;
    case 3:
        return kind == VALUE_TEXT1 || r & 256 ? '"' : 0xd800 + (uint32_t)(r >> 9) % 0x800;
    default:
        return 'a' + (uint32_t)(r >> 8) % 26;
    }
}

static void test_random_texts_as_the_reference(void **state)
{
    static const enum value_kind kinds[] = {VALUE_TEXT1, VALUE_TEXT2, VALUE_TEXT4};
    uint64_t seed = 42;

    (void)state;
    for (unsigned round = 0; round < 30000; round++) {
        enum value_kind kind = kinds[round % 3];
        size_t len = next_random(&seed) % 70;
        uint32_t points[70];
        uint16_t units[70];
        unsigned char bytes[70];
        char expected[1024], out[1024];
        struct value value;
        size_t n;

        for (size_t i = 0; i < len; i++) {
            points[i] = random_point(&seed, kind);
            units[i] = (uint16_t)points[i];
            bytes[i] = (unsigned char)points[i];
        }
        value = data_value(kind,
                           kind == VALUE_TEXT1   ? (const void *)bytes
                           : kind == VALUE_TEXT2 ? (const void *)units
                                                 : (const void *)points,
                           len);
        reference_encode(expected, points, len);
        n = record_value_encode(&value, REDACT_NO, out, sizeof(out) - 1);
        out[n] = '\0';
        assert_string_equal(out, expected);
        assert_true(json_is_value(out, n));
    }
}

static void test_lone_surrogates(void **state)
{
    static const uint16_t pair[] = {0xd83d, 0xde00};
    static const uint16_t mixed[] = {'/', 'a', '\\', 0xdcff, '"', 0xe9};
    static const uint32_t wide[] = {0x1f600, 0xd800};

    (void)state;
    /* Two code points of a str, not one character. */
    assert_encodes(data_value(VALUE_TEXT2, pair, 2), "{\"escaped\":\"\\\\ud83d\\\\ude00\"}");
    assert_encodes(data_value(VALUE_TEXT2, mixed, 6),
                   "{\"escaped\":\"/a\\\\\\\\\\\\udcff\\\"\xc3\xa9\"}");
    assert_encodes(data_value(VALUE_TEXT4, wide, 2), "{\"escaped\":\"\xf0\x9f\x98\x80\\\\ud800\"}");
    assert_encodes(data_value(VALUE_TEXT4, wide, 1), "\"\xf0\x9f\x98\x80\"");
}

static void test_invalid_utf8(void **state)
{
    static const struct {
        const char *bytes, *expected;
    } cases[] = {
        {"\xc0\xaf", "{\"bytes\":\"\\\\xc0\\\\xaf\"}"},            /* overlong */
        {"\xe0\x80\xaf", "{\"bytes\":\"\\\\xe0\\\\x80\\\\xaf\"}"}, /* overlong */
        {"\xf0\x80\x80\xaf", "{\"bytes\":\"\\\\xf0\\\\x80\\\\x80\\\\xaf\"}"},
        {"\xed\xa0\x80", "{\"bytes\":\"\\\\xed\\\\xa0\\\\x80\"}"},            /* surrogate */
        {"\xf4\x90\x80\x80", "{\"bytes\":\"\\\\xf4\\\\x90\\\\x80\\\\x80\"}"}, /* > U+10FFFF */
        {"\xf8\x88\x80\x80\x80", "{\"bytes\":\"\\\\xf8\\\\x88\\\\x80\\\\x80\\\\x80\"}"},
        {"a\xc3", "{\"bytes\":\"a\\\\xc3\"}"}, /* cut off */
        {"\xc3\xa9\xff\\x41", "{\"bytes\":\"\xc3\xa9\\\\xff\\\\\\\\x41\"}"},
        {"\xe2\x80\xa8", "\"\\u2028\""},
        {"\xc2\x85", "\"\\u0085\""},
        {"\xe2\x80\xae", "\"\\u202e\""},
        {"\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_encodes(data_value(VALUE_UTF8, cases[i].bytes, strlen(cases[i].bytes)),
                       cases[i].expected);
    /* Known to be cut: the last character was whole before. */
    assert_encodes(cut_value(data_value(VALUE_UTF8, "ab\xe2\x82", 4), 9),
                   "{\"text\":\"ab\",\"length\":9,\"cut\":true}");
}

static void test_bytes_tell_two_inputs_apart(void **state)
{
    (void)state;
    assert_encodes(data_value(VALUE_BYTES, "\xff", 1), "{\"bytes\":\"\\\\xff\"}");
    assert_encodes(data_value(VALUE_BYTES, "\\xff", 4), "{\"bytes\":\"\\\\\\\\xff\"}");
    assert_encodes(data_value(VALUE_BYTES, "", 0), "{\"bytes\":\"\"}");
}

static void test_integers(void **state)
{
    static const unsigned char big[] = {0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1f, 0x00};
    uint64_t power = 1;

    (void)state;
    for (int digits = 0; digits < 19; digits++, power *= 10) {
        for (int64_t delta = -1; delta <= 1; delta++) {
            int64_t i = (int64_t)power + delta;
            char expected[32];

            (void)snprintf(expected, sizeof(expected), "%lld", (long long)i);
            assert_encodes(int_value(i), expected);
            (void)snprintf(expected, sizeof(expected), "%lld", (long long)-i);
            assert_encodes(int_value(-i), expected);
        }
    }
    assert_encodes(int_value(INT64_MAX), "9223372036854775807");
    assert_encodes(int_value(INT64_MIN), "-9223372036854775808");
    assert_encodes(data_value(VALUE_BIG, big, 10), "{\"int\":\"0x1f0000000000000001\"}");
    struct value negative = data_value(VALUE_BIG, big, 9);

    negative.flags = VALUE_NEGATIVE;
    assert_encodes(negative, "{\"int\":\"-0x1f0000000000000001\"}");
    assert_encodes(cut_value(data_value(VALUE_BIG, "", 0), 5000),
                   "{\"int\":\"0x\",\"length\":5000,\"cut\":true}");
    assert_encodes(subclass_value(int_value(-30), "Signals"),
                   "{\"int\":\"-0x1e\",\"type\":\"Signals\"}");
    assert_encodes(subclass_value(int_value(0), "Signals"),
                   "{\"int\":\"0x0\",\"type\":\"Signals\"}");
    assert_encodes(subclass_value(int_value(INT64_MIN), "S"),
                   "{\"int\":\"-0x8000000000000000\",\"type\":\"S\"}");
}

static struct value float_value(double d)
{
    return (struct value){.kind = VALUE_FLOAT, .d = d};
}

static void test_floats(void **state)
{
    static const struct {
        double d;
        const char *expected;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {-2.5, "-2.5"},
        {0.1, "0.1"},
        {1e15, "1e+15"},
        {123456789012345.0, "123456789012345.0"},
        {1e100, "1e+100"},
        {5e-324, "4.94065645841247e-324"},
        {0.30000000000000004, "0.30000000000000004"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {(double)NAN, "{\"float\":\"nan\"}"},
        {(double)INFINITY, "{\"float\":\"inf\"}"},
        {-(double)INFINITY, "{\"float\":\"-inf\"}"},
    };
    uint64_t seed = 7;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_encodes(float_value(cases[i].d), cases[i].expected);
    assert_encodes(subclass_value(float_value(1.5), "F"), "{\"float\":\"1.5\",\"type\":\"F\"}");
    for (unsigned round = 0; round < 20000; round++) {
        struct value value = float_value(0);
        uint64_t bits = next_random(&seed);
        char out[64];
        size_t n;

        memcpy(&value.d, &bits, sizeof(bits));
        if (!isfinite(value.d))
            continue;
        n = record_value_encode(&value, REDACT_NO, out, sizeof(out) - 1);
        out[n] = '\0';
        assert_true(json_is_value(out, n));
        assert_true(strpbrk(out, ".e") != NULL);
        assert_true(strtod(out, NULL) == value.d);
    }
}

/* A locale with a decimal comma, made for this test if none is installed. */
static const char *comma_locale(void)
{
    char directory[] = "/tmp/spython-locale-XXXXXX", path[64];
    char *argv[] = {(char[]){"localedef"},
                    (char[]){"-i"},
                    (char[]){"de_DE"},
                    (char[]){"-f"},
                    (char[]){"UTF-8"},
                    path,
                    NULL};
    char *remove[] = {(char[]){"rm"}, (char[]){"-rf"}, directory, NULL};
    const char *found = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    pid_t pid;

    if (found || !mkdtemp(directory))
        return found;
    (void)snprintf(path, sizeof(path), "%s/de_DE.UTF-8", directory);
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0) {
        (void)waitpid(pid, NULL, 0);
        (void)setenv("LOCPATH", directory, 1);
        found = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    }
    if (posix_spawnp(&pid, remove[0], NULL, NULL, remove, environ) == 0)
        (void)waitpid(pid, NULL, 0);
    return found;
}

static void test_floats_do_not_follow_the_locale(void **state)
{
    char text[16];

    (void)state;
    if (!comma_locale())
        unavailable("no locale with a decimal comma, nor the sources of one, is installed");
    (void)snprintf(text, sizeof(text), "%g", 0.1);
    assert_string_equal(text, "0,1"); /* the control */
    assert_encodes(float_value(0.1), "0.1");
    assert_encodes(float_value(1e100), "1e+100");
    assert_encodes(float_value(0.30000000000000004), "0.30000000000000004");
    assert_non_null(setlocale(LC_NUMERIC, "C"));
}

static void test_small_kinds(void **state)
{
    struct value code[3] = {text_value("f"), text_value("/a.py"), int_value(7)};
    struct value opaque = {.kind = VALUE_OPAQUE,
                           .address = (const void *)(uintptr_t)0x7fab00,
                           .type_name = "socket\".\\socket\xff\n"};

    (void)state;
    assert_encodes(none_value(), "null");
    assert_encodes((struct value){.kind = VALUE_BOOL, .i = 1}, "true");
    assert_encodes((struct value){.kind = VALUE_BOOL, .i = 0}, "false");
    assert_encodes((struct value){.kind = VALUE_CODE, .count = 3, .items = code},
                   "{\"code\":{\"name\":\"f\",\"file\":\"/a.py\",\"line\":7}}");
    assert_encodes(opaque,
                   "{\"type\":\"socket\\\".\\\\\\\\socket\\\\xff\\n\",\"id\":\"0x7fab00\"}");
    assert_encodes((struct value){.kind = VALUE_OPAQUE}, "{\"type\":\"?\",\"id\":\"0x0\"}");
}

static void test_cut_and_subclass(void **state)
{
    static const uint16_t lone[] = {'a', 0xdc80};

    (void)state;
    assert_encodes(cut_value(text_value("abc"), 5000),
                   "{\"text\":\"abc\",\"length\":5000,\"cut\":true}");
    assert_encodes(cut_value(data_value(VALUE_BYTES, "abc", 3), 5000),
                   "{\"bytes\":\"abc\",\"length\":5000,\"cut\":true}");
    assert_encodes(cut_value(data_value(VALUE_TEXT2, lone, 2), 5000),
                   "{\"escaped\":\"a\\\\udc80\",\"length\":5000,\"cut\":true}");
    assert_encodes(subclass_value(text_value("abc"), "S"), "{\"text\":\"abc\",\"type\":\"S\"}");
    assert_encodes(subclass_value(cut_value(text_value("abc"), 9), "S"),
                   "{\"text\":\"abc\",\"type\":\"S\",\"length\":9,\"cut\":true}");
    assert_encodes(subclass_value(data_value(VALUE_BYTES, "abc", 3), "B"),
                   "{\"bytes\":\"abc\",\"type\":\"B\"}");
}

static void test_long_type_names_are_cut(void **state)
{
    struct value value = subclass_value(text_value("x"), NULL);
    char name[1001], expected[256];

    (void)state;
    memset(name, 'n', 1000);
    name[1000] = '\0';
    value.type_name = name;
    (void)snprintf(expected, sizeof(expected), "{\"text\":\"x\",\"type\":\"%.128s\xe2\x80\xa6\"}",
                   name);
    assert_encodes(value, expected);
    memset(name, 1, 1000); /* six bytes each */
    assert_true(record_value_encode(&value, REDACT_NO, expected, sizeof(expected)) == 0);
}

static void test_lists_and_maps(void **state)
{
    struct value inner[2] = {int_value(1), text_value("b")};
    struct value outer[3] = {list_value(inner, 2), none_value(), list_value(NULL, 0)};
    struct value pairs[4] = {text_value("k"), int_value(1), int_value(2), list_value(inner, 2)};

    (void)state;
    assert_encodes(list_value(NULL, 0), "[]");
    assert_encodes(list_value(outer, 3), "[[1,\"b\"],null,[]]");
    assert_encodes(cut_value(list_value(inner, 2), 1000),
                   "{\"items\":[1,\"b\"],\"length\":1000,\"cut\":true}");
    assert_encodes(cut_value(list_value(NULL, 0), 3), "{\"items\":[],\"length\":3,\"cut\":true}");
    assert_encodes(subclass_value(list_value(inner, 2), "Point"),
                   "{\"items\":[1,\"b\"],\"type\":\"Point\"}");
    assert_encodes(map_value(NULL, 0), "{\"map\":[]}");
    assert_encodes(map_value(pairs, 2), "{\"map\":[[\"k\",1],[2,[1,\"b\"]]]}");
    assert_encodes(cut_value(map_value(pairs, 1), 70),
                   "{\"map\":[[\"k\",1]],\"length\":70,\"cut\":true}");
}

static void test_nesting_has_an_end(void **state)
{
    struct value levels[40];

    (void)state;
    levels[0] = int_value(1);
    for (size_t i = 1; i < COUNT(levels); i++)
        levels[i] = list_value(&levels[i - 1], 1);
    assert_encodes(levels[8], "[[[[[[[[1]]]]]]]]");
    assert_encodes(levels[9], "[[[[[[[[{\"items\":[],\"length\":1,\"cut\":true}]]]]]]]]");
    assert_encodes(levels[39], "[[[[[[[[{\"items\":[],\"length\":1,\"cut\":true}]]]]]]]]");
}

static void test_secrets(void **state)
{
    struct value pair[2] = {text_value("Authorization"), text_value("Basic c2VjcmV0")};

    (void)state;
    for (int how = 0; how < 2; how++) {
        enum redact redact = how ? REDACT_HIDE : REDACT_SECRET;

        assert_encodes_redacted(text_value("secret"), redact, "{\"redacted\":true,\"length\":6}");
        assert_encodes_redacted(cut_value(data_value(VALUE_BYTES, "secret", 6), 70), redact,
                                "{\"redacted\":true,\"length\":70}");
        assert_encodes_redacted(subclass_value(text_value("secret"), "S"), redact,
                                "{\"redacted\":true,\"length\":6}");
        assert_encodes_redacted(map_value(pair, 1), redact, "{\"redacted\":true,\"length\":1}");
        assert_encodes_redacted(int_value(4711), redact, "{\"redacted\":true}");
        assert_encodes_redacted(float_value(4711), redact, "{\"redacted\":true}");
        assert_encodes_redacted(none_value(), redact, "null");
        assert_encodes_redacted((struct value){.kind = VALUE_OPAQUE, .type_name = "io.BytesIO"},
                                redact, "{\"redacted\":true,\"type\":\"io.BytesIO\"}");
    }
}

static void test_program_text(void **state)
{
    struct value tree = {.kind = VALUE_OPAQUE, .type_name = "Module"};

    (void)state;
    assert_encodes_redacted(text_value("import os"), REDACT_CODE,
                            "{\"redacted\":true,\"length\":9}");
    assert_encodes_redacted(none_value(), REDACT_CODE, "null");
    assert_encodes_redacted(tree, REDACT_CODE, "{\"type\":\"Module\",\"id\":\"0x0\"}");
}

static void test_environment(void **state)
{
    static const uint16_t wide[] = {0x416, '=', 's'};
    struct value pairs[4] = {text_value("PATH"), text_value("/bin"),
                             data_value(VALUE_BYTES, "TOKEN", 5), text_value("secret")};
    struct value list[6] = {data_value(VALUE_BYTES, "PATH=/bin", 9), text_value("TOKEN=secret=x"),
                            text_value("secret without a name"),     text_value("=C:=C:\\secret"),
                            data_value(VALUE_TEXT2, wide, 3),        int_value(5)};

    (void)state;
    assert_encodes_redacted(map_value(pairs, 2), REDACT_ENV,
                            "{\"names\":[\"PATH\",{\"bytes\":\"TOKEN\"}],\"redacted\":true}");
    assert_encodes_redacted(
        list_value(list, 6), REDACT_ENV,
        "{\"names\":[{\"bytes\":\"PATH\"},\"TOKEN\",{\"redacted\":true,\"length\":21},\"=C:\","
        "\"\xd0\x96\",{\"redacted\":true}],\"redacted\":true}");
    assert_encodes_redacted(cut_value(map_value(pairs, 1), 80), REDACT_ENV,
                            "{\"names\":[\"PATH\"],\"redacted\":true,\"length\":80,\"cut\":true}");
    assert_encodes_redacted(none_value(), REDACT_ENV, "null");
    assert_encodes_redacted(text_value("TOKEN=secret"), REDACT_ENV,
                            "{\"redacted\":true,\"length\":12}");
    assert_encodes_redacted((struct value){.kind = VALUE_OPAQUE, .type_name = "os._Environ"},
                            REDACT_ENV, "{\"type\":\"os._Environ\",\"id\":\"0x0\"}");
}

static void test_urls(void **state)
{
    static const struct {
        const char *url, *expected;
    } cases[] = {
        {"https://example.org/", "\"https://example.org/\""},
        {"https://user:secret@example.org/a", "\"https://user:***@example.org/a\""},
        {"https://user:sec@ret@example.org/a", "\"https://user:***@example.org/a\""},
        {"https://user:sec:ret@example.org", "\"https://user:***@example.org\""},
        {"https://:secret@example.org", "\"https://:***@example.org\""},
        {"https://user:@example.org", "\"https://user:***@example.org\""},
        {"https://user@example.org:80/", "\"https://user@example.org:80/\""},
        {"https://example.org:80/?a=b@c", "\"https://example.org:80/?a=b@c\""},
        {"https://example.org:80#:x@y", "\"https://example.org:80#:x@y\""},
        {"//user:secret@example.org", "\"//user:***@example.org\""},
        {"///user:secret@example.org", "\"///user:***@example.org\""},
        {"http://a:s@b/http://c:secret@d", "\"http://a:***@b/http://c:***@d\""},
        {"mailto:user@example.org", "\"mailto:user@example.org\""},
        {"", "\"\""},
        {"//", "\"//\""},
        {"http://a:\"@b", "\"http://a:***@b\""},
    };
    struct value nested[2] = {text_value("x"), text_value("ftp://u:secret@h")};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_encodes_redacted(text_value(cases[i].url), REDACT_URL, cases[i].expected);
    assert_encodes_redacted(list_value(nested, 2), REDACT_URL, "[\"x\",\"ftp://u:***@h\"]");
    assert_encodes_redacted(data_value(VALUE_BYTES, "ftp://u:\xff@h", 11), REDACT_URL,
                            "{\"bytes\":\"ftp://u:***@h\"}");
    /* A host may come with a user. */
    assert_encodes_redacted(text_value("bob:secret@example.org"), REDACT_HOST,
                            "\"bob:***@example.org\"");
    assert_encodes_redacted(text_value("bob:secret@example.org"), REDACT_URL,
                            "\"bob:secret@example.org\"");
    assert_encodes_redacted(text_value("example.org"), REDACT_HOST, "\"example.org\"");
    assert_encodes_redacted(text_value("fe80::1%eth0"), REDACT_HOST, "\"fe80::1%eth0\"");
    assert_encodes_redacted(text_value("bob@example.org:80"), REDACT_HOST,
                            "\"bob@example.org:80\"");
    assert_encodes_redacted(text_value("a:b@c//d:e@f"), REDACT_HOST, "\"a:***@c//d:***@f\"");
    /* The "@" may be behind the cut. */
    assert_encodes_redacted(cut_value(text_value("ftp://u:secr"), 90), REDACT_URL,
                            "{\"text\":\"ftp://u:***\",\"length\":90,\"cut\":true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_latin1_code_point),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_every_byte_of_utf8_and_bytes),
        cmocka_unit_test(test_special_character_anywhere),
        cmocka_unit_test(test_random_texts_as_the_reference),
        cmocka_unit_test(test_lone_surrogates),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_bytes_tell_two_inputs_apart),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_floats_do_not_follow_the_locale),
        cmocka_unit_test(test_small_kinds),
        cmocka_unit_test(test_cut_and_subclass),
        cmocka_unit_test(test_long_type_names_are_cut),
        cmocka_unit_test(test_lists_and_maps),
        cmocka_unit_test(test_nesting_has_an_end),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_program_text),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
