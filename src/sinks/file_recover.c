/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/file_recover.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sinks/put.h"

/* Twice the longest record: a line that does not fit is not one of ours. */
#define BLOCK 131072

struct tail {
    const char *member; /* what a line of ours contains; NULL: every line is ours */
    size_t member_len;
    int to;
    uint64_t lines;
    bool broken; /* `to` takes no more */
};

static void take_line(struct tail *tail, const char *line, size_t len)
{
    if (tail->broken || len <= 1)
        return;
    if (tail->member && !memmem(line, len, tail->member, tail->member_len))
        return;
    if (tail->to >= 0) {
        struct put put = {.fd = tail->to, .newline = tail->member != NULL};
        size_t done;

        tail->broken = put_all(&put, line, len, &done) < 0;
    }
    if (!tail->broken)
        tail->lines++;
}

uint64_t file_recover_tail(int from, off_t start, const char *session, int to)
{
    char member[96];
    struct tail tail = {.to = to};
    CLEANUP_FREE char *block = malloc(BLOCK);
    size_t held = 0;
    off_t at = start > 0 ? start - 1 : 0;
    bool skipping = start > 0; /* to the end of the line that `start` may lie in */

    if (!block)
        return 0;
    if (session) {
        (void)snprintf(member, sizeof(member), "\"session\":\"%.64s\"", session);
        tail.member = member;
        tail.member_len = strlen(member);
    }
    for (;;) {
        ssize_t n = pread(from, block + held, BLOCK - held, at);
        char *line = block, *end;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += n;
        held += (size_t)n;
        while ((end = memchr(line, '\n', held - (size_t)(line - block)))) {
            if (!skipping)
                take_line(&tail, line, (size_t)(end + 1 - line));
            skipping = false;
            line = end + 1;
        }
        held -= (size_t)(line - block);
        memmove(block, line, held);
        if (held == BLOCK) {
            held = 0;
            skipping = true;
        }
    }
    return tail.lines;
}
