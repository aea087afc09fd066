/* SPDX-License-Identifier: Apache-2.0 */
#include "cpython/places.h"

#include <string.h>

#include "cpython/code_marks.h"
#include "cpython/frames.h"
#include "cpython/values.h"

static const char *const *library_dirs;
static unsigned library_dir_count;

void places_init(const char *const *dirs, unsigned count)
{
    library_dirs = dirs;
    library_dir_count = count;
}

static bool text_starts(const struct value *text, const char *prefix, size_t len)
{
    return text->kind == VALUE_TEXT1 && text->text.len >= len &&
           memcmp(text->text.data, prefix, len) == 0;
}

static bool is_library_file(const struct value *file)
{
    if (text_starts(file, "<frozen ", 8))
        return true;
    for (unsigned i = 0; i < library_dir_count; i++) {
        size_t len = strlen(library_dirs[i]);
        struct value rest = *file;

        if (!len || !text_starts(file, library_dirs[i], len) || file->text.len <= len ||
            ((const char *)file->text.data)[len] != '/')
            continue;
        rest.text.data = (const char *)file->text.data + len + 1;
        rest.text.len = file->text.len - len - 1;
        return !text_starts(&rest, "site-packages/", 14) &&
               !text_starts(&rest, "dist-packages/", 14);
    }
    return false;
}

static void resolve(struct code_mark mark, const struct frame_ref *ref, struct place_slot *slot)
{
    struct record_frame frame = {.approved = mark.approved};

    values_from_text(ref->code->co_filename, &frame.file);
#if MINOR_3(11)
    values_from_text(ref->code->co_qualname, &frame.func);
#else
    values_from_text(ref->code->co_name, &frame.func);
#endif
    frame.line = PyCode_Addr2Line(ref->code, ref->lasti);
    if (frame.line < 0)
        frame.line = 0;
    slot->lasti = ref->lasti;
    slot->json_len = (uint16_t)record_frame_encode(&frame, slot->json, sizeof(slot->json));
    if (slot->json_len == 0) {
        /* A path that long is told by its beginning; the code's name is what can be spared. */
        frame.func.text.len = frame.func.text.len > 16 ? 16 : frame.func.text.len;
        frame.func.flags |= VALUE_CUT;
        frame.file.text.len = frame.file.text.len > 24 ? 24 : frame.file.text.len;
        frame.file.flags |= VALUE_CUT;
        slot->json_len = (uint16_t)record_frame_encode(&frame, slot->json, sizeof(slot->json));
    }
}

static unsigned slot_index(uint64_t id, int lasti)
{
    uint64_t key = id * 0x9e3779b97f4a7c15ull + (uint64_t)(unsigned)lasti * 0x85ebca6bull;

    return (unsigned)(key >> 32) & (PLACE_SLOTS - 1);
}

/* File names can be forged, so only code that came through the gate is believed. */
static bool is_library(Py_ssize_t place, struct code_mark mark, PyCodeObject *code)
{
    struct value file = {0};
    bool library;

    if (!mark.approved)
        return false;
    if (mark.library_known)
        return mark.library;
    values_from_text(code->co_filename, &file);
    library = is_library_file(&file);
    code_mark_set_library(place, code, library);
    return library;
}

static const struct place_slot *find_place(struct thread_context *context, struct code_mark mark,
                                           const struct frame_ref *ref, unsigned depth)
{
    uint64_t id = mark.id << 1 | mark.approved; /* approval may come after the first look */
    struct place_slot *slot = &context->places[slot_index(id, ref->lasti)];

    if (slot->id == id && slot->lasti == ref->lasti && mark.id)
        return slot;
    slot = &context->scratch[depth];
    resolve(mark, ref, slot);
    slot->id = mark.id ? id : 0;
    if (depth >= context->scratch_used)
        context->scratch_used = depth + 1;
    return slot;
}

/* What the last event resolved goes into the cache only now: its record pointed to other slots of
 * the cache, and two frames of one event may share a slot. */
static void keep_resolved(struct thread_context *context)
{
    for (unsigned i = 0; i < context->scratch_used; i++) {
        struct place_slot *slot = &context->scratch[i];

        if (slot->id)
            context->places[slot_index(slot->id, slot->lasti)] = *slot;
        slot->id = 0;
    }
    context->scratch_used = 0;
}

/* Member by member: copied as a whole right after it was made, a place is read back with a wider
 * load than it was stored with, and the processor waits. */
static inline void set_place(struct record_place *place, const struct place_slot *slot)
{
    place->json = slot->json;
    place->len = slot->json_len;
}

bool places_fill(struct thread_context *context, struct record *record, unsigned frames,
                 struct record_place *stack)
{
    Py_ssize_t marks = code_marks_place(context);
    const struct place_slot *inner = NULL, *at = NULL;
    struct frame_walk walk;
    struct frame_ref ref;
    bool inner_is_library = true;
    unsigned depth = 0;

    if (frames > RECORD_MAX_FRAMES)
        frames = RECORD_MAX_FRAMES;
    if (context->scratch_used)
        keep_resolved(context);
    frame_walk_begin(&walk);
    while (depth < PLACES_MAX_FRAMES && (!at || depth < frames) && frame_walk_next(&walk, &ref)) {
        struct code_mark mark = code_mark_get_at(marks, ref.code);
        bool library = at || is_library(marks, mark, ref.code);

        /* Of the library's frames on the way only those are resolved that the record tells. */
        if (depth == 0 || depth < frames || !library) {
            const struct place_slot *slot = find_place(
                context, mark, &ref, depth < RECORD_MAX_FRAMES ? depth : RECORD_MAX_FRAMES);

            if (depth == 0) {
                inner_is_library = library;
                inner = slot;
            }
            if (!library)
                at = slot;
            if (depth < frames)
                set_place(&stack[depth], slot);
        }
        depth++;
    }
    record->stack = stack;
    record->stack_count = depth < frames ? depth : frames;
    if (!at)
        at = inner; /* all of it is the library's: the innermost is as good as any */
    record->at.len = record->in.len = 0;
    if (at)
        set_place(&record->at, at);
    if (inner != at)
        set_place(&record->in, inner);
    return inner_is_library;
}
