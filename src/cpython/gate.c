/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "cpython/places.h"
#include "cpython/refusals.h"
#include "cpython/values.h"
#include "cpython/verify.h"

#define GATE_MAX_SIZE ((off_t)1 << 30) /* of one file of code */

/* Keeps a reference to the bytes until the next file, so that their address stays theirs. */
static void remember(struct thread_context *context, PyObject *bytes)
{
    int64_t interpreter = PyInterpreterState_GetID(compat_interpreter(compat_thread_state()));
    PyObject *old = context->gate_bytes;

    Py_INCREF(bytes);
    context->gate_bytes = bytes;
    if (old && context->gate_interpreter == interpreter)
        Py_DECREF(old);
    context->gate_interpreter = interpreter;
}

bool gate_is_source(struct thread_context *context, PyObject *source)
{
    if (!source || !context->gate_bytes)
        return false;
    if (source == context->gate_bytes)
        return true;
    if (PyMemoryView_Check(source)) {
        const Py_buffer *view = PyMemoryView_GET_BUFFER(source);

        return view->obj == context->gate_bytes;
    }
    return false;
}

bool gate_has_text(struct thread_context *context, PyObject *text)
{
    PyObject *bytes = context->gate_bytes;

    return bytes && PyBytes_Check(text) && PyBytes_GET_SIZE(text) == PyBytes_GET_SIZE(bytes) &&
           memcmp(PyBytes_AS_STRING(text), PyBytes_AS_STRING(bytes),
                  (size_t)PyBytes_GET_SIZE(text)) == 0;
}

/* Whether the path's text is that of a real path, if none of its names is a symbolic link. */
static bool is_normal(const char *path)
{
    size_t len = strlen(path);

    if (path[0] != '/' || len >= PATH_MAX)
        return false;
    for (const char *name = path + 1, *slash; *name || name == path + 1; name = slash + 1) {
        slash = strchrnul(name, '/');
        if (slash == name ||
            (name[0] == '.' && (slash == name + 1 || (name[1] == '.' && slash == name + 2))))
            return false;
        if (!*slash)
            return true;
    }
    return false; /* it ends in a slash */
}

/* Opens it, for which a path without symbolic links also says what is open: asking the kernel for
 * the name of a descriptor takes longer than all else that it does for a small file. */
static int open_file(const char *path, struct verify_file *file)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, /* a FIFO must not hold us up */
        .resolve = RESOLVE_NO_SYMLINKS,
    };
    int fd = is_normal(path) ? (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)) : -1;

    file->real_path = fd >= 0 ? path : NULL;
    /* There is a link, or openat2() cannot be had (before Linux 5.6, seccomp). */
    return fd >= 0 ? fd : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* Reads all of a regular file. Without the GIL: the file may lie on a slow file system. Leaves
 * file->fd open, if it was. */
static int read_file(const char *path, struct verify_file *file, PyObject **ret_bytes)
{
    PyObject *bytes = NULL;
    struct stat *st = &file->st;
    size_t len = 0;
    int fd, r = 0;

    Py_BEGIN_ALLOW_THREADS fd = file->fd = open_file(path, file);
    if (fd < 0 || fstat(fd, st) < 0)
        r = -errno;
    else if (S_ISDIR(st->st_mode))
        r = -EISDIR;
    else if (!S_ISREG(st->st_mode))
        r = -EINVAL;
    else if (st->st_size > GATE_MAX_SIZE)
        r = -EFBIG;
    else
        verify_opened(file);
    Py_END_ALLOW_THREADS if (r == 0)
    {
        bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)st->st_size);
        if (!bytes)
            r = -ENOMEM;
    }
    if (r == 0) {
        char *data = PyBytes_AS_STRING(bytes);

        Py_BEGIN_ALLOW_THREADS while (len < (size_t)st->st_size)
        {
            ssize_t n = read(fd, data + len, (size_t)st->st_size - len);

            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                r = -errno;
            if (n <= 0)
                break;
            len += (size_t)n;
        }
        Py_END_ALLOW_THREADS if (r == 0 && len < (size_t)st->st_size &&
                                 _PyBytes_Resize(&bytes, (Py_ssize_t)len) < 0) r = -ENOMEM;
    }
    if (r < 0)
        Py_CLEAR(bytes);
    else
        *ret_bytes = bytes;
    return r;
}

/* io.BytesIO, found once per thread and interpreter: an import is a call through builtins. A new
 * reference, or NULL with an error set. */
static PyObject *stream_type(struct thread_context *context)
{
    int64_t interpreter = PyInterpreterState_GetID(compat_interpreter(compat_thread_state()));
    PyObject *io, *type;

    if (context && context->stream_type && context->stream_interpreter == interpreter) {
        type = context->stream_type;
        Py_INCREF(type);
        return type;
    }
    io = PyImport_ImportModule("_io");
    type = io ? PyObject_GetAttrString(io, "BytesIO") : NULL;
    Py_XDECREF(io);
    if (context && type) {
        /* The other interpreter may be gone: its reference is given up, not released. */
        Py_INCREF(type);
        context->stream_type = type;
        context->stream_interpreter = interpreter;
    }
    return type;
}

static PyObject *as_stream(struct thread_context *context, PyObject *bytes)
{
    PyObject *type = stream_type(context);
    PyObject *stream = type ? PyObject_CallFunctionObjArgs(type, bytes, NULL) : NULL;

    Py_XDECREF(type);
    return stream;
}

/* Has it judged and recorded, with the place in Python code that asks. */
static void judge(struct thread_context *context, const char *path, PyObject *name, PyObject *bytes,
                  struct verify_file *file, struct verify_verdict *ret)
{
    struct record record;
    struct record_place stack[RECORD_MAX_FRAMES];

    memset(&file->name, 0, sizeof(file->name));
    values_from_text(name, &file->name);
    if (bytes) {
        file->data = PyBytes_AS_STRING(bytes);
        file->len = (size_t)PyBytes_GET_SIZE(bytes);
    }
    file->kind = verify_kind(path, file->data, file->len);
    file->hook = hook_name_form(path);
    record.at.len = record.in.len = 0;
    record.stack_count = 0;
    if (context)
        (void)places_fill(context, &record, recorder.settings->stack_frames, stack);
    verify_code(file, &record, ret);
}

/* What happens without us: under observe nothing changes, not even for what is no regular file. */
static PyObject *open_plainly(PyObject *path)
{
    PyObject *io = PyImport_ImportModule("_io");
    PyObject *stream = io ? PyObject_CallMethod(io, "open", "Os", path, "rb") : NULL;

    Py_XDECREF(io);
    return stream;
}

PyObject *gate_open_code(PyObject *path, void *user_data)
{
    struct thread_context *context = recorder_context();
    struct verify_file file = {.fd = -1};
    struct verify_verdict verdict;
    PyObject *encoded = NULL, *bytes = NULL, *stream;
    int r;

    (void)user_data;
    if (!PyUnicode_FSConverter(path, &encoded))
        return NULL;
    r = read_file(PyBytes_AS_STRING(encoded), &file, &bytes);
    file.error = -r;
    judge(context, PyBytes_AS_STRING(encoded), path, bytes, &file, &verdict);
    fd_close(file.fd);
    Py_DECREF(encoded);
    if (r == -ENOMEM)
        return PyErr_NoMemory();
    if (r == -EINVAL && recorder.settings->profile == PROFILE_OBSERVE)
        return open_plainly(path);
    if (r < 0) {
        errno = -r;
        return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
    }
    if (verdict.verdict == VERDICT_DENY) {
        Py_DECREF(bytes);
        refusals_raise(path, file.kind, &verdict);
        return NULL;
    }
    if (context)
        remember(context, bytes);
    stream = as_stream(context, bytes);
    Py_DECREF(bytes);
    return stream;
}

/* Runs, or does not, although nobody can say where it comes from. Takes `data`. */
static PyObject *admit_unknown(PyObject *path, PyObject *data)
{
    struct verify_file file = {.fd = -1, .unknown = "its bytes are not those of the file"};
    struct verify_verdict verdict;
    PyObject *encoded = PyUnicode_EncodeFSDefault(path);

    PyErr_Clear();
    judge(recorder_context(), encoded ? PyBytes_AS_STRING(encoded) : "", path,
          PyBytes_Check(data) ? data : NULL, &file, &verdict);
    Py_XDECREF(encoded);
    if (verdict.verdict != VERDICT_DENY)
        return data;
    Py_DECREF(data);
    refusals_raise(path, file.kind, &verdict);
    return NULL;
}

/* What the gate hands out for `path`; NULL with an error set. */
static PyObject *read_through(PyObject *path)
{
    PyObject *stream = gate_open_code(path, NULL);
    PyObject *bytes = stream ? PyObject_CallMethod(stream, "read", NULL) : NULL;

    Py_XDECREF(stream);
    return bytes;
}

PyObject *gate_admit(PyObject *path, PyObject *data)
{
    PyObject *own = read_through(path);

    if (!own && (recorder.settings->verify.mode == VERIFY_ENFORCE ||
                 !PyErr_ExceptionMatches(PyExc_OSError))) {
        Py_DECREF(data);
        return NULL;
    }
    PyErr_Clear();
    if (own && PyBytes_Check(own) && PyBytes_Check(data) &&
        PyBytes_GET_SIZE(own) == PyBytes_GET_SIZE(data) &&
        memcmp(PyBytes_AS_STRING(own), PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(own)) ==
            0) {
        Py_DECREF(data);
        return own;
    }
    Py_XDECREF(own);
    return admit_unknown(path, data);
}
