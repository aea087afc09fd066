/* SPDX-License-Identifier: Apache-2.0 */
/* Which files site.py imports by name at every start, and in which of their forms one is. */
#ifndef SPYTHON_TRUST_HOOK_NAME_H
#define SPYTHON_TRUST_HOOK_NAME_H

enum hook_form {
    HOOK_NONE = 0,
    HOOK_SOURCE,     /* sitecustomize.py, usercustomize/__init__.py */
    HOOK_CACHE,      /* sitecustomize.cpython-311.pyc: stands for a source, which is used if it is
                      * refused */
    HOOK_SOURCELESS, /* sitecustomize.pyc: a hook by itself */
    HOOK_NATIVE,     /* sitecustomize.cpython-311-x86_64-linux-gnu.so */
};

/* By the name that it is asked for under: a link's own name counts, not what it leads to. The path
 * may be relative. A cache may lie in __pycache__ or below a prefix for caches. */
enum hook_form hook_name_form(const char *path);

#endif
