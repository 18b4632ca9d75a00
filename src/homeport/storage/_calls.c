/* Calls: system calls that Python has no function for, and a status of a file without the thirteen figures that an
 * upload or a download never looks at, each of which is a Python object.
 *
 *     openat2(directory, path, flags, resolve)                -> descriptor
 *     link_open(descriptor, directory, new)                   linkat of an open file
 *     rename_new(old_directory, old, new_directory, new)      renameat2(RENAME_NOREPLACE)
 *     status(descriptor)                                      -> (mode, size, owner, group, device, inode)
 *     status_at(directory, name, follow)                      -> the same, of a link itself if it is not to be followed;
 *                                                                None: no such name
 *
 * All raise OSError, ENOSYS where the system has no such call. `foreign.py` does the same where this is not there. The
 * interpreter's lock is given away meanwhile. Nothing is decided here.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h> /* first: it sets what the system's headers offer */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#if defined(SYS_openat2)
#define OPENAT2 SYS_openat2
#elif !defined(__alpha__)
#define OPENAT2 437 /* headers may be older than the kernel */
#endif
#endif

#define VERSION 1 /* compared by native.py: the two must be of one making */

#define NOREPLACE 1

/* struct open_how, which older headers have not. */
struct how {
    uint64_t flags, mode, resolve;
};

/* Each of these takes one argument: 0, and an exception is set, if it is none of the kind. */

static int descriptor(PyObject *given, int *taken)
{
    long value = PyLong_AsLong(given);
    if (value == -1 && PyErr_Occurred()) return 0;
    if (value < INT_MIN || value > INT_MAX) return PyErr_SetString(PyExc_OverflowError, "no such descriptor"), 0;
    *taken = (int)value;
    return 1;
}

static int path(PyObject *given, const char **taken)
{
    char *octets;
    Py_ssize_t count;
    if (PyBytes_AsStringAndSize(given, &octets, &count)) return 0;
    if (memchr(octets, 0, (size_t)count)) { /* where it would end for the system */
        errno = EINVAL;
        return PyErr_SetFromErrno(PyExc_OSError), 0;
    }
    *taken = octets;
    return 1;
}

static int word(PyObject *given, uint64_t *taken)
{
    *taken = PyLong_AsUnsignedLongLong(given);
    return !PyErr_Occurred();
}

static int as_many(Py_ssize_t count, Py_ssize_t wanted)
{
    if (count != wanted) PyErr_Format(PyExc_TypeError, "%zd arguments are wanted, not %zd", wanted, count);
    return count == wanted;
}

/* The answer of a call that gives nothing back. */
static PyObject *done(int result, int error)
{
    if (result >= 0) Py_RETURN_NONE;
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static PyObject *calls_openat2(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int directory, error;
    const char *name;
    struct how how = {0};
    (void)module;
    if (!as_many(count, 4) || !descriptor(args[0], &directory) || !path(args[1], &name)
        || !word(args[2], &how.flags) || !word(args[3], &how.resolve))
        return NULL;
    for (;;) {
        long opened = -1;
        Py_BEGIN_ALLOW_THREADS
        errno = ENOSYS;
#ifdef OPENAT2
        opened = syscall(OPENAT2, directory, name, &how, sizeof how);
#endif
        error = errno;
        Py_END_ALLOW_THREADS
        if (opened >= 0) return PyLong_FromLong(opened);
        if (error != EINTR) return done(-1, error);
        if (PyErr_CheckSignals()) return NULL;
    }
}

static PyObject *calls_link_open(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int file, directory, error, result = -1;
    const char *new;
    (void)module;
    if (!as_many(count, 3) || !descriptor(args[0], &file) || !descriptor(args[1], &directory) || !path(args[2], &new))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    errno = ENOSYS;
#ifdef AT_EMPTY_PATH
    result = linkat(file, "", directory, new, AT_EMPTY_PATH);
#endif
    error = errno;
    Py_END_ALLOW_THREADS
    return done(result, error);
}

static PyObject *calls_rename_new(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int from, to, error, result = -1;
    const char *old, *new;
    (void)module;
    if (!as_many(count, 4) || !descriptor(args[0], &from) || !path(args[1], &old) || !descriptor(args[2], &to)
        || !path(args[3], &new))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    errno = ENOSYS;
#ifdef SYS_renameat2
    result = (int)syscall(SYS_renameat2, from, old, to, new, NOREPLACE); /* the C library may be too old for it */
#endif
    error = errno;
    Py_END_ALLOW_THREADS
    return done(result, error);
}

static PyObject *figures(const struct stat *status)
{
    PyObject *each[] = {
        PyLong_FromUnsignedLong(status->st_mode),
        PyLong_FromLongLong(status->st_size),
        PyLong_FromLongLong((long long)status->st_uid),
        PyLong_FromLongLong((long long)status->st_gid),
        PyLong_FromUnsignedLongLong((unsigned long long)status->st_dev),
        PyLong_FromUnsignedLongLong((unsigned long long)status->st_ino),
    };
    const int many = sizeof each / sizeof *each;
    PyObject *tuple = PyTuple_New(many);
    int whole = tuple != NULL;
    for (int at = 0; at < many; at++) {
        whole = whole && each[at];
        if (tuple) PyTuple_SetItem(tuple, at, each[at]); /* which takes it over, and NULL as well */
        else Py_XDECREF(each[at]);
    }
    if (whole) return tuple;
    Py_XDECREF(tuple);
    return NULL;
}

static PyObject *calls_status(PyObject *module, PyObject *argument)
{
    int file, error, result;
    struct stat status;
    (void)module;
    if (!descriptor(argument, &file)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    result = fstat(file, &status);
    error = errno;
    Py_END_ALLOW_THREADS
    return result ? done(result, error) : figures(&status);
}

static PyObject *calls_status_at(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    int directory, follow, error, result;
    const char *name;
    struct stat status;
    (void)module;
    if (!as_many(count, 3) || !descriptor(args[0], &directory) || !path(args[1], &name)) return NULL;
    if ((follow = PyObject_IsTrue(args[2])) < 0) return NULL;
    Py_BEGIN_ALLOW_THREADS
    result = fstatat(directory, name, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW);
    error = errno;
    Py_END_ALLOW_THREADS
    if (result && error == ENOENT) Py_RETURN_NONE;
    return result ? done(result, error) : figures(&status);
}

#define FAST(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL

static PyMethodDef functions[] = {
    {"openat2", FAST(calls_openat2), "Open a path beneath a directory."},
    {"link_open", FAST(calls_link_open), "Give an open file a name that nobody has."},
    {"rename_new", FAST(calls_rename_new), "Rename unless the new name is there."},
    {"status", calls_status, METH_O, "What an open file is."},
    {"status_at", FAST(calls_status_at), "What a name in a directory is; None if there is no such name."},
    {NULL, NULL, 0, NULL},
};

static int fill_module(PyObject *module)
{
    return PyModule_AddIntConstant(module, "VERSION", VERSION);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, fill_module},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* nothing is kept */
#endif
    {0, NULL},
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_calls",
    .m_doc = "System calls.",
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__calls(void)
{
    return PyModuleDef_Init(&module);
}
