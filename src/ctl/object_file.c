/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at what src/stage1/check_core.c looks at, so that the answer is the one of a start. */
#include "ctl/object_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/machine.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "stage1/elf_file.h"
#include "stage1/object_note.h"

/* Reads `len` bytes, or fewer at the end of the file; how many. */
static size_t read_at(int fd, void *data, size_t len, uint64_t offset)
{
    ssize_t n = offset > INT64_MAX ? -1 : pread(fd, data, len, (off_t)offset);

    return n < 0 ? 0 : (size_t)n;
}

static bool is_whole(const void *table, size_t segments, uint64_t size)
{
    struct elf_range range;

    for (size_t at = 0; elf_next_segment(table, segments, PT_LOAD, &at, &range);)
        if (range.offset > size || range.size > size - range.offset)
            return false;
    return true;
}

/* The text of our note of that type; malloc'ed, or NULL. */
static char *note_text(int fd, const void *table, size_t segments, uint32_t type)
{
    CLEANUP_FREE char *notes = must_alloc(NOTES_MAX);
    struct elf_range range;

    for (size_t at = 0; elf_next_segment(table, segments, PT_NOTE, &at, &range);) {
        size_t want = range.size < NOTES_MAX ? (size_t)range.size : NOTES_MAX;
        size_t len = read_at(fd, notes, want, range.offset);
        const char *text;

        if (elf_find_note_text(notes, len, range.align, NOTE_NAME, type, &text))
            return must_copy(text);
    }
    return NULL;
}

int object_file_check(const char *path, uint32_t type, const char *expected,
                      struct problem *problem)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    CLEANUP_FREE char *table = NULL, *found = NULL;
    unsigned char head[ELF_HEADER_SIZE];
    struct elf_layout layout;
    struct stat st;
    size_t size;

    if (fd < 0 || fstat(fd, &st) < 0)
        return problem_set(problem, -errno, "'%s' cannot be read: %s", safe(path), strerror(errno));
    if (!S_ISREG(st.st_mode) ||
        elf_read_header(head, read_at(fd, head, sizeof(head), 0), THIS_MACHINE, &layout) != ELF_OK)
        goto foreign;
    size = layout.segments * ELF_SEGMENT_SIZE;
    table = must_alloc(size + 1);
    if (layout.type != ET_DYN || read_at(fd, table, size, layout.segments_offset) != size)
        goto foreign;
    if (!is_whole(table, layout.segments, (uint64_t)st.st_size)) {
        problem_set(problem, UNFIT, "'%s' is cut off", safe(path));
        return problem_todo(problem, "install spython again");
    }
    found = note_text(fd, table, layout.segments, type);
    if (found && strcmp(found, expected) == 0)
        return 0;
    if (found) {
        problem_set(problem, UNFIT, "'%s' is for %s, not for %s", safe(path), safe(found),
                    expected);
        return problem_todo(problem, "install spython again");
    }
foreign:
    problem_set(problem, UNFIT, "'%s' is not an object of spython", safe(path));
    return problem_todo(problem, "install spython again");
}
