/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's threads: workers, and a clerk who writes down once a minute how many unknown callers
 * there were, what the disk would not take before, and re-seals records under a new data key. And
 * their end. */
#include "audit.h"
#include "control.h"
#include "keeper.h"
#include "store/upkeep.h"
#include "supervisor/role.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLERK_MS	1000
#define RESEAL_COUNT	64 /* records in one step: commits wait for no longer than that takes */
#define RESEAL_PAUSE_MS 2
#define SEAL_MS		500 /* for what is in hand, before the process ends under it */

struct clerk {
	struct worker worker;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool ended;
	bool started;	/* the log has the start's entry */
	bool resealing; /* records of older data keys are left */
	bool stuck;	/* one of them does not let itself be re-sealed: said */
	bool patient;	/* ... and all others have been looked at */
	uint64_t looked_at;
	time_t counted;
};

static void
after(int milliseconds, struct timespec *ret_then)
{
	clock_gettime(CLOCK_MONOTONIC, ret_then);
	ret_then->tv_nsec += milliseconds * 1000000L;
	ret_then->tv_sec += ret_then->tv_nsec / 1000000000L;
	ret_then->tv_nsec %= 1000000000L;
}

static void *
run_worker(void *argument)
{
	struct worker *worker = argument;

	if (keeper_lock_stack())
		worker_run(worker);
	else
		keeper_give_up(worker->keeper, "no locked memory");
	return NULL;
}

/* What a full disk has refused is due as long as it is. */
static void
write_due(struct clerk *clerk)
{
	struct worker *worker = &clerk->worker;
	struct keeper *keeper = worker->keeper;

	if (!clerk->started)
		clerk->started = audit_daemon(worker, "start");
	if (keeper->freeze.owed) {
		pthread_rwlock_wrlock(&keeper->lock);
		if (keeper->freeze.owed && !atomic_load(&keeper->sealing))
			freeze_record(worker);
		pthread_rwlock_unlock(&keeper->lock);
	}
}

static void
reseal(struct clerk *clerk)
{
	struct keeper *keeper = clerk->worker.keeper;
	struct store_rotation rotation;
	struct store_error err;

	store_rotation(keeper->store, &rotation);
	clerk->resealing = rotation.oldest != rotation.generation;
	if (!clerk->resealing)
		return;
	/* The store counts anew where it begins anew, because of what was obstructed. */
	clerk->patient = clerk->patient || (clerk->stuck && rotation.done < clerk->looked_at);
	clerk->looked_at = rotation.done;
	enum store_status status = store_reseal(keeper->store, RESEAL_COUNT, &rotation, &err);
	if (status == STORE_UNSURE)
		keeper_give_up(keeper, err.message);
	if (status == STORE_TAMPERED && !clerk->stuck) {
		role_complain("re-sealing stops: %s: `postern store check`", err.message);
		clerk->stuck = true;
	}
	/* What cannot be re-sealed now is looked at again when other work is. Where a record does
	 * not open, all are, for it may have been mended: after the first time without haste. */
	clerk->resealing =
		status == STORE_OK && rotation.oldest != rotation.generation && !clerk->patient;
}

static void
work(struct clerk *clerk)
{
	time_t now = time(NULL);

	if (atomic_load(&clerk->worker.keeper->sealing))
		return;
	write_due(clerk);
	if (now - clerk->counted >= AUDIT_UNKNOWN_SECONDS || now < clerk->counted) {
		audit_unknown_callers(&clerk->worker);
		clerk->counted = now;
	}
	reseal(clerk);
}

static void *
run_clerk(void *argument)
{
	struct clerk *clerk = argument;
	struct timespec until;

	if (!keeper_lock_stack()) {
		keeper_give_up(clerk->worker.keeper, "no locked memory");
		return NULL;
	}
	pthread_mutex_lock(&clerk->mutex);
	while (!clerk->ended) {
		after(clerk->resealing ? RESEAL_PAUSE_MS : CLERK_MS, &until);
		pthread_cond_clockwait(&clerk->wake, &clerk->mutex, CLOCK_MONOTONIC, &until);
		if (clerk->ended)
			break;
		pthread_mutex_unlock(&clerk->mutex);
		work(clerk);
		sodium_stackzero(KEEPER_STACK);
		pthread_mutex_lock(&clerk->mutex);
	}
	pthread_mutex_unlock(&clerk->mutex);
	if (!atomic_load(&clerk->worker.keeper->sealing))
		audit_unknown_callers(&clerk->worker);
	return NULL;
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

/* Somebody hangs, on a disk or on a client: the keys are wiped under him, and what else he has goes
 * with the process. */
void
keeper_end_sealed(struct keeper *keeper)
{
	struct secret *const keys[] = {keeper->keys.release, keeper->keys.intake,
				       keeper->keys.answer};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		sodium_memzero(keys[i]->bytes, keys[i]->capacity);
	role_complain("sealed, with work in hand that did not end");
	_exit(ROLE_EXIT_SEALED);
}

bool
keeper_lock_to_seal(struct keeper *keeper)
{
	struct timespec until;

	after(SEAL_MS, &until);
	if (pthread_rwlock_clockwrlock(&keeper->lock, CLOCK_MONOTONIC, &until) == 0)
		return true;
	/* A worker holds its share until its answer is sent, and the gateway may not be ours any
	 * more. What waits to be sent to it is not sent then. */
	role_complain("sealing: what is in hand does not end: it is cut off");
	(void)shutdown(keeper->options.gateway, SHUT_RDWR);
	after(SEAL_MS, &until);
	return pthread_rwlock_clockwrlock(&keeper->lock, CLOCK_MONOTONIC, &until) == 0;
}

void
keeper_seal(struct keeper *keeper)
{
	after(SEAL_MS, &keeper->seal_by);
	atomic_store(&keeper->sealing, true);
}

void
keeper_leave(struct keeper *keeper)
{
	/* What waits for an appraiser waits no longer: its answer would be that it is sealed. */
	(void)shutdown(keeper->options.appraiser, SHUT_RDWR);
	(void)shutdown(keeper->options.supervisor, SHUT_RD);
	(void)shutdown(keeper->options.gateway, SHUT_RD);
}

enum wire_status
keeper_standing(struct keeper *keeper)
{
	if (atomic_load(&keeper->sealing))
		return WIRE_SEALED;
	return atomic_load(&keeper->freeze.frozen) ? WIRE_FROZEN : WIRE_OK;
}

/* ---- the end ---- */

/* However long it takes, unless the keeper seals. */
static void
join(struct keeper *keeper, pthread_t thread)
{
	struct timespec until;

	for (;;) {
		bool sealing = atomic_load(&keeper->sealing);
		if (sealing)
			until = keeper->seal_by;
		else
			after(SEAL_MS, &until);
		if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
			return;
		if (sealing)
			keeper_end_sealed(keeper);
	}
}

static void
end_control(struct keeper *keeper)
{
	control_stop(keeper->control);
	if (!control_join(keeper->control, atomic_load(&keeper->sealing) ? &keeper->seal_by : NULL))
		keeper_end_sealed(keeper);
}

static void
end_clerk(struct clerk *clerk, pthread_t thread)
{
	pthread_mutex_lock(&clerk->mutex);
	clerk->ended = true;
	pthread_cond_signal(&clerk->wake);
	pthread_mutex_unlock(&clerk->mutex);
	join(clerk->worker.keeper, thread);
}

/* ---- all of it ---- */

static bool
serve(struct keeper *keeper)
{
	struct worker workers[KEEPER_WORKERS_MAX];
	pthread_t threads[KEEPER_WORKERS_MAX];
	pthread_t clerk_thread;
	struct clerk clerk = {.mutex = PTHREAD_MUTEX_INITIALIZER,
			      .wake = PTHREAD_COND_INITIALIZER,
			      .counted = time(NULL)};

	if (!worker_start(&clerk.worker, keeper))
		return false;
	write_due(&clerk);
	sodium_stackzero(KEEPER_STACK);
	/* With a disk that takes nothing there is still what can be read. */
	bool good = (clerk.started || worker_refusal(&clerk.worker) == WIRE_STORE) &&
		    pthread_create(&clerk_thread, NULL, run_clerk, &clerk) == 0;
	if (good) {
		unsigned count = start_workers(keeper, workers, threads);
		for (unsigned i = 0; i < count; i++) {
			join(keeper, threads[i]);
			worker_clear(&workers[i]);
		}
		good = count > 0;
		end_control(keeper);
		end_clerk(&clerk, clerk_thread);
		/* Of a keeper that seals the log has that already. */
		if (!atomic_load(&keeper->sealing))
			good = audit_daemon(&clerk.worker, "stop") && good;
	}
	worker_clear(&clerk.worker);
	return good && !atomic_load(&keeper->given_up);
}

bool
keeper_serve(struct keeper *keeper)
{
	if (keeper->options.workers == 0 || keeper->options.workers > KEEPER_WORKERS_MAX ||
	    !control_start(keeper->control))
		return false;
	if (!atomic_load(&keeper->open))
		keeper_await_unsealing(keeper);
	bool good = atomic_load(&keeper->open) ? serve(keeper) : !atomic_load(&keeper->given_up);
	end_control(keeper); /* unless serve has */
	return good;
}
