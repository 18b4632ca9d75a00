/* Lines: the entries of an open directory, written as lines of a listing with the interpreter's lock given away.
 *
 * Deliberately dumb. What a line looks like is told from outside: entries of one class (mode, owner and group) share
 * a template of texts and fields, and `teach` brings it. Whatever is not an everyday entry of a class that was taught is
 * not judged here but handed back by its name: a link, because nobody teaches links; a name with a line feed; a name
 * that could be one of the storage's own; a time whose year has not four digits. `entries.py` decides about those. So rights, owners' names and
 * the choice of facts are nowhere in this file.
 *
 *     lines = Lines(descriptor, key, names_only, after, until)
 *     lines.gather(most, descending)     take up to so many names first, and sort them by their octets
 *     lines.read(most)                   (lines, name to be judged or None), None behind the last
 *     lines.teach(mode, owner, group, parts)
 *     lines.close()
 *
 * Memory: what was gathered, and the lines of one `read`. One thread at a time; a second one gets a RuntimeError.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h> /* first: it sets what the system's headers offer */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "_text.h"
#include "_token.h"

#define VERSION 1 /* compared by native.py: the two must be of one making */

#define CLASSES 256 /* a power of two; a class that is pushed out is taught again */
#define MOST_PARTS 64
#define MOST_TEXT 65536
#define DAY 86400
#define FIRST_SECOND (-30610224000LL) /* 1000-01-01 */
#define LAST_SECOND 253402300799LL    /* 9999-12-31 */

/* The numbers of template.py's Field. */
enum field { NAME, SIZE, SIZE_COLUMN, LINKS_COLUMN, MODIFIED, WHEN, UNIQUE, FIELDS, TEXT = FIELDS };

struct part {
    enum field field;
    size_t start, octets; /* of a text, in the template's texts */
};

struct template {
    unsigned mode;
    long long owner, group;
    size_t room; /* for a line, its names left out */
    size_t names;
    size_t count;
    struct part *parts;
    char *texts;
};

struct held {
    const char *name;
    uint64_t first; /* the first octets that differ, as a number: most comparisons end here */
    unsigned char type;
};

typedef struct {
    PyObject_HEAD
    atomic_flag busy;
    DIR *directory;
    int names_only, finished, descending;
    long long after, until;       /* LIST shows the time of day between the two, the year outside */
    struct tokens tokens;
    struct day day;               /* that of the last line */
    struct template *classes[CLASSES];
    struct held *held;
    size_t held_count, held_next;
    char *held_names;
    char *out;
    size_t out_used, out_room;
    const char *strange;          /* the name to be handed back; the directory's or a held one */
} Lines;

/* -- templates ---------------------------------------------------------------------------------------------------- */

static struct template **class_of(Lines *self, unsigned mode, long long owner, long long group)
{
    uint64_t mixed = mode * 0x9e3779b97f4a7c15u + (uint64_t)owner * 0xc2b2ae3d27d4eb4fu;
    mixed += (uint64_t)group * 0x165667b19e3779f9u;
    return &self->classes[(mixed >> 40) % CLASSES];
}

static void forget(struct template *template)
{
    if (template) {
        free(template->parts);
        free(template->texts);
        free(template);
    }
}

static int write_line(Lines *self, const struct template *template, const char *name, const struct stat *status)
{
    size_t length = strlen(name);
    size_t needed = self->out_used + template->room + template->names * length;
    if (needed > self->out_room) {
        char *larger = realloc(self->out, 2 * needed);
        if (!larger) return errno = ENOMEM, -1;
        self->out = larger;
        self->out_room = 2 * needed;
    }
    long long seconds = (long long)status->st_mtime;
    long long since = seconds - FIRST_SECOND; /* of the caller: not negative */
    unsigned second = (unsigned)(since % DAY);
    char *to = self->out + self->out_used;
    for (const struct part *part = template->parts; part < template->parts + template->count; part++) {
        switch (part->field) {
        case TEXT:
            memcpy(to, template->texts + part->start, part->octets);
            to += part->octets;
            break;
        case NAME:
            memcpy(to, name, length);
            to += length;
            break;
        case SIZE:
            to = decimal(to, (unsigned long long)status->st_size, 0);
            break;
        case SIZE_COLUMN:
            to = decimal(to, (unsigned long long)status->st_size, 12);
            break;
        case LINKS_COLUMN:
            to = decimal(to, (unsigned long long)status->st_nlink, 3);
            break;
        case MODIFIED:
            set_day(&self->day, (since - second + FIRST_SECOND) / DAY);
            memcpy(to, self->day.date, 8);
            to = padded(padded(padded(to + 8, second / 3600, 2), second / 60 % 60, 2), second % 60, 2);
            break;
        case WHEN:
            set_day(&self->day, (since - second + FIRST_SECOND) / DAY);
            memcpy(to, self->day.month_day, 6);
            to += 6;
            *to++ = ' ';
            if (self->after < seconds && seconds <= self->until) {
                to = padded(to, second / 3600, 2);
                *to++ = ':';
                to = padded(to, second / 60 % 60, 2);
            } else {
                *to++ = ' ';
                memcpy(to, self->day.date, 4);
                to += 4;
            }
            break;
        case UNIQUE:
            to = token(&self->tokens, to, status);
            break;
        }
    }
    *to++ = '\r';
    *to++ = '\n';
    self->out_used = (size_t)(to - self->out);
    return 0;
}

/* -- the directory ------------------------------------------------------------------------------------------------ */

/* The next name as the host hands it out: 1, 0 at the end, -1 with errno. */
static int next_name(Lines *self, const char **name, unsigned char *type)
{
    for (;;) {
        errno = 0;
        const struct dirent *item = readdir(self->directory);
        if (!item) return errno ? -1 : 0;
        *name = item->d_name;
#ifdef DT_UNKNOWN
        *type = item->d_type;
#else
        *type = 0;
#endif
        if (strcmp(item->d_name, ".") && strcmp(item->d_name, "..")) return 1;
    }
}

/* The mode that a directory's own word about an entry gives: its type alone, 0 where it has no such word. */
static unsigned mode_of_type(unsigned char type)
{
#ifdef DT_UNKNOWN
    switch (type) {
    case DT_REG: return S_IFREG;
    case DT_DIR: return S_IFDIR;
    case DT_LNK: return S_IFLNK;
    case DT_FIFO: return S_IFIFO;
    case DT_SOCK: return S_IFSOCK;
    case DT_CHR: return S_IFCHR;
    case DT_BLK: return S_IFBLK;
    default: return 0;
    }
#else
    return (void)type, 0;
#endif
}

/* Write the lines of up to *most* entries; stops early at a strange name. 0, or -1 with errno. */
static int fill(Lines *self, size_t most)
{
    self->out_used = 0;
    self->strange = NULL;
    for (; most; most--) {
        const char *name;
        unsigned char type;
        if (self->held_next < self->held_count) {
            size_t at = self->held_next++;
            const struct held *held = &self->held[self->descending ? self->held_count - 1 - at : at];
            name = held->name;
            type = held->type;
        } else {
            int found = next_name(self, &name, &type);
            if (found < 0) return -1;
            self->finished = !found;
            if (!found) return 0;
        }
        struct stat status;
        memset(&status, 0, sizeof status);
        if (self->names_only) status.st_mode = mode_of_type(type);
        if (!status.st_mode && fstatat(dirfd(self->directory), name, &status, AT_SYMLINK_NOFOLLOW)) {
            if (errno == ENOENT) continue; /* it vanished */
            return -1;
        }
        unsigned mode = self->names_only ? status.st_mode & S_IFMT : status.st_mode;
        long long owner = self->names_only ? 0 : (long long)status.st_uid;
        long long group = self->names_only ? 0 : (long long)status.st_gid;
        const struct template *known = *class_of(self, mode, owner, group);
        if (!known || known->mode != mode || known->owner != owner || known->group != group
            || (name[0] == '.' && (name[1] == 'h' || name[1] == 'H')) || strchr(name, '\n')
            || status.st_mtime < FIRST_SECOND || status.st_mtime > LAST_SECOND
            || status.st_size < 0 || (long long)status.st_dev < 0) {
            self->strange = name;
            return 0;
        }
        if (write_line(self, known, name, &status)) return -1;
    }
    return 0;
}

static int by_name(const void *one, const void *other)
{
    const struct held *left = one, *right = other;
    if (left->first != right->first) return left->first < right->first ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* Take up to *most* names and sort them. 0, or -1 with errno. */
static int gather(Lines *self, size_t most)
{
    size_t used = 0, room = 0, count = 0, rows = 0;
    while (count < most) {
        const char *name;
        unsigned char type;
        int found = next_name(self, &name, &type);
        if (found < 0) return -1;
        if (!found) break;
        size_t octets = strlen(name) + 1;
        if (used + octets > room) {
            size_t larger = 2 * (used + octets) + 4096;
            char *names = realloc(self->held_names, larger);
            if (!names) return errno = ENOMEM, -1;
            self->held_names = names;
            room = larger;
        }
        if (count == rows) {
            size_t larger = 2 * rows + 64;
            struct held *held = realloc(self->held, larger * sizeof *held);
            if (!held) return errno = ENOMEM, -1;
            self->held = held;
            rows = larger;
        }
        memcpy(self->held_names + used, name, octets);
        self->held[count].type = type;
        used += octets;
        count++;
    }
    /* The names lie one behind the other, and do not move any more. What all begin with need not be compared. */
    size_t common = SIZE_MAX;
    const char *name = self->held_names;
    for (size_t row = 0; row < count; name += strlen(name) + 1, row++) {
        size_t same = 0;
        while (same < common && name[same] && name[same] == self->held_names[same]) same++;
        common = same;
        self->held[row].name = name;
    }
    for (size_t row = 0; row < count; row++) {
        const char *from = self->held[row].name + common;
        uint64_t first = 0;
        for (int octet = 0; octet < 8; octet++) {
            first = first << 8 | (unsigned char)*from;
            from += *from != 0;
        }
        self->held[row].first = first;
    }
    if (count) qsort(self->held, count, sizeof *self->held, by_name);
    self->held_count = count;
    return 0;
}

/* -- Python ------------------------------------------------------------------------------------------------------- */

static int enter(Lines *self)
{
    if (atomic_flag_test_and_set(&self->busy)) {
        PyErr_SetString(PyExc_RuntimeError, "another thread is reading these lines");
        return -1;
    }
    if (!self->directory) {
        atomic_flag_clear(&self->busy);
        PyErr_SetString(PyExc_ValueError, "the lines are closed");
        return -1;
    }
    return 0;
}

static PyObject *lines_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    int descriptor, names_only;
    long long after, until;
    const char *key;
    Py_ssize_t octets;
    if (named && PyDict_Size(named)) return PyErr_SetString(PyExc_TypeError, "Lines takes no names"), NULL;
    if (!PyArg_ParseTuple(args, "iy#pLL:Lines", &descriptor, &key, &octets, &names_only, &after, &until)) return NULL;
    if (octets > 64) return PyErr_SetString(PyExc_ValueError, "a key has at most 64 octets"), NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Lines *self = (Lines *)allocate(type, 0); /* all zero */
    if (!self) return NULL;
    atomic_flag_clear(&self->busy);
    self->names_only = names_only;
    self->after = after;
    self->until = until;
    self->day.number = -1000000; /* none that is ever shown */
    set_key(&self->tokens, key, (size_t)octets);
    int own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (own >= 0) self->directory = fdopendir(own);
    if (!self->directory) {
        PyErr_SetFromErrno(PyExc_OSError);
        if (own >= 0) close(own);
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

static void release(Lines *self)
{
    if (self->directory) closedir(self->directory);
    for (size_t at = 0; at < CLASSES; at++) forget(self->classes[at]);
    free(self->held);
    free(self->held_names);
    free(self->out);
    self->directory = NULL;
    memset(self->classes, 0, sizeof self->classes);
    self->held = NULL;
    self->held_names = self->out = NULL;
    self->held_count = self->out_room = 0;
}

static void lines_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    release((Lines *)object);
    freefunc give_back = (freefunc)PyType_GetSlot(type, Py_tp_free);
    give_back(object);
    Py_DECREF((PyObject *)type);
}

static PyObject *lines_close(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    Lines *self = (Lines *)object;
    if (self->directory) {
        if (enter(self)) return NULL;
        release(self);
        atomic_flag_clear(&self->busy);
    }
    Py_RETURN_NONE;
}

static PyObject *lines_gather(PyObject *object, PyObject *args)
{
    Lines *self = (Lines *)object;
    Py_ssize_t most;
    int descending, failed, error;
    if (!PyArg_ParseTuple(args, "np:gather", &most, &descending)) return NULL;
    if (enter(self)) return NULL;
    if (self->held) {
        atomic_flag_clear(&self->busy);
        return PyErr_SetString(PyExc_ValueError, "names are gathered once"), NULL;
    }
    self->descending = descending;
    Py_BEGIN_ALLOW_THREADS
    failed = gather(self, most < 0 ? 0 : (size_t)most);
    error = errno;
    Py_END_ALLOW_THREADS
    atomic_flag_clear(&self->busy);
    if (failed) return errno = error, PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyObject *lines_read(PyObject *object, PyObject *args)
{
    Lines *self = (Lines *)object;
    Py_ssize_t most;
    int failed = 0, error = 0;
    PyObject *answer;
    if (!PyArg_ParseTuple(args, "n:read", &most)) return NULL;
    if (enter(self)) return NULL;
    if (self->finished) {
        atomic_flag_clear(&self->busy);
        Py_RETURN_NONE;
    }
    Py_BEGIN_ALLOW_THREADS
    failed = fill(self, most < 1 ? 1 : (size_t)most);
    error = errno;
    Py_END_ALLOW_THREADS
    if (failed) {
        errno = error;
        answer = PyErr_SetFromErrno(PyExc_OSError);
    } else { /* "y" of NULL is None */
        answer = Py_BuildValue("y#y", self->out ? self->out : "", (Py_ssize_t)self->out_used, self->strange);
    }
    atomic_flag_clear(&self->busy);
    return answer;
}

/* A template of the given parts, texts (bytes) and fields (numbers); NULL with an exception. */
static struct template *compiled(PyObject *parts)
{
    Py_ssize_t count = PyTuple_Size(parts);
    if (count > MOST_PARTS) return PyErr_SetString(PyExc_ValueError, "too many parts"), NULL;
    struct template *template = calloc(1, sizeof *template);
    if (template) template->parts = calloc((size_t)count + 1, sizeof *template->parts);
    if (template) template->texts = malloc(1);
    if (!template || !template->parts || !template->texts) return forget(template), PyErr_NoMemory(), NULL;
    size_t used = 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        PyObject *given = PyTuple_GetItem(parts, at); /* borrowed */
        struct part *part = &template->parts[at];
        if (PyBytes_Check(given)) {
            part->field = TEXT;
            part->start = used;
            part->octets = (size_t)PyBytes_Size(given);
            if (part->octets > MOST_TEXT) {
                PyErr_SetString(PyExc_ValueError, "too long a text");
                return forget(template), NULL;
            }
            char *texts = realloc(template->texts, used + part->octets + 1);
            if (!texts) return forget(template), PyErr_NoMemory(), NULL;
            template->texts = texts;
            memcpy(texts + used, PyBytes_AsString(given), part->octets);
            used += part->octets;
        } else {
            long field = PyLong_AsLong(given);
            if (field < 0 || field >= FIELDS) {
                if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no such field");
                return forget(template), NULL;
            }
            part->field = (enum field)field;
            template->names += part->field == NAME;
        }
    }
    template->count = (size_t)count;
    template->room = used + FIELD_OCTETS * template->count + 2;
    return template;
}

static PyObject *lines_teach(PyObject *object, PyObject *args)
{
    Lines *self = (Lines *)object;
    unsigned mode;
    long long owner, group;
    PyObject *parts;
    if (!PyArg_ParseTuple(args, "ILLO!:teach", &mode, &owner, &group, &PyTuple_Type, &parts)) return NULL;
    struct template *template = compiled(parts);
    if (!template) return NULL;
    if (enter(self)) return forget(template), NULL;
    template->mode = self->names_only ? mode & S_IFMT : mode;
    template->owner = self->names_only ? 0 : owner;
    template->group = self->names_only ? 0 : group;
    struct template **place = class_of(self, template->mode, template->owner, template->group);
    forget(*place);
    *place = template;
    atomic_flag_clear(&self->busy);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"gather", lines_gather, METH_VARARGS, "Take up to so many names first, and sort them."},
    {"read", lines_read, METH_VARARGS, "The lines of up to so many entries, and a name to be judged."},
    {"teach", lines_teach, METH_VARARGS, "How the entries of a mode, owner and group look."},
    {"close", lines_close, METH_NOARGS, "Give the directory back; twice does nothing."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Lines(descriptor, key, names_only, after, until)"},
    {Py_tp_new, lines_new},
    {Py_tp_dealloc, lines_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"homeport.storage._lines.Lines", sizeof(Lines), 0, Py_TPFLAGS_DEFAULT, slots};

static int fill_module(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);
    if (!type) return -1;
    int failed = PyModule_AddObjectRef(module, "Lines", type);
    Py_DECREF(type);
    return failed ? failed : PyModule_AddIntConstant(module, "VERSION", VERSION);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, fill_module},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* one thread an object, held by its flag */
#endif
    {0, NULL},
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "_lines", .m_doc = "Lines of listings.", .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__lines(void)
{
    return PyModuleDef_Init(&module);
}
