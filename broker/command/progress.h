/* SPDX-License-Identifier: Apache-2.0 */
/* How far long work has come, on stderr: a bar where that is a terminal; with --progress else a
 * line now and then; nothing otherwise. */
#ifndef POSTERN_COMMAND_PROGRESS_H
#define POSTERN_COMMAND_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_LINE_MAX 160

struct progress {
	const char *what; /* "backup" */
	bool bar;
	bool lines;
	bool drawn;
	int64_t began; /* milliseconds */
	int64_t shown;
	uint64_t bytes; /* the caller's: how many went through, for the rate; 0: the rate is of
			   `done` */
};

void progress_begin(struct progress *progress, const char *what, bool wanted);
/* `total` 0: not known. */
void progress_show(struct progress *progress, uint64_t done, uint64_t total);
/* Takes the bar away until it is drawn again, for a line of something else. */
void progress_clear(struct progress *progress);
/* Takes the bar away for good. Safe to call twice. */
void progress_end(struct progress *progress);

/* "1.5 MiB"; at most 31 characters. */
void progress_size_text(uint64_t bytes, char ret_text[32]);
/* For tests: what is shown `elapsed` milliseconds after the beginning. */
void progress_line(const struct progress *progress, uint64_t done, uint64_t total, int64_t elapsed,
		   char ret_line[PROGRESS_LINE_MAX]);

#endif
