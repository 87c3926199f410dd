/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A keeper whose store may be an older one: each reason freezes it and is told, readings are
 * answered and nothing else, it stays frozen over starts, and one who has looked thaws it.
 */
#include "keeper_fixture_scene.h"

#include "wire/frozen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int
set_up(void **state)
{
	scene_set_up(state, SCENE_RULES);
	return 0;
}

/* By the key's file. */
static void
start(struct scene *scene)
{
	char problem[KEEPER_PROBLEM_SIZE] = "";

	if (!house_start(&scene->house, problem))
		fail_msg("%s", problem);
	control_open(&scene->house, &scene->control);
}

/* By a key that is handed over, with a counter or without. */
static void
start_with(struct scene *scene, uint64_t witness)
{
	scene_start_sealed(scene);
	assert_int_equal(control_give_key(&scene->control, scene->house.root_key->bytes,
					  CONTROL_TO_UNSEAL, witness),
			 CONTROL_OK);
}

static void
assert_frozen(struct scene *scene, const char *why)
{
	struct operation_request status = {.operation = OPERATION_STATUS};
	struct operation_request rotate = {.operation = OPERATION_ROTATE};
	struct operation_request act = {.operation = OPERATION_REKEY};
	const uint8_t shares[2] = {0, 0};
	static const enum frame_type machines[] = {FRAME_CHALLENGE, FRAME_RELEASE, FRAME_ENROLL,
						   FRAME_ACTIVATE};

	assert_int_equal(house_health(&scene->house).state, WIRE_IS_FROZEN);
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		assert_int_equal(house_call(&scene->house, machines[i], text_bytes("x"), NULL),
				 WIRE_FROZEN);
	struct house_answer answer = house_operate(&scene->house, &scene->house.alice, &status);
	assert_int_equal(answer.outcome, OUTCOME_OK);
	if (!strstr(answer.json, why))
		fail_msg("%s is not in %s", why, answer.json);
	free(answer.json);
	operation_set(&act, FIELD_SHARES, BYTES_OF(shares));
	struct operation_request *const refused[] = {&rotate, &act};
	for (size_t i = 0; i < 2; i++) {
		answer = house_operate(&scene->house, &scene->house.alice, refused[i]);
		assert_int_equal(answer.outcome, OUTCOME_FROZEN);
		assert_non_null(strstr(answer.json, why));
		free(answer.json);
	}
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_ROTATE, (struct bytes){0}),
			 CONTROL_REFUSED);
	struct control_state known = control_state(&scene->control);
	assert_true(known.frozen && known.why.size > 0);
}

static void
assert_serving(struct scene *scene)
{
	assert_int_equal(house_health(&scene->house).state, WIRE_SERVING);
	assert_false(control_state(&scene->control).frozen);
	house_put(&scene->house, "web/key", text_bytes("value"));
}

static void
thaw(struct scene *scene)
{
	uint64_t revision = control_state(&scene->control).trust_revision;

	assert_int_equal(control_thaw(&scene->control, revision + 1), CONTROL_REFUSED);
	assert_true(control_state(&scene->control).frozen);
	assert_int_equal(control_thaw(&scene->control, revision), CONTROL_OK);
	assert_int_equal(control_thaw(&scene->control, revision), CONTROL_REFUSED); /* not frozen */
}

static void
test_a_revision_that_has_been_seen_freezes(void **state)
{
	struct scene *scene = *state;

	scene_stop(scene);
	scene->house.options.min_revision = 1; /* which it is */
	start(scene);
	assert_serving(scene);
	scene_stop(scene);
	scene->house.options.min_revision = 2;
	start(scene);
	assert_frozen(scene, "its trust revision is 1, and 2 has been seen");
	/* Whoever takes the line out of the configuration has not thawed it. */
	scene_stop(scene);
	scene->house.options.min_revision = 0;
	start(scene);
	assert_frozen(scene, "its trust revision is 1, and 2 has been seen");
	thaw(scene);
	assert_serving(scene);
	scene_stop(scene);
	start(scene);
	assert_serving(scene);
	char *log = house_audit(&scene->house);
	assert_non_null(strstr(log, "\\\"kind\\\":\\\"frozen\\\""));
	assert_non_null(strstr(log, "\\\"kind\\\":\\\"thaw\\\""));
	assert_non_null(strstr(log, "looked at it"));
	free(log);
}

static void
test_a_restored_store_is_frozen(void **state)
{
	struct scene *scene = *state;
	uint8_t memory[FROZEN_SIZE_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	const struct frozen_record record = {text_bytes("restored from a backup of Monday"), 1};

	frozen_record_write(&w, &record);
	scene_stop(scene);
	house_put_record(&scene->house, FROZEN_KEY, writer_bytes(&w));
	start(scene);
	assert_frozen(scene, "restored from a backup of Monday");
	scene_stop(scene); /* both are told */
	scene->house.options.min_revision = 7;
	start(scene);
	assert_frozen(scene, "restored from a backup of Monday; its trust revision is 1, and 7");
	thaw(scene);
	assert_serving(scene);
	scene_stop(scene); /* as long as the configuration says so, it is frozen at each start */
	start(scene);
	assert_frozen(scene, "and 7 has been seen");
}

static void
test_records_that_do_not_parse_are_no_start(void **state)
{
	static const char *const keys[] = {FROZEN_KEY, WITNESS_KEY, RECORD_REKEYED};
	struct scene *scene = *state;
	char problem[KEEPER_PROBLEM_SIZE];

	scene_stop(scene);
	for (size_t i = 0; i < 3; i++) {
		house_put_record(&scene->house, keys[i], text_bytes("x"));
		assert_false(house_start(&scene->house, problem));
		assert_non_null(strstr(problem, keys[i]));
		house_put_record(&scene->house, keys[i], (struct bytes){0});
	}
	start(scene);
}

/* ---- the TPM's counter ---- */

static void
test_counters_against_what_the_store_knows(void **state)
{
	static const struct {
		const char *name;
		uint64_t known, handed;
		const char *why; /* NULL: it serves */
	} cases[] = {
		{"none and none", 0, CONTROL_NO_WITNESS, NULL},
		{"equal", 8, 8, NULL},
		{"a crash between the stages", 8, 7, NULL},
		{"one more", 8, 9, "the TPM has counted 9, and this store knows 8: it is an older"},
		{"many more", 8, 800, "it is an older one"},
		{"a store from before the first", 0, 3, "counted 3, and this store knows 0"},
		{"two less", 8, 6, "it is another TPM"},
		{"a new counter", 8, 1, "it is another TPM"},
		{"none handed over", 8, CONTROL_NO_WITNESS, "none was handed over"},
	};
	struct scene *scene = *state;

	scene_stop(scene);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t memory[WITNESS_SIZE];
		struct writer w = writer_of(memory, sizeof(memory));
		print_message("%s\n", cases[i].name);
		if (cases[i].known > 0)
			witness_record_write(&w, cases[i].known);
		house_put_record(&scene->house, WITNESS_KEY, writer_bytes(&w));
		start_with(scene, cases[i].handed);
		if (!cases[i].why) {
			assert_serving(scene);
		} else {
			assert_frozen(scene, cases[i].why);
			thaw(scene);
			assert_serving(scene);
		}
		scene_stop(scene);
		/* What was thawed is what counts from then on. */
		start_with(scene, cases[i].handed);
		assert_serving(scene);
		scene_stop(scene);
	}
	start(scene);
}

static void
test_rounds_of_a_witness(void **state)
{
	struct scene *scene = *state;

	/* The first one of all is where it begins. */
	assert_int_equal(control_witness(&scene->control, 1, 5), CONTROL_OK);
	assert_int_equal(control_state(&scene->control).witness, 6);
	assert_int_equal(control_witness(&scene->control, 2, 6), CONTROL_OK);
	assert_int_equal(control_witness(&scene->control, 1, 6), CONTROL_OK);
	/* The TPM did not come to count: the round is made again. */
	assert_int_equal(control_witness(&scene->control, 1, 6), CONTROL_OK);
	assert_int_equal(control_witness(&scene->control, 2, 7), CONTROL_OK);
	assert_int_equal(control_state(&scene->control).witness, 7);
	scene_stop(scene);
	start_with(scene, 7);
	assert_serving(scene);
	/* One that knows more than the store, at any time. */
	assert_int_equal(control_witness(&scene->control, 1, 9), CONTROL_REFUSED);
	assert_frozen(scene, "the TPM has counted 9, and this store knows 7");
	assert_int_equal(control_witness(&scene->control, 2, 10), CONTROL_REFUSED);
	scene_stop(scene);
	start_with(scene, 10);
	assert_frozen(scene, "the TPM has counted 9, and this store knows 7");
	thaw(scene);
	assert_int_equal(control_state(&scene->control).witness, 10);
	assert_serving(scene);
	assert_int_equal(control_witness(&scene->control, 1, 3), CONTROL_REFUSED);
	assert_frozen(scene, "it is another TPM");
	char *log = house_audit(&scene->house);
	size_t entries = 0;
	for (const char *at = log; (at = strstr(at, "\\\"kind\\\":\\\"witness\\\"")); at++)
		entries++;
	assert_int_equal(entries, 1); /* rounds that say nothing new are not written down */
	free(log);
}

/* Whose holders bring shares, or a key without the TPM, and whose key lies in a file: the witness
 * ends the wait. */
static void
test_a_key_without_a_counter_waits_for_it(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(control_witness(&scene->control, 1, 5), CONTROL_OK);
	assert_int_equal(control_witness(&scene->control, 2, 6), CONTROL_OK);
	scene_stop(scene);
	start_with(scene, CONTROL_NO_WITNESS);
	assert_frozen(scene, "none was handed over");
	assert_int_equal(control_witness(&scene->control, 1, 6), CONTROL_OK);
	assert_serving(scene);
	assert_int_equal(control_witness(&scene->control, 2, 7), CONTROL_OK);
	scene_stop(scene);
	start_with(scene, CONTROL_NO_WITNESS);
	assert_int_equal(control_witness(&scene->control, 1, 8), CONTROL_REFUSED);
	assert_frozen(scene, "the TPM has counted 8, and this store knows 7");
	scene_stop(scene);
	start(scene);
	assert_frozen(scene, "the TPM has counted 8");
	thaw(scene);
	scene_stop(scene);
	/* Nor is anybody there to hand one over where the key lies in a file. */
	start(scene);
	assert_frozen(scene, "none was handed over");
	assert_int_equal(control_witness(&scene->control, 1, 7), CONTROL_OK);
	assert_serving(scene);
}

static struct scene *examined; /* what an appraiser's hook has no other way to */

static void
freeze_now(void)
{
	struct house_control control;

	control_open(&examined->house, &control);
	assert_int_equal(control_witness(&control, 1, 9), CONTROL_REFUSED);
	control_close(&control);
}

static void
freeze_release(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	(void)request;
	(void)appraisal;
	freeze_now();
}

static void
freeze_enrolment(struct house *house)
{
	(void)house;
	freeze_now();
}

/* It was let in while the keeper served, and decided on after. */
static void
test_what_is_in_hand_when_it_freezes_is_not_done(void **state)
{
	const struct guest_release how = {.event_log = text_bytes("a log")};
	struct scene *scene = *state;
	struct guest guest, other;
	bool admitted;

	examined = scene;
	guest_open(&guest);
	guest_open(&other);
	guest_admit(&scene->house, &guest, "first");
	house_put(&scene->house, "web/key", text_bytes("value"));
	assert_int_equal(control_witness(&scene->control, 1, 5), CONTROL_OK);
	scene->house.lie = freeze_release;
	assert_int_equal(guest_release(&scene->house, &guest, &how, NULL), WIRE_FROZEN);
	scene->house.lie = NULL;
	thaw(scene);
	assert_int_equal(guest_release(&scene->house, &guest, &(struct guest_release){0}, NULL),
			 WIRE_OK);
	assert_int_equal(control_witness(&scene->control, 1, 5), CONTROL_REFUSED);
	thaw(scene);
	scene->house.examining = freeze_enrolment;
	assert_int_equal(guest_enroll(&scene->house, &other, &admitted), WIRE_FROZEN);
	scene->house.examining = NULL;
	guest_close(&guest);
	guest_close(&other);
}

/* ---- backups ---- */

static void
keep_size(struct house_control *control, uint16_t type, struct bytes body)
{
	size_t *sizes = control->user;

	if (type == FRAME_CONTROL_DATA)
		sizes[0] += body.size;
	else if (type == FRAME_CONTROL_PROGRESS)
		sizes[1]++;
	else
		fail_msg("a frame of type %u", type);
}

static void
test_a_frozen_keeper_backs_up_and_checks(void **state)
{
	struct scene *scene = *state;
	size_t sizes[2] = {0};

	scene_stop(scene);
	scene->house.options.min_revision = 2;
	start(scene);
	scene->control.piece = keep_size;
	scene->control.user = sizes;
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_BACKUP, (struct bytes){0}),
			 CONTROL_OK);
	assert_true(sizes[0] > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scene_tear_down)
		TEST(test_a_revision_that_has_been_seen_freezes),
		TEST(test_a_restored_store_is_frozen),
		TEST(test_records_that_do_not_parse_are_no_start),
		TEST(test_counters_against_what_the_store_knows),
		TEST(test_rounds_of_a_witness),
		TEST(test_a_key_without_a_counter_waits_for_it),
		TEST(test_what_is_in_hand_when_it_freezes_is_not_done),
		TEST(test_a_frozen_keeper_backs_up_and_checks),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
