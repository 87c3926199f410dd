/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper_fixture_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a house, and its client ---- */

struct house *
house_set_up(void **state, const char *policies)
{
	struct house *house = calloc(1, sizeof(*house));

	house_open(house, policies);
	*state = house;
	return house;
}

int
house_tear_down(void **state)
{
	house_close(*state);
	free(*state);
	return 0;
}

struct scene *
scene_set_up(void **state, const char *policies)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	house_open(&scene->house, policies);
	control_open(&scene->house, &scene->control);
	*state = scene;
	return scene;
}

struct scene *
scene_set_up_sealed(void **state, const char *policies, uint8_t threshold, uint8_t count)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	house_found(&scene->house, policies, threshold, count);
	scene_start_sealed(scene);
	*state = scene;
	return scene;
}

int
scene_tear_down(void **state)
{
	struct scene *scene = *state;

	control_close(&scene->control);
	house_close(&scene->house);
	free(scene);
	return 0;
}

void
scene_stop(struct scene *scene)
{
	control_close(&scene->control);
	house_stop(&scene->house);
}

void
scene_start_sealed(struct scene *scene)
{
	house_start_sealed(&scene->house);
	control_open(&scene->house, &scene->control);
}

void
scene_unseal(struct scene *scene)
{
	const uint8_t threshold = scene->house.set.threshold;

	for (uint8_t i = 1; i <= threshold; i++)
		assert_int_equal(
			control_give(&scene->control, &scene->house, CONTROL_TO_UNSEAL, i, false),
			i < threshold ? CONTROL_MORE : CONTROL_OK);
}

/* ---- answers ---- */

void
assert_answer(struct house_answer answer, enum operation_outcome want, const char *says)
{
	assert_int_equal(answer.status, WIRE_OK);
	if (answer.outcome != want || !strstr(answer.json, says))
		fail_msg("operation %u: outcome %d, wanted %d with \"%s\": %s", answer.operation,
			 answer.outcome, want, says, answer.json);
	free(answer.json);
}

void
assert_operation(struct house *house, const struct house_operator *signer,
		 struct operation_request *request, enum operation_outcome want, const char *says)
{
	assert_answer(house_operate(house, signer, request), want, says);
}

struct wire_health
house_health(struct house *house)
{
	struct bytes payload = {0};
	struct wire_health health;

	assert_int_equal(house_call(house, FRAME_HEALTH, (struct bytes){0}, &payload), WIRE_OK);
	assert_true(wire_health_read(payload, &health));
	free((void *)(uintptr_t)payload.data);
	return health;
}

void
await_count(atomic_uint *count, unsigned least)
{
	for (unsigned i = 0; atomic_load(count) < least; i++) {
		assert_true(i < 50000);
		usleep(200);
	}
}

int64_t
monotonic_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the store itself ---- */

void
house_put_record(struct house *house, const char *key, struct bytes value)
{
	struct store_batch *batch = store_batch_new();
	struct store *store = NULL;
	struct store_error err;

	assert_int_equal(store_open(house->options.store, house->root_key, &store, &err), STORE_OK);
	if (value.size > 0)
		store_batch_put(batch, key, store_bytes_of(value));
	else
		store_batch_delete(batch, key);
	assert_int_equal(store_commit(store, batch, &err), STORE_OK);
	store_batch_free(batch);
	store_close(store);
}
