/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/dynamic.h"

#include <string.h>

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "base/hex.h"
#include "cpython/code_marks.h"
#include "cpython/gate.h"
#include "cpython/hashing.h"
#include "cpython/sources.h"
#include "cpython/values.h"

#define SEEN_SLOTS 1024 /* a forgotten text is only told once more */

static _Atomic uint64_t seen[SEEN_SLOTS];
static __thread bool expecting_main __attribute__((tls_model("initial-exec")));

void dynamic_expect_main(void)
{
    expecting_main = true;
}

/* Feeds a str as UTF-8 (lone surrogates as three bytes), without the interpreter's own encoder:
 * that one refuses surrogates and keeps its result in the object. Returns the number of bytes. */
static uint64_t digest_text(SHA256_CTX *ctx, PyObject *text)
{
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t len = PyUnicode_GET_LENGTH(text);
    unsigned char block[1024];
    size_t used = 0;
    uint64_t total = 0;

    if (PyUnicode_IS_ASCII(text)) {
        (void)SHA256_Update(ctx, data, (size_t)len);
        return (uint64_t)len;
    }
    for (Py_ssize_t i = 0; i < len; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);

        if (used > sizeof(block) - 4) {
            (void)SHA256_Update(ctx, block, used);
            total += used;
            used = 0;
        }
        if (c < 0x80) {
            block[used++] = (unsigned char)c;
        } else if (c < 0x800) {
            block[used++] = (unsigned char)(0xc0 | c >> 6);
            block[used++] = (unsigned char)(0x80 | (c & 63));
        } else if (c < 0x10000) {
            block[used++] = (unsigned char)(0xe0 | c >> 12);
            block[used++] = (unsigned char)(0x80 | (c >> 6 & 63));
            block[used++] = (unsigned char)(0x80 | (c & 63));
        } else {
            block[used++] = (unsigned char)(0xf0 | c >> 18);
            block[used++] = (unsigned char)(0x80 | (c >> 12 & 63));
            block[used++] = (unsigned char)(0x80 | (c >> 6 & 63));
            block[used++] = (unsigned char)(0x80 | (c & 63));
        }
    }
    (void)SHA256_Update(ctx, block, used);
    return total + used;
}

/* Whether this text was told before in this process; remembers that it is now. */
static bool was_seen(const uint8_t digest[32])
{
    uint64_t key;
    unsigned at;

    memcpy(&key, digest, sizeof(key));
    key |= 1;
    at = (unsigned)(key >> 8) % SEEN_SLOTS;
    if (atomic_load_explicit(&seen[at], memory_order_relaxed) == key)
        return true;
    atomic_store_explicit(&seen[at], key, memory_order_relaxed);
    return false;
}

static void remember(struct thread_context *context, const struct record_source *source,
                     PyObject *filename)
{
    struct value file = {0};

    if (!filename || !(PyUnicode_Check(filename) || PyBytes_Check(filename)))
        return;
    values_from_object(context, filename, 0, &file);
    if ((file.kind != VALUE_TEXT1 && file.kind != VALUE_BYTES) ||
        file.text.len > sizeof(context->last_source.file))
        return;
    memcpy(context->last_source.file, file.text.data, file.text.len);
    context->last_source.file_len = (uint32_t)file.text.len;
    memcpy(context->last_source.sha256, source->sha256, sizeof(source->sha256));
    context->last_source.length = source->length;
    context->last_source.valid = true;
}

/* The text up to policy's cap, which may be more than any other value gets. */
static void keep_beginning(PyObject *text, struct value *ret, uint64_t bytes)
{
    size_t len =
        PyBytes_Check(text) ? (size_t)PyBytes_GET_SIZE(text) : (size_t)PyUnicode_GET_LENGTH(text);
    size_t max = recorder.settings->source_max;

    ret->text.len = len < max ? len : max;
    ret->flags &= (uint8_t)~VALUE_CUT;
    if (len > max) {
        ret->flags |= VALUE_CUT;
        ret->full = bytes;
    }
}

void dynamic_fill_compile(struct thread_context *context, PyObject *args, struct record *record)
{
    PyObject *text =
        PyTuple_Check(args) && PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
    struct record_source *source = &record->source;
    uint8_t digest[32];
    SHA256_CTX ctx;

    context->last_source.valid = false;
    if (!text || !(PyUnicode_Check(text) || PyBytes_Check(text)) || gate_is_source(context, text) ||
        gate_has_text(context, text))
        return;
    hashing_expect(PyBytes_Check(text) ? (size_t)PyBytes_GET_SIZE(text)
                                       : (size_t)PyUnicode_GET_LENGTH(text));
    (void)SHA256_Init(&ctx);
    values_from_object(context, text, 0, &source->text);
    if (PyBytes_Check(text)) {
        source->length = (uint64_t)PyBytes_GET_SIZE(text);
        (void)SHA256_Update(&ctx, PyBytes_AS_STRING(text), (size_t)source->length);
        source->text.kind = VALUE_UTF8; /* source bytes are UTF-8 unless a cookie says otherwise */
    } else if (source->text.kind != VALUE_OPAQUE) {
        source->length = digest_text(&ctx, text);
    } else {
        return;
    }
    (void)SHA256_Final(digest, &ctx);
    hex_encode(digest, sizeof(digest), source->sha256);
    source->present = true;
    source->text_known = !was_seen(digest);
    source->text.flags &= (uint8_t)~VALUE_SUBCLASS;
    keep_beginning(text, &source->text, source->length);
    remember(context, source, PyTuple_GET_SIZE(args) > 1 ? PyTuple_GET_ITEM(args, 1) : NULL);
}

static void get_last(const struct thread_context *context, struct source_id *ret)
{
    memcpy(ret->sha256, context->last_source.sha256, sizeof(ret->sha256));
    ret->length = context->last_source.length;
}

void dynamic_keep_source(PyCodeObject *code)
{
    struct thread_context *context = recorder_context();
    struct source_id last;

    if (!context || !context->last_source.valid)
        return;
    get_last(context, &last);
    sources_keep(code_mark_get(context, code).id, &last);
}

/* exec() and eval() of a string never show us the code object before they run it: it is the one
 * that has the file name of the text compiled just now. */
static bool is_last_source(struct thread_context *context, PyCodeObject *code,
                           struct source_id *ret)
{
    struct value file = {0};

    if (!context->last_source.valid)
        return false;
    values_from_text(code->co_filename, &file);
    if (file.kind != VALUE_TEXT1 || file.text.len != context->last_source.file_len ||
        memcmp(file.text.data, context->last_source.file, file.text.len) != 0)
        return false;
    get_last(context, ret);
    return true;
}

void dynamic_fill_exec(struct thread_context *context, PyObject *args, struct record *record)
{
    PyObject *object =
        PyTuple_Check(args) && PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
    PyCodeObject *code = (PyCodeObject *)object;
    struct source_id known;
    struct code_mark mark;

    if (!object || !PyCode_Check(object))
        return;
    if (expecting_main) {
        expecting_main = false;
        code_mark_approve(context, code);
        return;
    }
    mark = code_mark_get(context, code);
    if (mark.approved)
        return;
    if (!sources_find(mark.id, &known) && !is_last_source(context, code, &known))
        return;
    record->source.present = true;
    record->source.text_known = false; /* the compile record has it */
    memcpy(record->source.sha256, known.sha256, sizeof(known.sha256));
    record->source.length = known.length;
}
