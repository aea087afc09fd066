/* SPDX-License-Identifier: Apache-2.0 */
/* The directories and the core: there, ours, and of our minor version. */
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/stat.h>

#include "stage1/check_file.h"
#include "stage1/handover.h"
#include "stage1/mem.h"
#include "stage1/refuse.h"
#include "stage1/sys.h"

#define NOTES_MAX 4096
#define NOTE_NAME "spython"
#define NOTE_MINOR 1 /* launcher/core_note.c */

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

/* The minor version that the core says it is for, or NULL. Good until the next call. */
static const char *core_minor(int fd, const void *table, size_t segments)
{
    static char notes[NOTES_MAX];
    struct elf_range range;
    size_t at = 0;

    while (elf_next_segment(table, segments, PT_NOTE, &at, &range)) {
        size_t want = range.size < sizeof(notes) ? (size_t)range.size : sizeof(notes);
        long len = sys_read_at(fd, notes, want, range.offset);
        const char *minor;

        if (len > 0 &&
            elf_find_note_text(notes, (size_t)len, range.align, NOTE_NAME, NOTE_MINOR, &minor))
            return minor;
    }
    return NULL;
}

void step_check_core(struct stage1 *s)
{
    const char *minor = s->location.minor, *found;
    struct elf_layout layout;
    struct file_facts facts;
    struct elf_range range;
    const void *table;
    size_t at = 0;
    int fd;

    check_path(s, "core.so", s->core);
    fd = sys_open_at(s->directory, "core.so", SYS_OPEN_FILE);
    if (fd == -EACCES)
        refuse(EXIT_SPY_UNUSABLE, s->core, "cannot be read: ", refuse_reason(fd), "chmod a+r ",
               s->core);
    if (fd < 0)
        refuse(EXIT_SPY_UNUSABLE, s->core, "cannot be opened: ", refuse_reason(fd), REINSTALL,
               minor);
    check_regular(s, fd, s->core, &facts);
    table = check_elf(fd, s->core, REINSTALL, minor, &layout);
    if (layout.type != ET_DYN)
        refuse(EXIT_SPY_UNUSABLE, s->core, "is not a shared object", NULL, REINSTALL, minor);
    /* What lies behind the end of the file would end in SIGBUS, without a word. */
    while (elf_next_segment(table, layout.segments, PT_LOAD, &at, &range)) {
        if (range.offset > facts.size || range.size > facts.size - range.offset)
            refuse(EXIT_SPY_UNUSABLE, s->core, "is cut off", NULL, REINSTALL, minor);
    }
    found = core_minor(fd, table, layout.segments);
    if (!found)
        refuse(EXIT_SPY_UNUSABLE, s->core, "is not a core of spython", NULL, REINSTALL, minor);
    if (strlen(found) != strlen(minor) || memcmp(found, minor, strlen(minor)) != 0)
        refuse(EXIT_SPY_UNUSABLE, s->core, "is the core for Python ", found, REINSTALL, minor);
}
