/* SPDX-License-Identifier: Apache-2.0 */
/* Which files may be registered, told by the file alone. Controls: the running test and /bin/sh are
 * dynamic glibc programs and pass; every refused file is one change away from a copy that passes.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "ctl/interpreter.h"

struct image {
    char data[1024];
};

/* The smallest file that passes: header, one PT_INTERP, the loader's name. */
static void make_image(struct image *image, const char *loader)
{
    Elf64_Ehdr header = {.e_type = ET_DYN,
                         .e_phoff = sizeof(header),
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = 2};
    Elf64_Phdr programs[2] = {{.p_type = PT_LOAD},
                              {.p_type = PT_INTERP,
                               .p_offset = sizeof(header) + sizeof(programs),
                               .p_filesz = strlen(loader) + 1}};

    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
#ifdef __x86_64__
    header.e_machine = EM_X86_64;
#else
    header.e_machine = EM_AARCH64;
#endif
    memset(image, 0, sizeof(*image));
    memcpy(image->data, &header, sizeof(header));
    memcpy(image->data + sizeof(header), programs, sizeof(programs));
    memcpy(image->data + sizeof(header) + sizeof(programs), loader, strlen(loader) + 1);
}

/* Inspects the image as a file of this mode; checks that a refusal comes with advice. */
static int inspect(const void *data, size_t len, mode_t mode, const char *expected)
{
    char path[] = "/tmp/spython-test-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC), r;
    struct problem problem = {0};
    struct stat st;

    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, data, len, NULL), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(fstat(fd, &st), 0);
    r = interpreter_inspect_file(fd, &st, &problem);
    if (expected) {
        assert_int_equal(r, UNFIT);
        assert_non_null(strstr(problem.err.msg, expected));
    } else {
        assert_int_equal(r, 0);
    }
    assert_int_equal(unlink(path), 0);
    fd_close(fd);
    return r;
}

static void test_fit(void **state)
{
    struct image image;

    (void)state;
    make_image(&image, "/lib64/ld-linux-x86-64.so.2");
    inspect(&image, sizeof(image), 0755, NULL);
    make_image(&image, "/lib/ld-linux-aarch64.so.1");
    inspect(&image, sizeof(image), 0755, NULL);
    make_image(&image, "/nix/store/x/lib/ld-linux-x86-64.so.2");
    inspect(&image, sizeof(image), 0555, NULL);
}

static void test_modes(void **state)
{
    struct image image;

    (void)state;
    make_image(&image, "/lib64/ld-linux-x86-64.so.2");
    inspect(&image, sizeof(image), 0644, "not executable");
    inspect(&image, sizeof(image), 04755, "set-user-ID");
    inspect(&image, sizeof(image), 02755, "set-group-ID");
}

static void test_contents(void **state)
{
    struct image image;
    Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)image.data;
    Elf64_Phdr *programs = (Elf64_Phdr *)(void *)(image.data + sizeof(*header));

    (void)state;
    inspect("#!/bin/sh\nexec python3\n", 23, 0755, "is a script");
    inspect("#!", 2, 0755, "is a script");
    inspect("", 0, 0755, "not an ELF");
    inspect("\177ELF", 4, 0755, "not an ELF");
    make_image(&image, "/lib/ld-musl-x86_64.so.1");
    inspect(&image, sizeof(image), 0755, "ld-musl");
    make_image(&image, "/lib64/ld-linux-x86-64.so.2");
    inspect(&image, sizeof(*header) - 1, 0755, "not an ELF");
    inspect(&image, sizeof(*header) + 8, 0755, "damaged");
    programs[1].p_type = PT_NOTE;
    inspect(&image, sizeof(image), 0755, "statically linked");
    make_image(&image, "/lib64/ld-linux-x86-64.so.2");
    header->e_machine = EM_S390;
    inspect(&image, sizeof(image), 0755, "kind of machine");
    make_image(&image, "/lib64/ld-linux-x86-64.so.2");
    header->e_type = ET_REL;
    inspect(&image, sizeof(image), 0755, "kind of machine");
    make_image(&image, "/lib64/ld-linux-x86-64.so.2");
    header->e_phnum = UINT16_MAX;
    inspect(&image, sizeof(image), 0755, "odd");
    make_image(&image, "/lib64/ld-linux-x86-64.so.2");
    programs[1].p_filesz = 1;
    inspect(&image, sizeof(image), 0755, "damaged");
    programs[1].p_filesz = UINT64_MAX;
    inspect(&image, sizeof(image), 0755, "damaged");
    programs[1].p_filesz = 5; /* no NUL at the end */
    inspect(&image, sizeof(image), 0755, "damaged");
}

static void test_real_files(void **state)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int dir = open("/", O_RDONLY | O_CLOEXEC);
    struct problem problem = {0};
    struct stat st;

    (void)state;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(interpreter_inspect_file(fd, &st, &problem), 0);
    assert_int_equal(fstat(dir, &st), 0);
    assert_int_equal(interpreter_inspect_file(dir, &st, &problem), UNFIT);
    fd_close(fd);
    fd_close(dir);
}

static void test_names(void **state)
{
    static const char *const good[] = {"3.8", "3.11", "3.100"};
    static const char *const bad[] = {"",     "3",    "3.",      "3.x",    "2.7",     "3.08",
                                      "3.0x", "3.1/", "../3.11", "3.11.2", "3.111111"};
    char version[24];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(is_minor(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(is_minor(bad[i]));
    interpreter_version(0x030b02f0, version);
    assert_string_equal(version, "3.11.2");
    interpreter_version(0x030e00c2, version);
    assert_string_equal(version, "3.14.0rc2");
    interpreter_version(0xffffffff, version);
    assert_string_equal(version, "255.255.255");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit),      cmocka_unit_test(test_modes),
        cmocka_unit_test(test_contents), cmocka_unit_test(test_real_files),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
