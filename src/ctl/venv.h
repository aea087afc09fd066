/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual environments: what pyvenv.cfg says, whether one may be adopted, which ones are. */
#ifndef SPYTHON_CTL_VENV_H
#define SPYTHON_CTL_VENV_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl/ctl.h"
#include "ctl/interpreter.h"

/* The keys of pyvenv.cfg that matter here; both malloc'ed, NULL if absent. */
struct venv_config {
    char *home;    /* directory of the base interpreter */
    char *version; /* "3.11.2": `version` of venv, `version_info` of virtualenv and uv */
};

/* Reads the text of a pyvenv.cfg. Later keys win, as for site.py. */
void venv_config_parse(const char *text, struct venv_config *ret);
void venv_config_done(struct venv_config *config);

/* `home` of the pyvenv.cfg at `path`, malloc'ed; NULL with a problem. */
char *venv_home(const char *path, struct problem *problem);

/* Checks that `root` (a real path) is an environment of a registered interpreter which nobody else
 * can change. Fills `minor` as soon as it is known. */
int venv_check(const struct ctl *ctl, const char *root, char minor[MINOR_SIZE],
               struct problem *problem);

/* Looks at the links that adopt places. 0 if both lead to the first stage of this prefix. */
int venv_check_links(const struct ctl *ctl, const char *root, const char *minor,
                     struct problem *problem);

/* PREFIX/etc/spython/venvs.list. */
struct venv_list {
    char **roots; /* owned, in the file's order */
    size_t count;
};

/* Absent is an empty list. */
int venv_list_read(const struct ctl *ctl, struct venv_list *ret, struct problem *problem);
/* The same with those that the policy in force names besides. */
int venv_list_all(const struct ctl *ctl, struct venv_list *ret, struct problem *problem);
int venv_list_write(const struct ctl *ctl, const struct venv_list *list, struct problem *problem);
bool venv_list_has(const struct venv_list *list, const char *root);
void venv_list_add(struct venv_list *list, const char *root); /* no-op if it is there */
bool venv_list_remove(struct venv_list *list, const char *root);
void venv_list_done(struct venv_list *list);

/* All adopted environments as a JSON array, each with "ok". *ret_bad: how many are not. */
json_t *venv_list_json(const struct ctl *ctl, const struct venv_list *list, size_t *ret_bad);

#endif
