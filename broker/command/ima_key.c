/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_key.h"

#include "command.h"
#include "encode.h"
#include "file.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define KEY_FILE_MAX 65536
#define NAME_SHOWN   120

int
ima_key_file(const char *path, struct attest_ima_key *ret_key)
{
	auto_file_text file = {.data = NULL};
	struct attest_error err;
	int status = file_read(path, KEY_FILE_MAX, &file);

	if (status != 0)
		return status;
	if (attest_ima_key_decode((struct bytes){(const uint8_t *)file.data, file.size}, ret_key,
				  &err) != ATTEST_OK)
		return complain(EX_DATAERR, "%s: no key that signs files: %s", path, err.message);
	return 0;
}

int
ima_key_read(const char *path, struct attest_ima_key *ret_key, char ret_id[IMA_KEY_ID_TEXT],
	     char ret_subject[IMA_KEY_SUBJECT])
{
	const char *slash = strrchr(path, '/');
	uint8_t hash[crypto_hash_sha256_BYTES];
	char name[NAME_SHOWN], id[2 * sizeof(ret_key->id) + 1];
	int status = ima_key_file(path, ret_key);

	if (status != 0)
		return status;
	crypto_hash_sha256(hash, ret_key->der, ret_key->size);
	hex_encode(hash, sizeof(hash), ret_id);
	hex_encode(ret_key->id, sizeof(ret_key->id), id);
	slash = slash != NULL ? slash + 1 : path;
	text_tame(slash, strlen(slash), name, sizeof(name));
	(void)snprintf(ret_subject, IMA_KEY_SUBJECT, "key %s (%s)", id, name);
	return 0;
}
