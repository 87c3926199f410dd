/* SPDX-License-Identifier: Apache-2.0 */
/* A share as somebody types it: what is read is written, and read, the same. */
#include "store/shares.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[SHARE_TEXT_SIZE];
	struct share share, again;

	if (!share_read((const char *)data, size, &share))
		return 0;
	share_write(&share, text);
	if (!share_read(text, strlen(text), &again) || memcmp(&share, &again, sizeof share) != 0)
		abort();
	return 0;
}
