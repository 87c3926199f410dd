/* SPDX-License-Identifier: Apache-2.0 */
/* What the command says on stderr, and how it keeps its memory to itself. */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static struct rlimit core_before, locked_before;

/* What a terminal could act upon, or what hides text: C0, DEL, C1 as UTF-8 writes them (C2 80..9F),
 * and marks of direction (E2 80 8E, 8F, A8..AE; E2 81 A6..A9). */
static bool
acts(const unsigned char *before, size_t count, unsigned char c)
{
	unsigned char one = count > 0 ? before[-1] : 0, two = count > 1 ? before[-2] : 0;

	if (c < 0x20 || c == 0x7f || (one == 0xc2 && c >= 0x80 && c <= 0x9f))
		return true;
	if (two != 0xe2)
		return false;
	return (one == 0x80 && (c == 0x8e || c == 0x8f || (c >= 0xa8 && c <= 0xae))) ||
	       (one == 0x81 && c >= 0xa6 && c <= 0xa9);
}

void
text_tame(const char *text, size_t size, char *ret_tame, size_t capacity)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t out = 0;

	for (size_t i = 0; i < size && out + 1 < capacity; i++)
		ret_tame[out++] = acts(bytes + i, i, bytes[i]) ? '?' : text[i];
	ret_tame[out] = '\0';
}

static void say(const char *format, va_list list) __attribute__((format(printf, 1, 0)));

static void
say(const char *format, va_list list)
{
	char text[1024], tame[1024];
	int size = vsnprintf(text, sizeof(text), format, list);

	if (size < 0)
		return;
	text_tame(text, strlen(text), tame, sizeof(tame));
	fprintf(stderr, "postern: %s\n", tame);
}

int
complain(int status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(format, list);
	va_end(list);
	return status;
}

void
remark(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(format, list);
	va_end(list);
}

int
process_lock(void)
{
	if (getrlimit(RLIMIT_CORE, &core_before) != 0 ||
	    getrlimit(RLIMIT_MEMLOCK, &locked_before) != 0)
		return complain(EX_SOFTWARE, "the limits on core dumps and locked memory cannot be "
					     "read");
	const struct rlimit none = {.rlim_cur = 0, .rlim_max = core_before.rlim_max};
	/* secrets are locked in memory: as much of it as we may have */
	const struct rlimit all = {.rlim_cur = locked_before.rlim_max,
				   .rlim_max = locked_before.rlim_max};
	(void)setrlimit(RLIMIT_MEMLOCK, &all);
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return complain(EX_SOFTWARE, "core dumps cannot be turned off");
	return 0;
}

void
process_unlock(void)
{
	(void)setrlimit(RLIMIT_CORE, &core_before);
	(void)setrlimit(RLIMIT_MEMLOCK, &locked_before);
}
