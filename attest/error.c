/* SPDX-License-Identifier: Apache-2.0 */
/* Every text is cut to its field by snprintf: an error never grows with the input that caused it.
 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Longer values are cut here, which leaves room in `expected` and `seen` for how long they were. */
#define SHOWN_BYTES_MAX 48

static void
start(struct attest_error *err, enum attest_status status, const char *check)
{
	*err = (struct attest_error){.status = status};
	snprintf(err->check, sizeof(err->check), "%s", check);
}

static void
print_hex(char *ret, size_t size, struct bytes value)
{
	size_t shown = value.size < SHOWN_BYTES_MAX ? value.size : SHOWN_BYTES_MAX;

	ret[0] = '\0';
	for (size_t i = 0; i < shown; i++)
		snprintf(ret + 2 * i, size - 2 * i, "%02x", value.data[i]);
	if (shown < value.size)
		snprintf(ret + 2 * shown, size - 2 * shown, "... (%zu bytes)", value.size);
}

enum attest_status
attest_fail(struct attest_error *err, enum attest_status status, const char *check,
	    const char *format, ...)
{
	va_list arguments;

	start(err, status, check);
	va_start(arguments, format);
	vsnprintf(err->message, sizeof(err->message), format, arguments);
	va_end(arguments);
	return status;
}

enum attest_status
attest_differs(struct attest_error *err, enum attest_status status, const char *check,
	       struct bytes expected, struct bytes seen, const char *message)
{
	start(err, status, check);
	print_hex(err->expected, sizeof(err->expected), expected);
	print_hex(err->seen, sizeof(err->seen), seen);
	snprintf(err->message, sizeof(err->message), "%s", message);
	return status;
}

enum attest_status
attest_differs_text(struct attest_error *err, enum attest_status status, const char *check,
		    const char *expected, const char *seen, const char *message)
{
	start(err, status, check);
	snprintf(err->expected, sizeof(err->expected), "%s", expected);
	snprintf(err->seen, sizeof(err->seen), "%s", seen);
	snprintf(err->message, sizeof(err->message), "%s", message);
	return status;
}

enum attest_status
attest_fail_memory(struct attest_error *err)
{
	return attest_fail(err, ATTEST_MEMORY, "memory",
			   "out of memory, or the cryptographic library failed");
}
