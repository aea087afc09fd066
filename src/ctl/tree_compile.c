/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles the sources of a tree with the interpreter that will run them; see tree.h. Each of our
 * threads runs one interpreter and gives it its share of names. It makes unchecked-hash bytecode:
 * a manifest vouches for it, so no start has to compare it with its source.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/tree.h"
#include "trust/tool.h"

#define COMPILE_SECONDS 3600
#define ANSWER_MAX ((size_t)256 << 20)

/* Reads names that end in NUL. Answers '+' and the bytecode's name, '-' and the name of a source
 * that does not compile, '!' and why nothing can be written; each with a NUL behind it. */
static const char program[] =
    "import os, sys, py_compile\n"
    "root = os.fsencode(sys.argv[1]) + b'/'\n"
    "mode = py_compile.PycInvalidationMode.UNCHECKED_HASH\n"
    "answers = []\n"
    "for name in sys.stdin.buffer.read().split(b'\\0')[:-1]:\n"
    "    try:\n"
    "        made = py_compile.compile(os.fsdecode(root + name), doraise=True,\n"
    "                                  invalidation_mode=mode)\n"
    "        answers.append(b'+' + os.fsencode(made)[len(root):])\n"
    "    except OSError as error:\n"
    "        answers.append(b'!' + name + b': ' + os.fsencode(error.strerror or str(error)))\n"
    "        break\n"
    "    except Exception:\n"
    "        answers.append(b'-' + name)\n"
    "sys.stdout.buffer.write(b''.join(a + b'\\0' for a in answers))\n";

/* One interpreter's share. */
struct share {
    const char *interpreter;
    const char *root;
    char *names;
    size_t len;
    struct tool tool;
    struct err err;
    int r;
};

static bool is_source(const char *path)
{
    size_t len = strlen(path);

    return len > 3 && strcmp(path + len - 3, ".py") == 0;
}

/* Takes a version like 3.11 up to the next slash. */
static bool take_minor(const char *text, char minor[MINOR_SIZE])
{
    size_t len = strcspn(text, "/");

    minor[0] = '\0';
    if (len >= MINOR_SIZE)
        return false;
    memcpy(minor, text, len);
    minor[len] = '\0';
    return is_minor(minor);
}

int tree_minor(const struct ctl *ctl, const struct tree *tree, char minor[MINOR_SIZE],
               struct problem *problem)
{
    const char *name = strrchr(tree->root, '/');
    CLEANUP_FREE char *link = ctl_path(ctl, "bin/spython");
    char target[64];
    ssize_t n;

    for (size_t i = 0; i < tree->count; i++)
        if (strncmp(tree->files[i].path, "lib/python", 10) == 0 &&
            take_minor(tree->files[i].path + 10, minor))
            return 0;
    if (name && strncmp(name, "/python", 7) == 0 && take_minor(name + 7, minor))
        return 0;
    n = readlink(link, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    if (strncmp(target, "spython", 7) == 0 && take_minor(target + 7, minor))
        return 0;
    minor[0] = '\0';
    problem_set(problem, UNFIT, "it is not known which Python is to compile it");
    return problem_todo(problem, "spythonctl interpreter default X.Y, or sign with --no-compile");
}

/* The registered interpreter, if it is still what was registered. */
static int find_interpreter(const struct ctl *ctl, const char *minor, char path[PATH_MAX],
                            struct problem *problem)
{
    struct interpreter *in = must_alloc(sizeof(*in));
    int r = interpreter_need(ctl, minor, "/usr/bin", in, problem);
    char todo[sizeof(problem->todo)] = "";

    if (r == 0)
        (void)snprintf(path, PATH_MAX, "%s", in->record.path);
    else
        (void)snprintf(todo, sizeof(todo), "%s", problem->todo);
    free(in);
    return r < 0 ? problem_todo(problem, "%s, or sign with --no-compile", todo) : 0;
}

static void *run_share(void *arg)
{
    struct share *share = arg;
    /* -S: no .pth file of the interpreter's own runs; -B is no matter to py_compile. */
    const char *argv[] = {"python3", "-I", "-S", "-W", "ignore", "-c", program, share->root, NULL};

    share->tool = (struct tool){.name = "python3",
                                .path = share->interpreter,
                                .argv = argv,
                                .input = share->names,
                                .input_len = share->len,
                                .output_max = ANSWER_MAX,
                                .seconds = COMPILE_SECONDS};
    share->r = tool_run(&share->tool, &share->err);
    if (share->r == 0 && share->tool.status != 0)
        share->r = err_set(&share->err, UNFIT, "the interpreter failed to compile: %s",
                           share->tool.complaint);
    return NULL;
}

static void add(char ***list, size_t *count, const char *text)
{
    *list = must_grow(*list, (*count + 1) * sizeof(**list));
    (*list)[(*count)++] = must_copy(text);
}

static int take_answers(const struct share *share, struct tree_bytecode *ret,
                        struct problem *problem)
{
    const char *end = share->tool.output + share->tool.output_len;

    if (share->r < 0)
        return problem_from_err(problem, &share->err);
    for (const char *at = share->tool.output; at < end; at += strlen(at) + 1) {
        if (at[0] == '+') {
            add(&ret->paths, &ret->count, at + 1);
        } else if (at[0] == '-') {
            add(&ret->failed, &ret->failed_count, at + 1);
        } else {
            problem_set(problem, -EIO, "cannot write bytecode: %s", at + 1);
            return problem_todo(problem, "make the tree writable, or sign with --no-compile");
        }
    }
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(char **list, size_t count)
{
    if (count > 0)
        qsort(list, count, sizeof(*list), compare_texts);
}

/* Deals the sources out one by one, since large files lie together. */
static void deal(const struct tree *tree, struct share *shares, unsigned count)
{
    size_t dealt = 0;

    for (size_t i = 0; i < tree->count; i++) {
        const char *path = tree->files[i].path;
        struct share *share = &shares[dealt % count];
        size_t len = strlen(path) + 1;

        if (!is_source(path))
            continue;
        share->names = must_grow(share->names, share->len + len);
        memcpy(share->names + share->len, path, len);
        share->len += len;
        dealt++;
    }
}

int tree_compile(const struct ctl *ctl, const struct tree *tree, const char *minor,
                 const struct tree_options *options, struct tree_bytecode *ret,
                 struct problem *problem)
{
    unsigned count = options->jobs > TREE_MAX_JOBS ? TREE_MAX_JOBS : options->jobs;
    struct share *shares = must_alloc(count * sizeof(*shares));
    pthread_t threads[TREE_MAX_JOBS];
    bool started[TREE_MAX_JOBS] = {false};
    char interpreter[PATH_MAX];
    int r;

    *ret = (struct tree_bytecode){0};
    r = find_interpreter(ctl, minor, interpreter, problem);
    if (r < 0) {
        free(shares);
        return r;
    }
    deal(tree, shares, count);
    for (unsigned i = 0; i < count; i++) {
        shares[i].interpreter = interpreter;
        shares[i].root = tree->root;
        if (shares[i].len > 0)
            started[i] = pthread_create(&threads[i], NULL, run_share, &shares[i]) == 0;
    }
    for (unsigned i = 0; i < count; i++) {
        if (started[i])
            (void)pthread_join(threads[i], NULL); /* ours and joinable */
        else if (shares[i].len > 0)
            (void)run_share(&shares[i]);
        if (r == 0 && shares[i].len > 0)
            r = take_answers(&shares[i], ret, problem);
        tool_done(&shares[i].tool);
        free(shares[i].names);
    }
    free(shares);
    sort(ret->paths, ret->count);
    sort(ret->failed, ret->failed_count);
    return r;
}

void tree_bytecode_done(struct tree_bytecode *bytecode)
{
    for (size_t i = 0; i < bytecode->count; i++)
        free(bytecode->paths[i]);
    for (size_t i = 0; i < bytecode->failed_count; i++)
        free(bytecode->failed[i]);
    free(bytecode->paths);
    free(bytecode->failed);
    *bytecode = (struct tree_bytecode){0};
}

bool tree_bytecode_has(const struct tree_bytecode *bytecode, const char *path)
{
    return bytecode->count > 0 && bsearch(&path, bytecode->paths, bytecode->count,
                                          sizeof(*bytecode->paths), compare_texts) != NULL;
}
