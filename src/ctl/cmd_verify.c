/* SPDX-License-Identifier: Apache-2.0 */
/* `spythonctl verify`: what of a tree is not as its manifest says. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/sign.h"
#include "ctl/signed_manifest.h"

/* The answer while it grows. */
struct answer {
    bool wants_json;
    size_t differences;
    size_t unlisted_bytecode; /* never loaded, so no difference */
    json_t *added, *changed, *missing;
};

static void tell(struct answer *answer, json_t *list, const char *word, const char *path,
                 const char *distribution)
{
    answer->differences++;
    json_array_append_new(list, json_pack("{s:o, s:o}", "path", json_text(path), "distribution",
                                          distribution[0] ? json_text(distribution) : json_null()));
    if (answer->wants_json)
        return;
    out_word(TONE_BAD, word, 9);
    printf("%s%s%s\n", safe(path), distribution[0] ? "  " : "", safe(distribution));
}

static void tell_added(struct answer *answer, const struct tree_file *file)
{
    char source[PATH_MAX];

    if (tree_source_of_bytecode(file->path, source))
        answer->unlisted_bytecode++;
    else
        tell(answer, answer->added, "added", file->path, file->distribution);
}

/* Both are sorted by the bytes of their paths. */
static void compare(struct answer *answer, const struct tree *tree, const struct manifest *manifest)
{
    size_t i = 0, j = 0;

    while (i < tree->count || j < manifest->count) {
        const struct tree_file *file = i < tree->count ? &tree->files[i] : NULL;
        const struct manifest_entry *entry = j < manifest->count ? &manifest->entries[j] : NULL;
        int order = !file ? 1 : !entry ? -1 : strcmp(file->path, entry->path);

        if (order < 0) {
            tell_added(answer, file);
        } else if (order > 0) {
            tell(answer, answer->missing, "missing", entry->path, entry->distribution);
        } else if (file->size != entry->size ||
                   memcmp(file->sha256, entry->sha256, DIGEST_SIZE) != 0) {
            tell(answer, answer->changed, "changed", entry->path, entry->distribution);
        }
        i += order <= 0;
        j += order >= 0;
    }
    for (i = 0; i < tree->odd_count; i++)
        tell(answer, answer->added, "added", tree->odd[i], "");
}

static void print_answer(struct answer *answer, const struct signed_manifest *m)
{
    const struct manifest *manifest = &m->manifest;

    if (answer->wants_json) {
        json_t *signer = m->sig ? json_pack("{s:o, s:o}", "name", json_text(m->signature.signer),
                                            "fingerprint", json_text(m->signature.fingerprint))
                                : json_null();

        out_json(json_pack("{s:b, s:s, s:I, s:I, s:o, s:O, s:O, s:O, s:I}", "same",
                           answer->differences == 0, "name", manifest->name, "serial",
                           (json_int_t)manifest->serial, "files", (json_int_t)manifest->count,
                           "signer", signer, "added", answer->added, "changed", answer->changed,
                           "missing", answer->missing, "unlisted_bytecode",
                           (json_int_t)answer->unlisted_bytecode));
        return;
    }
    if (answer->unlisted_bytecode)
        printf("%zu files of bytecode are not listed: they will not be loaded\n",
               answer->unlisted_bytecode);
    printf("%s, serial %" PRIu64 ", %u files, ", manifest->name, manifest->serial, manifest->count);
    if (m->sig)
        printf("signed by %s: ", safe(m->signature.signer));
    else
        printf("signature not checked: ");
    if (answer->differences == 0)
        printf("the tree is as signed\n");
    else
        printf("%zu added, %zu changed, %zu missing\n", json_array_size(answer->added),
               json_array_size(answer->changed), json_array_size(answer->missing));
}

static int verify_tree(const struct ctl *ctl, const char *dir, const struct signed_manifest *m,
                       struct tree_options *options)
{
    struct answer answer = {.wants_json = ctl->flags & CTL_JSON,
                            .added = json_array(),
                            .changed = json_array(),
                            .missing = json_array()};
    struct problem problem = {0};
    struct tree tree;
    int r = tree_open(&tree, dir, &problem), status;

    options->keep_odd = true;
    if (r == 0 && (r = tree_walk(&tree, options, &problem)) == 0 &&
        (r = tree_hash(&tree, options, &problem)) == 0) {
        (void)tree_attribute(&tree);
        compare(&answer, &tree, &m->manifest);
        print_answer(&answer, m);
        status = answer.differences ? CTL_NEGATIVE : CTL_OK;
    } else {
        status = problem_report(dir, &problem);
    }
    tree_done(&tree);
    json_decref(answer.added);
    json_decref(answer.changed);
    json_decref(answer.missing);
    return status;
}

static int read_manifest(const struct ctl *ctl, const char *path, struct signed_manifest *ret,
                         struct problem *problem)
{
    struct trust_store store = {0};
    int r;

    if (ctl->flags & CTL_NO_SIGNATURE)
        return signed_manifest_read(NULL, path, NULL, ret, problem);
    r = trust_read(ctl, &store, problem);
    if (r == 0)
        r = signed_manifest_read(&store, path, NULL, ret, problem);
    trust_store_done(&store);
    return r;
}

int cmd_verify(struct ctl *ctl, int argc, char **argv)
{
    const char *path = ctl_value(ctl, CTL_MANIFEST);
    struct signed_manifest manifest = {0};
    struct tree_options options = {0};
    struct problem problem = {0};
    int status;

    (void)argc;
    if (!path) {
        problem_set(&problem, UNFIT, "it is not said what to compare with");
        problem_todo(&problem, "name the manifest with --manifest FILE");
        (void)problem_report("verify", &problem);
        return CTL_USAGE;
    }
    status = sign_read_tree_options(ctl, &options);
    if (status == CTL_OK) {
        if (read_manifest(ctl, path, &manifest, &problem) < 0)
            status = problem_report(path, &problem);
        else
            status = verify_tree(ctl, argv[0], &manifest, &options);
    }
    signed_manifest_done(&manifest);
    free(options.exclude);
    return status;
}
