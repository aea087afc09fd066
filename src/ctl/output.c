/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/problem.h"

static void die_no_memory(void)
{
    static const char text[] = "spythonctl: memory: there is none left (free some and try again)\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)n; /* there is nowhere else to say it */
    _exit(CTL_UNUSABLE);
}

void *must_alloc(size_t size)
{
    void *p = calloc(1, size);

    if (!p)
        die_no_memory();
    return p;
}

void *must_grow(void *p, size_t size)
{
    p = realloc(p, size);
    if (!p)
        die_no_memory();
    return p;
}

char *must_copy(const char *text)
{
    char *p = strdup(text);

    if (!p)
        die_no_memory();
    return p;
}

char *must_vformat(const char *fmt, va_list ap)
{
    char *p;

    if (vasprintf(&p, fmt, ap) < 0)
        die_no_memory();
    return p;
}

char *must_format(const char *fmt, ...)
{
    va_list ap;
    char *p;

    va_start(ap, fmt);
    p = must_vformat(fmt, ap);
    va_end(ap);
    return p;
}

/* Length of the UTF-8 sequence at `p`, and its character; 0 if it is none. */
static size_t utf8_sequence(const unsigned char *p, size_t len, unsigned *ret)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80         ? 1
               : p[0] >> 5 == 0x06 ? 2
               : p[0] >> 4 == 0x0e ? 3
               : p[0] >> 3 == 0x1e ? 4
                                   : 0;
    unsigned c;

    if (n == 0 || n > len)
        return 0;
    c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return n;
}

static bool is_utf8(const unsigned char *p, size_t len)
{
    size_t n;

    for (unsigned c; len > 0; p += n, len -= n) {
        n = utf8_sequence(p, len, &c);
        if (n == 0)
            return false;
    }
    return true;
}

char *out_escape(const char *text, size_t len, bool for_json)
{
    const unsigned char *p = (const unsigned char *)text;
    char *out = must_alloc(len * 4 + 1);
    size_t at = 0;

    if (for_json && is_utf8(p, len)) {
        memcpy(out, text, len);
        return out;
    }
    while (len > 0) {
        unsigned c = 0;
        size_t n = utf8_sequence(p, len, &c);
        bool control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
                       (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);

        if (n == 0 || (control && !for_json)) {
            n = n == 0 ? 1 : n;
            for (size_t i = 0; i < n; i++)
                at += (size_t)snprintf(out + at, 5, "\\x%02x", p[i]);
        } else if (c == '\\' && for_json) {
            out[at++] = '\\';
            out[at++] = '\\';
        } else {
            memcpy(out + at, p, n);
            at += n;
        }
        p += n;
        len -= n;
    }
    out[at] = '\0';
    return out;
}

const char *safe(const char *text)
{
    static char *kept[8];
    static unsigned next;

    next = (next + 1) % 8;
    free(kept[next]);
    kept[next] = out_escape(text, strlen(text), false);
    return kept[next];
}

json_t *json_text(const char *text)
{
    char *escaped = out_escape(text, strlen(text), true);
    json_t *value = json_string(escaped);

    free(escaped);
    if (!value)
        die_no_memory();
    return value;
}

const char *json_member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool is_colored(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
}

void out_word(enum tone tone, const char *text, int width)
{
    static const char *const colors[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[1m"};
    static int colored = -1;

    if (colored < 0)
        colored = is_colored();
    if (colored && tone != TONE_PLAIN)
        printf("%s%-*s\033[0m", colors[tone], width, safe(text));
    else
        printf("%-*s", width, safe(text));
}

void out_json(json_t *value)
{
    (void)json_dumpf(value, stdout, JSON_INDENT(2)); /* main() looks at ferror(stdout) */
    (void)putchar('\n');
    json_decref(value);
}
