/* SPDX-License-Identifier: Apache-2.0 */
#include "enrolments.h"

#include "spawn.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFETIME 10000 /* milliseconds */

static struct enrolment *
find(struct enrolments *enrolments, pid_t pid)
{
	for (size_t i = 0; i < ENROLMENTS_MAX; i++) {
		if (enrolments->list[i].pid == pid)
			return &enrolments->list[i];
	}
	return NULL;
}

int
enrolments_start(struct enrolments *enrolments, int64_t now)
{
	static const char once[] = "once = yes\n";
	struct enrolment *enrolment = find(enrolments, 0);
	int ends[2];
	if (enrolment == NULL || channel_pair(ends) != CHANNEL_OK)
		return -1;
	bool started = spawn_role(ROLE_APPRAISER, &ends[1], 1, once, sizeof(once) - 1,
				  &enrolment->pid, &enrolment->channel);
	close(ends[1]);
	if (!started) {
		close(ends[0]);
		return -1;
	}
	enrolment->deadline = now + LIFETIME;
	return ends[0];
}

void
enrolments_ended(struct enrolments *enrolments, pid_t pid, int how)
{
	struct enrolment *enrolment = find(enrolments, pid);
	if (enrolment == NULL)
		return;
	/* Its one answer is what the keeper waits for: whatever happened, that enrolment alone is
	 * refused. */
	if (enrolment->late)
		role_complain("an enrolment's appraiser took too long and was killed");
	else if (WIFSIGNALED(how))
		role_complain("an enrolment's appraiser was killed by signal %d (%s)",
			      WTERMSIG(how), strsignal(WTERMSIG(how)));
	close(enrolment->channel);
	*enrolment = (struct enrolment){0};
}

int64_t
enrolments_end_late(struct enrolments *enrolments, int64_t now)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < ENROLMENTS_MAX; i++) {
		struct enrolment *enrolment = &enrolments->list[i];
		if (enrolment->pid == 0 || enrolment->late)
			continue;
		if (enrolment->deadline <= now) {
			enrolment->late = true;
			kill(enrolment->pid, SIGKILL);
		} else if (enrolment->deadline < next) {
			next = enrolment->deadline;
		}
	}
	return next;
}

void
enrolments_kill(const struct enrolments *enrolments)
{
	for (size_t i = 0; i < ENROLMENTS_MAX; i++) {
		if (enrolments->list[i].pid != 0)
			kill(enrolments->list[i].pid, SIGKILL);
	}
}

void
enrolments_clear(struct enrolments *enrolments)
{
	for (size_t i = 0; i < ENROLMENTS_MAX; i++) {
		if (enrolments->list[i].pid != 0)
			close(enrolments->list[i].channel);
	}
	*enrolments = (struct enrolments){0};
}
