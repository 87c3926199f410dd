/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH    24
#define BAR_EACH     100  /* milliseconds between two drawings */
#define LINES_EACH   5000 /* ... and two lines */
#define TIME_MAX     (99 * 3600)
#define ERASE_TO_END "\r\033[K"

static int64_t
now_milliseconds(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
progress_size_text(uint64_t bytes, char ret_text[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double size = (double)bytes;
	size_t unit = 0;

	while (size >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
		size /= 1024;
		unit++;
	}
	(void)snprintf(ret_text, 32, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

/* "1:05" or "2:03:04"; "?" where nobody can tell. */
static void
time_text(double seconds, char ret_text[32])
{
	if (!(seconds >= 0 && seconds < TIME_MAX)) {
		(void)snprintf(ret_text, 32, "?");
		return;
	}
	unsigned whole = (unsigned)(seconds + 0.5);
	if (whole >= 3600)
		(void)snprintf(ret_text, 32, "%u:%02u:%02u", whole / 3600, whole / 60 % 60,
			       whole % 60);
	else
		(void)snprintf(ret_text, 32, "%u:%02u", whole / 60, whole % 60);
}

static void
rate_text(const struct progress *progress, uint64_t done, int64_t elapsed, char ret_text[40])
{
	double seconds = elapsed > 0 ? (double)elapsed / 1000 : 0.001;
	char size[32];

	if (progress->bytes > 0) {
		progress_size_text((uint64_t)((double)progress->bytes / seconds), size);
		(void)snprintf(ret_text, 40, "%s/s", size);
	} else {
		(void)snprintf(ret_text, 40, "%.0f/s", (double)done / seconds);
	}
}

/* "backup [######------------------]  25%  12.0 MiB/s  0:31 left" */
void
progress_line(const struct progress *progress, uint64_t done, uint64_t total, int64_t elapsed,
	      char ret_line[PROGRESS_LINE_MAX])
{
	char bar[BAR_WIDTH + 1], rate[40], left[32];
	double part = total > 0 ? (double)done / (double)total : 0;

	rate_text(progress, done, elapsed, rate);
	if (total == 0) { /* not known how much there is */
		(void)snprintf(ret_line, PROGRESS_LINE_MAX, "%s  %llu  %s", progress->what,
			       (unsigned long long)done, rate);
		return;
	}
	if (part > 1)
		part = 1; /* what is written meanwhile comes on top */
	size_t full = (size_t)(part * BAR_WIDTH);
	memset(bar, '-', BAR_WIDTH);
	memset(bar, '#', full);
	bar[BAR_WIDTH] = '\0';
	time_text(part > 0 ? (double)elapsed / 1000 * (1 - part) / part : -1, left);
	(void)snprintf(ret_line, PROGRESS_LINE_MAX, "%s [%s] %3.0f%%  %s  %s left", progress->what,
		       bar, part * 100, rate, left);
}

void
progress_begin(struct progress *progress, const char *what, bool wanted)
{
	bool terminal = isatty(STDERR_FILENO) == 1;

	*progress = (struct progress){.what = what,
				      .bar = terminal,
				      .lines = wanted && !terminal,
				      .began = now_milliseconds()};
	progress->shown = progress->began;
}

void
progress_show(struct progress *progress, uint64_t done, uint64_t total)
{
	char line[PROGRESS_LINE_MAX];
	int64_t now = 0;

	if (!progress->bar && !progress->lines)
		return;
	now = now_milliseconds();
	bool finished = total > 0 && done >= total;
	if (!finished && now - progress->shown < (progress->bar ? BAR_EACH : LINES_EACH))
		return;
	progress->shown = now;
	progress_line(progress, done, total, now - progress->began, line);
	if (progress->bar)
		(void)fprintf(stderr, ERASE_TO_END "%s", line);
	else if (!progress->drawn || !finished)
		(void)fprintf(stderr, "postern: %s\n", line);
	progress->drawn = true;
	(void)fflush(stderr);
}

void
progress_clear(struct progress *progress)
{
	if (progress->bar && progress->drawn)
		(void)fprintf(stderr, ERASE_TO_END);
	progress->drawn = progress->drawn && !progress->bar;
}

void
progress_end(struct progress *progress)
{
	progress_clear(progress);
	progress->bar = false;
	progress->lines = false;
}
