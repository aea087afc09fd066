/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses manifests. Every line is taken apart, encoded again and compared, so whatever passes has
 * exactly one form: the writer's. The checks before that are there for their messages.
 */
#include "trust/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "trust/manifest_text.h"

struct parser {
    const char *at, *end;
    unsigned line;
    struct err *err;
    struct manifest manifest; /* as far as it is read */
    char *store;              /* texts of the entries, one behind the other */
    size_t used;
    char *scratch; /* a line in its only form */
};

struct span {
    const char *data;
    size_t len;
};

#define BAD(parser, ...) err_set((parser)->err, -EBADMSG, __VA_ARGS__)

static int next_line(struct parser *parser, struct span *ret)
{
    size_t left = (size_t)(parser->end - parser->at);
    const char *newline = left > 0 ? memchr(parser->at, '\n', left) : NULL;

    *ret = (struct span){"", 0};
    parser->line++;
    if (left == 0)
        return BAD(parser, "the manifest is cut off here");
    if (!newline)
        return BAD(parser, "the manifest is cut off in this line");
    ret->data = parser->at;
    ret->len = (size_t)(newline - parser->at);
    if (ret->len > 0 && newline[-1] == '\r')
        return BAD(parser, "the line ends in CR LF (something took the manifest for text)");
    if (ret->len >= MANIFEST_MAX_LINE)
        return BAD(parser, "the line is too long");
    parser->at = newline + 1;
    return 0;
}

static bool span_is(struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.data, text, span.len) == 0;
}

/* A decimal number without leading zeros that is at most `most`. */
static bool decode_number(struct span span, uint64_t most, uint64_t *ret)
{
    uint64_t number = 0;

    if (span.len == 0 || (span.data[0] == '0' && span.len > 1))
        return false;
    for (size_t i = 0; i < span.len; i++) {
        unsigned digit = (unsigned)(span.data[i] - '0');

        if (digit > 9 || number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret = number;
    return true;
}

static int parse_magic(struct parser *parser)
{
    const size_t prefix = strlen(MANIFEST_MAGIC);
    struct span line;
    uint64_t format;
    int r = next_line(parser, &line);

    if (r < 0)
        return r;
    if (line.len < prefix || memcmp(line.data, MANIFEST_MAGIC, prefix) != 0 ||
        !decode_number((struct span){line.data + prefix, line.len - prefix}, UINT32_MAX, &format) ||
        format == 0)
        return BAD(parser, "this is not a manifest: the first line is not '%s%d'", MANIFEST_MAGIC,
                   MANIFEST_FORMAT);
    if (format != MANIFEST_FORMAT)
        return err_set(parser->err, -EPROTO,
                       "the manifest has format %u, newer than %d that this spythonctl reads "
                       "(upgrade spython)",
                       (unsigned)format, MANIFEST_FORMAT);
    return 0;
}

static int parse_field(struct parser *parser, const char *field, struct span *ret)
{
    size_t prefix = strlen(field);
    struct span line;
    int r = next_line(parser, &line);

    *ret = line;
    if (r < 0)
        return r;
    if (line.len < prefix || memcmp(line.data, field, prefix) != 0)
        return BAD(parser, "a line '%s...' belongs here", field);
    ret->data = line.data + prefix;
    ret->len = line.len - prefix;
    return 0;
}

static int parse_fields(struct parser *parser)
{
    struct manifest *manifest = &parser->manifest;
    struct span value;
    uint64_t count;
    int r;

    r = parse_field(parser, "name: ", &value);
    if (r < 0)
        return r;
    if (!manifest_name_is_valid(value.data, value.len))
        return BAD(parser, "the name is not 1 to %d of A-Z a-z 0-9 . _ -", MANIFEST_MAX_NAME);
    memcpy(manifest->name, value.data, value.len);
    r = parse_field(parser, "serial: ", &value);
    if (r < 0)
        return r;
    if (!decode_number(value, MANIFEST_MAX_SERIAL, &manifest->serial) || manifest->serial == 0)
        return BAD(parser, "the serial is not a number from 1 on");
    r = parse_field(parser, "created: ", &value);
    if (r < 0)
        return r;
    if (!manifest_decode_time(value.data, value.len, &manifest->created))
        return BAD(parser, "the time is not of the form 2026-11-24T06:00:00Z");
    r = parse_field(parser, "files: ", &value);
    if (r < 0)
        return r;
    if (!decode_number(value, UINT64_MAX, &count))
        return BAD(parser, "the number of files is not a number");
    if (count > MANIFEST_MAX_ENTRIES)
        return err_set(parser->err, -EFBIG, "the manifest lists more than %u files",
                       MANIFEST_MAX_ENTRIES);
    manifest->count = (uint32_t)count;
    return 0;
}

static int parse_header(struct parser *parser)
{
    const char *start = parser->at;
    char again[MANIFEST_HEADER_SIZE];
    struct span line;
    size_t len;
    int r;

    r = parse_magic(parser);
    if (r < 0)
        return r;
    r = parse_fields(parser);
    if (r < 0)
        return r;
    r = next_line(parser, &line);
    if (r < 0)
        return r;
    if (line.len != 0)
        return BAD(parser, "an empty line belongs here");
    len = manifest_encode_header(&parser->manifest, again);
    if (len != (size_t)(parser->at - start) || memcmp(again, start, len) != 0)
        return BAD(parser, "the header is not written as it has to be (a day that there is not?)");
    return 0;
}

/* Cuts the next field, up to a space, off a line. */
static bool take_field(struct span *line, struct span *ret)
{
    const char *space = line->len > 0 ? memchr(line->data, ' ', line->len) : NULL;

    if (!space)
        return false;
    ret->data = line->data;
    ret->len = (size_t)(space - line->data);
    line->data += ret->len + 1;
    line->len -= ret->len + 1;
    return true;
}

/* Capital digits decode as well: what is compared in the end tells them apart. */
static bool decode_digest(struct span span, uint8_t ret[DIGEST_SIZE])
{
    return span.len == MANIFEST_HEX && hex_decode(span.data, DIGEST_SIZE, ret) == 0;
}

static bool decode_flags(struct span span, uint32_t *ret)
{
    *ret = 0;
    if (span_is(span, "-"))
        return true;
    for (size_t i = 0; i < span.len; i++) {
        const char *letter = span.data[i] ? strchr(MANIFEST_FLAG_LETTERS, span.data[i]) : NULL;

        if (!letter)
            return false;
        *ret |= 1u << (letter - MANIFEST_FLAG_LETTERS);
    }
    return true;
}

/* Neighbours mostly belong to the same distribution: they share one text. */
static bool decode_distribution(struct parser *parser, struct span span, const char *previous,
                                const char **ret)
{
    char *text = parser->store + parser->used;
    char *at;

    *ret = "";
    if (span_is(span, "-"))
        return true;
    if (span.len == 0 || span.len > MANIFEST_MAX_DISTRIBUTION)
        return false;
    memcpy(text, span.data, span.len);
    text[span.len] = '\0';
    at = memchr(text, '@', span.len);
    if (!at)
        return false;
    *at = ' ';
    if (!manifest_distribution_is_valid(text, span.len))
        return false;
    if (strcmp(text, previous) == 0) {
        *ret = previous;
        return true;
    }
    *ret = text;
    parser->used += span.len + 1;
    return true;
}

/* Takes the escapes out. The text gets no longer. */
static bool decode_path(struct span span, char *out, size_t *ret_len)
{
    size_t n = 0;

    for (size_t i = 0; i < span.len; i++) {
        if (span.data[i] != '\\') {
            out[n++] = span.data[i];
            continue;
        }
        if (span.len - i < 4 || span.data[i + 1] != 'x' ||
            hex_decode(span.data + i + 2, 1, out + n) < 0)
            return false;
        n++;
        i += 3;
    }
    out[n] = '\0';
    *ret_len = n;
    return true;
}

static int parse_path(struct parser *parser, struct span span, const char **ret)
{
    char *path = parser->store + parser->used;
    const char *reason;
    size_t len;

    if (!decode_path(span, path, &len))
        return BAD(parser, "the path holds a backslash that is not followed by x and two digits");
    if (!manifest_path_is_valid(path, len, &reason))
        return BAD(parser, "the path %s", reason);
    parser->used += len + 1;
    *ret = path;
    return 0;
}

static int parse_entry(struct parser *parser, struct span line,
                       const struct manifest_entry *previous, struct manifest_entry *ret)
{
    struct span sha256, size, verity, flags, distribution, path = line;
    size_t len;
    int r;

    if (!take_field(&path, &sha256) || !take_field(&path, &size) || !take_field(&path, &verity) ||
        !take_field(&path, &flags) || !take_field(&path, &distribution))
        return BAD(parser, "the line does not have six fields");
    if (!decode_digest(sha256, ret->sha256))
        return BAD(parser, "the SHA-256 is not %d hexadecimal digits", MANIFEST_HEX);
    if (!decode_number(size, MANIFEST_MAX_FILE, &ret->size))
        return BAD(parser, "the size is not a number of at most %llu",
                   (unsigned long long)MANIFEST_MAX_FILE);
    ret->has_verity = !span_is(verity, "-");
    if (ret->has_verity && !decode_digest(verity, ret->verity))
        return BAD(parser, "the fs-verity digest is neither '-' nor %d hexadecimal digits",
                   MANIFEST_HEX);
    if (!decode_flags(flags, &ret->flags))
        return BAD(parser, "the flags are neither '-' nor of '%s'", MANIFEST_FLAG_LETTERS);
    if (!decode_distribution(parser, distribution, previous ? previous->distribution : "",
                             &ret->distribution))
        return BAD(parser, "the distribution is neither '-' nor NAME@VERSION");
    r = parse_path(parser, path, &ret->path);
    if (r < 0)
        return r;
    len = manifest_encode_entry(ret, parser->scratch);
    if (len != line.len + 1 || memcmp(parser->scratch, line.data, len) != 0)
        return BAD(parser, "the line is not written in its only form (capital digits, order of the "
                           "flags, an escape too many or too few)");
    if (previous && strcmp(previous->path, ret->path) == 0)
        return BAD(parser, "the path is listed twice");
    if (previous && strcmp(previous->path, ret->path) > 0)
        return BAD(parser, "the path is out of order");
    return 0;
}

static int parse_entries(struct parser *parser)
{
    struct manifest *manifest = &parser->manifest;
    const struct manifest_entry *previous = NULL;
    struct span line;
    int r;

    for (uint32_t i = 0; i < manifest->count; i++) {
        r = next_line(parser, &line);
        if (r < 0)
            return r;
        if (span_is(line, "end"))
            return BAD(parser, "the list ends after %u of %u files", i, manifest->count);
        r = parse_entry(parser, line, previous, &manifest->entries[i]);
        if (r < 0)
            return r;
        previous = &manifest->entries[i];
    }
    r = next_line(parser, &line);
    if (r < 0)
        return r;
    if (!span_is(line, "end"))
        return BAD(parser, "the list does not end after %u files", manifest->count);
    if (parser->at != parser->end) {
        parser->line++;
        return BAD(parser, "there is something behind the end");
    }
    return 0;
}

/* Whether so many files can stand in what follows: a header is believed nothing that would cost
 * memory. Room for the texts is what the lines take: a path and its NUL need no more than the field
 * and its newline, a distribution no more than the field and its space. What is not written to
 * costs no memory. */
static int allocate(struct parser *parser)
{
    struct manifest *manifest = &parser->manifest;
    size_t left = (size_t)(parser->end - parser->at);

    if ((size_t)manifest->count * MANIFEST_MIN_LINE > left)
        return BAD(parser, "the manifest is cut off: not enough follows for %u files",
                   manifest->count);
    manifest->entries = calloc(manifest->count + 1, sizeof(manifest->entries[0]));
    parser->store = malloc(left + 1);
    parser->scratch = malloc(MANIFEST_MAX_LINE);
    manifest->store = parser->store;
    if (!manifest->entries || !parser->store || !parser->scratch)
        return err_set(parser->err, -ENOMEM, "out of memory");
    return 0;
}

int manifest_parse(const char *data, size_t len, const char *name, struct manifest *ret,
                   struct err *err)
{
    struct parser parser = {.at = data, .err = err};
    int r;

    if (len > MANIFEST_MAX_SIZE)
        return err_set(err, -EFBIG, "manifest '%s' is larger than %zu bytes", name,
                       MANIFEST_MAX_SIZE);
    parser.end = data + len;
    r = parse_header(&parser);
    if (r == 0)
        r = allocate(&parser);
    if (r == 0)
        r = parse_entries(&parser);
    free(parser.scratch);
    if (r < 0) {
        manifest_done(&parser.manifest);
        err_prefix(err, "%s:%u", name, parser.line);
        return r;
    }
    *ret = parser.manifest;
    return 0;
}

const struct manifest_entry *manifest_find(const struct manifest *manifest, const char *path)
{
    uint32_t low = 0, high = manifest->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(path, manifest->entries[middle].path);

        if (order == 0)
            return &manifest->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

void manifest_done(struct manifest *manifest)
{
    free(manifest->entries);
    free(manifest->store);
    memset(manifest, 0, sizeof(*manifest));
}
