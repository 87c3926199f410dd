/* SPDX-License-Identifier: Apache-2.0 */
/* The value of Google's instance-info extension. */
#include "attest/instance.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text, size_t capacity)
{
	const char *end = memchr(text, '\0', capacity);

	if (end == NULL || end == text)
		abort();
	for (; text < end; text++)
		if (*text <= 0x20 || *text >= 0x7f)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_instance instance = {.known = false};

	if (!instance_decode((struct bytes){data, size}, &instance)) {
		if (instance.known)
			abort();
		return 0;
	}
	if (!instance.known)
		abort();
	check_text(instance.zone, sizeof(instance.zone));
	check_text(instance.project, sizeof(instance.project));
	check_text(instance.name, sizeof(instance.name));
	return 0;
}
