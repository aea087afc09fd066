/* SPDX-License-Identifier: Apache-2.0 */
#include "event/redact.h"

#include "event/value_encode.h"

/* In the authority that begins at unit `start`: does it hold a password, and where? *ret_end is the
 * unit behind the authority. */
static bool find_in_authority(const struct text *text, bool cut, size_t start, size_t *from,
                              size_t *to, size_t *ret_end)
{
    size_t colon = 0, at = 0, j;

    for (j = start; j < text->len; j++) {
        uint32_t c = text_unit(text, j);

        if (c == '/' || c == '?' || c == '#')
            break;
        if (c == '@')
            at = j;
        if (c == ':' && !colon)
            colon = j;
    }
    *ret_end = j;
    if (cut && j == text->len && !at)
        at = j;
    if (!colon || colon >= at)
        return false;
    *from = colon + 1;
    *to = at;
    return true;
}

/* Finds the next password at or behind *from: units [*from, *to). The authority of a URL ends at
 * the first "/", "?" or "#", its user part at the last "@". */
static bool find_password(const struct text *text, bool cut, size_t *from, size_t *to)
{
    for (size_t i = *from; i + 1 < text->len; i++) {
        size_t end;

        if (text_unit(text, i) != '/' || text_unit(text, i + 1) != '/')
            continue;
        if (find_in_authority(text, cut, i + 2, from, to, &end))
            return true;
        if (end > i + 2)
            i = end - 1; /* the next may begin right there */
    }
    return false;
}

char *redact_put_url(char *p, const char *end, const struct text *text, enum text_form form,
                     const struct redact_url *how, bool *ret_whole)
{
    size_t done = 0, unused;

    for (;;) {
        size_t from = done, to = text->len, used;
        bool found =
            (done == 0 && how->is_host && find_in_authority(text, false, 0, &from, &to, &unused)) ||
            find_password(text, how->is_cut, &from, &to);
        struct text piece = text_slice(text, done, found ? from : text->len);

        p = text_escape(p, end, &piece, form, &used);
        *ret_whole = used == piece.len;
        if (!*ret_whole || !found)
            return p;
        if (end - p < 3) {
            *ret_whole = false;
            return p;
        }
        memcpy(p, "***", 3);
        p += 3;
        done = to;
    }
}

char *redact_put_env_name(char *p, char *end, const struct value *value)
{
    struct value name = *value;
    struct text text;

    if (value->kind < VALUE_TEXT1 || value->kind > VALUE_BYTES)
        return value_put(p, end, value, REDACT_SECRET, VALUE_FIT_WHOLE);
    text = (struct text){value->text.data, value->text.len, (enum value_kind)value->kind};
    /* Windows has variables whose names begin with "=". */
    for (size_t i = 1; i < text.len; i++) {
        if (text_unit(&text, i) == '=') {
            name.text.len = i;
            name.flags = 0;
            return value_put(p, end, &name, REDACT_NO, VALUE_FIT_WHOLE);
        }
    }
    return value_put(p, end, value, REDACT_SECRET, VALUE_FIT_WHOLE);
}
