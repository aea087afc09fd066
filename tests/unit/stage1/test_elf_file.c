/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up ELF files, whole, cut at every byte and with every odd size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "stage1/elf_file.h"

static Elf64_Ehdr valid_header(void)
{
    Elf64_Ehdr h = {.e_type = ET_DYN,
                    .e_machine = EM_X86_64,
                    .e_phoff = 1234,
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = 7};

    memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS64;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    return h;
}

static enum elf_verdict read_it(const Elf64_Ehdr *h, struct elf_layout *l)
{
    return elf_read_header(h, sizeof(*h), EM_X86_64, l);
}

static void test_header(void **state)
{
    Elf64_Ehdr h = valid_header();
    struct elf_layout l;

    (void)state;
    assert_int_equal(read_it(&h, &l), ELF_OK);
    assert_int_equal(l.type, ET_DYN);
    assert_int_equal(l.segments_offset, 1234);
    assert_int_equal(l.segments, 7);
    for (size_t len = 0; len < sizeof(h); len++)
        assert_int_equal(elf_read_header(&h, len, EM_X86_64, &l),
                         len < SELFMAG ? ELF_NOT_ELF : ELF_DAMAGED);
    assert_int_equal(elf_read_header(&h, sizeof(h), EM_AARCH64, &l), ELF_OTHER_MACHINE);
}

static void test_header_odd(void **state)
{
    Elf64_Ehdr h = valid_header();
    struct elf_layout l;

    (void)state;
    h.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(read_it(&h, &l), ELF_OTHER_MACHINE);
    h = valid_header();
    h.e_ident[EI_DATA] = ELFDATA2MSB;
    assert_int_equal(read_it(&h, &l), ELF_OTHER_MACHINE);
    h = valid_header();
    h.e_phentsize = 0;
    assert_int_equal(read_it(&h, &l), ELF_DAMAGED);
    h = valid_header();
    h.e_phnum = 0;
    assert_int_equal(read_it(&h, &l), ELF_DAMAGED);
    h.e_phnum = ELF_SEGMENTS_MAX;
    assert_int_equal(read_it(&h, &l), ELF_OK);
    h.e_phnum = ELF_SEGMENTS_MAX + 1;
    assert_int_equal(read_it(&h, &l), ELF_DAMAGED);
    h.e_phnum = PN_XNUM;
    assert_int_equal(read_it(&h, &l), ELF_DAMAGED);
    h = valid_header();
    h.e_ident[0] = 0;
    assert_int_equal(read_it(&h, &l), ELF_NOT_ELF);
}

static void test_segments(void **state)
{
    Elf64_Phdr table[] = {
        {.p_type = PT_LOAD},
        {.p_type = PT_NOTE, .p_offset = 10, .p_filesz = 20, .p_align = 4},
        {.p_type = PT_INTERP},
        {.p_type = PT_NOTE, .p_offset = UINT64_MAX, .p_filesz = 40, .p_align = 8}};
    struct elf_range r;
    size_t at = 0;

    (void)state;
    assert_true(elf_next_segment(table, 4, PT_NOTE, &at, &r));
    assert_int_equal(r.offset, 10);
    assert_int_equal(r.size, 20);
    assert_int_equal(r.align, 4);
    assert_true(elf_next_segment(table, 4, PT_NOTE, &at, &r));
    assert_int_equal(r.offset, UINT64_MAX);
    assert_int_equal(r.align, 8);
    assert_false(elf_next_segment(table, 4, PT_NOTE, &at, &r));
    at = 0;
    assert_false(elf_next_segment(table, 4, PT_DYNAMIC, &at, &r));
    at = 0;
    assert_false(elf_next_segment(table, 0, PT_LOAD, &at, &r));
}

static bool is_glibc(const char *s, size_t len)
{
    char *exact = malloc(len ? len : 1);
    bool yes;

    assert_non_null(exact);
    memcpy(exact, s, len);
    yes = elf_is_glibc_loader(exact, len);
    free(exact);
    return yes;
}

#define LOADER(s) is_glibc(s, sizeof(s))

static void test_loader(void **state)
{
    (void)state;
    assert_true(LOADER("/lib64/ld-linux-x86-64.so.2"));
    assert_true(LOADER("/lib/ld-linux-aarch64.so.1"));
    assert_true(LOADER("/nix/store/xyz-glibc/lib/ld-linux-x86-64.so.2"));
    assert_true(LOADER("ld-linux"));
    assert_false(LOADER("/lib/ld-musl-x86_64.so.1"));
    assert_false(LOADER("/ld-linux/other"));
    assert_false(LOADER("/lib/ld-linu"));
    assert_false(LOADER("/lib/xld-linux.so"));
    assert_false(LOADER("/"));
    assert_false(LOADER(""));
    assert_false(LOADER("/lib/ld-musl\0/lib/ld-linux"));
    assert_false(is_glibc("", 0));
    assert_false(is_glibc("/lib64/ld-linux-x86-64.so.2", 27)); /* no NUL */
}

/* Appends one note in the layout of a segment with this alignment. */
static size_t put_note(char *to, size_t at, size_t align, const char *name, uint32_t type,
                       const char *text, size_t text_len)
{
    Elf64_Nhdr n = {(Elf64_Word)strlen(name) + 1, (Elf64_Word)text_len, type};
    size_t text_at = (sizeof(n) + n.n_namesz + align - 1) / align * align;

    memcpy(to + at, &n, sizeof(n));
    memcpy(to + at + sizeof(n), name, n.n_namesz);
    memcpy(to + at + text_at, text, text_len);
    return at + text_at + (text_len + align - 1) / align * align;
}

static const char *find(const char *data, size_t len, size_t align)
{
    char *exact = malloc(len ? len : 1);
    static char copy[64];
    const char *text = NULL;

    assert_non_null(exact);
    memcpy(exact, data, len);
    if (elf_find_note_text(exact, len, align, "spython", 1, &text)) {
        assert_true(strlen(text) < sizeof(copy));
        memcpy(copy, text, strlen(text) + 1);
        text = copy;
    }
    free(exact);
    return text;
}

static void test_notes(void **state)
{
    static const size_t aligns[] = {0, 1, 4, 8};

    (void)state;
    for (size_t i = 0; i < sizeof(aligns) / sizeof(aligns[0]); i++) {
        size_t step = aligns[i] == 8 ? 8 : 4, whole, end;
        char data[256] = {0};

        end = put_note(data, 0, step, "GNU", 3, "123456789", 9);
        end = put_note(data, end, step, "spython", 2, "3.8", 4);
        end = put_note(data, end, step, "spythonx", 1, "3.9", 4);
        end = put_note(data, end, step, "spython", 1, "3.10", 4); /* not terminated */
        end = put_note(data, end, step, "spython", 1, "", 0);
        assert_null(find(data, end, aligns[i]));
        whole = put_note(data, end, step, "spython", 1, "3.11", 5);
        for (size_t len = 0; len <= whole; len++) {
            /* The padding behind the last text need not be there. */
            const char *text = find(data, len, aligns[i]);
            size_t needed = whole - step * 2 + 5 + (step == 8 ? 8 : 0);

            if (len < needed)
                assert_null(text);
            else
                assert_string_equal(text, "3.11");
        }
    }
}

static void test_notes_with_huge_sizes(void **state)
{
    static const Elf64_Word sizes[] = {0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffc, 0xffffffff};
    char data[64] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        Elf64_Nhdr n = {sizes[i], 4, 1};

        memcpy(data, &n, sizeof(n));
        assert_null(find(data, sizeof(data), 4));
        n = (Elf64_Nhdr){8, sizes[i], 1};
        memcpy(data, &n, sizeof(n));
        assert_null(find(data, sizeof(data), 8));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),   cmocka_unit_test(test_header_odd),
        cmocka_unit_test(test_segments), cmocka_unit_test(test_loader),
        cmocka_unit_test(test_notes),    cmocka_unit_test(test_notes_with_huge_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
