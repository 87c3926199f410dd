/* SPDX-License-Identifier: Apache-2.0 */
#include "die.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void
die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_exit(1);
}
