/* SPDX-License-Identifier: Apache-2.0 */
#include "event/redact.h"

#include "event/value_encode.h"

/* Finds the next password at or behind *from: units [*from, *to). The authority of a URL ends at
 * the first "/", "?" or "#", its user part at the last "@". */
static bool find_password(const struct text *text, bool cut, size_t *from, size_t *to)
{
    for (size_t i = *from; i + 1 < text->len; i++) {
        size_t colon = 0, at = 0, j;

        if (text_unit(text, i) != '/' || text_unit(text, i + 1) != '/')
            continue;
        for (j = i + 2; j < text->len; j++) {
            uint32_t c = text_unit(text, j);

            if (c == '/' || c == '?' || c == '#')
                break;
            if (c == '@')
                at = j;
            if (c == ':' && !colon)
                colon = j;
        }
        if (cut && j == text->len && !at)
            at = j;
        if (colon && colon < at) {
            *from = colon + 1;
            *to = at;
            return true;
        }
        if (j > i + 2)
            i = j - 1; /* the next may begin right there */
    }
    return false;
}

char *redact_put_url(char *p, const char *end, const struct text *text, enum text_form form,
                     bool cut, bool *ret_whole)
{
    size_t done = 0;

    for (;;) {
        size_t from = done, to = text->len, used;
        bool found = find_password(text, cut, &from, &to);
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
