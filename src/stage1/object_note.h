/* SPDX-License-Identifier: Apache-2.0 */
/* The ELF notes by which core and audit object are recognised before anything of them runs. */
#ifndef SPYTHON_STAGE1_OBJECT_NOTE_H
#define SPYTHON_STAGE1_OBJECT_NOTE_H

#define NOTE_NAME "spython"
#define NOTE_MINOR 1   /* text: "3.11"; launcher/core_note.c */
#define NOTE_RELEASE 2 /* text: release of spython; rtld/audit.c */
#define NOTES_MAX 4096 /* bytes of one segment that are looked through */

#endif
