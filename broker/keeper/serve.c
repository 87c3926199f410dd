/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's threads: workers, and a clerk who writes down once a minute how many unknown callers
 * there were. */
#include "audit.h"
#include "keeper.h"
#include "supervisor/role.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

struct clerk {
	struct worker worker;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool ended;
};

static void *
run_worker(void *argument)
{
	worker_run(argument);
	return NULL;
}

static void *
run_clerk(void *argument)
{
	struct clerk *clerk = argument;
	struct timespec until;

	pthread_mutex_lock(&clerk->mutex);
	while (!clerk->ended) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += AUDIT_UNKNOWN_SECONDS;
		pthread_cond_timedwait(&clerk->wake, &clerk->mutex, &until);
		audit_unknown_callers(&clerk->worker);
	}
	pthread_mutex_unlock(&clerk->mutex);
	return NULL;
}

static void
end_clerk(struct clerk *clerk, pthread_t thread)
{
	pthread_mutex_lock(&clerk->mutex);
	clerk->ended = true;
	pthread_cond_signal(&clerk->wake);
	pthread_mutex_unlock(&clerk->mutex);
	pthread_join(thread, NULL);
}

/* How many there are now: all, or fewer where memory or threads run out. */
static unsigned
start_workers(struct keeper *keeper, struct worker *workers, pthread_t *threads)
{
	unsigned count = 0;

	for (; count < keeper->options.workers; count++) {
		if (!worker_start(&workers[count], keeper))
			break;
		if (pthread_create(&threads[count], NULL, run_worker, &workers[count]) != 0) {
			worker_clear(&workers[count]);
			break;
		}
	}
	return count;
}

void
keeper_give_up(struct keeper *keeper, const char *why)
{
	if (atomic_exchange(&keeper->given_up, true))
		return;
	role_complain("ending: %s", why);
	/* The way in only: what is being answered still leaves. */
	(void)shutdown(keeper->options.gateway, SHUT_RD);
}

bool
keeper_serve(struct keeper *keeper)
{
	struct worker workers[KEEPER_WORKERS_MAX];
	pthread_t threads[KEEPER_WORKERS_MAX];
	pthread_t clerk_thread;
	struct clerk clerk = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

	if (keeper->options.workers == 0 || keeper->options.workers > KEEPER_WORKERS_MAX)
		return false;
	if (!worker_start(&clerk.worker, keeper))
		return false;
	bool good = audit_daemon(&clerk.worker, "start") &&
		    pthread_create(&clerk_thread, NULL, run_clerk, &clerk) == 0;
	if (good) {
		unsigned count = start_workers(keeper, workers, threads);
		for (unsigned i = 0; i < count; i++) {
			pthread_join(threads[i], NULL);
			worker_clear(&workers[i]);
		}
		good = count > 0;
		end_clerk(&clerk, clerk_thread);
		good = audit_daemon(&clerk.worker, "stop") && good;
	}
	worker_clear(&clerk.worker);
	return good && !atomic_load(&keeper->given_up);
}
