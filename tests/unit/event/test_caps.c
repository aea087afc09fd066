/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that are too large: never more than the cap, always one line of JSON, always marked, and
 * what matters most is the last to go.
 */
#include "record_test.h"

static char out[RECORD_MAX + 1];
static char long_text[VALUE_MAX_TEXT + 1];

static const size_t caps[] = {1024, 1025, 1100, 1500, 2048, 4096, 10000, 65535, 65536};

static int setup(void **state)
{
    memset(long_text, 'x', VALUE_MAX_TEXT);
    return setup_session(state);
}

static void test_too_small_a_cap(void **state)
{
    struct record record = usual_record("os.fork");

    (void)state;
    for (size_t cap = 0; cap < 1024; cap += 31)
        assert_int_equal(record_encode(&record, &test_session, &test_clock, out, cap), 0);
    assert_true(record_encode(&record, &test_session, &test_clock, out, 1024) > 0);
}

static void test_never_more_than_the_maximum(void **state)
{
    static char large[2 * RECORD_MAX];
    struct value args[VALUE_MAX_ARGS];
    struct record record = usual_record("x");
    size_t len;

    (void)state;
    for (unsigned i = 0; i < COUNT(args); i++)
        args[i] = text_value(long_text);
    record.args = args;
    record.arg_count = COUNT(args);
    len = record_encode(&record, &test_session, &test_clock, large, sizeof(large));
    assert_true(len <= RECORD_MAX && len > RECORD_MAX - 400);
    assert_true(json_is_line(large, len));
}

static void test_one_long_text_is_cut(void **state)
{
    struct value arg = text_value(long_text);
    struct record record = usual_record("os.system");

    (void)state;
    record.args = &arg;
    record.arg_count = 1;
    for (size_t i = 0; i < COUNT(caps); i++) {
        size_t len = encode_record(&record, out, caps[i]);

        if (caps[i] > 5000) {
            assert_null(strstr(out, "\"cut\""));
            continue;
        }
        assert_non_null(strstr(out, "\"args\":{\"command\":{\"text\":\"xxx"));
        assert_non_null(strstr(out, "xxx\",\"length\":4096,\"cut\":true}},\"level\""));
        assert_non_null(strstr(out, ",\"cut\":true,\"id\":"));
        assert_true(len > caps[i] - 250); /* uses what there is */
    }
}

static void test_arguments_go_from_the_end(void **state)
{
    struct value args[VALUE_MAX_ARGS];
    struct record record = usual_record("x");

    (void)state;
    for (unsigned i = 0; i < COUNT(args); i++)
        args[i] = data_value(VALUE_TEXT1, long_text, 100);
    record.args = args;
    record.arg_count = COUNT(args);
    record.arg_total = 1000;
    (void)encode_record(&record, out, 2048);
    assert_non_null(strstr(out, "\"args\":{\"arg0\":\"xxx"));
    assert_null(strstr(out, "\"arg23\":"));
    assert_non_null(strstr(out, "},\"args_total\":1000,\"level\""));
    assert_non_null(strstr(out, ",\"cut\":true,\"id\":"));
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"arg23\":"));
    assert_non_null(strstr(out, "},\"args_total\":1000,\"level\""));
    record.arg_total = COUNT(args);
    (void)encode_record(&record, out, RECORD_MAX);
    assert_null(strstr(out, "\"args_total\""));
    assert_null(strstr(out, "\"cut\""));
}

static void test_lists_are_cut_inside(void **state)
{
    struct value items[VALUE_MAX_ITEMS], outer[2];
    struct record record = usual_record("subprocess.Popen");

    (void)state;
    for (unsigned i = 0; i < COUNT(items); i++)
        items[i] = data_value(VALUE_TEXT1, long_text, 50);
    outer[0] = text_value("sh");
    outer[1] = list_value(items, COUNT(items));
    record.args = outer;
    record.arg_count = 2;
    (void)encode_record(&record, out, 2048);
    assert_non_null(strstr(out, "\"args\":{\"items\":[\"xxx"));
    assert_non_null(strstr(out, "],\"length\":64,\"cut\":true}}"));
    items[2] = text_value(long_text);
    (void)encode_record(&record, out, 2048);
    assert_non_null(strstr(out, "x\",{\"text\":\"xxx"));
    assert_non_null(strstr(out, "\"length\":4096,\"cut\":true}],\"length\":64,\"cut\":true}}"));
    outer[1] = map_value(items, COUNT(items) / 2);
    (void)encode_record(&record, out, 2048);
    assert_non_null(strstr(out, "\"length\":32,\"cut\":true}}"));
}

static void test_secrets_stay_secret_when_cut(void **state)
{
    struct value pairs[VALUE_MAX_ITEMS], args[4];
    struct record record = usual_record("subprocess.Popen");

    (void)state;
    for (unsigned i = 0; i < COUNT(pairs); i += 2) {
        pairs[i] = data_value(VALUE_TEXT1, long_text, 60);
        pairs[i + 1] = text_value("geheim");
    }
    args[0] = args[1] = args[2] = none_value();
    args[3] = map_value(pairs, COUNT(pairs) / 2);
    record.args = args;
    record.arg_count = 4;
    for (size_t cap = 1024; cap < 4096; cap += 7) {
        (void)encode_record(&record, out, cap);
        assert_null(strstr(out, "geheim"));
    }
    assert_non_null(strstr(out, "\"env\":{\"names\":[\"xxx"));
    args[3] = map_value(pairs, COUNT(pairs) / 2);
    record = usual_record("x"); /* the control */
    record.args = args;
    record.arg_count = 4;
    (void)encode_record(&record, out, 4096);
    assert_non_null(strstr(out, "geheim"));
}

static void test_places_and_rules_outlive_arguments(void **state)
{
    struct value arg = text_value(long_text);
    struct record record = usual_record("os.system");

    (void)state;
    record.args = &arg;
    record.arg_count = 1;
    record.at = (struct record_place){AT_JSON, strlen(AT_JSON)};
    record.in = (struct record_place){AT_JSON, strlen(AT_JSON)};
    record.rules[0] = "spython-os-system";
    record.rule_count = 1;
    record.extra = ",\"user\":\"www\"";
    record.extra_len = strlen(record.extra);
    (void)encode_record(&record, out, 1024);
    assert_non_null(strstr(out, ",\"at\":" AT_JSON ",\"in\":" AT_JSON ","));
    assert_non_null(strstr(out, "\"rules\":[\"spython-os-system\"],\"cut\":true"));
    assert_non_null(strstr(out, ",\"user\":\"www\"}\n"));
}

static void test_places_that_are_too_large(void **state)
{
    static char json[RECORD_MAX];
    struct record record = usual_record("os.fork");

    (void)state;
    memset(json, '1', sizeof(json));
    record.at = (struct record_place){json, 60000};
    record.in = (struct record_place){json, 60000};
    record.extra = json;
    record.extra_len = 60000;
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, ",\"at\":111"));
    assert_null(strstr(out, ",\"in\":111"));
    assert_non_null(strstr(out, ",\"cut\":true"));
}

static void test_stack_and_source_keep_their_share(void **state)
{
    static char json[3000];
    struct record_place stack[RECORD_MAX_FRAMES];
    struct value args[VALUE_MAX_ARGS];
    struct record record = usual_record("exec");

    (void)state;
    (void)snprintf(json, sizeof(json), "{\"file\":\"%.2900s\"}", long_text);
    for (unsigned i = 0; i < COUNT(stack); i++)
        stack[i] = (struct record_place){json, (uint32_t)strlen(json)};
    for (unsigned i = 0; i < COUNT(args); i++)
        args[i] = text_value(long_text);
    record.stack = stack;
    record.stack_count = COUNT(stack);
    record.args = args;
    record.arg_count = COUNT(args);
    record.source = (struct record_source){
        .present = true, .text_known = true, .length = 4096, .text = text_value(long_text)};
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"stack\":[{\"file\":\"xxx"));
    assert_non_null(strstr(out, "\"length\":4096,\"text\":\"xxx"));
    assert_non_null(strstr(out, "\"args_total\":24"));
    (void)encode_record(&record, out, 8192);
    assert_non_null(strstr(out, "\"length\":4096,\"text\":{\"text\":\"xxx"));
    (void)encode_record(&record, out, 1024);
    record.source.text_known = false;
    (void)encode_record(&record, out, RECORD_MAX);
    assert_null(strstr(out, "\"length\":4096,\"text\""));
}

/* What stands behind the source keeps its room, however long the text is. */
static void test_source_leaves_room_for_the_rest(void **state)
{
    static char extra[301], rule[201];
    struct record record = usual_record("exec");

    (void)state;
    (void)snprintf(extra, sizeof(extra), ",\"user\":\"%.280s\"", long_text);
    memset(rule, 'r', 200);
    record.extra = extra;
    record.extra_len = strlen(extra);
    for (record.rule_count = 0; record.rule_count < RECORD_MAX_RULES; record.rule_count++)
        record.rules[record.rule_count] = rule;
    record.source = (struct record_source){
        .present = true, .text_known = true, .length = 4096, .text = text_value(long_text)};
    for (size_t cap = 3000; cap < 4000; cap++) {
        (void)encode_record(&record, out, cap);
        assert_non_null(strstr(out, "\"length\":4096,\"text\":{\"text\":\"xxx"));
        assert_non_null(strstr(out, "rrr\"],\"cut\":true,\"id\":"));
        assert_non_null(strstr(out, ",\"user\":\"xxx"));
    }
}

/* Every cap for a record with a bit of everything. */
static void test_every_cap(void **state)
{
    static const uint16_t wide[] = {0xdcff, 0x2028, '"', 0x416};
    struct value inner[3] = {text_value("a\n\"b"), data_value(VALUE_TEXT2, wide, 4), int_value(-1)};
    struct value args[6] = {data_value(VALUE_TEXT1, long_text, 900),
                            list_value(inner, 3),
                            map_value(inner, 1),
                            data_value(VALUE_BYTES, long_text, 300),
                            subclass_value(text_value("x"), "S"),
                            {.kind = VALUE_OPAQUE, .type_name = "T"}};
    struct record_place stack[2] = {{AT_JSON, strlen(AT_JSON)}, {AT_JSON, strlen(AT_JSON)}};
    struct record record = usual_record("x\"y");
    size_t last = 0;

    (void)state;
    record.args = args;
    record.arg_count = 6;
    record.at = record.in = stack[0];
    record.stack = stack;
    record.stack_count = 2;
    record.rules[0] = "one";
    record.rule_count = 1;
    record.source = (struct record_source){.present = true,
                                           .text_known = true,
                                           .length = 700,
                                           .text = data_value(VALUE_TEXT1, long_text, 700)};
    for (size_t cap = 1024; cap < 6000; cap++) {
        size_t len = encode_record(&record, out, cap);
        bool whole = strstr(out, "\"cut\"") == NULL;

        assert_true(!whole || len == last || last == 0);
        last = whole ? len : 0;
    }
    assert_true(last > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_small_a_cap),
        cmocka_unit_test(test_never_more_than_the_maximum),
        cmocka_unit_test(test_one_long_text_is_cut),
        cmocka_unit_test(test_arguments_go_from_the_end),
        cmocka_unit_test(test_lists_are_cut_inside),
        cmocka_unit_test(test_secrets_stay_secret_when_cut),
        cmocka_unit_test(test_places_and_rules_outlive_arguments),
        cmocka_unit_test(test_places_that_are_too_large),
        cmocka_unit_test(test_stack_and_source_keep_their_share),
        cmocka_unit_test(test_source_leaves_room_for_the_rest),
        cmocka_unit_test(test_every_cap),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
