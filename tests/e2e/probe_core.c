/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for the core in test_stage1.py: takes over the interpreter's start and, instead of
 * running Python, writes as JSON what the first stage handed over. Bytes are code points below 256.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

static void put_text(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void put_texts(const char *name, char **texts)
{
    printf("\"%s\": [", name);
    for (size_t i = 0; texts[i]; i++) {
        if (i)
            putchar(',');
        put_text(texts[i]);
    }
    puts("],");
}

/* Which of the low descriptors are open; all of ours must be gone. */
static void put_descriptors(void)
{
    int first = 1;

    printf("\"fds\": [");
    for (int fd = 0; fd < 64; fd++) {
        char link[32], target[2];

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof(target)) < 0)
            continue;
        printf("%s%d", first ? "" : ",", fd);
        first = 0;
    }
    puts("],");
}

int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv);

__attribute__((visibility("default"))) int __libc_start_main(int (*program)(int, char **, char **),
                                                             int argc, char **argv)
{
    char comm[16] = "";

    (void)program;
    (void)prctl(PR_GET_NAME, comm, 0, 0, 0);
    puts("{");
    put_texts("argv", argv);
    put_texts("env", argv + argc + 1);
    put_descriptors();
    printf("\"secure\": %lu, \"comm\": ", getauxval(AT_SECURE));
    put_text(comm);
    printf(", \"argc\": %d}\n", argc);
    (void)fflush(stdout);
    _exit(0);
}
