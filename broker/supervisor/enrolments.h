/* SPDX-License-Identifier: Apache-2.0 */
/* Appraisers that live for one enrolment each: what one guest's certificates do to it is that
 * guest's alone. */
#ifndef POSTERN_SUPERVISOR_ENROLMENTS_H
#define POSTERN_SUPERVISOR_ENROLMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ENROLMENTS_MAX 8 /* at once */

struct enrolments {
	struct enrolment {
		pid_t pid;   /* 0: none */
		int channel; /* the supervisor's end */
		int64_t deadline;
		bool late;
	} list[ENROLMENTS_MAX];
};

/* The keeper's end of the channel to a new one; -1: too many, or it cannot be started. `now` is in
 * milliseconds. */
int enrolments_start(struct enrolments *enrolments, int64_t now);
/* A process has ended, which may have been one of them. */
void enrolments_ended(struct enrolments *enrolments, pid_t pid, int how);
/* Kills whichever takes too long; when that is due next, or INT64_MAX. */
int64_t enrolments_end_late(struct enrolments *enrolments, int64_t now);
/* Those that have not been waited for. */
void enrolments_kill(const struct enrolments *enrolments);
/* All of them have been waited for, or there were none yet. */
void enrolments_clear(struct enrolments *enrolments);

#endif
