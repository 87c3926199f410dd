/* SPDX-License-Identifier: Apache-2.0 */
/* What the command says on stderr, and how it keeps its memory to itself. */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static struct rlimit core_before;

/* Bytes that a terminal could act upon: C0, DEL, and C1 as UTF-8 writes them (C2 80..9F). */
void
text_tame(const char *text, size_t size, char *ret_tame, size_t capacity)
{
	size_t out = 0;

	for (size_t i = 0; i < size && out + 1 < capacity; i++) {
		unsigned char c = (unsigned char)text[i];
		unsigned char before = i > 0 ? (unsigned char)text[i - 1] : 0;
		bool acts = c < 0x20 || c == 0x7f || (before == 0xc2 && c >= 0x80 && c <= 0x9f);
		ret_tame[out++] = acts ? '?' : text[i];
	}
	ret_tame[out] = '\0';
}

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
	struct rlimit none, locked;

	if (getrlimit(RLIMIT_CORE, &core_before) != 0)
		return complain(EX_SOFTWARE, "the limit on core dumps cannot be read");
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = core_before.rlim_max};
	/* secrets are locked in memory: as much of it as we may have */
	if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0 && locked.rlim_cur != locked.rlim_max) {
		locked.rlim_cur = locked.rlim_max;
		(void)setrlimit(RLIMIT_MEMLOCK, &locked);
	}
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return complain(EX_SOFTWARE, "core dumps cannot be turned off");
	return 0;
}

void
process_unlock(void)
{
	(void)setrlimit(RLIMIT_CORE, &core_before);
}
