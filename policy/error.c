/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

enum policy_status
policy_fail_at(struct policy_error *err, enum policy_status status, uint32_t line, uint32_t column,
	       const char *format, ...)
{
	va_list arguments;

	if (err == NULL)
		return status;
	err->status = status;
	err->line = line;
	err->column = column;
	va_start(arguments, format);
	vsnprintf(err->message, sizeof(err->message), format, arguments);
	va_end(arguments);
	return status;
}

void
policy_quote(char quoted[QUOTED_SIZE], const char *data, size_t size)
{
	if (size > QUOTED_SIZE - 1)
		size = QUOTED_SIZE - 1;
	for (size_t i = 0; i < size; i++)
		quoted[i] = data[i] >= ' ' && data[i] <= '~' ? data[i] : '?';
	quoted[size] = '\0';
}
