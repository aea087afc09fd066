/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the encoder writes, the parser reads back; what differs from it in any one byte is either
 * refused or the encoding of something else.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stage1/handover.h"
#include "stage1/handover_encode.h"
#include "stage1/handover_parse.h"

static const struct handover_source SOURCE = {
    .minor = "3.11",
    .prefix = "/opt/x",
    .executable = "/opt/x/bin/spython3.11",
    .execfn = "venv/bin/python",
    .first_argument = "app.py",
    .removed = "LD_PRELOAD=GCONV_PATH",
};

static char value[HANDOVER_VALUE_MAX + 1024];

static size_t encode(const struct handover_source *source)
{
    struct text t;

    text_init(&t, value, sizeof(value));
    handover_encode(source, &t);
    assert_false(t.cut);
    return t.len;
}

/* Parses an exact copy on the heap, where a sanitizer sees every byte too far. */
static int parse_copy(const char *data, size_t len, struct handover *ret, char **ret_copy)
{
    char *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, data, len);
    *ret_copy = copy;
    return handover_parse(copy, len, ret);
}

static int parse_text(const char *text)
{
    struct handover h;
    char *copy;
    int r = parse_copy(text, strlen(text), &h, &copy);

    free(copy);
    return r;
}

static void assert_text(struct handover_text t, const char *expected)
{
    assert_int_equal(t.len, strlen(expected));
    assert_memory_equal(t.data, expected, t.len);
}

static void test_written_form(void **state)
{
    (void)state;
    (void)encode(&SOURCE);
    assert_string_equal(value, "1:1,4:3.11,6:/opt/x,22:/opt/x/bin/spython3.11,15:venv/bin/python,"
                               "1:r,6:app.py,21:LD_PRELOAD=GCONV_PATH,1:0,");
}

static void test_round_trip(void **state)
{
    struct handover_source source = SOURCE;
    struct handover h;

    (void)state;
    assert_int_equal(handover_parse(value, encode(&source), &h), 0);
    assert_text(h.minor, "3.11");
    assert_text(h.prefix, "/opt/x");
    assert_text(h.executable, "/opt/x/bin/spython3.11");
    assert_text(h.execfn, "venv/bin/python");
    assert_text(h.first_argument, "app.py");
    assert_text(h.removed, "LD_PRELOAD=GCONV_PATH");
    assert_int_equal(h.guard, HANDOVER_GUARD_REPLACED);
    assert_false(h.removed_cut);
    assert_false(h.second_pass);

    source = (struct handover_source){.minor = "3.8",
                                      .prefix = "",
                                      .executable = "/bin/spython3.8",
                                      .execfn = "",
                                      .removed = "",
                                      .second_pass = true};
    assert_int_equal(handover_parse(value, encode(&source), &h), 0);
    assert_text(h.prefix, "");
    assert_text(h.first_argument, "");
    assert_int_equal(h.guard, HANDOVER_GUARD_INSERTED);
    assert_true(h.second_pass);
}

static void test_encode_does_not_overflow(void **state)
{
    size_t whole = encode(&SOURCE);

    (void)state;
    for (size_t cap = 1; cap <= whole + 1; cap++) {
        char *small = malloc(cap);
        struct text t;

        assert_non_null(small);
        text_init(&t, small, cap);
        handover_encode(&SOURCE, &t);
        assert_int_equal(t.cut, cap <= whole);
        free(small);
    }
}

static void test_cut_anywhere(void **state)
{
    size_t whole = encode(&SOURCE);

    (void)state;
    for (size_t len = 0; len < whole; len++) {
        struct handover h;
        char *copy;

        memset(&h, 0xff, sizeof(h));
        assert_int_equal(parse_copy(value, len, &h, &copy), -EBADMSG);
        assert_int_equal(h.guard, HANDOVER_GUARD_NONE);
        assert_null(h.prefix.data);
        free(copy);
    }
    value[whole] = 'x';
    {
        struct handover h;

        assert_int_equal(handover_parse(value, whole + 1, &h), -EBADMSG);
    }
}

static void check_reencodes(const struct handover *h, const char *data, size_t len);

static void test_every_byte_changed(void **state)
{
    size_t whole = encode(&SOURCE), accepted = 0;

    (void)state;
    for (size_t i = 0; i < whole; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct handover h;
            char *copy;
            int r;

            value[i] = (char)(value[i] ^ 1 << bit);
            r = parse_copy(value, whole, &h, &copy);
            if (r == 0) {
                accepted++;
                check_reencodes(&h, copy, whole);
            } else {
                assert_int_equal(r, -EBADMSG);
            }
            free(copy);
            value[i] = (char)(value[i] ^ 1 << bit);
        }
    }
    assert_true(accepted > 0); /* other bytes in execfn, the first argument, a name */
}

static char *copy_of(struct handover_text t, const char *end)
{
    char *s = malloc(t.len + strlen(end) + 1);

    assert_non_null(s);
    if (t.len)
        memcpy(s, t.data, t.len);
    memcpy(s + t.len, end, strlen(end) + 1);
    return s;
}

static void check_reencodes(const struct handover *h, const char *data, size_t len)
{
    static char again[HANDOVER_VALUE_MAX + 1];
    char *texts[] = {
        copy_of(h->minor, ""),          copy_of(h->prefix, ""),
        copy_of(h->executable, ""),     copy_of(h->execfn, ""),
        copy_of(h->first_argument, ""), copy_of(h->removed, h->removed_cut ? "=" : "")};
    struct handover_source source = {texts[0],
                                     texts[1],
                                     texts[2],
                                     texts[3],
                                     h->guard == HANDOVER_GUARD_REPLACED ? texts[4] : NULL,
                                     texts[5],
                                     h->second_pass};
    struct text t;

    text_init(&t, again, sizeof(again));
    handover_encode(&source, &t);
    assert_false(t.cut);
    assert_int_equal(t.len, len);
    assert_memory_equal(again, data, len);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
}

#define HEAD "1:1,4:3.11,1:/,17://bin/spython3.11,1:x,"

static void test_odd_values(void **state)
{
    static const char *const good[] = {
        HEAD "1:r,2:ab,0:,1:0,", HEAD "1:i,0:,0:,1:1,",    HEAD "1:i,0:,1:=,1:0,",
        HEAD "1:i,0:,2:A=,1:0,", HEAD "1:i,0:,3:A=B,1:0,", HEAD "1:i,0:,4:A=B=,1:0,",
    };
    static const char *const bad[] = {
        "",
        ",",
        "1:1,",
        "1:2,4:3.11,1:/,17:/"
        "/bin/spython3.11,1:x,1:i,0:,0:,1:0,",
        "01:1,4:3.11,1:/,17:/"
        "/bin/spython3.11,1:x,1:i,0:,0:,1:0,",
        "1:1,4:3.01,1:/,17:/"
        "/bin/spython3.01,1:x,1:i,0:,0:,1:0,",
        "1:1,2:3.,1:/,15:/"
        "/bin/spython3.,1:x,1:i,0:,0:,1:0,",
        "1:1,4:3.11,1:/,16:/bin/spython3.11,1:x,1:i,0:,0:,1:0,",
        "1:1,4:3.11,1:x,17:x/bin/spython3.11,1:x,1:i,0:,0:,1:0,",
        "1:1,4:3.11,0:,16:/bin/spython3.12,1:x,1:i,0:,0:,1:0,",
        HEAD "1:r,1:a,0:,1:0,", /* too short to have been replaced */
        HEAD "1:r,0:,0:,1:0,",
        HEAD "1:i,2:ab,0:,1:0,",
        HEAD "1:x,0:,0:,1:0,",
        HEAD "0:,0:,0:,1:0,",
        HEAD "1:i,0:,2:=A,1:0,", /* names that are empty */
        HEAD "1:i,0:,2:==,1:0,",
        HEAD "1:i,0:,4:A==B,1:0,",
        HEAD "1:i,0:,3:A==,1:0,",
        HEAD "1:i,0:,0:,1:2,",
        HEAD "1:i,0:,0:,0:,",
        HEAD "1:i,0:,0:,1:0",
        HEAD "1:i,0:,0:,1:0,,",
        HEAD "1:i,0:,0:,1:0,1:x,",
        HEAD "1:i,0:,0:,9999999999999999999999:0,",
        HEAD "1:i,0:,0:,18446744073709551617:0,",
        HEAD "1:i,0:,0:,999999:0,",
        HEAD "1:i,0:,0:,-1:0,",
        HEAD "1:i,0:,0:,+1:0,",
        HEAD "1:i,0:,0:, 1:0,",
        HEAD "1:i,0:,0:,:0,",
        HEAD "1;i,0:,0:,1:0,",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(parse_text(good[i]), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse_text(bad[i]), -EBADMSG);
}

static void test_nul_inside(void **state)
{
    static const char text[] = HEAD "1:r,3:a\0b,0:,1:0,";
    struct handover h;

    (void)state;
    assert_int_equal(handover_parse(text, sizeof(text) - 1, &h), -EBADMSG);
}

static void test_limits(void **state)
{
    static char first[HANDOVER_ARGUMENT_MAX + 2], removed[HANDOVER_REMOVED_MAX + 2];
    static char execfn[HANDOVER_VALUE_MAX + 1];
    struct handover_source source = SOURCE;
    struct handover h;

    (void)state;
    memset(first, 'a', sizeof(first) - 2);
    source.first_argument = first;
    assert_int_equal(handover_parse(value, encode(&source), &h), 0);
    first[HANDOVER_ARGUMENT_MAX] = 'a';
    assert_int_equal(handover_parse(value, encode(&source), &h), -EBADMSG);
    source = SOURCE;
    memset(removed, 'A', sizeof(removed) - 2);
    source.removed = removed;
    assert_int_equal(handover_parse(value, encode(&source), &h), 0);
    removed[HANDOVER_REMOVED_MAX] = 'A';
    assert_int_equal(handover_parse(value, encode(&source), &h), -EBADMSG);
    source = SOURCE;
    memset(execfn, 'x', sizeof(execfn) - 1);
    source.execfn = execfn;
    assert_int_equal(handover_parse(value, encode(&source), &h), -EBADMSG);
}

static void test_removed_names(void **state)
{
    static const struct {
        const char *list, *names[4];
        bool cut;
    } rows[] = {
        {"", {NULL}, false},
        {"=", {NULL}, true},
        {"A", {"A", NULL}, false},
        {"A=", {"A", NULL}, true},
        {"A=BB=C", {"A", "BB", "C", NULL}, false},
        {"A=BB=", {"A", "BB", NULL}, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct handover_source source = SOURCE;
        struct handover_text name;
        struct handover h;
        size_t at = 0, n = 0;

        source.removed = rows[i].list;
        assert_int_equal(handover_parse(value, encode(&source), &h), 0);
        assert_int_equal(h.removed_cut, rows[i].cut);
        while (handover_next_removed(&h, &at, &name)) {
            assert_non_null(rows[i].names[n]);
            assert_text(name, rows[i].names[n++]);
        }
        assert_null(rows[i].names[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_form),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_encode_does_not_overflow),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_every_byte_changed),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_nul_inside),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_removed_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
