/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sealed keeper and its local socket: what it answers before it has a key, shares that are wrong,
 * doubled, of another set or too old, and what is left of an open one when it is told to seal.
 */
#include "keeper_fixture_scene.h"

#include "wire/local.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define THRESHOLD 3
#define COUNT	  5
static int
set_up(void **state)
{
	scene_set_up_sealed(state, SCENE_RULES, THRESHOLD, COUNT);
	return 0;
}

static void
test_a_sealed_keeper_tells_its_state_and_nothing_else(void **state)
{
	static const enum frame_type asked[] = {FRAME_CHALLENGE,
						FRAME_RELEASE,
						FRAME_ENROLL,
						FRAME_ACTIVATE,
						FRAME_OPERATOR_CHALLENGE,
						FRAME_OPERATOR_REQUEST,
						FRAME_ANSWER,
						FRAME_CONTROL_SHARE};
	static const enum frame_type told[] = {FRAME_CONTROL_SEAL,	   FRAME_CONTROL_REKEY,
					       FRAME_CONTROL_REKEY_COMMIT, FRAME_CONTROL_ROTATE,
					       FRAME_CONTROL_BACKUP,	   FRAME_CONTROL_WITNESS,
					       FRAME_CONTROL_WATCH,	   FRAME_CONTROL_THAW};
	struct scene *scene = *state;
	struct wire_health health = house_health(&scene->house);

	assert_int_equal(health.state, WIRE_IS_SEALED);
	assert_int_equal(health.threshold, THRESHOLD);
	assert_int_equal(health.count, COUNT);
	assert_int_equal(health.given, 0);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		assert_int_equal(house_call(&scene->house, asked[i], text_bytes("x"), NULL),
				 WIRE_SEALED);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		assert_int_equal(control_ask(&scene->control, told[i], (struct bytes){0}),
				 CONTROL_SEALED);
	struct control_state known = control_state(&scene->control);
	assert_true(known.sealed);
	assert_int_equal(known.trust_revision, 0);
}

static void
test_shares_one_at_a_time_unseal(void **state)
{
	struct scene *scene = *state;
	struct house_control other;
	struct guest guest;

	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 5, false),
			 CONTROL_MORE);
	assert_int_equal(house_health(&scene->house).given, 1);
	/* Each holder may come on a connection of his own. */
	control_open(&scene->house, &other);
	assert_int_equal(control_give(&other, &scene->house, CONTROL_TO_UNSEAL, 2, false),
			 CONTROL_MORE);
	control_close(&other);
	assert_int_equal(control_state(&scene->control).given, 2);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 1, false),
			 CONTROL_OK);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 1, false),
			 CONTROL_UNSEALED);
	assert_false(control_state(&scene->control).sealed);
	assert_int_equal(house_health(&scene->house).state, WIRE_SERVING);
	house_put(&scene->house, "web/key", text_bytes("value"));
	guest_open(&guest);
	guest_admit(&scene->house, &guest, "first");
	assert_int_equal(guest_release(&scene->house, &guest, &(struct guest_release){0}, NULL),
			 WIRE_OK);
	guest_close(&guest);
	char *log = house_audit(&scene->house);
	assert_non_null(strstr(log, "\\\"kind\\\":\\\"unseal\\\""));
	assert_non_null(strstr(log, "\\\"shares\\\":[5,2,1]"));
	free(log);
}

static void
test_a_wrong_share_is_named_and_the_good_ones_stay(void **state)
{
	struct scene *scene = *state;
	char set[2 * SHARE_SET_SIZE + 1];

	sodium_bin2hex(set, sizeof(set), scene->house.set.set, SHARE_SET_SIZE);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 1, false),
			 CONTROL_MORE);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 2, true),
			 CONTROL_WRONG);
	assert_non_null(strstr(scene->control.text, "share 2"));
	assert_non_null(strstr(scene->control.text, set));
	assert_non_null(strstr(scene->control.text, "not what was handed out"));
	assert_int_equal(control_state(&scene->control).given, 1);
	/* Twice is once. */
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 1, false),
			 CONTROL_MORE);
	assert_int_equal(control_state(&scene->control).given, 1);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 2, false),
			 CONTROL_MORE);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 3, false),
			 CONTROL_OK);
}

static void
test_a_share_of_another_set_is_named(void **state)
{
	struct scene *scene = *state;
	static struct house other; /* a stranger's shares */
	struct secret *key = secret_new(STORE_ROOT_KEY_SIZE);

	assert_true(shares_split(key, THRESHOLD, COUNT, other.shares, &other.set));
	assert_int_equal(control_give(&scene->control, &other, CONTROL_TO_UNSEAL, 4, false),
			 CONTROL_WRONG);
	assert_non_null(strstr(scene->control.text, "older set, or of another broker"));
	assert_int_equal(control_give(&scene->control, &other, CONTROL_TO_VERIFY, 4, false),
			 CONTROL_WRONG);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_VERIFY, 4, false),
			 CONTROL_OK);
	assert_int_equal(control_state(&scene->control).given, 0);
	secret_free(key);
}

static void
test_shares_are_forgotten_when_told_to_and_in_time(void **state)
{
	struct scene *scene = *state;
	const uint8_t purpose = CONTROL_TO_UNSEAL;

	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 1, false),
			 CONTROL_MORE);
	assert_int_equal(
		control_ask(&scene->control, FRAME_CONTROL_RESET, (struct bytes){&purpose, 1}),
		CONTROL_OK);
	assert_int_equal(control_state(&scene->control).given, 0);
	scene->house.keeper.control->patience = 10;
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 1, false),
			 CONTROL_MORE);
	for (size_t i = 0; control_state(&scene->control).given > 0; i++) {
		assert_true(i < 500);
		usleep(10000);
	}
	struct control *control = scene->house.keeper.control;
	pthread_mutex_lock(&control->mutex);
	assert_null(control->to_unseal.shares);
	pthread_mutex_unlock(&control->mutex);
}

static void
test_the_key_itself_unseals(void **state)
{
	struct scene *scene = *state;
	uint8_t key[CONTROL_KEY_SIZE];

	memcpy(key, scene->house.root_key->bytes, sizeof(key));
	key[31] ^= 1;
	assert_int_equal(
		control_give_key(&scene->control, key, CONTROL_TO_UNSEAL, CONTROL_NO_WITNESS),
		CONTROL_WRONG);
	assert_true(control_state(&scene->control).sealed);
	assert_int_equal(
		control_give_key(&scene->control, key, CONTROL_TO_VERIFY, CONTROL_NO_WITNESS),
		CONTROL_WRONG);
	key[31] ^= 1;
	assert_int_equal(
		control_give_key(&scene->control, key, CONTROL_TO_VERIFY, CONTROL_NO_WITNESS),
		CONTROL_OK);
	assert_true(control_state(&scene->control).sealed);
	/* A share that was given before is in nobody's memory then. */
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 1, false),
			 CONTROL_MORE);
	assert_int_equal(
		control_give_key(&scene->control, key, CONTROL_TO_UNSEAL, CONTROL_NO_WITNESS),
		CONTROL_OK);
	assert_false(control_state(&scene->control).sealed);
	assert_null(scene->house.keeper.control->to_unseal.shares);
	/* The log tells of the wrong one, which it could not while there was no key. */
	char *log = house_audit(&scene->house);
	assert_non_null(strstr(log, "\\\"wrong\\\":1"));
	free(log);
}

static void
test_what_is_no_request_is_answered_as_such(void **state)
{
	struct scene *scene = *state;
	static uint8_t large[CONTROL_BODY_MAX + 1];
	const struct bytes bodies[] = {{0}, {large, 1}, {large, 44}, {large, sizeof(large)}};
	static const enum frame_type types[] = {FRAME_CONTROL_SHARE, FRAME_CONTROL_KEY,
						FRAME_CONTROL_RESET, FRAME_RELEASE,
						FRAME_CONTROL_ANSWER};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (size_t j = 0; j < sizeof(bodies) / sizeof(bodies[0]); j++)
			assert_int_equal(control_ask(&scene->control, types[i], bodies[j]),
					 CONTROL_MALFORMED);
	}
	/* Too large for a datagram: no such frame is taken at all. */
	static uint8_t spilled[FRAME_INLINE_MAX + 1];
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_STATUS, BYTES_OF(spilled)), -1);
}

static void
test_no_more_come_in_than_there_is_room_for(void **state)
{
	struct scene *scene = *state;
	struct house_control many[CONTROL_CONNECTIONS_MAX];

	/* The scene's own is one of them. */
	(void)control_state(&scene->control);
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		control_open(&scene->house, &many[i]);
		int status = control_ask(&many[i], FRAME_CONTROL_STATUS, (struct bytes){0});
		assert_int_equal(status, i < CONTROL_CONNECTIONS_MAX - 1 ? CONTROL_OK : -1);
	}
	control_close(&many[0]);
	control_close(&many[CONTROL_CONNECTIONS_MAX - 1]);
	for (size_t i = 0;; i++) {
		assert_true(i < 500);
		control_open(&scene->house, &many[0]);
		if (control_ask(&many[0], FRAME_CONTROL_STATUS, (struct bytes){0}) == CONTROL_OK)
			break;
		control_close(&many[0]);
		usleep(10000);
	}
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX - 1; i++)
		control_close(&many[i]);
}

/* The path would keep others out; the keeper does as well. */
static void
test_others_than_root_and_the_keepers_user_are_turned_away(void **state)
{
	struct scene *scene = *state;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(scene->house.folder, 0755), 0);
	assert_int_equal(chmod(scene->house.control, 0666), 0);
	pid_t child = fork();
	if (child == 0) {
		struct house_control other;
		if (setresuid(65534, 65534, 65534) != 0)
			_exit(2);
		control_open(&scene->house, &other);
		_exit(control_ask(&other, FRAME_CONTROL_STATUS, (struct bytes){0}) == -1 ? 0 : 1);
	}
	int how = -1;
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_int_equal(how, 0);
	assert_true(control_state(&scene->control).sealed); /* and who may is not disturbed */
}

/* ---- sealing ---- */

static void
test_a_told_seal_ends_the_keeper_and_shares_open_the_next(void **state)
{
	struct scene *scene = *state;
	struct frame frame = {FRAME_HEALTH, 0, {0}, -1};

	scene_unseal(scene);
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_SEAL, (struct bytes){0}),
			 CONTROL_OK);
	house_await_seal(&scene->house);
	assert_int_not_equal(channel_send(scene->house.gateway, &frame), CHANNEL_OK);
	scene_stop(scene);
	scene_start_sealed(scene);
	assert_true(control_state(&scene->control).sealed);
	scene_unseal(scene);
	char *log = house_audit(&scene->house);
	assert_non_null(strstr(log, "\\\"kind\\\":\\\"seal\\\""));
	free(log);
}

static void
test_an_operator_seals(void **state)
{
	struct scene *scene = *state;
	struct operation_request request = {.operation = OPERATION_SEAL};

	scene_unseal(scene);
	operation_set_text(&request, FIELD_REASON, "they are at the door");
	house_must(&scene->house, &request);
	house_await_seal(&scene->house);
	scene_stop(scene);
	scene_start_sealed(scene);
	scene_unseal(scene);
	char *log = house_audit(&scene->house);
	assert_non_null(strstr(log, "they are at the door"));
	free(log);
}

static void
test_a_rotation_goes_on_by_itself(void **state)
{
	struct scene *scene = *state;
	struct operation_request request = {.operation = OPERATION_ROTATE};

	scene_unseal(scene);
	struct control_state known = control_state(&scene->control);
	assert_int_equal(known.generation, known.oldest);
	house_must(&scene->house, &request);
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_ROTATE, (struct bytes){0}),
			 CONTROL_OK);
	assert_int_equal(control_state(&scene->control).generation, known.generation + 2);
	for (size_t i = 0;; i++) {
		known = control_state(&scene->control);
		if (known.generation == known.oldest)
			break;
		assert_true(i < 1000);
		usleep(10000);
	}
}

static void
test_a_watch_answers_when_trust_moves(void **state)
{
	struct scene *scene = *state;
	struct operation_request request = {.operation = OPERATION_REKEY};
	const uint8_t shares[2] = {5, 3};

	scene_unseal(scene);
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_WATCH, (struct bytes){0}),
			 CONTROL_OK);
	assert_int_equal(scene->control.payload[7], 1);
	operation_set(&request, FIELD_SHARES, BYTES_OF(shares));
	house_must(&scene->house, &request);
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_WATCH, (struct bytes){0}),
			 CONTROL_OK);
	assert_int_equal(scene->control.payload[7], 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_tear_down)
		TEST(test_a_sealed_keeper_tells_its_state_and_nothing_else),
		TEST(test_shares_one_at_a_time_unseal),
		TEST(test_a_wrong_share_is_named_and_the_good_ones_stay),
		TEST(test_a_share_of_another_set_is_named),
		TEST(test_shares_are_forgotten_when_told_to_and_in_time),
		TEST(test_the_key_itself_unseals),
		TEST(test_what_is_no_request_is_answered_as_such),
		TEST(test_no_more_come_in_than_there_is_room_for),
		TEST(test_others_than_root_and_the_keepers_user_are_turned_away),
		TEST(test_a_told_seal_ends_the_keeper_and_shares_open_the_next),
		TEST(test_an_operator_seals),
		TEST(test_a_rotation_goes_on_by_itself),
		TEST(test_a_watch_answers_when_trust_moves),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
