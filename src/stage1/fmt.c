/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/fmt.h"

#include "stage1/mem.h"

void text_init(struct text *t, char *data, size_t cap)
{
    t->data = data;
    t->cap = cap;
    t->len = 0;
    t->cut = false;
    data[0] = '\0';
}

void text_add_bytes(struct text *t, const char *data, size_t len)
{
    if (t->cut || len >= t->cap - t->len) {
        t->cut = true;
        return;
    }
    memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
    text_add_bytes(t, s, strlen(s));
}

void text_add_number(struct text *t, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    text_add_bytes(t, digits + at, sizeof(digits) - at);
}

void text_add_clean(struct text *t, const char *s)
{
    for (; *s && !t->cut; s++) {
        char c = (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s;

        text_add_bytes(t, &c, 1);
    }
}
