/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_allow.h"

#include "command.h"
#include "encode.h"

#include <stdlib.h>
#include <string.h>

#define ALLOW_MAX     (256 * 1024 * 1024) /* bytes of an allow-list: a million files and more */
#define DIGEST_DIGITS (2 * ATTEST_HASH_SIZE)

static int
digest_order(const void *a, const void *b)
{
	return memcmp(a, b, ATTEST_HASH_SIZE);
}

/* A line of sha256sum: digest, a space, ' ' or '*', a name; before it '\' where the name has one.
 * False: neither that, nor empty, nor a remark. */
static bool
digest_take(const char *line, size_t size, uint8_t *ret_digest, bool *ret_taken)
{
	char hex[DIGEST_DIGITS + 1];

	*ret_taken = false;
	if (size > 0 && line[0] == '\\') {
		line++;
		size--;
	}
	if (size > 0 && line[size - 1] == '\r')
		size--;
	if (size == 0 || line[0] == '#')
		return true;
	if (size < DIGEST_DIGITS || (size > DIGEST_DIGITS && line[DIGEST_DIGITS] != ' '))
		return false;
	memcpy(hex, line, DIGEST_DIGITS);
	hex[DIGEST_DIGITS] = '\0';
	*ret_taken = hex_decode(hex, ret_digest, ATTEST_HASH_SIZE);
	return *ret_taken;
}

/* Digests take the place of the text, which is longer than they are. */
int
ima_allow_read(const char *path, struct file_text *memory, struct bytes *ret_digests)
{
	int status = file_read(path, ALLOW_MAX, memory);
	uint8_t *digests = (uint8_t *)memory->data;
	size_t count = 0, kept = 0, number = 1;

	for (size_t at = 0; status == 0 && at < memory->size; number++) {
		const char *line = memory->data + at;
		const char *end = memchr(line, '\n', memory->size - at);
		size_t size = end != NULL ? (size_t)(end - line) : memory->size - at;
		uint8_t digest[ATTEST_HASH_SIZE];
		bool taken = false;
		if (!digest_take(line, size, digest, &taken))
			return complain(EX_DATAERR, "%s: line %zu is not a SHA-256 digest", path,
					number);
		at += size + 1;
		if (taken)
			memcpy(digests + ATTEST_HASH_SIZE * count++, digest, sizeof(digest));
	}
	if (status != 0)
		return status;
	qsort(digests, count, ATTEST_HASH_SIZE, digest_order);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || digest_order(digests + ATTEST_HASH_SIZE * (kept - 1),
					      digests + ATTEST_HASH_SIZE * i) != 0)
			memmove(digests + ATTEST_HASH_SIZE * kept++, digests + ATTEST_HASH_SIZE * i,
				ATTEST_HASH_SIZE);
	*ret_digests = (struct bytes){digests, ATTEST_HASH_SIZE * kept};
	return 0;
}
