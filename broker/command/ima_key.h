/* SPDX-License-Identifier: Apache-2.0 */
/* A key that signs files, as operators name it. */
#ifndef POSTERN_COMMAND_IMA_KEY_H
#define POSTERN_COMMAND_IMA_KEY_H

#include "attest/ima.h"

#define IMA_KEY_ID_TEXT (2 * ATTEST_HASH_SIZE + 1)
#define IMA_KEY_SUBJECT 160

/* PEM or DER. 0, or an exit status that was said. */
int ima_key_file(const char *path, struct attest_ima_key *ret_key);
/* The same. `ret_id` is SHA-256 of its DER in hex, `ret_subject` its file's name and the four
 * bytes by which signatures name it. */
int ima_key_read(const char *path, struct attest_ima_key *ret_key, char ret_id[IMA_KEY_ID_TEXT],
		 char ret_subject[IMA_KEY_SUBJECT]);

#endif
