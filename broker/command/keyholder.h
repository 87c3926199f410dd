/* SPDX-License-Identifier: Apache-2.0 */
/* Where a root key comes from: shares, in files or typed without echo; or a file with the key
 * itself. Keys and shares are in locked memory alone. */
#ifndef POSTERN_COMMAND_KEYHOLDER_H
#define POSTERN_COMMAND_KEYHOLDER_H

#include "command.h"
#include "control.h"
#include "store/shares.h"

struct keyholder {
	struct text_list share_files; /* "-": stdin */
	const char *root_key;	      /* a file; NULL: shares */
	bool quiet;		      /* each step on the way goes to stderr */
};
#define KEYHOLDER_RULES(holder)                                                                    \
	{"--share-file", OPTION_LIST, &(holder).share_files},                                      \
	{                                                                                          \
		"--root-key", OPTION_TEXT, &(holder).root_key                                      \
	}
/* 0 or EX_USAGE, said: a key and shares at once, stdin twice. */
int keyholder_check(const struct keyholder *holder);

#define KEYHOLDER_NOTHING (-1) /* an empty line where a share was asked for */

/* A locked struct share, found mistyped before anything is sent: 0, EX_NOINPUT, EX_DATAERR ...
 * said.
 */
int share_from_file(const char *path, struct secret **ret_share);
/* Asks, and again while what is typed is no share. KEYHOLDER_NOTHING: an empty line. */
int share_from_terminal(const char *question, struct secret **ret_share);
/* The share in a secret that these made. */
const struct share *share_of(const struct secret *secret);
/* Exactly STORE_ROOT_KEY_SIZE bytes. */
int root_key_read(const char *path, struct secret **ret_key);

/* ---- towards the broker ---- */

/* 0 whatever the broker says of it. `witness`: of a TPM's counter, or CONTROL_NO_WITNESS. */
int keyholder_give_share(struct control *control, enum control_purpose purpose,
			 const struct share *share, struct control_reply *ret_reply);
int keyholder_give_key(struct control *control, enum control_purpose purpose,
		       const struct secret *key, uint64_t witness, struct control_reply *ret_reply);
/* Gives what the files have, then what is typed, until the broker wants no more (`all`) or one was
 * taken. What was wrong was said, by its file. *ret_reply is the last answer: OK or MORE. */
int keyholder_give(const struct keyholder *holder, struct control *control,
		   enum control_purpose purpose, bool all, struct control_reply *ret_reply);

/* ---- without a broker ---- */

/* The root key of one set's shares, or the file's. That it is the right one, the store tells. */
int keyholder_key(const struct keyholder *holder, struct secret **ret_key);

#endif
