/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of secrets, from their first settings to their removal: what operators may do to them,
 * what a guest gets of it, and what is left in the store. The keeper's clock is the test's.
 */
#include "keeper_fixture_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NO_CHECK UINT64_MAX
#define PATH	 "web/key"

int64_t __real_unix_now(void);
int64_t __wrap_unix_now(void);

static atomic_llong ahead; /* of the real clock, for the keeper */

int64_t
__wrap_unix_now(void)
{
	return __real_unix_now() + atomic_load(&ahead);
}

static int
set_up(void **state)
{
	atomic_store(&ahead, 0);
	house_set_up(state, SCENE_RULES);
	return 0;
}

/* ---- what operators say ---- */

/* "1,3": FIELD_VERSIONS; NULL: none. */
static void
set_versions(struct operation_request *request, const char *versions, uint8_t memory[400])
{
	struct version_list list = {.count = 0};
	struct writer w = writer_of(memory, 400);

	if (!versions)
		return;
	for (const char *at = versions; *at;) {
		char *end;
		list.versions[list.count++] = (uint32_t)strtoul(at, &end, 10);
		at = end + (*end == ',');
	}
	version_list_write(&w, &list);
	operation_set(request, FIELD_VERSIONS, writer_bytes(&w));
}

static void
assert_change(struct house *house, enum operation operation, const char *versions,
	      enum operation_outcome want, const char *says)
{
	struct operation_request request = {.operation = (uint16_t)operation};
	uint8_t memory[400];

	operation_set_text(&request, FIELD_PATH, PATH);
	set_versions(&request, versions, memory);
	assert_answer(house_operate(house, &house->alice, &request), want, says);
}

static void
assert_shows(struct house *house, const char *says)
{
	assert_change(house, OPERATION_SECRET_SHOW, NULL, OUTCOME_OK, says);
}

static void
assert_put(struct house *house, uint64_t cas, enum operation_outcome want, const char *says)
{
	assert_answer(house_put_as(house, PATH, cas, text_bytes("a value")), want, says);
}

/* `custom`: name, value, name, ... NULL; NULL: not given. */
static void
assert_settings(struct house *house, struct secret_settings settings, const char *const *custom,
		const char *says)
{
	struct operation_request request = {.operation = OPERATION_SECRET_SETTINGS};
	struct custom_metadata metadata = {.count = 0};
	uint8_t settings_memory[32], custom_memory[2048];
	struct writer settings_w = writer_of(settings_memory, sizeof(settings_memory));
	struct writer custom_w = writer_of(custom_memory, sizeof(custom_memory));

	operation_set_text(&request, FIELD_PATH, PATH);
	if (settings.mask != 0) {
		secret_settings_write(&settings_w, &settings);
		operation_set(&request, FIELD_SETTINGS, writer_bytes(&settings_w));
	}
	for (size_t i = 0; custom && custom[i]; i += 2) {
		metadata.names[metadata.count] = text_bytes(custom[i]);
		metadata.values[metadata.count++] = text_bytes(custom[i + 1]);
	}
	if (custom) {
		custom_metadata_write(&custom_w, &metadata);
		operation_set(&request, FIELD_CUSTOM, writer_bytes(&custom_w));
	}
	assert_answer(house_operate(house, &house->alice, &request), OUTCOME_OK, says);
}

static void
assert_audited(struct house *house, const char *operation, const char *versions,
	       const char *outcome)
{
	char *audit = house_audit(house);
	char line[512];

	/* Within the answer an entry is a text of its own. */
	snprintf(line, sizeof(line),
		 "\\\"operation\\\":\\\"%s\\\",\\\"subject\\\":\\\"Secret::" PATH
		 "%s\\\",\\\"peer\\\":\\\"127.0.0.1 1\\\",\\\"outcome\\\":\\\"%s\\\"",
		 operation, versions, outcome);
	if (!strstr(audit, line))
		fail_msg("no %s in %s", line, audit);
	free(audit);
}

/* ---- what is left ---- */

static bool
has_value(struct house *house, uint32_t version)
{
	char key[RECORD_KEY_SIZE];
	struct secret *value = NULL;
	struct store_error err;
	uint64_t revision;

	record_value_key(text_bytes(PATH), version, key);
	enum store_status status = store_get(house->keeper.store, key, &value, &revision, &err);
	secret_free(value);
	assert_true(status == STORE_OK || status == STORE_MISSING);
	return status == STORE_OK;
}

static void
assert_released(struct house *house, struct guest *guest, uint32_t version, const char *want)
{
	struct guest_release how = {.version = version};
	char *value = NULL;

	assert_int_equal(guest_release(house, guest, &how, &value), WIRE_OK);
	assert_string_equal(value, want);
	free(value);
}

/* The guest learns "policy"; the operators learn why. */
static void
assert_withheld(struct house *house, struct guest *guest, uint32_t version, const char *why)
{
	struct operation_request explain = {.operation = OPERATION_EXPLAIN};
	struct guest_release how = {.version = version};
	char want[256];
	uint8_t count[8];

	assert_int_equal(guest_release(house, guest, &how, NULL), WIRE_POLICY);
	snprintf(want, sizeof(want), "{\"check\":\"secret\",\"ok\":false,\"expected\":\"%s\"", why);
	*strchr(want + strlen("{\"check\":\"secret\",\"ok\":false,\"expected\":\""), '|') = '\0';
	strcat(want, "\",\"seen\":\"");
	strcat(want, strchr(why, '|') + 1);
	operation_set_text(&explain, FIELD_MACHINE, guest->id);
	operation_set_number(&explain, FIELD_COUNT, 1, count);
	assert_answer(house_operate(house, &house->alice, &explain), OUTCOME_OK, want);
}

/* ---- the tests ---- */

static void
test_a_version_is_deleted_brought_back_and_destroyed(void **state)
{
	struct house *house = *state;
	struct guest guest;

	house_put(house, PATH, text_bytes("first"));
	house_put(house, PATH, text_bytes("second"));
	guest_open(&guest);
	guest_admit(house, &guest, "first");
	assert_released(house, &guest, 0, "second");

	assert_change(house, OPERATION_SECRET_DELETE, NULL, OUTCOME_OK, "\"versions\":[2]");
	assert_shows(house, "\"version\":2,\"state\":\"deleted\"");
	assert_true(has_value(house, 2));
	/* Never silently an older one. */
	assert_withheld(house, &guest, 0, PATH "@2|that version is deleted\"");
	assert_withheld(house, &guest, 2, PATH "@2|that version is deleted\"");
	assert_released(house, &guest, 1, "first");
	assert_change(house, OPERATION_SECRET_DELETE, "2", OUTCOME_OK, "\"versions\":[]");

	assert_change(house, OPERATION_SECRET_UNDELETE, "1,2", OUTCOME_OK, "\"versions\":[2]");
	assert_released(house, &guest, 0, "second");

	assert_change(house, OPERATION_SECRET_DESTROY, "2", OUTCOME_OK, "\"versions\":[2]");
	assert_shows(house, "\"state\":\"destroyed\"");
	assert_false(has_value(house, 2));
	assert_true(has_value(house, 1));
	assert_withheld(house, &guest, 0, PATH "@2|that version is destroyed\"");
	assert_released(house, &guest, 1, "first");
	assert_change(house, OPERATION_SECRET_UNDELETE, "1,2", OUTCOME_INVALID,
		      "version 2 is destroyed");
	assert_change(house, OPERATION_SECRET_DELETE, "2", OUTCOME_OK, "\"versions\":[]");
	assert_change(house, OPERATION_SECRET_DESTROY, "2", OUTCOME_OK, "\"versions\":[]");
	house_put(house, PATH, text_bytes("third"));
	assert_released(house, &guest, 0, "third");
	guest_close(&guest);
}

static void
test_several_at_once_or_none(void **state)
{
	static const struct {
		enum operation operation;
		const char *versions;
	} refused[] = {
		{OPERATION_SECRET_DELETE, "2,99"},
		{OPERATION_SECRET_UNDELETE, "99"},
		{OPERATION_SECRET_DESTROY, "1,2,99"},
	};
	struct house *house = *state;

	assert_change(house, OPERATION_SECRET_DELETE, "1", OUTCOME_MISSING, "there is none");
	for (size_t i = 0; i < 4; i++)
		house_put(house, PATH, text_bytes("v"));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_change(house, refused[i].operation, refused[i].versions, OUTCOME_MISSING,
			      "there is no version 99: 1 to 4 are kept");
	for (uint32_t version = 1; version <= 4; version++)
		assert_true(has_value(house, version));
	assert_change(house, OPERATION_SECRET_DELETE, "1,2,4", OUTCOME_OK, "\"versions\":[1,2,4]");
	assert_change(house, OPERATION_SECRET_DESTROY, "2,3", OUTCOME_OK, "\"versions\":[2,3]");
	assert_true(has_value(house, 1));
	assert_false(has_value(house, 2));
	assert_false(has_value(house, 3));
	assert_true(has_value(house, 4));
	assert_audited(house, "secret-put", "@4", "done");
	assert_audited(house, "secret-delete", "@1-2,4", "done");
	assert_audited(house, "secret-destroy", "@2-3", "done");
	/* Also where nothing came of it. */
	assert_audited(house, "secret-delete", "@2,99", "missing");
}

static void
test_check_and_set(void **state)
{
	struct house *house = *state;
	struct operation_request deletion = {.operation = OPERATION_SECRET_DELETE};
	struct operation_request removal = {.operation = OPERATION_SECRET_REMOVE};
	uint8_t number[8];

	assert_put(house, 1, OUTCOME_CONFLICT, "it has no version yet");
	assert_put(house, 0, OUTCOME_OK, "\"version\":1,");
	assert_put(house, 0, OUTCOME_CONFLICT, "the newest version is 1, not 0");
	assert_settings(
		house, (struct secret_settings){.mask = SETTING_CAS_REQUIRED, .cas_required = true},
		NULL, "\"cas_required\":true");
	assert_put(house, NO_CHECK, OUTCOME_INVALID, "require check-and-set");
	assert_put(house, 2, OUTCOME_CONFLICT, "the newest version is 1, not 2");
	/* The number of a version counts, whatever has become of it. */
	assert_change(house, OPERATION_SECRET_DESTROY, "1", OUTCOME_OK, "");
	assert_put(house, 0, OUTCOME_CONFLICT, "the newest version is 1, not 0");
	assert_put(house, 1, OUTCOME_OK, "\"version\":2,");

	operation_set_text(&deletion, FIELD_PATH, PATH);
	operation_set_number(&deletion, FIELD_CAS, 1, number);
	assert_answer(house_operate(house, &house->alice, &deletion), OUTCOME_CONFLICT,
		      "the newest version is 2, not 1");
	operation_set_text(&removal, FIELD_PATH, PATH);
	operation_set_number(&removal, FIELD_CAS, 3, number);
	assert_answer(house_operate(house, &house->alice, &removal), OUTCOME_CONFLICT, "");
	operation_set_number(&removal, FIELD_CAS, 2, number);
	assert_answer(house_operate(house, &house->alice, &removal), OUTCOME_OK, "\"versions\":2");
	/* All of it is gone, the settings too. */
	assert_put(house, NO_CHECK, OUTCOME_OK, "\"version\":1,");
}

static void
test_the_oldest_make_room(void **state)
{
	struct house *house = *state;
	struct secret_settings most = {.mask = SETTING_VERSIONS_MAX, .versions_max = 3};

	for (size_t i = 0; i < 11; i++)
		house_put(house, PATH, text_bytes("v"));
	assert_shows(house, "\"version\":11,\"oldest\":2,");
	assert_false(has_value(house, 1));
	assert_settings(house, most, NULL, "\"versions_max\":3");
	/* With the next put, and not before. */
	assert_shows(house, "\"version\":11,\"oldest\":2,");
	assert_true(has_value(house, 2));
	house_put(house, PATH, text_bytes("v"));
	assert_shows(house, "\"version\":12,\"oldest\":10,");
	for (uint32_t version = 1; version <= 12; version++)
		assert_int_equal(has_value(house, version), version >= 10);
	assert_change(house, OPERATION_SECRET_DESTROY, "9", OUTCOME_MISSING,
		      "there is no version 9: 10 to 12 are kept");
	most.versions_max = 0;
	assert_settings(house, most, NULL, "\"versions_max\":0");
	for (size_t i = 0; i < 9; i++)
		house_put(house, PATH, text_bytes("v"));
	assert_shows(house, "\"version\":21,\"oldest\":12,");
}

/* One batch holds what goes at once, at the most that there may be. */
static void
test_a_hundred_versions(void **state)
{
	struct house *house = *state;
	struct secret_settings most = {.mask = SETTING_VERSIONS_MAX,
				       .versions_max = OPERATION_VERSIONS_MAX};

	assert_settings(house, most, NULL, "\"versions_max\":100");
	for (size_t i = 0; i < 102; i++)
		house_put(house, PATH, text_bytes("v"));
	assert_shows(house, "\"version\":102,\"oldest\":3,");
	most.versions_max = 1;
	assert_settings(house, most, NULL, "\"versions_max\":1");
	house_put(house, PATH, text_bytes("v"));
	assert_shows(house, "\"version\":103,\"oldest\":103,");
	for (uint32_t version = 1; version <= 103; version++)
		assert_int_equal(has_value(house, version), version == 103);

	most.versions_max = OPERATION_VERSIONS_MAX;
	assert_settings(house, most, NULL, "");
	for (size_t i = 0; i < 99; i++)
		house_put(house, PATH, text_bytes("v"));
	assert_change(house, OPERATION_SECRET_REMOVE, NULL, OUTCOME_OK, "\"versions\":100");
	assert_audited(house, "secret-remove", "@103-202", "done");
	for (uint32_t version = 100; version <= 202; version++)
		assert_false(has_value(house, version));
	assert_change(house, OPERATION_SECRET_SHOW, NULL, OUTCOME_MISSING, "there is none");
	assert_change(house, OPERATION_SECRET_REMOVE, NULL, OUTCOME_MISSING, "there is none");
}

static void
test_versions_expire_by_the_keepers_clock(void **state)
{
	struct house *house = *state;
	struct secret_settings hour = {.mask = SETTING_DELETE_VERSION_AFTER,
				       .delete_version_after = 3600};
	struct guest guest;

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	house_put(house, PATH, text_bytes("first"));
	assert_settings(house, hour, NULL, "\"delete_version_after\":3600");
	house_put(house, PATH, text_bytes("second"));
	assert_released(house, &guest, 2, "second");
	assert_shows(house, "\"version\":2,\"state\":\"active\"");
	atomic_store(&ahead, 3590);
	assert_released(house, &guest, 2, "second");
	atomic_store(&ahead, 3601);
	assert_withheld(house, &guest, 2, PATH "@2|that version has expired");
	assert_shows(house, "\"version\":2,\"state\":\"expired\"");
	/* What was put before the setting has no end, and the value is still there. */
	assert_released(house, &guest, 1, "first");
	assert_true(has_value(house, 2));
	assert_change(house, OPERATION_SECRET_DELETE, "2", OUTCOME_OK, "\"versions\":[]");
	assert_change(house, OPERATION_SECRET_UNDELETE, "2", OUTCOME_OK, "\"versions\":[2]");
	assert_released(house, &guest, 0, "second");
	atomic_store(&ahead, 1000000);
	assert_released(house, &guest, 0, "second");
	/* One whose time is still to come can be deleted before, and undeleted for good. */
	house_put(house, PATH, text_bytes("third"));
	assert_change(house, OPERATION_SECRET_DELETE, NULL, OUTCOME_OK, "\"versions\":[3]");
	assert_withheld(house, &guest, 0, PATH "@3|that version is deleted\"");
	assert_change(house, OPERATION_SECRET_UNDELETE, "3", OUTCOME_OK, "\"versions\":[3]");
	atomic_store(&ahead, 2000000);
	assert_released(house, &guest, 0, "third");
	guest_close(&guest);
}

static void
test_settings_stand_alone_and_by_themselves(void **state)
{
	static const char *const custom[] = {"owner", "team \"a\"", "ticket", "", NULL};
	static const char *const other[] = {"since", "2026", NULL};
	static const char *const none[] = {NULL};
	struct house *house = *state;
	struct operation_request list = {.operation = OPERATION_SECRET_LIST};
	struct guest guest;

	assert_change(house, OPERATION_SECRET_SETTINGS, NULL, OUTCOME_INVALID,
		      "neither settings nor custom metadata");
	assert_change(house, OPERATION_SECRET_SHOW, NULL, OUTCOME_MISSING, "there is none");
	/* Before the first version. */
	assert_settings(house, (struct secret_settings){.mask = 0}, custom,
			"\"custom\":{\"owner\":\"team \\\"a\\\"\",\"ticket\":\"\"}");
	assert_shows(house, "\"version\":0,\"oldest\":0,");
	assert_answer(house_operate(house, &house->alice, &list), OUTCOME_OK, PATH);
	assert_change(house, OPERATION_SECRET_DELETE, NULL, OUTCOME_MISSING,
		      "it has no version yet");
	guest_open(&guest);
	guest_admit(house, &guest, "first");
	assert_withheld(house, &guest, 0, PATH "|it has no version yet\"");
	assert_put(house, 0, OUTCOME_OK, "\"version\":1,");
	/* What the mask does not name stays; custom metadata goes as a whole. */
	assert_settings(house,
			(struct secret_settings){.mask = SETTING_VERSIONS_MAX, .versions_max = 5},
			NULL, "\"custom\":{\"owner\":");
	assert_settings(
		house, (struct secret_settings){.mask = SETTING_CAS_REQUIRED, .cas_required = true},
		other,
		"\"settings\":{\"versions_max\":5,\"cas_required\":true,"
		"\"delete_version_after\":0},\"custom\":{\"since\":\"2026\"}");
	assert_settings(house, (struct secret_settings){.mask = SETTING_CAS_REQUIRED}, none,
			"\"settings\":{\"versions_max\":5,\"cas_required\":false,"
			"\"delete_version_after\":0},\"custom\":{}");
	assert_shows(house, "\"version\":1,\"oldest\":1,");
	assert_audited(house, "secret-settings", "",
		       "done\\\",\\\"detail\\\":\\\"versions_max 5, cas_required yes, "
		       "delete_version_after 0, other custom metadata");
	guest_close(&guest);
}

/* All custom metadata there may be beside all versions there may be: a record beyond what a worker
 * keeps at hand. */
static void
test_the_largest_record(void **state)
{
	struct house *house = *state;
	struct operation_request request = {.operation = OPERATION_SECRET_SETTINGS};
	struct custom_metadata metadata = {.count = CUSTOM_MAX};
	static uint8_t memory[SECRET_CUSTOM_MAX];
	static char names[CUSTOM_MAX][CUSTOM_NAME_MAX + 1], value[CUSTOM_VALUE_MAX + 1];
	struct writer w = writer_of(memory, sizeof(memory));
	struct guest guest;

	memset(value, '"', CUSTOM_VALUE_MAX);
	for (uint16_t i = 0; i < CUSTOM_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "%0*u", CUSTOM_NAME_MAX, i);
		metadata.names[i] = text_bytes(names[i]);
		metadata.values[i] = text_bytes(value);
	}
	custom_metadata_write(&w, &metadata);
	assert_int_equal(w.size, SECRET_CUSTOM_MAX);
	operation_set_text(&request, FIELD_PATH, PATH);
	operation_set(&request, FIELD_CUSTOM, writer_bytes(&w));
	assert_answer(house_operate(house, &house->alice, &request), OUTCOME_OK, names[63]);
	assert_settings(house,
			(struct secret_settings){.mask = SETTING_VERSIONS_MAX,
						 .versions_max = OPERATION_VERSIONS_MAX},
			NULL, "");
	for (size_t i = 0; i < OPERATION_VERSIONS_MAX; i++)
		house_put(house, PATH, text_bytes("v"));
	assert_shows(house, "\"version\":100,\"state\":\"active\"");
	assert_shows(house, names[63]);
	guest_open(&guest);
	guest_admit(house, &guest, "first");
	assert_released(house, &guest, 1, "v");
	assert_released(house, &guest, 0, "v");
	guest_close(&guest);
}

/* ---- records that cannot be ---- */

static void
test_impossible_records(void **state)
{
	static const struct {
		const char *name;
		uint32_t newest, oldest;
		struct secret_version version;
		uint8_t mask;
		bool good;
	} cases[] = {
		{"as it should be", 1, 1, {.deletion = 5, .deleted = true}, 7, true},
		{"the newest is none", 0, 1, {0}, 7, false},
		{"the oldest is none", 1, 0, {0}, 7, false},
		{"upside down", 1, 2, {0}, 7, false},
		{"more than there may be", 101, 1, {0}, 7, false},
		{"created before time", 1, 1, {.created = -1}, 7, false},
		{"deleted before time", 1, 1, {.deletion = -1}, 7, false},
		{"deleted at no time", 1, 1, {.deleted = true}, 7, false},
		{"too large", 1, 1, {.size = WIRE_SECRET_MAX + 1}, 7, false},
		{"some settings", 1, 1, {0}, SETTING_CAS_REQUIRED, false},
	};
	static uint8_t memory[RECORD_SECRET_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct writer w = writer_of(memory, sizeof(memory));
		struct secret_record record = secret_record_new(1);
		record.settings.mask = cases[i].mask;
		record.newest = 1; /* so that one version is written */
		record.oldest = 1;
		record.versions[0] = cases[i].version;
		record.versions[0].operator_name = text_bytes("alice");
		secret_record_write(&w, &record);
		memory[4] = (uint8_t)cases[i].newest;
		memory[8] = (uint8_t)cases[i].oldest;
		if (secret_record_read(writer_bytes(&w), &record) != cases[i].good)
			fail_msg("%s", cases[i].name);
	}
	struct writer w = writer_of(memory, sizeof(memory));
	struct secret_record record = secret_record_new(1);
	secret_record_write(&w, &record);
	assert_true(secret_record_read(writer_bytes(&w), &record));
	static const uint8_t half[] = {0, 1}; /* one name, and then nothing */
	record.custom = BYTES_OF(half);
	w = writer_of(memory, sizeof(memory));
	secret_record_write(&w, &record);
	assert_false(secret_record_read(writer_bytes(&w), &record));
	record = secret_record_new(1);
	w = writer_of(memory, sizeof(memory));
	secret_record_write(&w, &record);
	memory[0] = 1; /* a record of the first kind */
	assert_false(secret_record_read(writer_bytes(&w), &record));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, house_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_impossible_records),
		TEST(test_a_version_is_deleted_brought_back_and_destroyed),
		TEST(test_several_at_once_or_none),
		TEST(test_check_and_set),
		TEST(test_the_oldest_make_room),
		TEST(test_a_hundred_versions),
		TEST(test_versions_expire_by_the_keepers_clock),
		TEST(test_settings_stand_alone_and_by_themselves),
		TEST(test_the_largest_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
