/* SPDX-License-Identifier: Apache-2.0 */
/* Claims in the keeper: as Cedar values, as records, and as people see them. */
#include "keeper_fixture_web.h"

#include "keeper/claims.h"
#include "keeper/facts.h"
#include "wire/schema.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MACHINE	 "m-0123456789abcdef"
#define ZEROS_31 "0000000000000000000000000000000"
#define AA	 "aa" ZEROS_31 ZEROS_31
#define BB	 "bb" ZEROS_31 ZEROS_31 ZEROS_31 "0"

/* One claim of each kind, single and list. */
static void
sample(struct attest_claims *claims)
{
	static const uint8_t a[32] = {0xaa}, b[48] = {0xbb};
	const struct bytes pk = BYTES_OF(a), images[] = {BYTES_OF(a), BYTES_OF(b)};
	const struct bytes lines[] = {text_bytes("linux quiet"), text_bytes("initrd \xc3\xa4")};
	const struct bytes sbat = text_bytes("sbat,1");
	const uint8_t one[8] = {[7] = 1}, two[8] = {[7] = 2};
	const struct bytes unlocks[] = {BYTES_OF(one), BYTES_OF(two)};

	*claims = (struct attest_claims){0};
	assert_true(attest_claim_boolean(claims, CLAIM_SECURE_BOOT, true));
	assert_true(attest_claim_boolean(claims, CLAIM_SETUP_MODE, false));
	assert_true(attest_claim_values(claims, CLAIM_PK, &pk, 1));
	assert_true(attest_claim_values(claims, CLAIM_DBX_HASHES, NULL, 0));
	assert_true(attest_claim_values(claims, CLAIM_SBAT_LEVEL, &sbat, 1));
	assert_true(attest_claim_values(claims, CLAIM_BOOT_IMAGES, images, 2));
	assert_true(attest_claim_values(claims, CLAIM_GRUB_COMMAND_LINES, lines, 2));
	assert_true(attest_claim_number(claims, CLAIM_WINDOWS_BOOT_COUNTER, INT64_MAX));
	assert_true(attest_claim_values(claims, CLAIM_WINDOWS_BITLOCKER_UNLOCKS, unlocks, 2));
	assert_true(attest_claim_number(claims, CLAIM_IMA_VIOLATIONS, 0));
}

static struct bytes
encoded(const struct attest_claims *claims)
{
	return (struct bytes){claims->encoded, claims->size};
}

/* They outlive the schema. */
static struct policy_facts *
actions_new(void)
{
	struct policy_schema *schema = NULL;
	struct policy_error err = {0};

	assert_int_equal(
		policy_schema_parse((struct policy_text){broker_schema, broker_schema_size},
				    &schema, &err),
		POLICY_OK);
	struct policy_facts *actions = facts_actions_new(schema);
	policy_schema_free(schema);
	return actions;
}

/* What one condition makes of these claims; `named` as the keeper would set it, or all ones. */
static bool
permits(const char *condition, struct bytes claims, enum ima_state ima, bool all_named,
	char ret_why[FACTS_WHY_SIZE])
{
	char source[1024];
	struct policy_error err = {0};
	auto_policy_set *set = NULL;
	auto_facts *actions = actions_new();
	auto_facts *common = policy_facts_new(actions);
	auto_facts *facts = policy_facts_new(common);
	struct machine *machine = machine_new(MACHINE);
	static const struct machine_record record;
	struct release_view view = {.machine = machine,
				    .record = &record,
				    .now = 1,
				    .log = LOG_REPLAYS,
				    .ima = ima,
				    .claims = claims};
	struct release_facts shared;

	snprintf(source, sizeof(source),
		 "permit (principal, action == Action::\"release\", resource) when { %s };",
		 condition);
	assert_int_equal(policy_set_parse((struct policy_text){source, strlen(source)}, &set, &err),
			 POLICY_OK);
	view.named = all_named ? UINT64_MAX : facts_claims_named(set);
	facts_release_start(common, &view, &shared);
	bool first = facts_release_allowed(set, NULL, facts, &shared, text_bytes("a/b"), ret_why);
	/* What is built once serves every secret of the release. */
	bool second = facts_release_allowed(set, NULL, facts, &shared, text_bytes("c"), ret_why);
	assert_int_equal(first, second);
	machine_free(machine);
	return first;
}

static const struct {
	const char *name;
	const char *condition;
	bool want;
} conditions[] = {
	{"a boolean", "context.claims.secureBoot", true},
	{"a boolean that is false", "context.claims.setupMode", false},
	{"a number", "context.claims.windowsBootCounter == 9223372036854775807", true},
	{"a text", "context.claims.sbatLevel like \"sbat,*\"", true},
	{"a digest in lower-case hex", "context.claims.pk == \"" AA "\"", true},
	{"a list of digests of two sizes", "context.claims.bootImages == [\"" BB "\", \"" AA "\"]",
	 true},
	{"a list of texts",
	 "[\"linux quiet\", \"initrd \xc3\xa4\"].containsAll(context.claims.grubCommandLines)",
	 true},
	{"one that is not allowed",
	 "[\"linux quiet\"].containsAll(context.claims.grubCommandLines)", false},
	{"a list of numbers", "context.claims.windowsBitLockerUnlocks == [2, 1]", true},
	{"an empty list", "context.claims.dbxHashes.isEmpty()", true},
	{"by a name with an escape", "context.claims[\"boot\\u{49}mages\"].isEmpty()", false},
	{"the states", "context.claims.eventLog == \"replays\" && context.claims.ima == \"absent\"",
	 true},
	{"has", "context.claims has secureBoot && !(context.claims has db)", true},
	{"a list that is there is there unnamed", "context.claims has mok", false},
	{"whole records, with lists left out that no policy names",
	 "context.claims == {secureBoot: true, eventLog: \"replays\", ima: \"absent\"}", false},
	{"whole records, with themselves", "context.claims == context.claims", true},
	{"an absent claim, without asking", "context.claims.db == \"x\"", false},
	{"of another kind", "context.claims.secureBoot < 1", false},
};

static void
test_every_kind_of_claim_is_a_cedar_value(void **state)
{
	static struct attest_claims claims;
	char why[FACTS_WHY_SIZE];

	(void)state;
	sample(&claims);
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		bool got =
			permits(conditions[i].condition, encoded(&claims), IMA_ABSENT, false, why);
		if (got != conditions[i].want)
			fail_msg("%s: %s", conditions[i].name, why);
		/* What is left unbuilt changes no decision. */
		assert_int_equal(got, permits(conditions[i].condition, encoded(&claims), IMA_ABSENT,
					      true, why));
	}
}

static void
test_no_claims_and_ima_states(void **state)
{
	char why[FACTS_WHY_SIZE];

	(void)state;
	assert_true(permits("!(context.claims has secureBoot)", (struct bytes){0}, IMA_ABSENT,
			    false, why));
	assert_true(permits("context.claims.ima == \"verified\"", (struct bytes){0}, IMA_VERIFIED,
			    false, why));
	assert_true(permits("context.claims.ima == \"refused\"", (struct bytes){0}, IMA_REFUSED,
			    false, why));
	assert_false(permits("context.claims.ima == \"verified\"", (struct bytes){0}, IMA_REFUSED,
			     false, why));
}

/* The wire refuses them; should they ever get here, they deny. */
static void
test_claims_that_do_not_parse_deny(void **state)
{
	static struct attest_claims claims;
	char why[FACTS_WHY_SIZE];

	(void)state;
	sample(&claims);
	for (size_t size = 1; size < claims.size; size++) {
		struct bytes cut = {claims.encoded, size};
		assert_int_equal(permits("true", cut, IMA_ABSENT, false, why),
				 attest_claims_valid(cut));
	}
}

/* ---- the record ---- */

static void
test_records_leave_out_the_largest(void **state)
{
	static struct attest_claims claims;
	static uint8_t digests[200][32], kept[CLAIMS_KEPT_MAX], memory[CLAIMS_RECORD_MAX];
	struct bytes values[200];
	struct writer kept_w = writer_of(kept, sizeof(kept));
	struct writer w = writer_of(memory, sizeof(memory));
	struct claims_record record, again;
	uint8_t hash[32];

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		digests[i][0] = (uint8_t)i;
		values[i] = BYTES_OF(digests[i]);
	}
	claims = (struct attest_claims){0};
	assert_true(attest_claim_boolean(&claims, CLAIM_SECURE_BOOT, true));
	assert_true(attest_claim_values(&claims, CLAIM_DBX_HASHES, values, 200));
	assert_true(attest_claim_values(&claims, CLAIM_BOOT_IMAGES, values, 100));
	assert_true(attest_claim_values(&claims, CLAIM_MOK, values, 2));
	claims_select(encoded(&claims), &kept_w, &record);
	assert_false(kept_w.failed);
	assert_int_equal(record.left_out_count, 1);
	assert_int_equal(record.left_out[0], CLAIM_DBX_HASHES);
	claims_hash(encoded(&claims), hash);
	assert_memory_equal(record.hash, hash, sizeof(hash));
	claims_record_write(&w, &record);
	assert_false(w.failed);
	assert_true(claims_record_read(writer_bytes(&w), &again));
	assert_true(bytes_equal(again.kept, record.kept));
	assert_int_equal(again.left_out_count, 1);
	struct reader r = reader_of(again.kept);
	struct attest_claim claim;
	size_t count = 0;
	for (; attest_claim_next(&r, &claim); count++)
		assert_int_not_equal(claim.rule->id, CLAIM_DBX_HASHES);
	assert_int_equal(count, 3);
}

/* On a heap copy of its exact size, so that an over-read is seen. */
static bool
reads(const uint8_t *data, size_t size, struct writer *again)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);
	struct claims_record record;

	assert_non_null(copy);
	memcpy(copy, data, size);
	bool good = claims_record_read((struct bytes){copy, size}, &record);
	if (good)
		claims_record_write(again, &record);
	free(copy);
	return good;
}

static void
test_records_round_trip_and_refuse_everything_else(void **state)
{
	static struct attest_claims claims;
	static uint8_t kept[CLAIMS_KEPT_MAX], memory[CLAIMS_RECORD_MAX + 1];
	static uint8_t other[CLAIMS_RECORD_MAX + 1];
	struct writer kept_w = writer_of(kept, sizeof(kept));
	struct writer w = writer_of(memory, sizeof(memory));
	struct writer again = writer_of(other, sizeof(other));
	struct claims_record record;

	(void)state;
	sample(&claims);
	claims_select(encoded(&claims), &kept_w, &record);
	record.left_out_count = 2;
	record.left_out[0] = CLAIM_DB;
	record.left_out[1] = CLAIM_MOK;
	claims_record_write(&w, &record);
	assert_true(reads(memory, w.size, &again));
	assert_true(bytes_equal(writer_bytes(&w), writer_bytes(&again)));
	for (size_t size = 0; size < w.size; size++)
		assert_false(reads(memory, size, &again));
	assert_false(reads(memory, w.size + 1, &again));
	for (size_t bit = 0; bit < w.size * 8; bit++) {
		memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
		again = writer_of(other, sizeof(other));
		if (reads(memory, w.size, &again))
			assert_true(bytes_equal(writer_bytes(&w), writer_bytes(&again)));
		memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	record.left_out[1] = CLAIM_DB; /* twice */
	w = writer_of(memory, sizeof(memory));
	claims_record_write(&w, &record);
	assert_false(reads(memory, w.size, &again));
}

static void
test_people_see_all_or_the_small(void **state)
{
	static struct attest_claims claims;
	static const char want[] =
		"{\"secureBoot\":true,\"setupMode\":false,\"pk\":\"" AA
		"\",\"dbxHashes\":{\"count\":0},\"sbatLevel\":\"sbat,1\",\"bootImages\":"
		"{\"count\":2},\"grubCommandLines\":{\"count\":2},\"windowsBootCounter\":"
		"9223372036854775807,\"windowsBitLockerUnlocks\":{\"count\":2},\"imaViolations\":"
		"0}";
	struct json json = {0};

	(void)state;
	sample(&claims);
	out_start(&json, 4096);
	out_object(&json, NULL);
	claims_out_small(&json, encoded(&claims));
	out_object_end(&json);
	assert_true(out_finish(&json));
	assert_true(bytes_equal(out_bytes(&json), text_bytes(want)));
	out_start(&json, 4096);
	out_object(&json, NULL);
	claims_out(&json, encoded(&claims));
	out_object_end(&json);
	assert_true(out_finish(&json));
	char *text = strndup(json.memory, json.size);
	assert_non_null(strstr(text, "\"grubCommandLines\":[\"linux quiet\",\"initrd \xc3\xa4\"]"));
	assert_non_null(strstr(text, "\"windowsBitLockerUnlocks\":[1,2]"));
	free(text);
	out_clear(&json);
}

/* ---- claims that are too large to keep ---- */

static void
say_much(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	static uint8_t digests[200][32];
	struct attest_claims *claims = &appraisal->report.claims;
	struct bytes values[200];

	(void)request;
	for (size_t i = 0; i < 200; i++) {
		digests[i][0] = (uint8_t)i;
		values[i] = BYTES_OF(digests[i]);
	}
	*claims = (struct attest_claims){0};
	attest_claim_boolean(claims, CLAIM_SECURE_BOOT, true);
	attest_claim_values(claims, CLAIM_DBX_HASHES, values, 200);
}

static void
assert_checked(struct house *house, const char *condition, const char *want)
{
	struct operation_request request = {.operation = OPERATION_POLICY_CHECK};
	char text[512];

	snprintf(text, sizeof(text),
		 "forbid (principal, action == Action::\"release\", resource == "
		 "Secret::\"web/key\") "
		 "unless { %s };",
		 condition);
	operation_set_text(&request, FIELD_NAME, "new");
	operation_set_text(&request, FIELD_POLICY, text);
	struct house_answer answer = house_operate(house, &house->alice, &request);
	if (answer.outcome != OUTCOME_OK || !strstr(answer.json, want))
		fail_msg("%s: no %s in %s", condition, want, answer.json);
	free(answer.json);
}

/* policy-check says what it knows, and of what it does not, that it does not. */
static void
test_claims_that_are_too_large_to_keep(void **state)
{
	struct house *house = *state;
	struct software_log log;
	struct guest guest;

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	software_log_boot(&log, 20, true);
	struct guest_release how = {.event_log = {log.data, log.size}};
	house->lie = say_much;
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_OK);
	assert_explained(house, &guest, "\"dbxHashes\":{\"count\":200}");
	char *shown = machine_shown(house, &guest);
	assert_non_null(strstr(shown, "\"claims\":{\"secureBoot\":true}"));
	assert_non_null(strstr(shown, "\"claims_left_out\":[\"dbxHashes\"]"));
	free(shown);
	assert_checked(house, "context.claims has secureBoot && context.claims.secureBoot",
		       "\"changes\":[]");
	assert_checked(house, "context.claims has secureBoot && context.claims.secureBoot",
		       "\"unsure\":0");
	assert_checked(house, "context.claims has secureBoot && !context.claims.secureBoot",
		       "\"after\":\"deny\"");
	assert_checked(house,
		       "context.claims has dbxHashes && context.claims.dbxHashes.contains(\"x\")",
		       "\"unsure\":1");
	assert_checked(house,
		       "context.claims has dbxHashes && context.claims.dbxHashes.contains(\"x\")",
		       "\"changes\":[]");
	software_log_free(&log);
	guest_close(&guest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_claim_is_a_cedar_value),
		cmocka_unit_test(test_no_claims_and_ima_states),
		cmocka_unit_test(test_claims_that_do_not_parse_deny),
		cmocka_unit_test(test_records_leave_out_the_largest),
		cmocka_unit_test(test_records_round_trip_and_refuse_everything_else),
		cmocka_unit_test(test_people_see_all_or_the_small),
		cmocka_unit_test_setup_teardown(test_claims_that_are_too_large_to_keep, web_set_up,
						web_tear_down),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
