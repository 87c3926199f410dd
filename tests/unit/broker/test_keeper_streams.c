/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long work over the local socket: a backup that the store's own restore takes, the check and its
 * verdict, clients that go away in the middle, and a store that is opened and then refused.
 */
#include "keeper_fixture.h"

#include "store/upkeep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRETS	    40
#define SECRET_SIZE 16384

struct scene {
	struct house house;
	struct house_control control;
	uint8_t *data; /* of a backup */
	size_t size;
	size_t taken;
	unsigned progress;
	char defect[300];
};

static int
set_up(void **state)
{
	static uint8_t value[SECRET_SIZE];
	struct scene *scene = calloc(1, sizeof(*scene));
	char path[32];

	house_open(&scene->house, "");
	for (unsigned i = 0; i < SECRETS; i++) {
		snprintf(path, sizeof(path), "web/%u", i);
		house_put(&scene->house, path, BYTES_OF(value));
	}
	control_open(&scene->house, &scene->control);
	*state = scene;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *scene = *state;

	control_close(&scene->control);
	house_close(&scene->house);
	free(scene->data);
	free(scene);
	return 0;
}

static void
keep(struct house_control *control, uint16_t type, struct bytes body)
{
	struct scene *scene = control->user;
	struct control_progress progress;

	if (type == FRAME_CONTROL_DATA) {
		assert_true(body.size > 0 && body.size <= CONTROL_PIECE_MAX);
		scene->data = realloc(scene->data, scene->size + body.size);
		memcpy(scene->data + scene->size, body.data, body.size);
		scene->size += body.size;
	} else if (type == FRAME_CONTROL_PROGRESS) {
		assert_true(control_progress_read(body, &progress));
		assert_true(progress.done <= progress.total || progress.total == 0);
		scene->progress++;
	} else {
		assert_int_equal(type, FRAME_CONTROL_DEFECT);
		snprintf(scene->defect, sizeof(scene->defect), "%.*s", (int)body.size,
			 (const char *)body.data);
	}
}

static long
give(void *user, uint8_t *buffer, size_t size)
{
	struct scene *scene = user;
	size_t left = scene->size - scene->taken;

	size = size < left ? size : left;
	memcpy(buffer, scene->data + scene->taken, size);
	scene->taken += size;
	return (long)size;
}

static void
back_up(struct scene *scene)
{
	scene->control.piece = keep;
	scene->control.user = scene;
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_BACKUP, (struct bytes){0}),
			 CONTROL_OK);
	assert_true(scene->size > (size_t)SECRETS * SECRET_SIZE);
	assert_true(scene->progress > 0);
}

static void
test_a_backup_is_one_that_the_store_restores(void **state)
{
	struct scene *scene = *state;
	uint8_t bytes[STORE_LABEL_MAX];
	struct backup_label label;
	struct store_error err = {.message = ""};
	size_t size = 0;
	char path[128];

	back_up(scene);
	snprintf(path, sizeof(path), "%s/restored", scene->house.folder);
	if (store_restore(path, scene->house.root_key, give, NULL, scene, bytes, &size, &err) !=
	    STORE_OK)
		fail_msg("%s", err.message);
	assert_true(backup_label_read((struct bytes){bytes, size}, &label));
	assert_int_equal(label.trust_revision, 1);
	assert_true(label.store_revision > 0 && label.time > 0 && label.version.size > 0);
	char *log = house_audit(&scene->house);
	assert_non_null(strstr(log, "\\\"kind\\\":\\\"backup\\\""));
	free(log);
}

static void
test_a_check_tells_its_verdict_and_writes_it_down(void **state)
{
	struct scene *scene = *state;
	struct control_checked checked;

	scene->control.piece = keep;
	scene->control.user = scene;
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_CHECK, (struct bytes){0}),
			 CONTROL_OK);
	assert_true(control_checked_read(
		(struct bytes){scene->control.payload, scene->control.payload_size}, &checked));
	if (checked.defects > 0)
		fail_msg("%s", scene->defect);
	assert_true(checked.records > 2 * SECRETS && checked.entries > SECRETS);
	assert_true(checked.bytes > (uint64_t)SECRETS * SECRET_SIZE);
	char *log = house_audit(&scene->house);
	assert_non_null(strstr(log, "\\\"kind\\\":\\\"check\\\""));
	assert_non_null(strstr(log, "\\\"outcome\\\":\\\"good\\\""));
	free(log);
}

/* One that takes a piece and goes, and one that asks for another thing meanwhile. */
static void
test_a_client_that_goes_ends_its_work(void **state)
{
	static const enum frame_type asked[] = {FRAME_CONTROL_BACKUP, FRAME_CONTROL_CHECK,
						FRAME_CONTROL_WATCH};
	struct scene *scene = *state;

	for (size_t i = 0; i < 3 * CONTROL_CONNECTIONS_MAX; i++) {
		const struct frame request = {(uint16_t)asked[i % 3], 1, {0}, -1};
		struct house_control gone;
		struct frame frame;
		control_open(&scene->house, &gone);
		/* Where there is no room for the moment, those before are just ending. */
		if (channel_send(gone.channel, &request) == CHANNEL_OK &&
		    channel_receive(gone.channel, &gone.buffer, &frame) == CHANNEL_OK)
			(void)!channel_send(gone.channel, &request);
		control_close(&gone);
		usleep(50000);
	}
	back_up(scene); /* the keeper has room, and all of its wits */
}

/* Its key opens it, and an act is missing: the daemon does not stay up with the keys of that. */
static void
test_a_store_that_is_refused_ends_the_keeper(void **state)
{
	struct scene *scene = *state;
	struct store_batch *batch = store_batch_new();
	struct store *store = NULL;
	struct store_error err;

	control_close(&scene->control);
	house_stop(&scene->house);
	assert_int_equal(
		store_open(scene->house.options.store, scene->house.root_key, &store, &err),
		STORE_OK);
	store_batch_delete(batch, "key/answer");
	assert_int_equal(store_commit(store, batch, &err), STORE_OK);
	store_batch_free(batch);
	store_close(store);
	house_start_sealed(&scene->house);
	control_open(&scene->house, &scene->control);
	int status = control_give_key(&scene->control, scene->house.root_key->bytes,
				      CONTROL_TO_UNSEAL, CONTROL_NO_WITNESS);
	assert_int_equal(status, CONTROL_FAILED);
	assert_non_null(strstr(scene->control.text, "key/answer"));
	house_await_end(&scene->house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_a_backup_is_one_that_the_store_restores),
		TEST(test_a_check_tells_its_verdict_and_writes_it_down),
		TEST(test_a_client_that_goes_ends_its_work),
		TEST(test_a_store_that_is_refused_ends_the_keeper),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
