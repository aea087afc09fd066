/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict: everything has exactly one form, so that encoding what was parsed gives the same bytes.
 * What is odd was not written by our first stage, and the core then refuses to go on.
 */
#include "stage1/handover_parse.h"

#include <errno.h>
#include <string.h>

#include "stage1/handover.h"

#define NAME "/bin/spython"
#define NAME_LEN (sizeof(NAME) - 1)

struct cursor {
    const char *at;
    size_t left;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool equals(struct handover_text t, const char *s)
{
    return t.len == strlen(s) && memcmp(t.data, s, t.len) == 0;
}

/* LENGTH ":" BYTES ","; at most 6 digits, so the number cannot overflow. */
static bool take_field(struct cursor *c, struct handover_text *ret)
{
    size_t len = 0, digits = 0;

    while (digits < c->left && digits < 6 && is_digit(c->at[digits]))
        len = len * 10 + (size_t)(c->at[digits++] - '0');
    if (digits == 0 || (digits > 1 && c->at[0] == '0'))
        return false;
    if (digits >= c->left || c->at[digits] != ':')
        return false;
    c->at += digits + 1;
    c->left -= digits + 1;
    if (len >= c->left || c->at[len] != ',' || memchr(c->at, '\0', len))
        return false;
    ret->data = c->at;
    ret->len = len;
    c->at += len + 1;
    c->left -= len + 1;
    return true;
}

static bool is_minor(struct handover_text t)
{
    if (t.len < 3 || t.len > 4 || !is_digit(t.data[0]) || t.data[1] != '.' || !is_digit(t.data[2]))
        return false;
    return t.len == 3 || (t.data[2] != '0' && is_digit(t.data[3]));
}

/* The executable must be where prefix and minor say. */
static bool is_executable_of(const struct handover *h)
{
    const char *p = h->executable.data;

    if (h->prefix.len && h->prefix.data[0] != '/')
        return false;
    return h->executable.len == h->prefix.len + NAME_LEN + h->minor.len &&
           memcmp(p, h->prefix.data, h->prefix.len) == 0 &&
           memcmp(p + h->prefix.len, NAME, NAME_LEN) == 0 &&
           memcmp(p + h->prefix.len + NAME_LEN, h->minor.data, h->minor.len) == 0;
}

static bool read_guard(struct handover_text kind, struct handover *h)
{
    if (equals(kind, "r") && h->first_argument.len >= 2 &&
        h->first_argument.len <= HANDOVER_ARGUMENT_MAX)
        h->guard = HANDOVER_GUARD_REPLACED;
    else if (equals(kind, "i") && h->first_argument.len == 0)
        h->guard = HANDOVER_GUARD_INSERTED;
    return h->guard != HANDOVER_GUARD_NONE;
}

/* Takes the mark of a cut list off and makes sure that no name is empty. */
static bool read_removed(struct handover *h)
{
    struct handover_text *t = &h->removed;

    if (t->len > HANDOVER_REMOVED_MAX)
        return false;
    if (t->len && t->data[t->len - 1] == '=') {
        h->removed_cut = true;
        t->len--;
        if (t->len == 0)
            return true; /* not even the first name fitted */
    }
    for (size_t i = 0; i < t->len; i++) {
        if (t->data[i] == '=' && (i == 0 || i + 1 == t->len || t->data[i - 1] == '='))
            return false;
    }
    return true;
}

static bool parse(struct cursor *c, struct handover *h)
{
    struct handover_text format, kind, pass;

    if (!take_field(c, &format) || !equals(format, HANDOVER_FORMAT))
        return false;
    if (!take_field(c, &h->minor) || !is_minor(h->minor))
        return false;
    if (!take_field(c, &h->prefix) || !take_field(c, &h->executable) || !is_executable_of(h))
        return false;
    if (!take_field(c, &h->execfn))
        return false;
    if (!take_field(c, &kind) || !take_field(c, &h->first_argument) || !read_guard(kind, h))
        return false;
    if (!take_field(c, &h->removed) || !read_removed(h))
        return false;
    if (!take_field(c, &pass) || !(equals(pass, "0") || equals(pass, "1")))
        return false;
    h->second_pass = pass.data[0] == '1';
    return c->left == 0;
}

int handover_parse(const char *value, size_t len, struct handover *ret)
{
    struct cursor c = {value, len};

    memset(ret, 0, sizeof(*ret));
    if (len <= HANDOVER_VALUE_MAX && parse(&c, ret))
        return 0;
    memset(ret, 0, sizeof(*ret));
    return -EBADMSG;
}

bool handover_next_removed(const struct handover *handover, size_t *at, struct handover_text *ret)
{
    const struct handover_text *t = &handover->removed;
    const char *end;

    if (*at >= t->len)
        return false;
    ret->data = t->data + *at;
    end = memchr(ret->data, '=', t->len - *at);
    ret->len = end ? (size_t)(end - ret->data) : t->len - *at;
    *at += ret->len + 1;
    return true;
}
