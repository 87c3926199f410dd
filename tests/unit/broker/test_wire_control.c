/* SPDX-License-Identifier: Apache-2.0 */
/* The local socket's messages at and beyond their bounds; truncations, flipped bits and trailing
 * bytes of each are test_wire_codec.c's. */
#include "wire/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static uint8_t memory[8192];

static struct bytes
word(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* On an exact-size copy. What is refused must not have been written down. */
#define ACCEPTED(name)                                                                             \
	static bool name##_accepted(const struct control_##name *message)                          \
	{                                                                                          \
		struct control_##name decoded, untouched;                                          \
		struct writer w = writer_of(memory, sizeof(memory));                               \
		control_##name##_write(&w, message);                                               \
		if (w.failed)                                                                      \
			return false;                                                              \
		uint8_t *copy = malloc(w.size);                                                    \
		assert_non_null(copy);                                                             \
		memcpy(copy, memory, w.size);                                                      \
		memset(&decoded, 0xa5, sizeof(decoded));                                           \
		memset(&untouched, 0xa5, sizeof(untouched));                                       \
		bool accepted = control_##name##_read((struct bytes){copy, w.size}, &decoded);     \
		free(copy);                                                                        \
		if (!accepted)                                                                     \
			assert_memory_equal(&decoded, &untouched, sizeof(decoded));                \
		return accepted;                                                                   \
	}
ACCEPTED(share)
ACCEPTED(key)
ACCEPTED(reset)
ACCEPTED(rekey)
ACCEPTED(rekeyed)
ACCEPTED(witness)
ACCEPTED(thaw)
ACCEPTED(state)
ACCEPTED(answer)

static const struct {
	uint8_t count;
	uint8_t threshold;
	bool good;
} numbers[] = {
	{0, 0, true},  {1, 1, true},   {2, 2, true},	{5, 3, true},	 {32, 32, true},
	{32, 2, true}, {0, 1, false},  {1, 0, false},	{2, 1, false},	 {5, 1, false},
	{3, 4, false}, {33, 3, false}, {33, 33, false}, {255, 2, false}, {1, 2, false},
};

static void
test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(numbers); i++) {
		const struct control_rekey rekey = {numbers[i].count, numbers[i].threshold};
		const struct control_state status = {.sealed = true,
						     .count = numbers[i].count,
						     .threshold = numbers[i].threshold};
		const struct control_share share = {.purpose = CONTROL_TO_UNSEAL,
						    .number = 1,
						    .count = numbers[i].count,
						    .threshold = numbers[i].threshold};
		bool good = numbers[i].good;
		if (control_numbers_valid(numbers[i].count, numbers[i].threshold) != good ||
		    rekey_accepted(&rekey) != good || state_accepted(&status) != good ||
		    share_accepted(&share) != (good && numbers[i].count > 0))
			fail_msg("%u of %u", numbers[i].threshold, numbers[i].count);
	}
}

static void
test_shares(void **state)
{
	const struct control_share good = {
		.purpose = CONTROL_TO_UNSEAL, .threshold = 3, .count = 5, .number = 5};
	struct control_share bad = good;
	(void)state;
	assert_true(share_accepted(&good));
	bad.number = 6;
	assert_false(share_accepted(&bad));
	bad.number = 0;
	assert_false(share_accepted(&bad));
	for (unsigned purpose = 0; purpose < 256; purpose++) {
		bool known = purpose >= CONTROL_TO_UNSEAL && purpose <= CONTROL_TO_VERIFY;
		struct control_share share = good;
		struct control_key key = {.purpose = (uint8_t)purpose};
		struct control_reset reset = {(uint8_t)purpose};
		share.purpose = (uint8_t)purpose;
		assert_int_equal(share_accepted(&share), known);
		assert_int_equal(key_accepted(&key), known);
		assert_int_equal(reset_accepted(&reset), known);
	}
}

static struct control_rekeyed
new_shares(uint8_t count)
{
	struct control_rekeyed message = {.count = count};
	for (uint8_t i = 0; i < count; i++)
		message.shares[i] = (struct control_share){.set = "ABCDEFG",
							   .threshold = count > 1 ? 2 : 1,
							   .count = count,
							   .number = (uint8_t)(i + 1)};
	return message;
}

/* What is printed and handed out is one set, whole. */
static void
test_new_shares(void **state)
{
	(void)state;
	for (uint8_t count = 0; count <= CONTROL_SHARES_MAX; count++) {
		struct control_rekeyed message = new_shares(count);
		assert_true(rekeyed_accepted(&message));
	}
	struct control_rekeyed bad = new_shares(5);
	bad.count = CONTROL_SHARES_MAX + 1;
	assert_false(rekeyed_accepted(&bad));
	bad = new_shares(5);
	bad.count = 4;
	assert_false(rekeyed_accepted(&bad)); /* one is missing */
	bad = new_shares(5);
	bad.shares[4].number = 4;
	assert_false(rekeyed_accepted(&bad)); /* one twice */
	bad = new_shares(5);
	bad.shares[3] = new_shares(6).shares[3];
	assert_false(rekeyed_accepted(&bad)); /* of another number of shares */
	bad = new_shares(5);
	bad.shares[2].set[7] ^= 1;
	assert_false(rekeyed_accepted(&bad)); /* of another set */
	bad = new_shares(5);
	bad.shares[2].threshold = 3;
	assert_false(rekeyed_accepted(&bad));

	/* A count that promises more than there is. */
	struct control_rekeyed decoded;
	uint8_t many[CONTROL_KEY_SIZE + 1] = {0};
	many[CONTROL_KEY_SIZE] = 255;
	assert_false(control_rekeyed_read(BYTES_OF(many), &decoded));
	many[CONTROL_KEY_SIZE] = 1;
	assert_false(control_rekeyed_read(BYTES_OF(many), &decoded));
}

static void
test_the_largest_payload_fits(void **state)
{
	struct control_rekeyed shares = new_shares(CONTROL_SHARES_MAX);
	static uint8_t text[CONTROL_TEXT_MAX];
	struct control_state status = {.frozen = true, .why = BYTES_OF(text)};
	(void)state;
	memset(text, 'a', sizeof(text));
	struct writer w = writer_of(memory, CONTROL_PAYLOAD_MAX);
	control_rekeyed_write(&w, &shares);
	assert_false(w.failed);
	w = writer_of(memory, CONTROL_PAYLOAD_MAX);
	control_state_write(&w, &status);
	assert_false(w.failed);
}

static void
test_witness(void **state)
{
	static const struct {
		struct control_witness message;
		bool good;
	} table[] = {
		{{1, 0}, true},
		{{2, 1}, true},
		{{2, UINT64_MAX - 1}, true},
		{{0, 1}, false},
		{{3, 1}, false},
		{{255, 1}, false},
		{{1, CONTROL_NO_WITNESS}, false},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		assert_int_equal(witness_accepted(&table[i].message), table[i].good);
}

static void
test_thaw(void **state)
{
	static char longest[201];
	static const struct {
		const char *reason;
		bool good;
	} table[] = {
		{"restored on purpose", true},
		{"\xc3\xbc", true},
		{"", false},
		{"two\nlines", false},
		{"\x1b[2J", false},
		{"\xff", false},
		{"\xe2\x80\xae"
		 "turned round",
		 false},
	};
	struct control_thaw message = {.trust_revision = UINT64_MAX};
	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		message.reason = word(table[i].reason);
		if (thaw_accepted(&message) != table[i].good)
			fail_msg("'%s'", table[i].reason);
	}
	memset(longest, 'a', sizeof(longest));
	message.reason = (struct bytes){(const uint8_t *)longest, 200};
	assert_true(thaw_accepted(&message));
	message.reason.size = 201;
	assert_false(thaw_accepted(&message));
}

/* What a sealed keeper cannot know it does not say; only a frozen one says why. */
static void
test_states(void **state)
{
	const struct bytes why = word("older");
	const struct {
		const char *what;
		struct control_state message;
		bool good;
	} table[] = {
		{"sealed", {.sealed = true, .count = 5, .threshold = 3, .given = 3}, true},
		{"sealed, the key in a file", {.sealed = true}, true},
		{"serving", {.trust_revision = 1, .generation = 2, .oldest = 2}, true},
		{"frozen", {.frozen = true, .trust_revision = 1, .why = why}, true},
		{"sealed and frozen", {.sealed = true, .frozen = true, .why = why}, false},
		{"frozen for no reason", {.frozen = true}, false},
		{"serving for a reason", {.why = why}, false},
		{"more shares than needed", {.count = 5, .threshold = 3, .given = 4}, false},
		{"oldest after the newest", {.generation = 1, .oldest = 2}, false},
		{"sealed, with a trust revision", {.sealed = true, .trust_revision = 1}, false},
		{"sealed, with a revision", {.sealed = true, .store_revision = 1}, false},
		{"sealed, with a witness", {.sealed = true, .witness = 1}, false},
		{"sealed, with a generation", {.sealed = true, .generation = 1}, false},
		{"sealed, with progress", {.sealed = true, .resealed = 1}, false},
		{"sealed, with records", {.sealed = true, .records = 1}, false},
		{"sealed, rekeying", {.sealed = true, .rekey_given = 1}, false},
		{"unprintable", {.frozen = true, .why = word("\x1b")}, false},
	};
	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		if (state_accepted(&table[i].message) != table[i].good)
			fail_msg("%s", table[i].what);
	}
	/* A flag is 0 or 1. */
	struct control_state decoded;
	struct writer w = writer_of(memory, sizeof(memory));
	control_state_write(&w, &table[2].message);
	memory[0] = 2;
	assert_false(control_state_read(writer_bytes(&w), &decoded));
}

static void
test_answers(void **state)
{
	static char text[CONTROL_TEXT_MAX + 1];
	static uint8_t payload[CONTROL_PAYLOAD_MAX + 1];
	struct control_answer answer = {CONTROL_OK,
					{(const uint8_t *)text, CONTROL_TEXT_MAX},
					{payload, CONTROL_PAYLOAD_MAX}};
	(void)state;
	memset(text, 'a', sizeof(text));
	assert_true(answer_accepted(&answer));
	answer.text.size++;
	assert_false(answer_accepted(&answer));
	answer.text = word("two\nlines");
	assert_false(answer_accepted(&answer));
	answer.text = word("");
	assert_true(answer_accepted(&answer));
	answer.payload.size++;
	assert_false(answer_accepted(&answer));
	answer.payload.size = 0;
	for (unsigned status = 0; status < 256; status++) {
		answer.status = (uint8_t)status;
		assert_int_equal(answer_accepted(&answer), status <= CONTROL_FAILED);
	}
}

/* Encoders refuse what no decoder would take, also where the decoder is another program's. */
static void
test_writers_refuse(void **state)
{
	static char text[CONTROL_TEXT_MAX + 1];
	static uint8_t payload[CONTROL_PAYLOAD_MAX + 1];
	struct control_answer answer = {CONTROL_OK, BYTES_OF(payload), {0}};
	struct control_rekeyed shares = {.count = CONTROL_SHARES_MAX + 1};
	struct control_thaw thaw = {1, {(const uint8_t *)text, 201}};
	(void)state;
	memset(text, 'a', sizeof(text));
	struct writer w = writer_of(memory, sizeof(memory));
	answer.text = (struct bytes){(const uint8_t *)text, sizeof(text)};
	control_answer_write(&w, &answer);
	assert_true(w.failed);
	w = writer_of(memory, sizeof(memory));
	answer.text = (struct bytes){0};
	answer.payload = BYTES_OF(payload);
	control_answer_write(&w, &answer);
	assert_true(w.failed);
	w = writer_of(memory, sizeof(memory));
	control_rekeyed_write(&w, &shares);
	assert_true(w.failed);
	w = writer_of(memory, sizeof(memory));
	control_thaw_write(&w, &thaw);
	assert_true(w.failed);
}

/* As a reader of the documents would write them. */
static void
test_known_bytes(void **state)
{
	static const uint8_t share[] = "\x01"
				       "ABCDEFGH"
				       "\x03\x05\x04"
				       "0123456789abcdefghijklmnopqrstuv";
	static const uint8_t key[] = "\x02"
				     "0123456789abcdefghijklmnopqrstuv"
				     "\xff\xff\xff\xff\xff\xff\xff\xff";
	struct control_share share_decoded;
	struct control_key key_decoded;
	(void)state;
	assert_true(control_share_read((struct bytes){share, sizeof(share) - 1}, &share_decoded));
	assert_int_equal(share_decoded.purpose, CONTROL_TO_UNSEAL);
	assert_memory_equal(share_decoded.set, "ABCDEFGH", 8);
	assert_int_equal(share_decoded.threshold, 3);
	assert_int_equal(share_decoded.count, 5);
	assert_int_equal(share_decoded.number, 4);
	assert_memory_equal(share_decoded.bytes, "0123456789abcdefghijklmnopqrstuv", 32);
	assert_int_equal(sizeof(share) - 1, 1 + CONTROL_SHARE_SIZE);
	assert_true(control_key_read((struct bytes){key, sizeof(key) - 1}, &key_decoded));
	assert_int_equal(key_decoded.purpose, CONTROL_TO_REKEY);
	assert_memory_equal(key_decoded.key, "0123456789abcdefghijklmnopqrstuv", 32);
	assert_true(key_decoded.witness == CONTROL_NO_WITNESS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_new_shares),
		cmocka_unit_test(test_the_largest_payload_fits),
		cmocka_unit_test(test_witness),
		cmocka_unit_test(test_thaw),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_writers_refuse),
		cmocka_unit_test(test_known_bytes),
	};
	return cmocka_run_group_tests_name("local socket's messages", tests, NULL, NULL);
}
