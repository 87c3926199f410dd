/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promise: once a seal has answered, nothing leaves the keeper but that it is sealed, and it
 * has ended within a moment; whether root or an operator told it to, while guests ask without
 * pause, with logs that an appraiser has in hand, with a backup on its way and records re-sealed.
 */
#include "keeper_fixture_scene.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS	    6
#define REQUESTS    200 /* of each thread */
#define SEAL_ID	    ((uint64_t)1 << 60)
#define OWN_IDS	    1000000u
#define END_MS	    2000
#define STILL_MS    300
#define SECRETS	    100
#define SECRET_SIZE 8192

struct race;
/* What a thread sends: each request has a challenge of its own, asked for before. */
struct sender {
	struct race *race;
	struct bytes requests[REQUESTS];
	pthread_t thread;
};

struct race {
	struct house house;
	struct guest guest;
	struct software_log log;
	struct sender senders[THREADS];
	struct house_control control, backup;
	atomic_ullong next;
	atomic_ullong mark; /* what has this id or a higher one was sent after the seal's answer */
	atomic_uint released;
	atomic_uint breaches;
	bool sealed; /* by the watch's thread alone: an operator's answer has come */
	bool deaf;   /* the gateway takes nothing after its first release, before it may go on */
	atomic_bool hears;
};

static void
watch(void *user, uint64_t id, enum wire_status status, struct bytes payload)
{
	struct race *race = user;

	(void)payload;
	if (id == SEAL_ID) {
		race->sealed = status == WIRE_OK;
		return;
	}
	if (status == WIRE_SEALED)
		return;
	if (race->sealed || id >= atomic_load(&race->mark))
		atomic_fetch_add(&race->breaches, 1);
	if (id >= OWN_IDS && status == WIRE_OK)
		atomic_fetch_add(&race->released, 1);
	while (race->deaf && atomic_load(&race->released) > 0 && !atomic_load(&race->hears))
		usleep(1000);
}

static void *
run_sender(void *argument)
{
	struct sender *sender = argument;
	struct race *race = sender->race;

	for (size_t i = 0; i < REQUESTS; i++) {
		struct frame frame = {FRAME_RELEASE, OWN_IDS + atomic_fetch_add(&race->next, 1),
				      sender->requests[i], -1};
		if (channel_send(race->house.gateway, &frame) != CHANNEL_OK)
			break;
	}
	return NULL;
}

static void
prepare(struct race *race)
{
	for (size_t i = 0; i < THREADS; i++) {
		race->senders[i].race = race;
		for (size_t j = 0; j < REQUESTS; j++) {
			struct guest_release how = {0};
			uint8_t private_key[32];
			if (j % 3 == 0)
				how.event_log = (struct bytes){race->log.data, race->log.size};
			race->senders[i].requests[j] =
				guest_request(&race->house, &race->guest, &how, private_key);
		}
	}
}

static void
start_senders(struct race *race)
{
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&race->senders[i].thread, NULL, run_sender,
						&race->senders[i]),
				 0);
}

/* A client that takes what comes only until the socket is full. */
static void
begin_backup(struct race *race)
{
	const struct frame request = {FRAME_CONTROL_BACKUP, 1, {0}, -1};
	struct frame frame;

	control_open(&race->house, &race->backup);
	assert_int_equal(channel_send(race->backup.channel, &request), CHANNEL_OK);
	assert_int_equal(channel_receive(race->backup.channel, &race->backup.buffer, &frame),
			 CHANNEL_OK);
}

static void
begin_load(struct race *race)
{
	prepare(race);
	assert_int_equal(control_ask(&race->control, FRAME_CONTROL_ROTATE, (struct bytes){0}),
			 CONTROL_OK);
	begin_backup(race);
	start_senders(race);
	await_count(&race->released, 12);
}

static void
assert_nothing_left(struct race *race)
{
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(race->senders[i].thread, NULL);
	house_stop(&race->house);
	assert_int_equal(atomic_load(&race->breaches), 0);
	/* It was sealed with work in hand. */
	assert_true(atomic_load(&race->released) < THREADS * REQUESTS);
}

static void
assert_ended(struct race *race, int64_t answered)
{
	house_await_seal(&race->house);
	assert_true(monotonic_milliseconds() - answered < END_MS);
	assert_nothing_left(race);
}

static void
test_nothing_leaves_after_roots_seal_has_answered(void **state)
{
	struct race *race = *state;

	begin_load(race);
	assert_int_equal(control_ask(&race->control, FRAME_CONTROL_SEAL, (struct bytes){0}),
			 CONTROL_OK);
	atomic_store(&race->mark, OWN_IDS + atomic_load(&race->next));
	assert_ended(race, monotonic_milliseconds());
}

static void
test_nothing_leaves_after_an_operators_seal_has_answered(void **state)
{
	struct race *race = *state;
	struct operation_request request = {.operation = OPERATION_SEAL};

	begin_load(race);
	assert_answer(house_operate_as(&race->house, SEAL_ID, &race->house.alice, &request, NULL),
		      OUTCOME_OK, "");
	assert_ended(race, monotonic_milliseconds());
}

static uint64_t
entries_written(struct race *race)
{
	uint8_t hash[STORE_HASH_SIZE];
	uint64_t head;

	store_log_head(race->house.keeper.store, &head, hash);
	return head;
}

/* Workers then wait in the middle of an answer, with the lock that a seal needs. */
static void
test_a_gateway_that_takes_nothing_does_not_keep_it_open(void **state)
{
	struct race *race = *state;
	uint64_t before = 0;

	static uint8_t value[SECRET_SIZE];

	house_put(&race->house, "web/key", BYTES_OF(value));
	prepare(race);
	control_open(&race->house, &race->backup);
	race->deaf = true;
	start_senders(race);
	for (uint64_t now; (now = entries_written(race)) != before || now == 0; before = now)
		usleep(STILL_MS * 1000);
	int64_t asked = monotonic_milliseconds();
	assert_int_equal(control_ask(&race->control, FRAME_CONTROL_SEAL, (struct bytes){0}),
			 CONTROL_OK);
	assert_true(monotonic_milliseconds() - asked < END_MS);
	atomic_store(&race->mark, OWN_IDS + atomic_load(&race->next));
	house_await_seal(&race->house);
	assert_true(monotonic_milliseconds() - asked < 2 * END_MS);
	atomic_store(&race->hears, true);
	assert_nothing_left(race);
}

static void
put_secrets(struct house *house)
{
	static uint8_t value[SECRET_SIZE];
	char path[32];

	house_put(house, "web/key", text_bytes("value"));
	for (unsigned i = 0; i < SECRETS; i++) {
		snprintf(path, sizeof(path), "other/%u", i);
		house_put(house, path, BYTES_OF(value));
	}
}

static int
set_up(void **state)
{
	struct race *race = calloc(1, sizeof(*race));

	atomic_store(&race->mark, UINT64_MAX);
	house_open(&race->house, SCENE_RULES);
	put_secrets(&race->house);
	software_log_boot(&race->log, 400, true);
	guest_admit_booted(&race->house, &race->guest, "first", &race->log);
	control_open(&race->house, &race->control);
	race->house.watch = watch;
	race->house.watch_user = race;
	*state = race;
	return 0;
}

static int
tear_down(void **state)
{
	struct race *race = *state;

	for (size_t i = 0; i < THREADS; i++) {
		for (size_t j = 0; j < REQUESTS; j++)
			free((void *)(uintptr_t)race->senders[i].requests[j].data);
	}
	control_close(&race->control);
	control_close(&race->backup);
	house_close(&race->house);
	guest_close(&race->guest);
	software_log_free(&race->log);
	free(race);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_nothing_leaves_after_roots_seal_has_answered),
		TEST(test_nothing_leaves_after_an_operators_seal_has_answered),
		TEST(test_a_gateway_that_takes_nothing_does_not_keep_it_open),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
