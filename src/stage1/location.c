/* SPDX-License-Identifier: Apache-2.0 */
#include "stage1/location.h"

#include "stage1/fmt.h"
#include "stage1/mem.h"

#define NAME "/bin/spython"
#define NAME_LEN (sizeof(NAME) - 1)
#define DELETED " (deleted)"
#define DELETED_LEN (sizeof(DELETED) - 1)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* X.Y or X.YY without a leading zero. */
static bool is_minor(const char *s, size_t len)
{
    if (len < 3 || len > 4 || !is_digit(s[0]) || s[1] != '.' || !is_digit(s[2]))
        return false;
    return len == 3 || (s[2] != '0' && is_digit(s[3]));
}

static bool ends_with(const char *s, size_t len, const char *end, size_t end_len)
{
    return len >= end_len && memcmp(s + len - end_len, end, end_len) == 0;
}

/*
 * ld.so splits LD_PRELOAD at spaces and colons and expands $ORIGIN and its kind; the others end a
 * line or a command in the places where people copy the variable to.
 */
static bool is_misread(char c)
{
    return c == ' ' || c == ':' || c == ';' || c == '$' || (unsigned char)c < 0x20 || c == 0x7f;
}

enum location_verdict location_parse(const char *path, size_t len, struct location *ret)
{
    size_t prefix_len, minor_len;

    if (ends_with(path, len, DELETED, DELETED_LEN))
        return LOCATION_DELETED;
    for (minor_len = 3; minor_len <= 4; minor_len++) {
        if (len >= NAME_LEN + minor_len && is_minor(path + len - minor_len, minor_len) &&
            ends_with(path, len - minor_len, NAME, NAME_LEN))
            break;
    }
    if (minor_len > 4 || path[0] != '/')
        return LOCATION_NOT_OURS;
    prefix_len = len - minor_len - NAME_LEN;
    if (prefix_len >= sizeof(ret->prefix))
        return LOCATION_NOT_OURS;
    for (size_t i = 0; i < prefix_len; i++) {
        if (is_misread(path[i]))
            return LOCATION_MISREAD;
    }
    memcpy(ret->prefix, path, prefix_len);
    ret->prefix[prefix_len] = '\0';
    memcpy(ret->minor, path + len - minor_len, minor_len);
    ret->minor[minor_len] = '\0';
    return LOCATION_OK;
}

bool location_is_minor(const char *minor, uint32_t version_hex)
{
    char name[16];
    struct text t;

    text_init(&t, name, sizeof(name));
    text_add_number(&t, version_hex >> 24);
    text_add(&t, ".");
    text_add_number(&t, (version_hex >> 16) & 0xff);
    return !t.cut && t.len == strlen(minor) && memcmp(name, minor, t.len) == 0;
}
