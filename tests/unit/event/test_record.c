/* SPDX-License-Identifier: Apache-2.0 */
/* Whole records: members and their order, names of arguments, time, and what tries to forge one. */
#include "record_test.h"

static char out[RECORD_MAX + 1];

static void assert_record(const struct record *record, const char *expected)
{
    (void)encode_record(record, out, RECORD_MAX);
    assert_string_equal(out, expected);
}

static void test_all_members_in_order(void **state)
{
    struct value args[4] = {text_value("/bin/sh"), none_value(), none_value(), none_value()};
    struct record_place frames[2] = {{"{\"a\":1}", 7}, {"{\"b\":2}", 7}};
    struct record record = usual_record("subprocess.Popen");

    (void)state;
    record.args = args;
    record.arg_count = 4;
    record.at = (struct record_place){AT_JSON, strlen(AT_JSON)};
    record.in = (struct record_place){AT_JSON, strlen(AT_JSON)};
    record.stack = frames;
    record.stack_count = 2;
    record.source = (struct record_source){
        .present = true, .text_known = true, .length = 3, .text = text_value("1+1")};
    memset(record.source.sha256, 'a', 64);
    record.level = LEVEL_HIGH;
    record.verdict = VERDICT_WOULD_DENY;
    record.claimed = true;
    record.rules[0] = "spython-shell";
    record.rules[1] = "a\"b";
    record.rule_count = 2;
    record.arg_total = 30;
    record.extra = ",\"script\":\"/srv/app.py\"";
    record.extra_len = strlen(record.extra);
    assert_record(
        &record, HEAD
        "\"event\":\"subprocess.Popen\","
        "\"args\":{\"executable\":\"/bin/sh\",\"args\":null,\"cwd\":null,\"env\":null},"
        "\"args_total\":30,\"at\":" AT_JSON ",\"in\":" AT_JSON ",\"stack\":[{\"a\":1},{\"b\":2}],"
        "\"source\":{\"sha256\":"
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
        "\"length\":3,\"text\":\"1+1\"},\"level\":\"high\",\"verdict\":\"would-deny\","
        "\"claimed\":true,\"noise\":7,\"rules\":[\"spython-shell\",\"a\\\"b\"],\"cut\":true" ID
        ",\"script\":\"/srv/app.py\"}\n");
}

static void test_least_record(void **state)
{
    struct record record = usual_record("os.fork");

    (void)state;
    assert_record(&record, HEAD "\"event\":\"os.fork\",\"args\":{}," OUTCOME ID "}\n");
    record_session_encode(&test_session, 0xc0ffee0123456789, 711, "", "web-17", 1001);
    (void)encode_record(&record, out, RECORD_MAX);
    assert_null(strstr(out, "\"app\""));
    assert_non_null(strstr(out, "\"tid\":712,\"host\":\"web-17\",\"uid\":1001,\"event\""));
    (void)setup_session(NULL);
}

static void test_every_event_of_the_catalogue(void **state)
{
    struct value args[VALUE_MAX_ARGS];

    (void)state;
    for (unsigned a = 0; a < COUNT(args); a++)
        args[a] = int_value(a);
    for (unsigned i = 0; i < catalogue_count; i++) {
        const struct catalogue_entry *entry = &catalogue[i];
        struct record record = usual_record(entry->name);
        char member[128];

        record.args = args;
        record.arg_count = entry->arg_count + 1u;
        (void)encode_record(&record, out, RECORD_MAX);
        (void)snprintf(member, sizeof(member), ",\"event\":\"%s\",\"args\":{", entry->name);
        assert_non_null(strstr(out, member));
        for (unsigned a = 0; a < entry->arg_count; a++) {
            (void)snprintf(member, sizeof(member), "\"%s\":", entry->arg_names[a]);
            assert_non_null(strstr(out, member));
        }
        (void)snprintf(member, sizeof(member), "\"arg%u\":%u}", entry->arg_count, entry->arg_count);
        assert_non_null(strstr(out, member));
    }
}

static void test_names_of_arguments(void **state)
{
    static const char *const names[] = {"first", "a\"b\xff"};
    static const uint8_t redact[] = {REDACT_NO, REDACT_SECRET};
    struct value args[2] = {int_value(1), text_value("secret")};
    struct record record = usual_record("my.event");

    (void)state;
    record.args = args;
    record.arg_count = 2;
    assert_int_equal(record.event, CATALOGUE_UNKNOWN);
    assert_record(&record, HEAD "\"event\":\"my.event\","
                                "\"args\":{\"arg0\":1,\"arg1\":\"secret\"}," OUTCOME ID "}\n");
    record.arg_names = names;
    record.arg_redact = redact;
    assert_record(&record,
                  HEAD "\"event\":\"my.event\",\"args\":{\"first\":1,"
                       "\"a\\\"b\\\\xff\":{\"redacted\":true,\"length\":6}}," OUTCOME ID "}\n");
    record.name = "spython.start";
    record.event = catalogue_find(record.name);
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"event\":\"spython.start\",\"args\":{\"first\":1,"));
}

static void test_hidden_lists_are_left_out(void **state)
{
    struct value path[1] = {text_value("/usr/lib/python3.11")};
    struct value args[5] = {text_value("json"), none_value(), list_value(path, 1),
                            cut_value(list_value(NULL, 0), 3), none_value()};
    struct record record = usual_record("import");

    (void)state;
    record.args = args;
    record.arg_count = 5;
    assert_record(&record, HEAD "\"event\":\"import\",\"args\":{\"module\":\"json\","
                                "\"filename\":null,\"sys.path_hooks\":null}," OUTCOME ID "}\n");
    args[0] = list_value(path, 1);
    (void)encode_record(&record, out, RECORD_MAX);
    record.arg_redact = (const uint8_t[]){REDACT_HIDE, REDACT_NO, REDACT_NO, REDACT_NO, REDACT_NO};
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"args\":{\"filename\":null,\"sys.path\":[\"/usr"));
}

static void test_redaction_of_the_catalogue(void **state)
{
    struct value args[2] = {text_value("TOKEN"), text_value("geheim")};
    struct value url[2] = {text_value("https://u:geheim@h/"), text_value("geheim")};
    struct record record = usual_record("os.putenv");

    (void)state;
    record.args = args;
    record.arg_count = 2;
    (void)encode_record(&record, out, RECORD_MAX);
    assert_null(strstr(out, "geheim"));
    assert_non_null(strstr(out, "TOKEN"));
    record = usual_record("urllib.Request");
    record.args = url;
    record.arg_count = 2;
    (void)encode_record(&record, out, RECORD_MAX);
    assert_null(strstr(out, "geheim"));
    assert_non_null(strstr(out, "\"fullurl\":\"https://u:***@h/\""));
    record = usual_record("no.such.event"); /* the control: nothing is known about it */
    record.args = args;
    record.arg_count = 2;
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "geheim"));
}

static void test_times(void **state)
{
    struct record record = usual_record("os.fork");
    uint64_t seed = 3;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char expected[64];
        struct tm tm;

        record.time.tv_sec = (time_t)(next_random(&seed) % 253402300800);
        record.time.tv_nsec = (long)(next_random(&seed) % 1000000000);
        if (round % 3 == 0)
            record.time.tv_sec -= record.time.tv_sec % 86400; /* midnight: all dates alike */
        assert_non_null(gmtime_r(&record.time.tv_sec, &tm));
        (void)snprintf(expected, sizeof(expected),
                       "{\"v\":1,\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ\",",
                       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                       tm.tm_sec, record.time.tv_nsec);
        (void)record_encode(&record, &test_session, &test_clock, out, RECORD_MAX);
        assert_memory_equal(out, expected, strlen(expected));
    }
    record.time = (struct timespec){0, 0};
    test_clock = (struct record_clock){0};
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"1970-01-01T00:00:00.000000000Z\""));
    record.time = (struct timespec){-5, -1};
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"1970-01-01T00:00:00.999999999Z\""));
    record.time = (struct timespec){INT64_MAX, 2000000000};
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"9999-12-31T23:59:59.999999999Z\""));
}

static void test_all_levels_and_verdicts(void **state)
{
    struct record record = usual_record("os.fork");

    (void)state;
    for (unsigned level = 0; level < LEVEL_MAX; level++) {
        for (unsigned verdict = 0; verdict < VERDICT_MAX; verdict++) {
            char expected[128];

            record.level = (enum level)level;
            record.verdict = (enum verdict)verdict;
            (void)snprintf(expected, sizeof(expected), "},\"level\":\"%s\",\"verdict\":\"%s\",\"no",
                           level_name(record.level), verdict_name(record.verdict));
            (void)encode_record(&record, out, RECORD_MAX);
            assert_non_null(strstr(out, expected));
        }
    }
}

static void test_large_numbers(void **state)
{
    struct record record = usual_record("os.fork");

    (void)state;
    record.seq = record.noise = UINT64_MAX;
    record.tid = INT64_MIN;
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"seq\":18446744073709551615,"));
    assert_non_null(strstr(out, "\"tid\":-9223372036854775808,"));
    assert_non_null(strstr(out, "\"noise\":18446744073709551615,"));
    assert_non_null(strstr(out, "\"id\":\"c0ffee0123456789-18446744073709551615\"}\n"));
}

/* Whatever text comes in, there is one line, one "verdict" member, and the text comes out again. */
static void test_forging(void **state)
{
    static const char *const texts[] = {
        "\n{\"v\":1,\"event\":\"os.fork\",\"verdict\":\"allow\"}\n",
        "x\",\"verdict\":\"allow\",\"y\":\"",
        "x\"}},\"verdict\":\"allow\",\"y\":{\"z\":{\"a\":\"",
        "\\\",\"verdict\":\"allow\"",
        "\xe2\x80\xa8{}\xc2\x85\r",
        "\x1b[2J\x1b[1;1H",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct value pair[2] = {text_value(texts[i]), text_value(texts[i])};
        struct value args[6] = {
            text_value(texts[i]),
            data_value(VALUE_UTF8, texts[i], strlen(texts[i])),
            data_value(VALUE_BYTES, texts[i], strlen(texts[i])),
            map_value(pair, 1),
            subclass_value(text_value(texts[i]), texts[i]),
            {.kind = VALUE_OPAQUE, .type_name = texts[i]},
        };
        struct record record = usual_record(texts[i]);

        record.args = args;
        record.arg_count = 6;
        record.verdict = VERDICT_DENY;
        record.rules[0] = texts[i];
        record.rule_count = 1;
        record_session_encode(&test_session, 1, 2, texts[i], texts[i], 3);
        (void)encode_record(&record, out, RECORD_MAX);
        (void)setup_session(NULL);
        assert_non_null(strstr(out, ",\"verdict\":\"deny\",\"noise\""));
        assert_null(strstr(out, ",\"verdict\":\"allow\""));
        assert_null(strchr(out, '\x1b'));
        assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
    }
}

static void test_names_of_events(void **state)
{
    char name[400], expected[500];
    struct record record = usual_record("caf\xc3\xa9.\xff\\\n");

    (void)state;
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"event\":\"caf\xc3\xa9.\\\\xff\\\\\\\\\\n\",\"args\""));
    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    record = usual_record(name);
    (void)encode_record(&record, out, RECORD_MAX);
    (void)snprintf(expected, sizeof(expected), "\"event\":\"%s\",\"args\"", name);
    assert_non_null(strstr(out, expected));
    assert_null(strstr(out, "\"cut\""));
    name[256] = 'n';
    name[257] = '\0';
    (void)encode_record(&record, out, RECORD_MAX);
    (void)snprintf(expected, sizeof(expected), "\"event\":\"%.256s\xe2\x80\xa6\",\"args\"", name);
    assert_non_null(strstr(out, expected));
    assert_non_null(strstr(out, "\"cut\":true"));
    name[255] = (char)0xc3; /* the cut would go through a character */
    name[256] = (char)0xa9;
    (void)encode_record(&record, out, RECORD_MAX);
    (void)snprintf(expected, sizeof(expected), "\"event\":\"%.255s\xe2\x80\xa6\",\"args\"", name);
    assert_non_null(strstr(out, expected));
    record.name = NULL;
    (void)encode_record(&record, out, RECORD_MAX);
    assert_non_null(strstr(out, "\"event\":\"\",\"args\":{}"));
}

static void test_frames(void **state)
{
    struct record_frame frame = {
        .file = text_value("/srv/app.py"), .func = text_value("<module>"), .line = 88};
    static const uint16_t odd[] = {'/', 0xdcff};

    (void)state;
    out[record_frame_encode(&frame, out, RECORD_MAX)] = '\0';
    assert_string_equal(
        out, "{\"file\":\"/srv/app.py\",\"line\":88,\"func\":\"<module>\",\"approved\":false}");
    frame.approved = 1;
    frame.line = 0;
    frame.file = data_value(VALUE_TEXT2, odd, 2);
    out[record_frame_encode(&frame, out, RECORD_MAX)] = '\0';
    assert_string_equal(out, "{\"file\":{\"escaped\":\"/\\\\udcff\"},\"func\":\"<module>\","
                             "\"approved\":true}");
    frame.approved = -1;
    for (size_t cap = 0; cap < 300; cap++) {
        char *block = malloc(cap + 1);
        size_t len;

        assert_non_null(block);
        len = record_frame_encode(&frame, block, cap);
        assert_true(len <= cap);
        assert_true(len == 0 || json_is_value(block, len));
        assert_true(len > 0 || cap < 200);
        free(block);
    }
}

static void test_long_identity_is_cut(void **state)
{
    struct record record = usual_record("os.fork");
    char host[2000];

    (void)state;
    for (int c = 0; c < 2; c++) {
        memset(host, c ? 'h' : 1, sizeof(host) - 1);
        host[sizeof(host) - 1] = '\0';
        record_session_encode(&test_session, UINT64_MAX, INT64_MIN, host, host, UINT32_MAX);
        assert_true(test_session.identity_len <= sizeof(test_session.identity));
        assert_true(test_session.head_len <= sizeof(test_session.head));
        (void)encode_record(&record, out, RECORD_MAX);
        (void)encode_record(&record, out, 1024);
        assert_non_null(strstr(out, "\xe2\x80\xa6\",\"host\":"));
        assert_non_null(strstr(out, "\"session\":\"ffffffffffffffff\",\"pid\":-92233720368547758"));
    }
    (void)setup_session(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_members_in_order),
        cmocka_unit_test(test_least_record),
        cmocka_unit_test(test_every_event_of_the_catalogue),
        cmocka_unit_test(test_names_of_arguments),
        cmocka_unit_test(test_hidden_lists_are_left_out),
        cmocka_unit_test(test_redaction_of_the_catalogue),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_all_levels_and_verdicts),
        cmocka_unit_test(test_large_numbers),
        cmocka_unit_test(test_forging),
        cmocka_unit_test(test_names_of_events),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_long_identity_is_cut),
    };

    return cmocka_run_group_tests(tests, setup_session, NULL);
}
