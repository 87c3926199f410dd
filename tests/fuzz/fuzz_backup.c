/* SPDX-License-Identifier: Apache-2.0 */
/* A backup as it is read, and, since its macs keep mutations out, a chunk's items as they are. The
 * first byte chooses. */
#include "store/stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long
play(void *user, uint8_t *buffer, size_t size)
{
	struct reader *rest = user;

	if (size > rest->rest.size)
		size = rest->rest.size;
	if (size > 0)
		memcpy(buffer, read_bytes(rest, size), size);
	return (long)size;
}

static void
read_items(struct store_bytes chunk)
{
	struct reader r = {.rest = chunk};
	struct item item;

	while (r.rest.size > 0 && stream_read_item(&r, &item)) {
		if (item.label.size > STORE_LABEL_MAX || item.key.size > BACKEND_KEY_MAX ||
		    item.body.size > BODY_SIZE_MAX)
			abort();
	}
}

static void
read_stream(struct store_bytes bytes)
{
	static const uint8_t key[KEY_SIZE];
	struct reader rest = {.rest = bytes};
	auto_stream_reader in = {.source = play, .user = &rest, .key = key};
	uint8_t id[STORE_ID_SIZE], check[HEADER_CHECK_SIZE];
	struct store_bytes chunk;
	struct store_error err;

	if (stream_open(&in, id, check, &err) != STORE_OK)
		return;
	while (!in.last && stream_next_chunk(&in, &chunk, &err) == STORE_OK)
		read_items(chunk);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const struct store_bytes rest = {data + 1, size - 1};
	if (data[0] % 2 == 0)
		read_items(rest);
	else
		read_stream(rest);
	return 0;
}
