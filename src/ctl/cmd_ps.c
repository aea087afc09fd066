/* SPDX-License-Identifier: Apache-2.0 */
/* The `spythonctl ps` verb: running sessions and which policy each has. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ctl/output.h"
#include "ctl/policy_apply.h"
#include "ctl/sessions.h"

static const char *policy_text(const struct session *session)
{
    if (!session->is_readable)
        return "unreadable";
    switch (session->policy) {
    case SESSION_POLICY_CURRENT:
        return "current";
    case SESSION_POLICY_BUILT_IN:
        return "built-in";
    case SESSION_POLICY_STALE:
        break;
    }
    return "stale";
}

/* Would a process that is started now get another policy, or another core? */
static bool is_stale(const struct session *session, bool has_policy)
{
    if (!session->is_readable)
        return false;
    return session->core_replaced || session->policy == SESSION_POLICY_STALE ||
           (session->policy == SESSION_POLICY_BUILT_IN && has_policy);
}

static char *user_name(uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    return user ? must_copy(user->pw_name) : must_format("%u", (unsigned)uid);
}

static json_t *session_json(const struct session *session, bool stale)
{
    json_t *object = json_object(), *argv = json_array();
    CLEANUP_FREE char *user = user_name(session->uid);

    json_object_set_new(object, "pid", json_integer(session->pid));
    json_object_set_new(object, "uid", json_integer((json_int_t)session->uid));
    json_object_set_new(object, "user", json_text(user));
    json_object_set_new(object, "readable", json_boolean(session->is_readable));
    json_object_set_new(object, "policy", json_text(policy_text(session)));
    json_object_set_new(object, "script", json_text(session->script));
    for (size_t i = 0; session->argv[i]; i++)
        json_array_append_new(argv, json_text(session->argv[i]));
    json_object_set_new(object, "argv", argv);
    if (!session->is_readable)
        return object;
    json_object_set_new(object, "minor", json_text(session->minor));
    json_object_set_new(object, "stale", json_boolean(stale));
    json_object_set_new(object, "core_replaced", json_boolean(session->core_replaced));
    json_object_set_new(object, "session", session->id[0] ? json_text(session->id) : json_null());
    json_object_set_new(object, "log", session->log ? json_text(session->log) : json_null());
    return object;
}

static void print_session(const struct session *session, bool stale)
{
    CLEANUP_FREE char *user = user_name(session->uid);

    printf("%-8ld %-12s %-6s ", (long)session->pid, safe(user),
           session->is_readable ? session->minor : "?");
    out_word(stale                  ? TONE_WARN
             : session->is_readable ? TONE_GOOD
                                    : TONE_PLAIN,
             session->core_replaced ? "old core" : policy_text(session), 11);
    printf("%-17s %s  %s\n", session->id[0] ? session->id : "-",
           safe(session->script[0] ? session->script : "-"),
           session->log ? safe(session->log) : "");
}

static void print_list(const struct ctl *ctl, const struct session_list *list, bool has_policy)
{
    bool wants_json = ctl->flags & CTL_JSON;
    json_t *array = json_array();

    if (!wants_json)
        printf("%-8s %-12s %-6s %-11s%-17s %s\n", "PID", "USER", "PYTHON", "POLICY", "SESSION",
               "SCRIPT  LOG");
    for (size_t i = 0; i < list->count; i++) {
        const struct session *session = &list->items[i];
        bool stale = is_stale(session, has_policy);

        if ((ctl->flags & CTL_STALE) && !stale)
            continue;
        if (wants_json)
            json_array_append_new(array, session_json(session, stale));
        else
            print_session(session, stale);
    }
    if (wants_json) {
        out_json(
            json_pack("{s:o, s:I}", "sessions", array, "unreadable", (json_int_t)list->unreadable));
        return;
    }
    json_decref(array);
    if (list->unreadable > 0)
        printf("%zu other process%s could not be read%s\n", list->unreadable,
               list->unreadable == 1 ? "" : "es",
               geteuid() == 0 ? "" : " (run as root to see all)");
}

int cmd_ps(struct ctl *ctl, int argc, char **argv)
{
    CLEANUP_FREE char *libexec = ctl_path(ctl, "libexec/spython");
    CLEANUP_FREE char *policy = policy_path(ctl, 0);
    struct session_list list;
    struct problem problem = {0};
    struct stat st;
    bool has_policy = stat(policy, &st) == 0;
    const struct session_paths paths = {libexec, policy, has_policy ? &st : NULL};
    int r = session_list_scan("/proc", &paths, &list);

    (void)argc;
    (void)argv;
    if (r < 0) {
        problem_set(&problem, r, "cannot read it: %s", strerror(-r));
        problem_todo(&problem, "mount it");
        return problem_report("/proc", &problem);
    }
    print_list(ctl, &list, has_policy);
    session_list_done(&list);
    return CTL_OK;
}
