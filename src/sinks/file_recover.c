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

struct member {
    char text[96]; /* what a record of the session contains */
    size_t len;    /* 0: every line counts */
};

/* Returns false if the target takes no more. */
static bool take_line(struct file_recover *recover, const struct member *member, const char *line,
                      size_t len)
{
    if (len <= 1 || (member->len && !memmem(line, len, member->text, member->len)))
        return true;
    if (recover->to >= 0) {
        struct put put = {.fd = recover->to, .newline = member->len > 0};
        size_t done;

        if (put_all(&put, line, len, &done) < 0)
            return false;
    }
    recover->lines++;
    if (recover->record && len == recover->record_len && memcmp(line, recover->record, len) == 0)
        recover->record_found = true;
    return true;
}

void file_recover_tail(struct file_recover *recover)
{
    CLEANUP_FREE char *block = malloc(BLOCK);
    struct member member = {.len = 0};
    size_t held = 0;
    off_t at = recover->start > 0 ? recover->start - 1 : 0;
    bool skipping = recover->start > 0; /* to the end of the line that `start` may lie in */

    if (!block)
        return;
    if (recover->session)
        member.len = (size_t)snprintf(member.text, sizeof(member.text), "\"session\":\"%.64s\"",
                                      recover->session);
    for (;;) {
        ssize_t n = pread(recover->from, block + held, BLOCK - held, at);
        char *line = block, *end;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += n;
        held += (size_t)n;
        while ((end = memchr(line, '\n', held - (size_t)(line - block)))) {
            if (!skipping && !take_line(recover, &member, line, (size_t)(end + 1 - line)))
                return;
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
}
