/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long work over the local socket: a backup that the store's own restore takes, the check and its
 * verdict, clients that go away in the middle, and a store that is opened and then refused.
 */
#include "keeper_fixture_scene.h"

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

/* What came before an answer. */
static struct {
	uint8_t *data; /* of a backup */
	size_t size;
	size_t taken;
	unsigned progress;
	char defect[300];
} stream;

static int
set_up(void **state)
{
	static uint8_t value[SECRET_SIZE];
	struct scene *scene = scene_set_up(state, "");
	char path[32];

	for (unsigned i = 0; i < SECRETS; i++) {
		snprintf(path, sizeof(path), "web/%u", i);
		house_put(&scene->house, path, BYTES_OF(value));
	}
	return 0;
}

static int
tear_down(void **state)
{
	free(stream.data);
	memset(&stream, 0, sizeof(stream));
	return scene_tear_down(state);
}

static void
keep(struct house_control *control, uint16_t type, struct bytes body)
{
	struct control_progress progress;

	(void)control;
	if (type == FRAME_CONTROL_DATA) {
		assert_true(body.size > 0 && body.size <= CONTROL_PIECE_MAX);
		stream.data = realloc(stream.data, stream.size + body.size);
		memcpy(stream.data + stream.size, body.data, body.size);
		stream.size += body.size;
	} else if (type == FRAME_CONTROL_PROGRESS) {
		assert_true(control_progress_read(body, &progress));
		assert_true(progress.done <= progress.total || progress.total == 0);
		stream.progress++;
	} else {
		assert_int_equal(type, FRAME_CONTROL_DEFECT);
		snprintf(stream.defect, sizeof(stream.defect), "%.*s", (int)body.size,
			 (const char *)body.data);
	}
}

static long
give(void *user, uint8_t *buffer, size_t size)
{
	size_t left = stream.size - stream.taken;

	(void)user;
	size = size < left ? size : left;
	memcpy(buffer, stream.data + stream.taken, size);
	stream.taken += size;
	return (long)size;
}

static void
back_up(struct scene *scene)
{
	scene->control.piece = keep;
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_BACKUP, (struct bytes){0}),
			 CONTROL_OK);
	assert_true(stream.size > (size_t)SECRETS * SECRET_SIZE);
	assert_true(stream.progress > 0);
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
	if (store_restore(path, scene->house.root_key, give, NULL, NULL, bytes, &size, &err) !=
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
	assert_int_equal(control_ask(&scene->control, FRAME_CONTROL_CHECK, (struct bytes){0}),
			 CONTROL_OK);
	assert_true(control_checked_read(
		(struct bytes){scene->control.payload, scene->control.payload_size}, &checked));
	if (checked.defects > 0)
		fail_msg("%s", stream.defect);
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

	scene_stop(scene);
	house_put_record(&scene->house, "key/answer", (struct bytes){0});
	scene_start_sealed(scene);
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
