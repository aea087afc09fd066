/* SPDX-License-Identifier: Apache-2.0 */
/* The directories, the core and the audit object: there, ours, of our minor version and release. */
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/stat.h>

#include "stage1/check_file.h"
#include "stage1/handover.h"
#include "stage1/mem.h"
#include "stage1/object_note.h"
#include "stage1/refuse.h"
#include "stage1/sys.h"

#ifndef SPYTHON_VERSION
#error "compile with -DSPYTHON_VERSION=\"1.2.3\""
#endif

static const char REINSTALL[] = "install spython again, with the core for Python ";

static int open_directory(const struct stage1 *s, int parent, const char *name, struct text *path)
{
    struct file_facts facts;
    int fd = sys_open_at(parent, name, SYS_OPEN_DIRECTORY);

    text_add(path, "/");
    text_add(path, name);
    if (fd < 0)
        refuse(EXIT_SPY_UNUSABLE, path->data, "cannot be entered: ", refuse_reason(fd),
               fd == -EACCES ? "chmod go+x the directories above and it" : REINSTALL,
               fd == -EACCES ? NULL : s->location.minor);
    if (sys_fstat(fd, &facts) < 0)
        refuse(EXIT_SPY_UNUSABLE, path->data, "cannot be looked at", NULL, "check the file system",
               NULL);
    check_trust(s, &facts, path->data);
    return fd;
}

/*
 * No symlink is followed on the way, so that what is checked here is what ld.so finds later under
 * the path in LD_PRELOAD: only those who own these directories can change that.
 */
void step_check_directories(struct stage1 *s)
{
    static char buf[STAGE1_PATH_SIZE];
    const char *prefix = s->location.prefix[0] ? s->location.prefix : "/";
    int fd = sys_open_at(SYS_NOWHERE, prefix, SYS_OPEN_PLACE);
    struct text path;

    if (fd < 0)
        refuse(EXIT_SPY_UNUSABLE, prefix, "cannot be entered: ", refuse_reason(fd),
               "is spython started in another root directory?", NULL);
    text_init(&path, buf, sizeof(buf));
    text_add(&path, s->location.prefix);
    fd = open_directory(s, fd, "libexec", &path);
    fd = open_directory(s, fd, "spython", &path);
    s->directory = open_directory(s, fd, s->location.minor, &path);
}

/* The text of our note of that type in an ELF file, or NULL. Good until the next call. */
static const char *note_text(int fd, const void *table, size_t segments, uint32_t type)
{
    static char notes[NOTES_MAX];
    struct elf_range range;
    size_t at = 0;

    while (elf_next_segment(table, segments, PT_NOTE, &at, &range)) {
        size_t want = range.size < sizeof(notes) ? (size_t)range.size : sizeof(notes);
        long len = sys_read_at(fd, notes, want, range.offset);
        const char *text;

        if (len > 0 && elf_find_note_text(notes, (size_t)len, range.align, NOTE_NAME, type, &text))
            return text;
    }
    return NULL;
}

static bool is_same(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && memcmp(a, b, strlen(a)) == 0;
}

/* Opens a shared object of ours in the directory; refuses whatever else it is. Returns what its
 * note says. */
static const char *check_object(const struct stage1 *s, const char *name, const char *path,
                                uint32_t type, const char *foreign)
{
    const char *minor = s->location.minor, *found;
    struct elf_layout layout;
    struct file_facts facts;
    struct elf_range range;
    const void *table;
    int fd = sys_open_at(s->directory, name, SYS_OPEN_FILE);
    size_t at = 0;

    if (fd == -EACCES)
        refuse(EXIT_SPY_UNUSABLE, path, "cannot be read: ", refuse_reason(fd), "chmod a+r ", path);
    if (fd < 0)
        refuse(EXIT_SPY_UNUSABLE, path, "cannot be opened: ", refuse_reason(fd), REINSTALL, minor);
    check_regular(s, fd, path, &facts);
    table = check_elf(fd, path, REINSTALL, minor, &layout);
    if (layout.type != ET_DYN)
        refuse(EXIT_SPY_UNUSABLE, path, "is not a shared object", NULL, REINSTALL, minor);
    /* What lies behind the end of the file would end in SIGBUS, without a word. */
    while (elf_next_segment(table, layout.segments, PT_LOAD, &at, &range)) {
        if (range.offset > facts.size || range.size > facts.size - range.offset)
            refuse(EXIT_SPY_UNUSABLE, path, "is cut off", NULL, REINSTALL, minor);
    }
    found = note_text(fd, table, layout.segments, type);
    if (!found)
        refuse(EXIT_SPY_UNUSABLE, path, foreign, NULL, REINSTALL, minor);
    return found;
}

void step_check_core(struct stage1 *s)
{
    const char *minor = s->location.minor, *found;

    check_path(s, "core.so", s->core);
    found = check_object(s, "core.so", s->core, NOTE_MINOR, "is not a core of spython");
    if (!is_same(found, minor))
        refuse(EXIT_SPY_UNUSABLE, s->core, "is the core for Python ", found, REINSTALL, minor);
}

/* The audit object that does not come with us may not know how to talk to the core. */
void step_check_audit(struct stage1 *s)
{
    const char *found;

    check_path(s, "audit.so", s->audit);
    found = check_object(s, "audit.so", s->audit, NOTE_RELEASE, "is not spython's audit object");
    if (!is_same(found, SPYTHON_VERSION))
        refuse(EXIT_SPY_UNUSABLE, s->audit, "is of another release of spython: ", found, REINSTALL,
               s->location.minor);
}
