/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Releases against those who take values away. Guests' threads ask without pause, some for one
 * version and some for the newest, while an operator puts, destroys, and lets the oldest make room.
 * Once a destruction has answered, its version leaves the keeper no more; and at no time is a
 * release broken because a value went from under it.
 */
#include "keeper_fixture_scene.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VERSIONS	24
#define THREADS		4
#define ID_SPAN		1000000u /* ids of releases: version * ID_SPAN + n; 0 is the newest's */
#define OPERATOR_IDS	((uint64_t)(VERSIONS + 2) * ID_SPAN * 10)
#define RELEASED_BEFORE 8 /* answers seen before the destruction, and refusals seen after it */
#define REFUSED_AFTER	8

struct race {
	struct house house;
	struct guest guests[THREADS];
	atomic_uint current; /* the version that is asked for */
	atomic_bool ended;
	atomic_uint next;
	atomic_uint released[VERSIONS + 2];
	atomic_uint refused[VERSIONS + 2]; /* after its destruction's answer */
	atomic_uint newest_released;
	bool destroyed[VERSIONS + 2]; /* by the watch's thread alone: the answer has come */
	unsigned breaches;
	unsigned broken; /* neither released nor refused */
};

static void
watch(void *user, uint64_t id, enum wire_status status, struct bytes payload)
{
	struct race *race = user;

	(void)payload;
	if (id >= OPERATOR_IDS) {
		assert(status == WIRE_OK);
		race->destroyed[id - OPERATOR_IDS] = true;
		return;
	}
	if (id < ID_SPAN)
		return; /* the fixture's own */
	size_t version = id / ID_SPAN - 1;
	if (status != WIRE_OK && status != WIRE_POLICY && status != WIRE_BUSY)
		race->broken++;
	else if (version == 0)
		atomic_fetch_add(&race->newest_released, status == WIRE_OK);
	else if (status == WIRE_OK && race->destroyed[version])
		race->breaches++;
	else if (status == WIRE_OK)
		atomic_fetch_add(&race->released[version], 1);
	else if (race->destroyed[version])
		atomic_fetch_add(&race->refused[version], 1);
}

struct asker {
	struct race *race;
	struct guest *guest;
	bool newest;
};

static void *
ask(void *argument)
{
	struct asker *asker = argument;
	struct race *race = asker->race;

	while (!atomic_load(&race->ended)) {
		unsigned version = asker->newest ? 0 : atomic_load(&race->current);
		unsigned number = atomic_fetch_add(&race->next, 1);
		struct guest_release how = {.version = version};
		guest_release_as(&race->house, (uint64_t)(version + 1) * ID_SPAN + number,
				 asker->guest, &how);
	}
	return NULL;
}

static void
destroy(struct race *race, uint32_t version)
{
	struct operation_request request = {.operation = OPERATION_SECRET_DESTROY};
	struct version_list list = {1, {version}};
	uint8_t memory[4];
	struct writer w = writer_of(memory, sizeof(memory));

	version_list_write(&w, &list);
	operation_set_text(&request, FIELD_PATH, "web/key");
	operation_set(&request, FIELD_VERSIONS, writer_bytes(&w));
	assert_answer(house_operate_as(&race->house, OPERATOR_IDS + version, &race->house.alice,
				       &request, NULL),
		      OUTCOME_OK, "");
}

static void
keep_one(struct house *house)
{
	struct operation_request request = {.operation = OPERATION_SECRET_SETTINGS};
	struct secret_settings settings = {.mask = SETTING_VERSIONS_MAX, .versions_max = 1};
	uint8_t memory[32];
	struct writer w = writer_of(memory, sizeof(memory));

	secret_settings_write(&w, &settings);
	operation_set_text(&request, FIELD_PATH, "web/key");
	operation_set(&request, FIELD_SETTINGS, writer_bytes(&w));
	house_must(house, &request);
}

/* ---- the log: what came first, came first as a whole ---- */

struct history {
	bool keeps_one;
	unsigned newest;   /* that was put */
	unsigned released; /* since only one is kept */
	unsigned late;	   /* of a version that had made room by then */
};

/* The number behind the text, where it is there. */
static bool
number_behind(const char *entry, const char *text, unsigned *ret_number)
{
	const char *at = strstr(entry, text);

	if (at)
		*ret_number = (unsigned)strtoul(at + strlen(text), NULL, 10);
	return at != NULL;
}

static bool
relive(void *user, const struct store_log_entry *entry)
{
	struct history *history = user;
	char text[4096] = "";
	unsigned version;

	memcpy(text, entry->entry.data,
	       entry->entry.size < sizeof(text) ? entry->entry.size : sizeof(text) - 1);
	if (strstr(text, "\"secret-settings\""))
		history->keeps_one = true;
	number_behind(text, "\"secret-put\",\"subject\":\"Secret::web/key@", &history->newest);
	if (history->keeps_one &&
	    number_behind(text, "\"released\",\"secrets\":[\"web/key@", &version)) {
		history->released++;
		history->late += version != history->newest;
	}
	return true;
}

static void
test_nothing_leaves_after_a_destruction_has_answered(void **state)
{
	struct race *race = *state;
	pthread_t threads[THREADS];
	struct asker askers[THREADS];
	struct history history = {.newest = 0};
	struct store_error err;

	atomic_store(&race->current, 1);
	house_put(&race->house, "web/key", text_bytes("value"));
	for (size_t i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){race, &race->guests[i], i % 2 == 1};
		assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
	}
	for (uint32_t version = 1; version <= VERSIONS; version++) {
		await_count(&race->released[version], RELEASED_BEFORE);
		house_put(&race->house, "web/key", text_bytes("value"));
		destroy(race, version);
		await_count(&race->refused[version], REFUSED_AFTER);
		atomic_store(&race->current, version + 1);
	}
	keep_one(&race->house);
	for (size_t i = 0; i < 200; i++)
		house_put(&race->house, "web/key", text_bytes("value"));
	atomic_store(&race->ended, true);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race->breaches, 0);
	assert_int_equal(race->broken, 0);
	assert_true(atomic_load(&race->newest_released) > 0);
	assert_int_equal(store_log_read(race->house.keeper.store, 1, relive, &history, &err),
			 STORE_OK);
	assert_true(history.released > 0);
	assert_int_equal(history.late, 0);
}

/* ---- operators at once ---- */

#define PUTS 40 /* of each thread */

static void *
put_often(void *user)
{
	for (size_t i = 0; i < PUTS; i++)
		house_put(user, "web/busy", text_bytes("value")); /* each of them must work */
	return NULL;
}

static void
test_who_asks_for_no_check_is_told_of_no_conflict(void **state)
{
	struct race *race = *state;
	struct operation_request show = {.operation = OPERATION_SECRET_SHOW};
	pthread_t threads[THREADS];
	char want[32];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, put_often, &race->house), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	operation_set_text(&show, FIELD_PATH, "web/busy");
	struct house_answer answer = house_operate(&race->house, &race->house.alice, &show);
	snprintf(want, sizeof(want), "\"version\":%d,\"oldest\"", THREADS * PUTS);
	assert_non_null(strstr(answer.json, want));
	free(answer.json);
}

static int
set_up(void **state)
{
	struct race *race = calloc(1, sizeof(*race));
	char name[16];

	house_open(&race->house, SCENE_RULES);
	for (size_t i = 0; i < THREADS; i++) {
		snprintf(name, sizeof(name), "m%zu", i);
		guest_open(&race->guests[i]);
		guest_admit(&race->house, &race->guests[i], name);
	}
	race->house.watch_user = race;
	race->house.watch = watch;
	*state = race;
	return 0;
}

static int
tear_down(void **state)
{
	struct race *race = *state;

	for (size_t i = 0; i < THREADS; i++)
		guest_close(&race->guests[i]);
	house_close(&race->house);
	free(race);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_nothing_leaves_after_a_destruction_has_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_asks_for_no_check_is_told_of_no_conflict,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
