/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's IMA list on its way to the broker. A file keeps how far the broker knows it, and of
 * which boot: "BOOT-ID OFFSET". The broker says so where that is not so, and gets all of it.
 */
#ifndef POSTERN_COMMAND_FETCH_IMA_H
#define POSTERN_COMMAND_FETCH_IMA_H

#include "broker.h"
#include "file.h"

#define BOOT_ID_SIZE 64

struct fetch_ima {
	const char *log;   /* a file; NULL: none is sent */
	const char *state; /* a file; NULL: all of the list is sent */
	uint64_t offset;   /* to send from */
	char boot[BOOT_ID_SIZE];
};
/* What the state file says of this boot; nothing, where it is not there, not of this boot, or not
 * one. 0, or an exit status that was said. */
int fetch_ima_begin(struct fetch_ima *ima);
/* Members ima_log and ima_offset. To be called when the quote has been made: what the kernel adds
 * after it the broker drops, and what it had added before must be there. */
bool fetch_ima_add(struct fetch_ima *ima, json_t *body, struct broker_problem *problem);
/* Keeps what the broker's answer says of the next list. 0, or an exit status that was said. */
int fetch_ima_keep(const struct fetch_ima *ima, uint64_t next);

#endif
