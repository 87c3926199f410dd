/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's codecs and small parts: records, JSON text, challenges, the set of used ones, the
 * index. */
#include "keeper/challenge.h"
#include "keeper/index.h"
#include "keeper/json_out.h"
#include "keeper/machine.h"
#include "keeper/records.h"
#include "keeper/used.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- codecs: what decodes is exactly what encodes to it ---- */

/* Decodes and encodes again; false where it does not decode. */
typedef bool round_trip(struct bytes encoded, struct writer *w);

static bool
trust_trip(struct bytes encoded, struct writer *w)
{
	struct trust_record record;

	if (!trust_record_read(encoded, &record))
		return false;
	trust_record_write(w, &record);
	return true;
}

static bool
act_trip(struct bytes encoded, struct writer *w)
{
	struct act_record record;

	if (!act_record_read(encoded, &record))
		return false;
	act_record_write(w, &record);
	return true;
}

static bool
secret_trip(struct bytes encoded, struct writer *w)
{
	struct secret_record record;

	if (!secret_record_read(encoded, &record))
		return false;
	secret_record_write(w, &record);
	return true;
}

static bool
lease_trip(struct bytes encoded, struct writer *w)
{
	struct lease_record record;

	if (!lease_record_read(encoded, &record))
		return false;
	lease_record_write(w, &record);
	return true;
}

static bool
machine_trip(struct bytes encoded, struct writer *w)
{
	struct machine_record record;
	uint8_t fixed[MACHINE_RECORD_MAX];
	struct writer fixed_w = writer_of(fixed, sizeof(fixed));

	if (!machine_record_read(encoded, &record))
		return false;
	machine_fixed_write(&fixed_w, &record.fixed);
	assert_true(bytes_equal(writer_bytes(&fixed_w), record.encoded));
	machine_record_write(w, &record);
	return true;
}

static void
trust_sample(struct writer *w)
{
	struct trust_record record = {.revision = 7, .head = {1, 2, 3}};

	trust_record_write(w, &record);
}

static void
act_sample(struct writer *w)
{
	uint8_t signature[64] = {5};
	struct act_record record = {text_bytes("a request"), BYTES_OF(signature)};

	act_record_write(w, &record);
}

static void
secret_sample(struct writer *w)
{
	static uint8_t custom[128];
	struct writer custom_w = writer_of(custom, sizeof(custom));
	struct custom_metadata metadata = {2,
					   {text_bytes("owner"), text_bytes("ticket")},
					   {text_bytes("team a"), text_bytes("")}};
	struct secret_record record = secret_record_new(1000);
	uint32_t dropped;

	custom_metadata_write(&custom_w, &metadata);
	record.custom = writer_bytes(&custom_w);
	record.newest = record.oldest = 8;
	record.versions[0] = (struct secret_version){900, 950, true, true, 5, text_bytes("bob")};
	record.settings.cas_required = true;
	record.settings.delete_version_after = 60;
	secret_version_add(&record, 2000, 77, text_bytes("alice"), &dropped);
	assert_int_equal(dropped, 0);
	secret_record_write(w, &record);
}

static void
lease_sample(struct writer *w)
{
	struct lease_record record = {.machine = text_bytes("m-0123456789abcdef"),
				      .issued = 5,
				      .lifetime = 60,
				      .trust_revision = 3,
				      .count = 2,
				      .secrets = {{text_bytes("a/b"), 1}, {text_bytes("c"), 2}}};

	lease_record_write(w, &record);
}

static void
machine_sample(struct writer *w)
{
	static uint8_t ek[120], ak[90], name[AK_NAME_SIZE], id[32], cas[64], fixed[2048];
	struct writer fixed_w = writer_of(fixed, sizeof(fixed));
	struct machine_record record = {.last_seen = 99,
					.clock_known = true,
					.clock = {1, 2, 3},
					.log = LOG_REPLAYS,
					.ima = IMA_VERIFIED,
					.claims = {4, 5, 6},
					.secure_boot = ATTEST_YES,
					.suspended = true,
					.reason = "went back"};

	record.fixed = (struct machine_fixed){
		5,
		BYTES_OF(ek),
		BYTES_OF(ak),
		BYTES_OF(name),
		BYTES_OF(name),
		BYTES_OF(id),
		text_bytes("ecc-p256"),
		{WIRE_VERIFIED, 2, BYTES_OF(cas), 1, BYTES_OF(id), text_bytes("")},
		text_bytes("id:53544D20"),
		text_bytes("model"),
		text_bytes("1"),
		{WIRE_VERIFIED, 1, BYTES_OF(id), 2, BYTES_OF(cas), text_bytes("")},
		{true, text_bytes("zone"), text_bytes("project"), 7, UINT64_MAX,
		 text_bytes("web-1")}};
	machine_fixed_write(&fixed_w, &record.fixed);
	record.encoded = writer_bytes(&fixed_w);
	machine_record_write(w, &record);
}

static const struct codec {
	const char *name;
	void (*sample)(struct writer *w);
	round_trip *trip;
} codecs[] = {
	{"trust", trust_sample, trust_trip},	   {"act", act_sample, act_trip},
	{"secret", secret_sample, secret_trip},	   {"lease", lease_sample, lease_trip},
	{"machine", machine_sample, machine_trip},
};

/* On a heap copy of its exact size, so that an over-read is seen. */
static bool
trip(const struct codec *codec, const uint8_t *data, size_t size, struct writer *w)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	assert_non_null(copy);
	memcpy(copy, data, size);
	bool good = codec->trip((struct bytes){copy, size}, w);
	free(copy);
	return good;
}

static void
test_codecs_round_trip_and_refuse_everything_else(void **state)
{
	static uint8_t sample[8192], again[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		struct writer w = writer_of(sample, sizeof(sample));
		struct writer again_w = writer_of(again, sizeof(again));
		codecs[i].sample(&w);
		assert_false(w.failed);
		assert_true(trip(&codecs[i], sample, w.size, &again_w));
		assert_true(bytes_equal(writer_bytes(&w), writer_bytes(&again_w)));
		for (size_t size = 0; size < w.size; size++)
			assert_false(trip(&codecs[i], sample, size, &again_w));
		sample[w.size] = 0;
		assert_false(trip(&codecs[i], sample, w.size + 1, &again_w));
		for (size_t bit = 0; bit < w.size * 8; bit++) {
			sample[bit / 8] ^= (uint8_t)(1u << bit % 8);
			again_w = writer_of(again, sizeof(again));
			if (trip(&codecs[i], sample, w.size,
				 &again_w)) /* then it is another record's one encoding */
				assert_true(bytes_equal(writer_bytes(&w), writer_bytes(&again_w)));
			sample[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* ---- JSON ---- */

static void
test_json_escapes(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
		const char *want;
	} cases[] = {
		{"plain", {(const uint8_t *)"abc", 3}, "\"abc\""},
		{"quote and backslash", {(const uint8_t *)"\"\\", 2}, "\"\\\"\\\\\""},
		{"controls",
		 {(const uint8_t *)"\n\t\r\0\x7f", 5},
		 "\"\\n\\t\\u000d\\u0000\\u007f\""},
		{"two, three and four bytes",
		 {(const uint8_t *)"\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91", 9},
		 "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91\""},
		{"cut short", {(const uint8_t *)"a\xe2\x82", 3}, "\"a\?\?\""},
		{"overlong", {(const uint8_t *)"\xc0\xaf", 2}, "\"\?\?\""},
		{"surrogate", {(const uint8_t *)"\xed\xa0\x80", 3}, "\"\?\?\?\""},
		{"beyond the last", {(const uint8_t *)"\xf4\x90\x80\x80", 4}, "\"\?\?\?\?\""},
	};
	struct json json = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out_start(&json, 100);
		out_string(&json, NULL, cases[i].text);
		assert_true(out_finish(&json));
		assert_true(bytes_equal(out_bytes(&json), text_bytes(cases[i].want)));
	}
	out_clear(&json);
}

static void
test_json_shapes_and_limits(void **state)
{
	const uint8_t value[] = {0xde, 0xad};
	const char *want =
		"{\"a\":[1,null,true],\"b\":\"dead\",\"c\":\"3q0=\",\"d\":{},\"7\":\"dead\"}";
	struct json json = {0};

	(void)state;
	for (size_t limit = 0; limit <= strlen(want); limit++) {
		out_start(&json, limit);
		out_object(&json, NULL);
		out_array(&json, "a");
		out_number(&json, NULL, 1);
		out_null(&json, NULL);
		out_boolean(&json, NULL, true);
		out_array_end(&json);
		out_hex(&json, "b", BYTES_OF(value));
		out_base64(&json, "c", BYTES_OF(value));
		out_object(&json, "d");
		out_object_end(&json);
		out_hex_numbered(&json, 7, BYTES_OF(value));
		assert_false(out_finish(&json)); /* a bracket is open */
		out_object_end(&json);
		assert_int_equal(out_finish(&json), limit == strlen(want));
	}
	assert_true(bytes_equal(out_bytes(&json), text_bytes(want)));
	out_clear(&json);
}

/* ---- challenges ---- */

static void
test_challenges_are_for_one_kind_and_caller(void **state)
{
	struct bytes name = text_bytes("name");
	struct bytes second = text_bytes("second");
	uint8_t challenge[WIRE_CHALLENGE_SIZE + 1];
	struct bytes whole = {challenge, WIRE_CHALLENGE_SIZE};
	uint64_t issued;

	(void)state;
	auto_challenges *challenges = challenges_new(60);
	auto_challenges *others = challenges_new(60);
	assert_non_null(challenges);
	challenge_make(challenges, CHALLENGE_FOR_ENROLMENT, name, second, challenge);
	assert_int_equal(
		challenge_check(challenges, CHALLENGE_FOR_ENROLMENT, name, second, whole, &issued),
		CHALLENGE_GOOD);
	/* Another kind, another caller, another keeper, and names that join to the same text. */
	assert_int_equal(
		challenge_check(challenges, CHALLENGE_FOR_RELEASE, name, second, whole, &issued),
		CHALLENGE_FORGED);
	assert_int_equal(
		challenge_check(challenges, CHALLENGE_FOR_ENROLMENT, second, name, whole, &issued),
		CHALLENGE_FORGED);
	assert_int_equal(
		challenge_check(others, CHALLENGE_FOR_ENROLMENT, name, second, whole, &issued),
		CHALLENGE_FORGED);
	assert_int_equal(challenge_check(challenges, CHALLENGE_FOR_ENROLMENT, text_bytes("names"),
					 text_bytes("econd"), whole, &issued),
			 CHALLENGE_FORGED);
	for (size_t size = 0; size < sizeof(challenge); size++) {
		struct bytes cut = {challenge, size == WIRE_CHALLENGE_SIZE ? size + 1 : size};
		assert_int_equal(challenge_check(challenges, CHALLENGE_FOR_ENROLMENT, name, second,
						 cut, &issued),
				 CHALLENGE_FORGED);
	}
	for (size_t bit = 0; bit < (size_t)WIRE_CHALLENGE_SIZE * 8; bit++) {
		challenge[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(challenge_check(challenges, CHALLENGE_FOR_ENROLMENT, name, second,
						 whole, &issued),
				 CHALLENGE_FORGED);
		challenge[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(challenge_consume(challenges, whole), CHALLENGE_GOOD);
	assert_int_equal(challenge_consume(challenges, whole), CHALLENGE_USED);
}

static void
test_challenges_expire(void **state)
{
	uint8_t challenge[WIRE_CHALLENGE_SIZE];
	uint64_t issued;

	(void)state;
	auto_challenges *challenges = challenges_new(0);
	challenge_make(challenges, CHALLENGE_FOR_RELEASE, text_bytes("n"), (struct bytes){0},
		       challenge);
	for (uint64_t start = challenges_now(challenges); challenges_now(challenges) <= start + 1;)
		;
	assert_int_equal(challenge_check(challenges, CHALLENGE_FOR_RELEASE, text_bytes("n"),
					 (struct bytes){0}, BYTES_OF(challenge), &issued),
			 CHALLENGE_EXPIRED);
	assert_int_equal(challenge_consume(challenges, BYTES_OF(challenge)), CHALLENGE_EXPIRED);
}

static void
key_of(uint64_t number, uint8_t ret_key[USED_KEY_SIZE])
{
	memset(ret_key, 0, USED_KEY_SIZE);
	number++;
	memcpy(ret_key + 8 * (number % 2), &number, sizeof(number)); /* half of them begin alike */
}

static void
test_used_set_remembers_for_a_lifetime_and_no_longer(void **state)
{
	struct used_set *set = used_set_new(100, 5000);
	uint8_t key[USED_KEY_SIZE];

	(void)state;
	for (uint64_t i = 0; i < 5000; i++) {
		key_of(i, key);
		assert_int_equal(used_set_add(set, key, 50), CHALLENGE_GOOD);
	}
	for (uint64_t i = 0; i < 5000; i++) {
		key_of(i, key);
		assert_int_equal(used_set_add(set, key, 99), CHALLENGE_USED);
		assert_int_equal(used_set_add(set, key, 199),
				 CHALLENGE_USED); /* a lifetime later, and more */
		assert_int_equal(used_set_add(set, key, 20),
				 CHALLENGE_USED); /* by a thread that is late */
	}
	key_of(5000, key);
	assert_int_equal(used_set_add(set, key, 199), CHALLENGE_GOOD);
	key_of(0, key);
	assert_int_equal(used_set_add(set, key, 200),
			 CHALLENGE_GOOD); /* forgotten: it has expired by far */
	key_of(5000, key);
	assert_int_equal(used_set_add(set, key, 200), CHALLENGE_USED);
	assert_int_equal(used_set_add(set, key, 1000), CHALLENGE_GOOD);
	used_set_free(set);
}

static void
test_used_set_is_bounded(void **state)
{
	struct used_set *set = used_set_new(100, 3);
	uint8_t key[USED_KEY_SIZE];

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		key_of(i, key);
		assert_int_equal(used_set_add(set, key, 0),
				 i < 3 ? CHALLENGE_GOOD : CHALLENGE_CROWDED);
	}
	memset(key, 0, sizeof(key));
	assert_int_equal(used_set_add(set, key, 500), CHALLENGE_USED);
	used_set_free(set);
}

static void
test_index_finds_what_was_added(void **state)
{
	static char keys[3000][8];
	struct index index;

	(void)state;
	index_start(&index);
	assert_null(index_find(&index, text_bytes("x")));
	for (size_t i = 0; i < 3000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%zu", i);
		assert_true(index_add(&index, text_bytes(keys[i]), keys[i]));
	}
	for (size_t i = 0; i < 3000; i++)
		assert_ptr_equal(index_find(&index, text_bytes(keys[i])), keys[i]);
	assert_null(index_find(&index, text_bytes("3000")));
	assert_null(index_find(&index, (struct bytes){(const uint8_t *)"12x", 0}));
	index_clear(&index);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codecs_round_trip_and_refuse_everything_else),
		cmocka_unit_test(test_json_escapes),
		cmocka_unit_test(test_json_shapes_and_limits),
		cmocka_unit_test(test_challenges_are_for_one_kind_and_caller),
		cmocka_unit_test(test_challenges_expire),
		cmocka_unit_test(test_used_set_remembers_for_a_lifetime_and_no_longer),
		cmocka_unit_test(test_used_set_is_bounded),
		cmocka_unit_test(test_index_finds_what_was_added),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
