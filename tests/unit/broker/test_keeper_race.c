/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promise: once `revoke` has answered, nothing under that anchor leaves the keeper. Several
 * guests' threads ask without pause, some with an event log (whose appraisal lies between the
 * phases), while acts revoke their machines one after another. All answers come out of one socket
 * in the order in which they were sent, so one watch of it sees every breach.
 */
#include "keeper_fixture_scene.h"

#include <assert.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MACHINES	24
#define THREADS		6
#define ID_SPAN		1000000u /* ids of releases: machine * ID_SPAN + n; an act's id is above all */
#define ACT_IDS		((uint64_t)MACHINES * ID_SPAN * 10)
#define RELEASED_BEFORE 12 /* answers seen before the act, and refusals seen after it */
#define REFUSED_AFTER	12

struct race {
	struct house house;
	struct guest guests[MACHINES];
	struct software_log log;
	atomic_uint current; /* the machine that is asked for */
	atomic_bool ended;
	atomic_uint next;
	atomic_uint released[MACHINES];
	atomic_uint refused[MACHINES]; /* after its act's answer */
	bool revoked[MACHINES];	       /* by the watch's thread alone: the act's answer has come */
	unsigned breaches;
};

static void
watch(void *user, uint64_t id, enum wire_status status, struct bytes payload)
{
	struct race *race = user;

	(void)payload;
	if (id >= ACT_IDS) {
		assert(status == WIRE_OK);
		race->revoked[id - ACT_IDS] = true;
		return;
	}
	if (id < ID_SPAN)
		return; /* the fixture's own */
	size_t machine = id / ID_SPAN - 1;
	if (status == WIRE_OK && race->revoked[machine])
		race->breaches++;
	else if (status == WIRE_OK)
		atomic_fetch_add(&race->released[machine], 1);
	else if (race->revoked[machine])
		atomic_fetch_add(&race->refused[machine], 1);
}

static void *
ask(void *argument)
{
	struct race *race = argument;

	while (!atomic_load(&race->ended)) {
		unsigned number = atomic_fetch_add(&race->next, 1);
		unsigned machine = atomic_load(&race->current);
		struct guest_release how = {0};
		if (number % 2 == 0)
			how.event_log = (struct bytes){race->log.data, race->log.size};
		guest_release_as(&race->house, (uint64_t)(machine + 1) * ID_SPAN + number,
				 &race->guests[machine], &how);
	}
	return NULL;
}

/* One kind of anchor after another. */
static void
revoke_machine(struct race *race, unsigned machine)
{
	static const char *const kinds[] = {"ak", "ek", "machine"};
	const char *kind = kinds[machine % 3];
	struct guest *guest = &race->guests[machine];
	struct operation_request request = {.operation = OPERATION_REVOKE};
	char hex[2 * AK_NAME_SIZE + 1];

	if (machine % 3 == 0)
		sodium_bin2hex(hex, sizeof(hex), guest->ak_name, sizeof(guest->ak_name));
	else if (machine % 3 == 1)
		sodium_bin2hex(hex, sizeof(hex), guest->ek_id, sizeof(guest->ek_id));
	else
		snprintf(hex, sizeof(hex), "%s", guest->id);
	operation_set_text(&request, FIELD_KIND, kind);
	operation_set_text(&request, FIELD_ID, hex);
	operation_set_text(&request, FIELD_REASON, "stolen");
	/* It is among those affected. */
	assert_answer(house_operate_as(&race->house, ACT_IDS + machine, &race->house.alice,
				       &request, NULL),
		      OUTCOME_OK, guest->id);
}

static void
test_nothing_leaves_after_a_revocation_has_answered(void **state)
{
	struct race *race = *state;
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, race), 0);
	for (unsigned i = 0; i < MACHINES; i++) {
		atomic_store(&race->current, i);
		await_count(&race->released[i], RELEASED_BEFORE);
		revoke_machine(race, i);
		await_count(&race->refused[i], REFUSED_AFTER);
	}
	atomic_store(&race->ended, true);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race->breaches, 0);
	for (unsigned i = 0; i < MACHINES; i++) {
		assert_true(race->revoked[i]);
		assert_int_equal(guest_release(&race->house, &race->guests[i],
					       &(struct guest_release){0}, NULL),
				 WIRE_IDENTITY);
	}
}

static int
set_up(void **state)
{
	struct race *race = calloc(1, sizeof(*race));
	char name[16];

	house_open(&race->house, SCENE_RULES);
	house_put(&race->house, "web/key", text_bytes("value"));
	software_log_boot(&race->log, 400, true);
	for (unsigned i = 0; i < MACHINES; i++) {
		snprintf(name, sizeof(name), "machine-%u", i);
		guest_admit_booted(&race->house, &race->guests[i], name, &race->log);
	}
	race->house.watch = watch;
	race->house.watch_user = race;
	*state = race;
	return 0;
}

static int
tear_down(void **state)
{
	struct race *race = *state;

	house_close(&race->house);
	for (size_t i = 0; i < MACHINES; i++)
		guest_close(&race->guests[i]);
	software_log_free(&race->log);
	free(race);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_leaves_after_a_revocation_has_answered),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
