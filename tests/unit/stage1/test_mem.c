/* SPDX-License-Identifier: Apache-2.0 */
/* The freestanding memory functions, under other names beside libc's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void *ours_memcpy(void *restrict to, const void *restrict from, size_t len);
void *ours_memmove(void *to, const void *from, size_t len);
void *ours_memset(void *to, int byte, size_t len);
int ours_memcmp(const void *a, const void *b, size_t len);
size_t ours_strlen(const char *s);

#define memcpy ours_memcpy
#define memmove ours_memmove
#define memset ours_memset
#define memcmp ours_memcmp
#define strlen ours_strlen
#include "stage1/mem.c" /* NOLINT(bugprone-suspicious-include) */
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen

static void test_copy_and_move(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 12; len++) {
        for (size_t from = 0; from <= 4; from++) {
            for (size_t to = 0; to <= 4; to++) {
                char a[] = "abcdefghijklmnop", b[] = "abcdefghijklmnop", c[17] = "";

                assert_ptr_equal(ours_memmove(a + to, a + from, len), a + to);
                memmove(b + to, b + from, len);
                assert_memory_equal(a, b, sizeof(a));
                assert_ptr_equal(ours_memcpy(c, b + from, len), c);
                assert_memory_equal(c, b + from, len);
                assert_int_equal(c[len], 0);
            }
        }
    }
}

static void test_set_compare_length(void **state)
{
    char a[] = "abcd";

    (void)state;
    assert_ptr_equal(ours_memset(a + 1, 0x1ff, 2), a + 1);
    assert_memory_equal(a, "a\377\377d", 5);
    assert_int_equal(ours_memcmp("abc", "abd", 2), 0);
    assert_true(ours_memcmp("abc", "abd", 3) < 0);
    assert_true(ours_memcmp("a\377", "a\001", 2) > 0);
    assert_int_equal(ours_memcmp("a", "b", 0), 0);
    assert_int_equal(ours_strlen(""), 0);
    assert_int_equal(ours_strlen("abc\377"), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_and_move),
        cmocka_unit_test(test_set_compare_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
