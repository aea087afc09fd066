/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/values.h"

#include <string.h>

struct value *values_take(struct thread_context *context, unsigned count)
{
    struct value *first;

    if (count > VALUE_MAX_TOTAL - context->value_count)
        return NULL;
    first = &context->values[context->value_count];
    context->value_count += count;
    return first;
}

static void set_opaque(PyObject *object, struct value *ret)
{
    ret->kind = VALUE_OPAQUE;
    ret->address = object;
    ret->type_name = Py_TYPE(object)->tp_name;
}

static void cut(struct value *ret, uint64_t full, size_t kept)
{
    ret->flags |= VALUE_CUT;
    ret->full = full;
    ret->text.len = kept;
}

void values_from_text(PyObject *object, struct value *ret)
{
    static const uint8_t kinds[5] = {0, VALUE_TEXT1, VALUE_TEXT2, 0, VALUE_TEXT4};

#if !MINOR_3(12)
    /* Strings of the old C interface are made compact at first use; that may need memory. */
    if (!PyUnicode_IS_READY(object) && PyUnicode_READY(object) < 0) {
        PyErr_Clear();
        set_opaque(object, ret);
        return;
    }
#endif
    ret->kind = kinds[PyUnicode_KIND(object)];
    ret->text.data = PyUnicode_DATA(object);
    ret->text.len = (size_t)PyUnicode_GET_LENGTH(object);
    if (PyUnicode_IS_ASCII(object))
        ret->flags |= VALUE_ASCII;
    if (ret->text.len > VALUE_MAX_TEXT)
        cut(ret, ret->text.len, VALUE_MAX_TEXT);
    if (!PyUnicode_CheckExact(object)) {
        ret->flags |= VALUE_SUBCLASS;
        ret->type_name = Py_TYPE(object)->tp_name;
    }
}

static void negate_twos_complement(uint8_t *bytes, size_t len)
{
    unsigned carry = 1;

    for (size_t i = 0; i < len; i++) {
        unsigned v = (uint8_t)~bytes[i] + carry;

        bytes[i] = (uint8_t)v;
        carry = v >> 8;
    }
}

static int long_as_bytes(PyObject *object, uint8_t *out, size_t len)
{
#if MINOR_3(13)
    return _PyLong_AsByteArray((PyLongObject *)object, out, len, 1, 1, 0);
#else
    return _PyLong_AsByteArray((PyLongObject *)object, out, len, 1, 1);
#endif
}

static void from_big(struct thread_context *context, PyObject *object, int sign, struct value *ret)
{
    uint64_t bytes = (uint64_t)_PyLong_NumBits(object) / 8 + 1;
    uint8_t *store;

    ret->kind = VALUE_BIG;
    if (sign < 0)
        ret->flags |= VALUE_NEGATIVE;
    ret->text.data = "";
    if (bytes > VALUE_MAX_BIG || context->big_count == 8) {
        cut(ret, bytes, 0);
        return;
    }
    store = context->big[context->big_count++];
    if (long_as_bytes(object, store, (size_t)bytes) < 0) {
        PyErr_Clear();
        cut(ret, bytes, 0);
        return;
    }
    if (sign < 0)
        negate_twos_complement(store, (size_t)bytes);
    ret->text.data = store;
    ret->text.len = (size_t)bytes;
}

static void from_long(struct thread_context *context, PyObject *object, struct value *ret)
{
    int overflow = 0;
    /* For an int or a subclass this reads the digits; __index__ is only asked of other types. */
    long long i = PyLong_AsLongLongAndOverflow(object, &overflow);

    if (overflow) {
        from_big(context, object, overflow, ret);
    } else {
        ret->kind = VALUE_INT;
        ret->i = i;
    }
    if (!PyLong_CheckExact(object)) {
        ret->flags |= VALUE_SUBCLASS;
        ret->type_name = Py_TYPE(object)->tp_name;
    }
}

static void from_sequence(struct thread_context *context, PyObject *object, int depth,
                          struct value *ret)
{
    bool is_list = PyList_Check(object);
    Py_ssize_t full = is_list ? PyList_GET_SIZE(object) : PyTuple_GET_SIZE(object);
    unsigned count = full > VALUE_MAX_ITEMS ? VALUE_MAX_ITEMS : (unsigned)full;
    struct value *items = depth > 0 ? values_take(context, count) : NULL;

    ret->kind = VALUE_LIST;
    ret->items = items;
    ret->count = items ? count : 0;
    if (ret->count < full) {
        ret->flags |= VALUE_CUT;
        ret->full = (uint64_t)full;
    }
    for (unsigned i = 0; i < ret->count; i++)
        values_from_object(context,
                           is_list ? PyList_GET_ITEM(object, i) : PyTuple_GET_ITEM(object, i),
                           depth - 1, &items[i]);
}

static void from_dict(struct thread_context *context, PyObject *object, int depth,
                      struct value *ret)
{
    Py_ssize_t full = PyDict_GET_SIZE(object), at = 0;
    unsigned limit = full > VALUE_MAX_ITEMS ? VALUE_MAX_ITEMS : (unsigned)full;
    struct value *items = depth > 0 ? values_take(context, 2 * limit) : NULL;
    unsigned count = 0;
    PyObject *key, *value;

    while (items && count < limit && PyDict_Next(object, &at, &key, &value)) {
        values_from_object(context, key, depth - 1, &items[2 * count]);
        values_from_object(context, value, depth - 1, &items[2 * count + 1]);
        count++;
    }
    ret->kind = VALUE_MAP;
    ret->items = items;
    ret->count = count;
    if ((Py_ssize_t)count < full) {
        ret->flags |= VALUE_CUT;
        ret->full = (uint64_t)full;
    }
}

static void from_code(struct thread_context *context, PyObject *object, struct value *ret)
{
    PyCodeObject *code = (PyCodeObject *)object;
    struct value *items = values_take(context, 3);

    if (!items) {
        set_opaque(object, ret);
        return;
    }
    memset(items, 0, 3 * sizeof(*items));
    ret->kind = VALUE_CODE;
    ret->items = items;
    ret->count = 3;
    values_from_text(code->co_name, &items[0]);
    values_from_text(code->co_filename, &items[1]);
    items[2].kind = VALUE_INT;
    items[2].i = code->co_firstlineno;
}

static void from_bytes(PyObject *object, struct value *ret)
{
    ret->kind = VALUE_BYTES;
    ret->text.data = PyBytes_AS_STRING(object);
    ret->text.len = (size_t)PyBytes_GET_SIZE(object);
    if (ret->text.len > VALUE_MAX_TEXT)
        cut(ret, ret->text.len, VALUE_MAX_TEXT);
    if (!PyBytes_CheckExact(object)) {
        ret->flags |= VALUE_SUBCLASS;
        ret->type_name = Py_TYPE(object)->tp_name;
    }
}

void values_from_object(struct thread_context *context, PyObject *object, int depth,
                        struct value *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (!object || object == Py_None) {
        ret->kind = VALUE_NONE;
    } else if (PyUnicode_Check(object)) {
        values_from_text(object, ret);
    } else if (object == Py_True || object == Py_False) {
        ret->kind = VALUE_BOOL;
        ret->i = object == Py_True;
    } else if (PyLong_Check(object)) {
        from_long(context, object, ret);
    } else if (PyBytes_Check(object)) {
        from_bytes(object, ret);
    } else if (PyTuple_Check(object) || PyList_Check(object)) {
        from_sequence(context, object, depth, ret);
    } else if (PyDict_CheckExact(object)) {
        from_dict(context, object, depth, ret);
    } else if (PyFloat_Check(object)) {
        ret->kind = VALUE_FLOAT;
        ret->d = PyFloat_AS_DOUBLE(object);
    } else if (PyCode_Check(object)) {
        from_code(context, object, ret);
    } else {
        set_opaque(object, ret);
    }
}

/* Nearly all arguments: a str itself, ASCII, not too long. False: it is something else. */
static inline bool from_plain_text(PyObject *object, struct value *ret)
{
    Py_ssize_t len;

    if (!object || !PyUnicode_CheckExact(object) || !PyUnicode_IS_COMPACT_ASCII(object))
        return false;
    len = PyUnicode_GET_LENGTH(object);
    if (len > VALUE_MAX_TEXT)
        return false;
    ret->kind = VALUE_TEXT1;
    ret->flags = VALUE_ASCII;
    ret->count = 0;
    ret->full = 0;
    ret->text.data = (const PyASCIIObject *)object + 1;
    ret->text.len = (size_t)len;
    ret->type_name = NULL;
    return true;
}

struct value *values_from_args(struct thread_context *context, PyObject *args, unsigned *ret_count,
                               uint64_t *ret_total)
{
    Py_ssize_t total = args && PyTuple_Check(args) ? PyTuple_GET_SIZE(args) : 0;
    unsigned count = total > VALUE_MAX_ARGS ? VALUE_MAX_ARGS : (unsigned)total;
    struct value *values = values_take(context, count); /* the store is empty: never NULL */

    for (unsigned i = 0; i < count; i++)
        if (!from_plain_text(PyTuple_GET_ITEM(args, i), &values[i]))
            values_from_object(context, PyTuple_GET_ITEM(args, i), VALUE_MAX_DEPTH, &values[i]);
    *ret_count = count;
    *ret_total = (uint64_t)total;
    return values;
}

bool values_equal_text(const struct value *value, const char *expected)
{
    size_t len = strlen(expected);

    switch (value->kind) {
    case VALUE_TEXT1:
        if (!(value->flags & VALUE_ASCII))
            return false;
        break;
    case VALUE_UTF8:
    case VALUE_BYTES:
        break;
    default:
        return false;
    }
    return value->text.len == len && memcmp(value->text.data, expected, len) == 0;
}
