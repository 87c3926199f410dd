/* SPDX-License-Identifier: Apache-2.0 */
/* The note of a set of shares: there is one way to write each. */
#include "store/shares.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t note[SHARES_NOTE_SIZE];
	struct share_set set;

	if (!share_set_read((struct store_bytes){data, size}, &set))
		return 0;
	if (share_set_write(&set, note) != size || memcmp(note, data, size) != 0)
		abort();
	return 0;
}
