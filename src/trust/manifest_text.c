/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of docs/formats/manifest.md: what may stand in a manifest, and how it is written. */
#include "trust/manifest_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define SECONDS_A_DAY 86400

bool manifest_name_is_valid(const char *name, size_t len)
{
    if (len == 0 || len > MANIFEST_MAX_NAME)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    /* The name is part of file names in trust.d. */
    return name[0] != '.' && name[0] != '-';
}

bool manifest_distribution_is_valid(const char *text, size_t len)
{
    size_t spaces = 0;

    if (len > MANIFEST_MAX_DISTRIBUTION)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == ' ') {
            if (++spaces > 1 || i == 0 || i == len - 1)
                return false;
        } else if (c < 0x21 || c > 0x7e || c == '@') {
            return false;
        }
    }
    return len == 0 || spaces == 1;
}

static bool component_is_dots(const char *component, size_t len)
{
    return (len == 1 && component[0] == '.') || (len == 2 && memcmp(component, "..", 2) == 0);
}

static const char *path_fault(const char *path, size_t len)
{
    size_t start = 0;

    if (len == 0)
        return "is empty";
    if (len > MANIFEST_MAX_PATH)
        return "is too long";
    if (path[0] == '/')
        return "is absolute";
    for (size_t i = 0; i <= len; i++) {
        if (i < len && ((unsigned char)path[i] < 0x20 || path[i] == 0x7f))
            return "holds a control character";
        if (i < len && path[i] != '/')
            continue;
        if (i == start)
            return i == len ? "ends in a slash" : "holds an empty component";
        if (component_is_dots(path + start, i - start))
            return "holds a component '.' or '..'";
        start = i + 1;
    }
    return NULL;
}

bool manifest_path_is_valid(const char *path, size_t len, const char **ret_reason)
{
    *ret_reason = path_fault(path, len);
    return !*ret_reason;
}

/* Bytes of the UTF-8 sequence at p and its code point; 0 if there is none: too long a form, a
 * surrogate, beyond U+10FFFF, cut off. */
static size_t utf8_length(const unsigned char *p, size_t len, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point;
    size_t n;

    if (p[0] < 0x80) {
        *ret_point = p[0];
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (n > len)
        return 0;
    point = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (p[i] & 0x3fu);
    }
    if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return n;
}

/* What would make the text look like another one to whoever reads it before signing: controls,
 * line ends, directions, and what has no width. */
static bool is_misleading(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1f},     {'\\', '\\'},     {0x7f, 0x9f},     {0xad, 0xad},
        {0x61c, 0x61c},   {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},
        {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

static size_t escape(const unsigned char *p, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        memcpy(out + 4 * i, "\\x", 2);
        hex_put_u64(p[i], 2, out + 4 * i + 2);
    }
    return 4 * len;
}

size_t manifest_encode_path(const char *path, size_t len, char *out)
{
    const unsigned char *p = (const unsigned char *)path;
    size_t n = 0, step;

    for (size_t i = 0; i < len; i += step) {
        uint32_t point = 0;
        /* A space at either end would get lost to the eye. */
        bool hidden = p[i] == ' ' && (i == 0 || i == len - 1);

        step = utf8_length(p + i, len - i, &point);
        if (step > 0 && !hidden && !is_misleading(point)) {
            memcpy(out + n, p + i, step);
            n += step;
            continue;
        }
        if (step == 0)
            step = 1;
        n += escape(p + i, step, out + n);
    }
    return n;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Not gmtime(): its answer depends on the variable TZ (leap seconds). */
static size_t encode_time(int64_t created, char *out, size_t size)
{
    int64_t days = created / SECONDS_A_DAY;
    int seconds = (int)(created % SECONDS_A_DAY);
    int year = 1970, month = 1, length;

    while (days >= (length = is_leap(year) ? 366 : 365)) {
        days -= length;
        year++;
    }
    while (days >= (length = days_in_month(year, month))) {
        days -= length;
        month++;
    }
    return (size_t)snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, (int)days + 1,
                            seconds / 3600, seconds / 60 % 60, seconds % 60);
}

static bool two_digits(const char *text, int least, int most, int *ret)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
        return false;
    *ret = (text[0] - '0') * 10 + (text[1] - '0');
    return *ret >= least && *ret <= most;
}

bool manifest_decode_time(const char *text, size_t len, int64_t *ret)
{
    static const char form[] = "....-..-..T..:..:..Z";
    int century, year, month, day, hour, minute, second;
    int64_t days = 0;

    if (len != sizeof(form) - 1)
        return false;
    for (size_t i = 0; i < len; i++)
        if (form[i] != '.' && text[i] != form[i])
            return false;
    if (!two_digits(text, 19, 99, &century) || !two_digits(text + 2, 0, 99, &year) ||
        !two_digits(text + 5, 1, 12, &month) || !two_digits(text + 8, 1, 31, &day) ||
        !two_digits(text + 11, 0, 23, &hour) || !two_digits(text + 14, 0, 59, &minute) ||
        !two_digits(text + 17, 0, 59, &second))
        return false;
    year += 100 * century;
    if (year < 1970)
        return false;
    for (int y = 1970; y < year; y++)
        days += is_leap(y) ? 366 : 365;
    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    *ret = (days + day - 1) * SECONDS_A_DAY + hour * 3600 + minute * 60 + second;
    return *ret <= MANIFEST_MAX_CREATED;
}

size_t manifest_encode_header(const struct manifest *manifest, char out[MANIFEST_HEADER_SIZE])
{
    char created[80]; /* enough for any numbers, as far as the compiler can see */

    encode_time(manifest->created, created, sizeof(created));
    return (size_t)snprintf(out, MANIFEST_HEADER_SIZE,
                            MANIFEST_MAGIC "%d\n"
                                           "name: %s\n"
                                           "serial: %" PRIu64 "\n"
                                           "created: %s\n"
                                           "files: %" PRIu32 "\n\n",
                            MANIFEST_FORMAT, manifest->name, manifest->serial, created,
                            manifest->count);
}

static size_t encode_number(uint64_t number, char *out)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

static size_t encode_flags(uint32_t flags, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < MANIFEST_FLAG_COUNT; i++)
        if (flags & 1u << i)
            out[n++] = MANIFEST_FLAG_LETTERS[i];
    if (n == 0)
        out[n++] = '-';
    return n;
}

static size_t encode_distribution(const char *distribution, char *out)
{
    size_t n = strlen(distribution);
    char *space;

    if (n == 0) {
        out[0] = '-';
        return 1;
    }
    memcpy(out, distribution, n);
    space = memchr(out, ' ', n);
    if (space)
        *space = '@';
    return n;
}

size_t manifest_encode_entry(const struct manifest_entry *entry, char out[MANIFEST_MAX_LINE])
{
    char hex[DIGEST_HEX_SIZE];
    size_t n = MANIFEST_HEX;

    hex_encode(entry->sha256, DIGEST_SIZE, hex);
    memcpy(out, hex, MANIFEST_HEX);
    out[n++] = ' ';
    n += encode_number(entry->size, out + n);
    out[n++] = ' ';
    if (entry->has_verity) {
        hex_encode(entry->verity, DIGEST_SIZE, hex);
        memcpy(out + n, hex, MANIFEST_HEX);
        n += MANIFEST_HEX;
    } else {
        out[n++] = '-';
    }
    out[n++] = ' ';
    n += encode_flags(entry->flags, out + n);
    out[n++] = ' ';
    n += encode_distribution(entry->distribution, out + n);
    out[n++] = ' ';
    n += manifest_encode_path(entry->path, strlen(entry->path), out + n);
    out[n++] = '\n';
    return n;
}
