/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one record costs in memory: bench_encode [ROUNDS]. Prints the least and the median
 * nanoseconds per record of each case over ROUNDS paired runs (default 30), with an empty loop's
 * cost taken off. Pairing: every round runs every case once, so that a slow spell of the machine
 * hits all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/record.h"

#define RUN 20000
#define ROUNDS_MAX 1000

struct bench_case {
    const char *name;
    struct record record;
    struct value args[12];
    double samples[ROUNDS_MAX];
};

static struct record_session session;
static struct record_clock record_clock;
static struct catalogue_memo memo;
static char out[RECORD_MAX];
static char texts[12][64];
static volatile size_t sink; /* keeps results alive */

static uint64_t now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static struct value text(const char *data, size_t len)
{
    return (struct value){.kind = VALUE_TEXT1, .flags = VALUE_ASCII, .text = {data, len}};
}

static const char at[] = "{\"file\":\"/srv/app/views.py\",\"line\":88,\"func\":\"export\","
                         "\"approved\":true}";
static const char in[] = "{\"file\":\"/usr/lib/python3.11/subprocess.py\",\"line\":1821,"
                         "\"func\":\"_execute_child\"}";

static void case_init(struct bench_case *c, const char *name, const char *event, unsigned count,
                      size_t len)
{
    *c = (struct bench_case){.name = name};
    c->record = (struct record){
        .time = {1795550616, 123456789},
        .seq = 4242,
        .tid = 71123,
        .noise = 98765,
        .name = event,
        .event = catalogue_find(event),
        .args = c->args,
        .arg_count = count,
        .arg_total = count,
        .at = {at, sizeof(at) - 1},
        .in = {in, sizeof(in) - 1},
        .level = LEVEL_INFORMATIONAL,
        .verdict = VERDICT_ALLOW,
    };
    for (unsigned i = 0; i < count; i++)
        c->args[i] = text(texts[i], len);
}

static double run_case(struct bench_case *c)
{
    uint64_t start = now();

    for (unsigned i = 0; i < RUN; i++) {
        c->record.seq++;
        c->record.time.tv_nsec = (long)(i * 977 % 1000000000);
        sink = record_encode(&c->record, &session, &record_clock, out, sizeof(out));
    }
    return (double)(now() - start) / RUN;
}

static double run_find(const char *name, struct catalogue_memo *with)
{
    uint64_t start = now();

    for (unsigned i = 0; i < RUN; i++) {
        __asm__ volatile("" : "+r"(name));
        sink = (size_t)(with ? catalogue_find_memo(with, name) : catalogue_find(name));
    }
    return (double)(now() - start) / RUN;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(const char *name, double *samples, int rounds, size_t bytes)
{
    qsort(samples, (size_t)rounds, sizeof(*samples), compare_doubles);
    printf("%-34s min %7.1f ns   median %7.1f ns   %5zu bytes\n", name, samples[0],
           samples[rounds / 2], bytes);
}

int main(int argc, char **argv)
{
    static struct bench_case cases[6];
    static double found[3][ROUNDS_MAX];
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 30;
    const unsigned count = sizeof(cases) / sizeof(cases[0]);

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_encode [ROUNDS]\n");
        return 2;
    }
    memset(texts, 'x', sizeof(texts));
    record_session_encode(&session, 0xc0ffee0123456789, 711, "shop", "web-17", 1001);
    case_init(&cases[0], "3 args of 32 bytes", "open", 3, 32);
    case_init(&cases[1], "12 args of 23 bytes, unnamed", "bench.event", 12, 23);
    case_init(&cases[2], "no args", "os.fork", 0, 0);
    case_init(&cases[3], "open(path, mode, flags)", "open", 3, 32);
    cases[3].args[1].text.len = 1;
    cases[3].args[2] = (struct value){.kind = VALUE_INT, .i = 524288};
    case_init(&cases[4], "3 args of 32 bytes, no place", "open", 3, 32);
    cases[4].record.at.len = cases[4].record.in.len = 0;
    case_init(&cases[5], "9 args of 23 bytes, named", "code.__new__", 9, 23);

    for (int round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < count; i++)
            cases[i].samples[round] = run_case(&cases[i]);
        found[0][round] = run_find("open", NULL);
        found[1][round] = run_find("object.__getattr__", NULL);
        found[2][round] = run_find("object.__getattr__", &memo);
    }
    for (unsigned i = 0; i < count; i++) {
        size_t len = record_encode(&cases[i].record, &session, &record_clock, out, sizeof(out));

        report(cases[i].name, cases[i].samples, rounds, len);
    }
    report("catalogue_find(open)", found[0], rounds, 0);
    report("catalogue_find(object.__getattr__)", found[1], rounds, 0);
    report("catalogue_find_memo(same)", found[2], rounds, 0);
    fwrite(out, 1, record_encode(&cases[0].record, &session, &record_clock, out, sizeof(out)),
           stderr);
    return 0;
}
