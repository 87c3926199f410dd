/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new root key: only when an operator's act asks for it, once, by who has the present one, on one
 * connection; and whatever breaks off in between, exactly one of the two keys opens the store.
 */
#include "keeper_fixture_scene.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define THRESHOLD 3
#define COUNT	  5

enum store_status __real_store_commit(struct store *store, struct store_batch *batch,
				      struct store_error *err);
enum store_status __wrap_store_commit(struct store *store, struct store_batch *batch,
				      struct store_error *err);
enum store_status __real_store_rekey(struct store *store, const struct secret *new_root_key,
				     struct store_bytes note, struct store_error *err);
enum store_status __wrap_store_rekey(struct store *store, const struct secret *new_root_key,
				     struct store_bytes note, struct store_error *err);

/* Of the keeper's next ones. */
static struct {
	atomic_int commit;
	atomic_int rekey;
} failure;

static enum store_status
fail_as_planned(enum store_status status, struct store_error *err)
{
	*err = (struct store_error){.status = status, .message = "as planned"};
	return status;
}

enum store_status
__wrap_store_commit(struct store *store, struct store_batch *batch, struct store_error *err)
{
	int status = atomic_exchange(&failure.commit, STORE_OK);

	return status == STORE_OK ? __real_store_commit(store, batch, err)
				  : fail_as_planned((enum store_status)status, err);
}

enum store_status
__wrap_store_rekey(struct store *store, const struct secret *new_root_key, struct store_bytes note,
		   struct store_error *err)
{
	int status = atomic_exchange(&failure.rekey, STORE_OK);

	return status == STORE_OK ? __real_store_rekey(store, new_root_key, note, err)
				  : fail_as_planned((enum store_status)status, err);
}

static struct control_rekeyed drawn; /* by the newest proof */

static int
set_up(void **state)
{
	drawn = (struct control_rekeyed){0};
	scene_unseal(scene_set_up_sealed(state, "", THRESHOLD, COUNT));
	return 0;
}

static void
authorize(struct scene *scene, uint8_t count, uint8_t threshold)
{
	struct operation_request request = {.operation = OPERATION_REKEY};
	const uint8_t shares[2] = {count, threshold};

	operation_set(&request, FIELD_SHARES, BYTES_OF(shares));
	house_must(&scene->house, &request);
}

static int
ask(struct house_control *control, uint8_t count, uint8_t threshold)
{
	const uint8_t body[2] = {count, threshold};

	return control_ask(control, FRAME_CONTROL_REKEY, BYTES_OF(body));
}

static int
prove(struct scene *scene)
{
	int status = -1;

	for (uint8_t i = 2; i < 2 + THRESHOLD; i++)
		status = control_give(&scene->control, &scene->house, CONTROL_TO_REKEY, i, false);
	if (status == CONTROL_OK)
		assert_true(control_rekeyed_read(
			(struct bytes){scene->control.payload, scene->control.payload_size},
			&drawn));
	return status;
}

static int
commit(struct scene *scene)
{
	const uint8_t none[CONTROL_SET_SIZE] = {0};
	const uint8_t *set = drawn.count > 0 ? drawn.shares[0].set : none;

	return control_ask(&scene->control, FRAME_CONTROL_REKEY_COMMIT,
			   (struct bytes){set, CONTROL_SET_SIZE});
}

/* As whoever comes to the store with a key. */
static int
opens(struct scene *scene, const uint8_t key[CONTROL_KEY_SIZE])
{
	return control_give_key(&scene->control, key, CONTROL_TO_VERIFY, CONTROL_NO_WITNESS);
}

static void
assert_old_in_force(struct scene *scene)
{
	assert_int_equal(opens(scene, scene->house.root_key->bytes), CONTROL_OK);
	if (drawn.count > 0)
		assert_int_equal(opens(scene, drawn.key), CONTROL_WRONG);
}

static void
assert_new_in_force(struct scene *scene)
{
	assert_int_equal(opens(scene, scene->house.root_key->bytes), CONTROL_WRONG);
	assert_int_equal(opens(scene, drawn.key), CONTROL_OK);
}

/* The drawn ones are the house's from here on. */
static void
take_over(struct scene *scene)
{
	memcpy(scene->house.root_key->bytes, drawn.key, CONTROL_KEY_SIZE);
	for (uint8_t i = 0; i < drawn.count; i++) {
		const struct control_share *share = &drawn.shares[i];
		struct share *own = &scene->house.shares[i];
		*own = (struct share){.threshold = share->threshold,
				      .count = share->count,
				      .number = share->number};
		memcpy(own->set, share->set, sizeof(own->set));
		memcpy(own->bytes, share->bytes, sizeof(own->bytes));
	}
}

static void
test_new_shares_open_and_old_ones_are_named(void **state)
{
	struct scene *scene = *state;
	static struct house old;

	authorize(scene, 4, 2);
	assert_int_equal(ask(&scene->control, 4, 2), CONTROL_OK);
	assert_int_equal(prove(scene), CONTROL_OK);
	assert_int_equal(drawn.count, 4);
	assert_old_in_force(scene); /* until the commit */
	assert_int_equal(commit(scene), CONTROL_OK);
	assert_new_in_force(scene);
	memcpy(old.shares, scene->house.shares, sizeof(old.shares));
	take_over(scene);
	scene_stop(scene);
	scene_start_sealed(scene);
	struct control_state known = control_state(&scene->control);
	assert_int_equal(known.count, 4);
	assert_int_equal(known.threshold, 2);
	assert_int_equal(control_give(&scene->control, &old, CONTROL_TO_UNSEAL, 1, false),
			 CONTROL_WRONG);
	assert_non_null(strstr(scene->control.text, "older set"));
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 4, false),
			 CONTROL_MORE);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, 1, false),
			 CONTROL_OK);
	char *log = house_audit(&scene->house);
	assert_non_null(strstr(log, "\\\"kind\\\":\\\"rekey\\\""));
	assert_non_null(strstr(log, "\\\"outcome\\\":\\\"done\\\""));
	free(log);
	/* Also by the fold of a start the act is used up. */
	assert_int_equal(ask(&scene->control, 4, 2), CONTROL_REFUSED);
	assert_non_null(strstr(scene->control.text, "used up"));
}

static void
test_nothing_is_drawn_without_an_act_of_these_numbers(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_REFUSED);
	assert_non_null(strstr(scene->control.text, "no operator"));
	authorize(scene, 5, 3);
	assert_int_equal(ask(&scene->control, 5, 2), CONTROL_REFUSED);
	assert_int_equal(ask(&scene->control, 0, 0), CONTROL_REFUSED);
	/* Shares come after the request alone. */
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_REKEY, 1, false),
			 CONTROL_REFUSED);
	assert_int_equal(commit(scene), CONTROL_REFUSED);
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_OK);
	assert_int_equal(commit(scene), CONTROL_REFUSED); /* nothing was drawn */
	assert_old_in_force(scene);
}

static void
add_bob(struct scene *scene, struct house_operator *bob)
{
	struct operation_request request = {.operation = OPERATION_OPERATOR_ADD};
	uint8_t list[64];

	snprintf(bob->name, sizeof(bob->name), "bob");
	crypto_sign_keypair(bob->public_key, bob->secret_key);
	operation_set_text(&request, FIELD_NAME, bob->name);
	operation_set(&request, FIELD_OPERATOR_KEY, BYTES_OF(bob->public_key));
	operation_set(&request, FIELD_ROLES, house_names(list, sizeof(list), "admin"));
	house_must(&scene->house, &request);
}

/* Nor is anything put in force that was drawn before. */
static void
test_what_an_operator_asked_for_who_is_revoked_is_not_done(void **state)
{
	struct operation_request request = {.operation = OPERATION_REKEY};
	struct operation_request revocation = {.operation = OPERATION_REVOKE};
	const uint8_t shares[2] = {4, 2};
	struct scene *scene = *state;
	struct house_operator bob;

	add_bob(scene, &bob);
	operation_set(&request, FIELD_SHARES, BYTES_OF(shares));
	struct house_answer answer = house_operate(&scene->house, &bob, &request);
	assert_int_equal(answer.outcome, OUTCOME_OK);
	free(answer.json);
	assert_int_equal(ask(&scene->control, 4, 2), CONTROL_OK);
	assert_int_equal(prove(scene), CONTROL_OK);
	operation_set_text(&revocation, FIELD_KIND, "operator");
	operation_set_text(&revocation, FIELD_ID, bob.name);
	operation_set_text(&revocation, FIELD_REASON, "left");
	house_must(&scene->house, &revocation);
	assert_int_equal(commit(scene), CONTROL_REFUSED);
	assert_old_in_force(scene);
	assert_int_equal(ask(&scene->control, 4, 2), CONTROL_REFUSED);
	scene_stop(scene);
	scene_start_sealed(scene);
	scene_unseal(scene);
	assert_int_equal(scene->control.status, CONTROL_OK);
	assert_int_equal(ask(&scene->control, 4, 2), CONTROL_REFUSED);
	authorize(scene, 4, 2);
	assert_int_equal(ask(&scene->control, 4, 2), CONTROL_OK);
}

static void
test_nothing_is_drawn_without_the_present_key(void **state)
{
	struct scene *scene = *state;
	uint8_t key[CONTROL_KEY_SIZE];

	memcpy(key, scene->house.root_key->bytes, sizeof(key));
	key[0] ^= 1;
	authorize(scene, 0, 0);
	assert_int_equal(ask(&scene->control, 0, 0), CONTROL_OK);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_REKEY, 1, true),
			 CONTROL_WRONG);
	assert_int_equal(
		control_give_key(&scene->control, key, CONTROL_TO_REKEY, CONTROL_NO_WITNESS),
		CONTROL_WRONG);
	assert_int_equal(commit(scene), CONTROL_REFUSED);
	key[0] ^= 1;
	assert_int_equal(
		control_give_key(&scene->control, key, CONTROL_TO_REKEY, CONTROL_NO_WITNESS),
		CONTROL_OK);
	assert_true(control_rekeyed_read(
		(struct bytes){scene->control.payload, scene->control.payload_size}, &drawn));
	assert_int_equal(drawn.count, 0);
	assert_int_equal(commit(scene), CONTROL_OK);
	assert_new_in_force(scene);
	assert_int_equal(control_state(&scene->control).count, 0);
	assert_int_equal(control_give(&scene->control, &scene->house, CONTROL_TO_VERIFY, 1, false),
			 CONTROL_REFUSED);
}

static void
test_one_at_a_time_and_by_whoever_began(void **state)
{
	struct scene *scene = *state;
	struct house_control other;

	authorize(scene, 5, 3);
	control_open(&scene->house, &other);
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_OK);
	assert_int_equal(ask(&other, 5, 3), CONTROL_REFUSED);
	assert_int_equal(control_give(&other, &scene->house, CONTROL_TO_REKEY, 1, false),
			 CONTROL_REFUSED);
	assert_int_equal(prove(scene), CONTROL_OK);
	assert_int_equal(
		control_ask(&other, FRAME_CONTROL_REKEY_COMMIT, BYTES_OF(drawn.shares[0].set)),
		CONTROL_REFUSED);
	uint8_t wrong[CONTROL_SET_SIZE] = {1};
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_REKEY_COMMIT, BYTES_OF(wrong)),
			 CONTROL_REFUSED);
	/* Who goes leaves nothing, and the act can still be used. */
	control_close(&scene->control);
	for (size_t i = 0; ask(&other, 5, 3) != CONTROL_OK; i++) {
		assert_true(i < 500);
		usleep(10000);
	}
	scene->control = other;
	assert_old_in_force(scene);
	assert_int_equal(commit(scene), CONTROL_REFUSED);
	assert_int_equal(prove(scene), CONTROL_OK);
	assert_int_equal(commit(scene), CONTROL_OK);
	assert_new_in_force(scene);
}

static void
test_a_new_key_is_forgotten_when_told_to_and_in_time(void **state)
{
	struct scene *scene = *state;
	const uint8_t purpose = CONTROL_TO_REKEY;

	authorize(scene, 5, 3);
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_OK);
	assert_int_equal(prove(scene), CONTROL_OK);
	assert_int_equal(
		control_ask(&scene->control, FRAME_CONTROL_RESET, (struct bytes){&purpose, 1}),
		CONTROL_OK);
	assert_int_equal(commit(scene), CONTROL_REFUSED);
	scene->house.keeper.control->patience = 1500;
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_OK);
	assert_int_equal(prove(scene), CONTROL_OK);
	usleep(3500 * 1000);
	struct control *control = scene->house.keeper.control;
	pthread_mutex_lock(&control->mutex);
	assert_null(control->rekeying.key);
	pthread_mutex_unlock(&control->mutex);
	assert_int_equal(commit(scene), CONTROL_REFUSED);
	assert_old_in_force(scene);
}

/* ---- what breaks ---- */

static void
test_a_disk_that_refuses_leaves_the_old_key_and_another_commit(void **state)
{
	struct scene *scene = *state;

	authorize(scene, 5, 3);
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_OK);
	assert_int_equal(prove(scene), CONTROL_OK);
	atomic_store(&failure.commit, STORE_SPACE);
	assert_int_equal(commit(scene), CONTROL_FAILED);
	assert_non_null(strstr(scene->control.text, "old root key"));
	assert_old_in_force(scene);
	atomic_store(&failure.rekey, STORE_SPACE);
	assert_int_equal(commit(scene), CONTROL_FAILED);
	assert_old_in_force(scene);
	assert_int_equal(commit(scene), CONTROL_OK);
	assert_new_in_force(scene);
	/* Twice is not once. */
	assert_int_equal(commit(scene), CONTROL_REFUSED);
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_REFUSED);
}

/* Between the act's use and the new key: as a crash there would leave it. */
static void
test_a_crash_before_the_new_key_costs_the_act(void **state)
{
	struct scene *scene = *state;

	authorize(scene, 5, 3);
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_OK);
	assert_int_equal(prove(scene), CONTROL_OK);
	atomic_store(&failure.rekey, STORE_IO);
	assert_int_equal(commit(scene), CONTROL_FAILED);
	scene_stop(scene);
	scene_start_sealed(scene);
	scene_unseal(scene);
	assert_false(control_state(&scene->control).sealed);
	assert_old_in_force(scene);
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_REFUSED);
	assert_non_null(strstr(scene->control.text, "used up"));
	authorize(scene, 5, 3);
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_OK);
	assert_int_equal(prove(scene), CONTROL_OK);
	assert_int_equal(commit(scene), CONTROL_OK);
	assert_new_in_force(scene);
}

static void
test_a_rekey_in_doubt_ends_the_keeper(void **state)
{
	struct scene *scene = *state;

	authorize(scene, 5, 3);
	assert_int_equal(ask(&scene->control, 5, 3), CONTROL_OK);
	assert_int_equal(prove(scene), CONTROL_OK);
	atomic_store(&failure.rekey, STORE_UNSURE);
	int status = commit(scene);
	assert_true(status == CONTROL_FAILED || status == -1);
	house_await_end(&scene->house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_tear_down)
		TEST(test_new_shares_open_and_old_ones_are_named),
		TEST(test_nothing_is_drawn_without_an_act_of_these_numbers),
		TEST(test_what_an_operator_asked_for_who_is_revoked_is_not_done),
		TEST(test_nothing_is_drawn_without_the_present_key),
		TEST(test_one_at_a_time_and_by_whoever_began),
		TEST(test_a_new_key_is_forgotten_when_told_to_and_in_time),
		TEST(test_a_disk_that_refuses_leaves_the_old_key_and_another_commit),
		TEST(test_a_crash_before_the_new_key_costs_the_act),
		TEST(test_a_rekey_in_doubt_ends_the_keeper),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
