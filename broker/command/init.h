/* SPDX-License-Identifier: Apache-2.0 */
/* What `postern init` was asked for and has made so far, between its files. */
#ifndef POSTERN_COMMAND_INIT_H
#define POSTERN_COMMAND_INIT_H

#include "command.h"
#include "file.h"
#include "founding.h"
#include "store/shares.h"

#define INIT_MADE_MAX	 (16 + SHARES_MAX)
#define INIT_ADDRESS_MAX 300
#define INIT_SOCKET_NAME "control.sock"

/* What was made so far, to be taken back unless all of it was. */
struct made {
	size_t count;
	char paths[INIT_MADE_MAX][FILE_PATH_MAX];
};
void made_add(struct made *made, const char *path);
void made_undo(struct made *made);
#define auto_made __attribute__((cleanup(made_undo))) struct made

struct init {
	const char *config_dir;
	const char *state;
	const char *listen;
	const char *operator_name;
	const char *passphrase_file;
	bool no_passphrase;
	uint64_t share_count; /* 0: a key file */
	uint64_t threshold;
	const char *shares_dir; /* NULL: they are printed */
	struct secret *shares;	/* share_count of them, once they are made */
	bool tpm;		/* the root key goes to the TPM too */
	const char *tcti;	/* NULL: the default */
	uint32_t pcrs;		/* that it is sealed to */
	struct text_list names; /* with the listening address where that is one */
	char host[INIT_ADDRESS_MAX];
	char config_path[FILE_PATH_MAX]; /* absolute, once they are there */
	char state_path[FILE_PATH_MAX];
	struct made *made;
};

static inline const struct share *
init_shares(const struct init *init)
{
	return (const struct share *)(const void *)init->shares->bytes;
}

/* In the folder of configuration; recorded in init->made. 0 or an exit status that was said. */
int init_file_make(struct init *init, const char *name, mode_t mode, const void *data, size_t size);
/* posternd.conf, guest.conf and operator.conf. */
int init_configuration_make(struct init *init, const char *port, const struct founding *founding);
/* What is where, and what to do next. */
void init_report(const struct init *init);
/* The last thing that can fail: on standard output, past stdio, or already in files. */
int init_shares_report(const struct init *init);

#endif
