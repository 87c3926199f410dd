/* SPDX-License-Identifier: Apache-2.0 */
/* A text of policies: what is formatted parses, and stays as it is when it is formatted again. */
#include "policy/format.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_error err;
	char *once = NULL, *twice = NULL;
	size_t once_size = 0, twice_size = 0;

	if (policy_format((struct policy_text){(const char *)data, size}, &once, &once_size,
			  &err) != POLICY_OK)
		return 0;
	if (policy_format((struct policy_text){once, once_size}, &twice, &twice_size, &err) !=
		    POLICY_OK ||
	    once_size != twice_size || memcmp(once, twice, once_size) != 0)
		abort();
	free(once);
	free(twice);
	return 0;
}
